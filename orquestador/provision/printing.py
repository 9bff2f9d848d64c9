"""A plan as text for a person, and as JSON for a program (schemas/plan.schema.json).

One line a step, what differs and what can be done beneath it, a summary at the end.  Lines are not
wrapped: a thousand of them stay a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orquestador.provision.describing import properties, words
from orquestador.provision.found import Found
from orquestador.provision.outcome import counted
from orquestador.provision.plan import Action, Plan, Remedy, Step
from orquestador.provision.remedies import consumers, messages
from orquestador.provision.written import key_of, raw, shown
from orquestador.topology.model import Exchange, Queue, Topology
from orquestador.topology.things import Id, Link

VERSION = 1
WIDEST = 60  # columns for a name; a longer one moves what follows it
_KIND = 8  # columns
_RESET, _DIM = "\033[0m", "\033[2m"
_COLOURS = {
    Action.CREATE: "\033[32m",
    Action.RECREATE: "\033[33m",
    Action.MIGRATE: "\033[33m",
    Action.REMOVE: "\033[31m",
    Action.ASSURE: "\033[36m",
    Action.CLEAR: "\033[36m",
    Action.CONFLICT: "\033[1;31m",
    Action.HELD: "\033[35m",
    Action.UNKNOWN: "\033[1;31m",
}
_COUNTED = {
    Action.CREATE: ("to create",),
    Action.RECREATE: ("to make anew",),
    Action.MIGRATE: ("to migrate",),
    Action.REMOVE: ("to remove",),
    Action.CONFLICT: ("conflict", "conflicts"),
    Action.HELD: ("left over",),
    Action.UNKNOWN: ("unknown",),
    Action.KEEP: ("in step",),
    Action.ASSURE: ("binding unseen", "bindings unseen"),
    Action.CLEAR: ("under absent: unseen",),
}
"""How the summary names one and several, in its order."""
_QUIET = (Action.KEEP, Action.ASSURE, Action.CLEAR)


def lines(plan: Plan, topology: Topology, where: str, *, colour: bool, all: bool) -> list[str]:
    """The plan as lines.  `where`: the broker, without its password.

    `all`: what is in step, too; else only what is not.
    """
    shown_steps = [step for step in plan.steps if all or step.action is not Action.KEEP]
    width = min(max((len(step.id.name) for step in shown_steps), default=0), WIDEST)
    text = [f"{topology.path} on {where}", ""]
    for step in shown_steps:
        text += _step(step, width, colour)
    if shown_steps:
        text.append("")
    text.append(summary(plan))
    return text + [_coloured(f"note: {note}", _DIM, colour) for note in plan.notes]


def summary(plan: Plan) -> str:
    """ "3 to create, 1 conflict, 2 left over, 14 in step"; "in step: 14 things"."""
    parts = {
        action: f"{number:,} {names[min(number, len(names)) - 1]}"
        for action, names in _COUNTED.items()
        if (number := plan.counts[action])
    }
    if in_step(plan):
        parts.pop(Action.KEEP, None)
        kept = f"in step: {counted(plan.counts[Action.KEEP], 'thing')}"
        return "; ".join([kept, *parts.values()])
    return ", ".join(parts.values())


def in_step(plan: Plan) -> bool:
    """Nothing to do, and nothing that could not be done; what cannot be seen is not counted."""
    return all(step.action in _QUIET for step in plan.steps)


# -- a step


def _step(step: Step, width: int, colour: bool) -> Iterator[str]:
    head = f"{step.action.symbol} {step.id.kind:<{_KIND}} {step.id.name:<{width}}"
    held = step.action is Action.HELD
    about = "; ".join([*_about(step), *(each.text for each in step.remedies if held)])
    yield f"{_coloured(head, _COLOURS.get(step.action, ''), colour)}  {about}".rstrip()
    if step.action in (Action.CONFLICT, Action.RECREATE, Action.MIGRATE):
        yield from (f"    {line}" for line in _differences(step))
    for remedy in () if held else step.remedies:
        paint = "" if remedy.now else _DIM
        yield "    " + _coloured(f"{remedy.name:<10} {remedy.text}", paint, colour)


def _about(step: Step) -> Iterator[str]:
    match step.action:
        case Action.CREATE | Action.KEEP if isinstance(step.thing, Exchange | Queue):
            yield words(step.thing)
        case Action.ASSURE:
            yield "declared in any case"
        case Action.CLEAR:
            yield "unbound in any case"
        case Action.RECREATE:
            yield "deleted and made anew"
        case Action.MIGRATE:
            yield "made anew with its messages"
        case Action.CONFLICT if step.differences or not step.reason:
            yield ", ".join(["differs", *_counts(step.found)])
        case Action.REMOVE:
            yield from _counts(step.found)
    if step.reason:
        yield step.reason
    if step.links:
        yield f"{counted(len(step.links), 'binding')} put back"


def _counts(found: Found | None) -> Iterator[str]:
    if found is not None and found.messages:
        yield messages(found)
    if found is not None and found.consumers:
        yield consumers(found)


def _differences(step: Step) -> Iterator[str]:
    """The two values side by side, in the file's words, and in AMQP's where those are others."""
    rows = [
        (
            key_of(each.property),
            f"broker {shown(each.property, each.broker) if each.known else each.broker or '?'}",
            f"file {shown(each.property, each.file)}",
            "" if key_of(each.property) == each.property
            else f"({each.property} {raw(each.broker)} / {raw(each.file)})",
        )
        for each in step.differences
    ]  # fmt: skip
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0], strict=True)]
        yield "  ".join(cells).rstrip()
    if step.found is not None and step.action is Action.CONFLICT and not step.found.complete:
        yield "this broker does not tell all that differs" + (
            f": {step.found.text}" if step.found.text else ""
        )


def _coloured(text: str, colour: str, wanted: bool) -> str:
    return f"{colour}{text}{_RESET}" if wanted and colour else text


# -- JSON


def as_json(plan: Plan, topology: Topology, where: str) -> dict[str, Any]:
    """What schemas/plan.schema.json describes, every step in it."""
    return {
        "version": VERSION,
        "topology": str(topology.path),
        "broker": where,
        "in_step": in_step(plan),
        "pending": plan.pending,
        "counts": {str(action): plan.counts[action] for action in Action},
        "steps": [_as_json(step) for step in plan.steps],
        "notes": list(plan.notes),
        "vanished": [_name(thing) for thing in plan.vanished],
    }


def _as_json(step: Step) -> dict[str, Any]:
    said: dict[str, Any] = {
        "action": str(step.action),
        "kind": str(step.id.kind),
        "name": step.id.name,
        "reason": step.reason,
        "remedies": [_remedy(remedy) for remedy in step.remedies],
    }
    if isinstance(step.thing, Link):
        said["binding"] = _binding(step.thing)
    elif step.thing is not None:
        said["wanted"] = properties(step.thing)
        said["line"] = step.thing.line
    if step.found is not None:
        said["found"] = _found(step.found)
    if step.links:
        said["bindings"] = [_binding(link) for link in step.links]
    return said


def _found(found: Found) -> dict[str, Any]:
    return {
        "status": str(found.status),
        "type": found.type,
        "messages": found.messages,
        "consumers": found.consumers,
        "complete": found.complete,
        "text": found.text,
        "differences": [
            {
                "property": each.property,
                "key": key_of(each.property),
                "broker": each.broker,
                "file": each.file,
                "known": each.known,
            }
            for each in found.differences
        ],
    }


def _remedy(remedy: Remedy) -> dict[str, Any]:
    return {"name": remedy.name, "text": remedy.text, "now": remedy.now}


def _binding(link: Link) -> dict[str, Any]:
    return {
        "source": link.source,
        "destination": link.destination,
        "destination_kind": str(link.kind),
        "key": link.key,
        "arguments": link.arguments,
    }


def _name(thing: Id | Link) -> dict[str, str]:
    id = thing.id if isinstance(thing, Link) else thing
    return {"kind": str(id.kind), "name": id.name}
