"""What brokers refuse, or silently ignore, of one queue as it is written.

Which types take which keys is `arguments.py`'s table; what a queue refers to is `check.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orquestador.errors import Fault
from orquestador.nodes import Place
from orquestador.topology import arguments
from orquestador.topology.arguments import CLASSIC, QUORUM
from orquestador.topology.expand import Draft, Written
from orquestador.topology.model import UNIQUE, ping_queue
from orquestador.wording import nearest

_SHAPE = ("type", "exclusive", "durable", "auto_delete")


def faults(draft: Draft) -> Iterator[Fault]:
    for written in draft.written:
        place, own = written.place, written.own
        found = [*_durations(own), *_arguments(draft, own), *_kept(own, written.terms)]
        if draft.sound(place, *_SHAPE):
            found += _exclusive(written) if own.get("exclusive") else _lasting(written)
            found += _not_of_the_type(draft, own, written.terms["type"])
        if draft.sound(place, "dead_letter", "overflow"):
            found += _at_least_once(written)
        if written.name.startswith(ping_queue("")):
            found += _not_of_pings(own)
        yield from (draft.document.fault((*place, *key), text) for key, text in found)
    defaults = draft.document.at(("defaults", "queues"))
    if isinstance(defaults, dict):
        place = ("defaults", "queues")
        usual = defaults.get("type") or CLASSIC
        found = [*_durations(defaults), *_arguments(draft, defaults), *_kept(defaults, defaults)]
        if draft.sound(place, "type"):
            found += _arguments_of_other_types(draft, defaults, usual)
        yield from (draft.document.fault((*place, *key), text) for key, text in found)


_Found = tuple[Place, str]


def _exclusive(written: Written) -> Iterator[_Found]:
    kind = written.own.get("type", CLASSIC)
    if UNIQUE not in written.name:
        example = written.name + "." + UNIQUE
        yield (
            ("exclusive",),
            f"belongs to one connection; write {UNIQUE} in its name, such as {example}",
        )
    if kind != CLASSIC:
        yield ("type",), f"an exclusive queue is always classic, not {kind}"


def _lasting(written: Written) -> Iterator[_Found]:
    own, kind = written.own, written.terms["type"]
    if UNIQUE in written.name:
        yield (), f"a name with {UNIQUE} is for one connection's queue; add exclusive: true"
    if own.get("durable") is False:
        why = "must be durable" if kind != CLASSIC else "must be durable unless it is exclusive"
        yield ("durable",), f"a {kind} queue {why}; remove durable: false"


def _not_of_pings(own: Mapping[str, Any]) -> Iterator[_Found]:
    """A service holds its last ping as a lease, and who watches it consumes beside it."""
    given = own.get("arguments")
    arguments = given if isinstance(given, Mapping) else {}
    why = "a held ping that expires is lost, and with it the sign of a crash; remove it"
    if own.get("message_ttl") is not None:
        yield ("message_ttl",), f"not for a queue of pings: {why}"
    if "x-message-ttl" in arguments:
        yield ("arguments", "x-message-ttl"), f"not for a queue of pings: {why}"
    why = "who watches consumes it beside the service; remove it"
    if own.get("single_active"):
        yield ("single_active",), f"not for a queue of pings: {why}"
    if arguments.get("x-single-active-consumer"):
        yield ("arguments", "x-single-active-consumer"), f"not for a queue of pings: {why}"


def _kept(own: Mapping[str, Any], terms: Mapping[str, Any]) -> Iterator[_Found]:
    if own.get("on_remove") != "retain":
        return
    for key in ("exclusive", "auto_delete", "expires"):
        if terms.get(key):
            text = (
                f"contradicts {key}: the broker itself deletes such a queue; remove one of the two"
            )
            yield ("on_remove",), text
            return


def _at_least_once(written: Written) -> Iterator[_Found]:
    """RabbitMQ dead-letters at most once, with no more than a line in its log, where this fails.

    https://www.rabbitmq.com/docs/quorum-queues#activating-at-least-once-dead-lettering
    """
    name, terms = "x-dead-letter-strategy", written.terms
    if (written.own.get("arguments") or {}).get(name) != "at-least-once":
        return
    if terms.get("overflow") != "reject-publish" or not terms.get("dead_letter"):
        text = (
            "at-least-once needs dead_letter and overflow: reject-publish, else it is at-most-once"
        )
        yield ("arguments", name), text


def _not_of_the_type(draft: Draft, own: Mapping[str, Any], kind: str) -> Iterator[_Found]:
    yield from _arguments_of_other_types(draft, own, kind)
    for key, value in own.items():
        if arguments.takes(kind, key, value):
            continue
        if key == "delivery_limit":
            yield (key,), f"only {QUORUM} queues take it; write type: {QUORUM}"
        elif key == "overflow":
            yield (key,), f"a {kind} queue can't {value}" if kind == QUORUM else _takes_no(kind)
        else:
            yield (key,), _takes_no(kind)


def _arguments_of_other_types(draft: Draft, own: Mapping[str, Any], kind: str) -> Iterator[_Found]:
    given = own.get("arguments")
    for name in given if isinstance(given, dict) else ():
        if name not in draft.known and not arguments.takes_argument(kind, name):
            types = " and ".join(arguments.OTHERS[name])
            yield ("arguments", name), f"only {types} queues take it, and this is a {kind} one"


def _takes_no(kind: str) -> str:
    return f"a {kind} queue takes no such key"


def _durations(own: Mapping[str, Any]) -> Iterator[_Found]:
    for key in arguments.DURATIONS:
        value = own.get(key)
        try:
            if isinstance(value, str):
                arguments.milliseconds(value)
        except ValueError as error:
            yield (key,), str(error)


def _arguments(draft: Draft, own: Mapping[str, Any]) -> Iterator[_Found]:
    given = own.get("arguments")
    for name in given if isinstance(given, dict) else ():
        if name in arguments.OURS:
            text = f"has a key of its own in this file: {arguments.OURS[name]}"
            yield ("arguments", name), text
        elif name in arguments.OTHERS or name in draft.known:
            continue
        elif draft.sound(("known_arguments",)):
            yield ("arguments", name), _unknown(name, draft.known)


def _unknown(name: str, known: frozenset[str]) -> str:
    """RabbitMQ accepts any other name and ignores it."""
    text = "is no argument of RabbitMQ's, nor listed under known_arguments"
    meant = nearest(name, (*arguments.OURS, *arguments.OTHERS, *known))
    if meant in arguments.OURS:
        return f"{text}; did you mean {meant!r}, here the key {arguments.OURS[meant]}?"
    return f"{text}; did you mean {meant!r}?" if meant else text
