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

_SHAPE = ("type", "exclusive", "durable", "auto_delete")


def faults(draft: Draft) -> Iterator[Fault]:
    for written in draft.written:
        place, own = written.place, written.own
        found = [*_durations(own), *_arguments(own)]
        if draft.sound(place, *_SHAPE):
            found += _exclusive(written) if own.get("exclusive") else _lasting(written)
            found += _not_of_the_type(own, written.terms["type"])
        if written.name.startswith(ping_queue("")):
            found += _not_of_pings(own)
        yield from (draft.document.fault((*place, *key), text) for key, text in found)
    defaults = draft.document.at(("defaults", "queues"))
    if isinstance(defaults, dict):
        place = ("defaults", "queues")
        found = [*_durations(defaults), *_arguments(defaults)]
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


def _not_of_the_type(own: Mapping[str, Any], kind: str) -> Iterator[_Found]:
    for key, value in own.items():
        if arguments.takes(kind, key, value):
            continue
        if key == "delivery_limit":
            yield (key,), f"only {QUORUM} queues take it; write type: {QUORUM}"
        elif key == "overflow":
            yield (key,), f"a {kind} queue can't {value}" if kind == QUORUM else _takes_no(kind)
        else:
            yield (key,), _takes_no(kind)


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


def _arguments(own: Mapping[str, Any]) -> Iterator[_Found]:
    given = own.get("arguments")
    for name in given if isinstance(given, dict) else ():
        if name in arguments.OURS:
            text = f"has a key of its own in this file: {arguments.OURS[name]}"
            yield ("arguments", name), text
        elif near := _misspelt(name):
            yield ("arguments", name), f"no broker knows it; did you mean {near!r}?"


def _misspelt(name: str) -> str | None:
    """The argument it nearly is: brokers accept a misspelt one and ignore it."""
    if name in arguments.OTHERS:
        return None
    from difflib import get_close_matches

    known = (*arguments.OURS, *arguments.OTHERS)
    return next(iter(get_close_matches(name, known, n=1, cutoff=0.85)), None)
