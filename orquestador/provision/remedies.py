"""What a person can do about a difference, a refusal, a leftover: sentences, each with its name.

Whether one applies is decided here too, from what was found; what then happens is `applying.py`'s.
"""

from __future__ import annotations

from dataclasses import replace

from orquestador.provision.found import Found, Status
from orquestador.provision.outcome import counted
from orquestador.provision.plan import Remedy
from orquestador.provision.written import as_yaml, entry
from orquestador.topology.arguments import STREAM
from orquestador.topology.model import EVENTS, HEARTBEAT, Exchange, Queue, Topology, ping_queue

UNTYPED = "this broker does not tell of what type it is: delete it by hand, if nobody misses it"
_NAMED = 3  # queues of one template that are named; of more the number is told


def of_difference(thing: Exchange | Queue, found: Found, topology: Topology) -> tuple[Remedy, ...]:
    """Adopt, rename, migrate, recreate: those that there are for it."""
    remedies = [adopt(thing, found, topology)]
    if not _named_by_protocol(thing, topology):
        remedies.append(rename(thing, topology))
    if isinstance(thing, Queue):
        remedies.append(migrate(thing, found))
        remedies.append(recreate(thing, found))
    else:
        text = (
            "apply --recreate: known bindings come back; while others are on it, it stays as it is"
        )
        remedies.append(Remedy("recreate", text))
    return tuple(remedies)


def adopt(thing: Exchange | Queue, found: Found, topology: Topology) -> Remedy:
    """Let the file say what the broker has."""
    change = entry(thing, found.differences, topology)
    if not found.differences:
        text = "the broker does not say what differs: look it up there (rabbitmqctl, management)"
        return Remedy("adopt", f"{text}, and write it at {_place(thing, topology)}", now=False)
    if change.beyond:
        return Remedy("adopt", f"no file can say {', '.join(change.beyond)}", now=False)
    written = [as_yaml({key: value}) for key, value in change.write.items()]
    parts = [f"write {' and '.join(written)}"] if written else []
    parts += [f"write {key} as the broker has it, which does not tell it" for key in change.untold]
    if change.remove:
        parts.append(f"remove {', '.join(change.remove)} (there, or in defaults)")
    parts += [f"declare exchange {name}" for name in change.undeclared]
    rest = "" if found.complete else "; this broker may not have told all that differs"
    text = f"{_place(thing, topology)}: {', '.join(parts)}{_also_makes(thing, topology)}{rest}"
    return Remedy("adopt", text)


def rename(thing: Exchange | Queue, topology: Topology) -> Remedy:
    start = f"{_place(thing, topology)}: give it another name"
    old = thing.name.removeprefix(topology.prefix)
    if isinstance(thing, Exchange):
        return Remedy("rename", f"{start}; once nobody publishes to {old}, list that under absent:")
    drained = f"once consumers have drained {old}, list that under absent:"
    return Remedy("rename", f"{start}, bindings and all; {drained}")


def migrate(queue: Queue, found: Found) -> Remedy:
    obstacle = why_not_migrate(queue, found)
    moves = f"apply --migrate moves its {messages(found)}" if found.messages else "apply --migrate"
    cost = "some may be there twice; what the default exchange brings just then is lost"
    if obstacle:
        return Remedy("migrate", f"apply --migrate, but {obstacle}", now=False)
    return Remedy("migrate", f"{moves}: {cost}")


def why_not_migrate(queue: Queue, found: Found) -> str:
    """What has to be done before; nothing where its messages can be moved now."""
    room = queue.arguments.get("x-max-length")
    if found.type is None:
        return UNTYPED
    if any(each.property == "auto_delete" and each.broker for each in found.differences):
        return "auto_delete: it would go with its last consumer, and so with the one that moves"
    if found.type == STREAM:
        return "the messages of a stream cannot be moved: reading takes none out"
    if found.consumers:
        return f"stop its {consumers(found)} first"
    if isinstance(room, int) and room < found.messages and queue.type != STREAM:
        lost = found.messages - room
        return f"it would drop {lost} of its {messages(found)}, for max_length is {room}"
    return ""


def recreate(queue: Queue, found: Found) -> Remedy:
    obstacle = why_not_recreate(queue, found)
    if obstacle:
        return Remedy("recreate", f"apply --recreate, but {obstacle}", now=False)
    state = "" if found.messages else "it is empty and unused; "
    text = f"{state}{why_recreate(queue, found)}".removesuffix("; ")
    return Remedy("recreate", f"apply --recreate: {text}")


def why_recreate(queue: Queue, found: Found) -> str:
    """What it costs; nothing, where that is nothing."""
    drops = [f"drops {messages(found)}, all disposable"] if found.messages else []
    note = not_atomic(queue, found)
    return "; ".join([*drops, *([note] if note else [])])


def why_not_recreate(queue: Queue, found: Found) -> str:
    if found.type is None:
        return UNTYPED
    if found.consumers:
        return f"stop its {consumers(found)} first"
    if found.messages and not queue.disposable:
        return f"it holds {messages(found)}: only an empty queue is made anew"
    return ""


def not_atomic(queue: Queue | None, found: Found) -> str:
    """if-empty and if-unused are for classic queues only."""
    kind = found.type or (queue.type if queue else None)
    if kind is None or kind == "classic":
        return ""
    return f"not atomic on a {kind} queue: what comes after it was counted is lost"


# -- not to be asked, not ours


def of_unasked(name: str, found: Found, thing: Exchange | Queue | None, where: str) -> Remedy:
    """Where it could not be asked (found.UNASKED).  `where`: the file's name."""
    match found.status:
        case Status.REFUSED:
            text = f"let this user configure {name} (rabbitmqctl set_permissions)"
            return Remedy("permission", f"{text}, or run as one who may")
        case Status.LOCKED:
            text = "end the program that declared it exclusive, or give this one another name"
            return Remedy("wait", text)
        case Status.UNSUPPORTED:
            place = f"{where}:{thing.line}: " if thing and thing.line else ""
            return Remedy("change", f"{place}write what this broker knows, or use another broker")
    return Remedy("wait", "once its node answers, run this again")


def of_owner(exchange: Exchange, topology: Topology) -> Remedy:
    place = _place(exchange, topology)
    text = f"it is its owner's to make; or {place}: remove owned: false, and apply makes it"
    return Remedy("owner", text)


LIMIT = Remedy("limit", "raise the vhost's limit, or remove queues nobody needs", now=False)
"""Of what is absent and the broker would not make."""


# -- what has to go


def weighed(found: Found, *, disposable: bool) -> Found:
    """With the messages that count: nobody misses those of a disposable queue."""
    return replace(found, messages=0) if disposable else found


def holding(found: Found) -> str:
    """ "holds 5 messages and has 2 consumers", or as much of it as is so."""
    parts = [f"holds {messages(found)}"] if found.messages else []
    parts += [f"has {consumers(found)}"] if found.consumers else []
    return " and ".join(parts)


def drain(found: Found, then: str, either: str = "") -> Remedy:
    steps = [f"stop its {consumers(found)}"] if found.consumers else []
    if found.messages:
        steps.append(f"have its {messages(found)} consumed or purged")
    other = f"; or {either}" if either else ""
    return Remedy("drain", f"{', '.join(steps)}; {then}{other}", now=False)


def messages(found: Found) -> str:
    return counted(found.messages, "message")


def consumers(found: Found) -> str:
    return counted(found.consumers, "consumer")


def _place(thing: Exchange | Queue, topology: Topology) -> str:
    return f"{topology.path}:{thing.line}" if thing.line else str(topology.path)


def _also_makes(thing: Exchange | Queue, topology: Topology) -> str:
    """A role's queue is written once and made for each of its services."""
    if isinstance(thing, Exchange) or not thing.line:
        return ""
    others = [
        queue.name
        for queue in topology.lasting
        if queue.line == thing.line and queue.name != thing.name
    ]
    if not others:
        return ""
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f" (that entry makes {', '.join(others[:_NAMED])}{more}, too)"


def _named_by_protocol(thing: Exchange | Queue, topology: Topology) -> bool:
    """Its name says what it is for: under another one nobody would find it."""
    name = thing.name.removeprefix(topology.prefix)
    if isinstance(thing, Exchange):
        return name in (HEARTBEAT, EVENTS) and bool(topology.watched)
    service = topology.services.get(name.removeprefix(ping_queue("")))
    return service is not None and ping_queue(service.name) == name
