"""Cross references of a draft: what names what, and what the protocol needs.

What one value may look like is the schema's, names are `names.py`'s, single queues `queues.py`'s,
services' options `options.py`'s.  A role's queue is judged once, as written, not once a service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orquestador.errors import Fault
from orquestador.nodes import Place
from orquestador.topology import names, queues
from orquestador.topology.arguments import ALTERNATE
from orquestador.topology.expand import Draft, Written, predeclared
from orquestador.topology.model import ALL, EVENTS, HEARTBEAT
from orquestador.wording import did_you_mean

_MATCHES = ("all", "any", "all-with-x", "any-with-x")


def faults(draft: Draft) -> Iterator[Fault]:
    """All of them, in no order."""
    yield from names.faults(draft)
    yield from queues.faults(draft)
    yield from _defaults(draft)
    yield from _exchanges(draft)
    for written in draft.written:
        yield from _queue(draft, written)
    yield from _lost_letters(draft)
    yield from _protocol(draft)


def _defaults(draft: Draft) -> Iterator[Fault]:
    for place in (
        ("defaults", "exchanges", "alternate"),
        ("defaults", "queues", "dead_letter", "exchange"),
    ):
        yield from _reference(draft, place, draft.document.at(place))


def _exchanges(draft: Draft) -> Iterator[Fault]:
    for name, terms in draft.exchanges.items():
        place = ("exchanges", name)
        if ALTERNATE in (terms.get("arguments") or {}):
            text = "has a key of its own in this file: alternate"
            yield draft.document.fault((*place, "arguments", ALTERNATE), text)
        if (*place, "alternate") in draft.document.lines:
            yield from _reference(draft, (*place, "alternate"), terms.get("alternate"))


def _queue(draft: Draft, written: Written) -> Iterator[Fault]:
    letter = written.own.get("dead_letter") or {}
    yield from _reference(
        draft, (*written.place, "dead_letter", "exchange"), letter.get("exchange")
    )
    for position, binding in enumerate(written.own.get("bindings", ())):
        yield from _binding(draft, (*written.place, "bindings", position), binding or {})


def _reference(draft: Draft, place: Place, exchange: Any) -> Iterator[Fault]:
    """A fault if it names an exchange that is neither declared nor the broker's own."""
    if not isinstance(exchange, str) or predeclared(exchange) or exchange in draft.exchanges:
        return
    if draft.sound(("exchanges",)):
        meant = did_you_mean(exchange, draft.exchanges)
        yield draft.document.fault(place, f"{exchange!r} is not declared{meant}")


def _binding(draft: Draft, place: Place, binding: Mapping[str, Any]) -> Iterator[Fault]:
    fault = draft.document.fault
    exchange, key = binding.get("exchange"), binding.get("key") or ""
    arguments = binding.get("arguments") or {}
    if exchange == "":
        text = "every queue is bound to the default exchange under its own name already; remove it"
        yield fault((*place, "exchange"), text)
        return
    yield from _reference(draft, (*place, "exchange"), exchange)
    kind = _type_of(draft, exchange)
    if kind == "direct" and {"*", "#"} & set(key.split(".")):
        text = f"{key!r} is no pattern for a direct exchange; give {exchange!r} the type topic"
        yield fault((*place, "key"), text)
    if arguments and kind not in (None, "headers"):
        text = f"only headers exchanges look at arguments, and {exchange!r} is of type {kind}"
        yield fault((*place, "arguments"), text)
    match = arguments.get("x-match") or "all"
    if kind == "headers" and match not in _MATCHES:
        meant = did_you_mean(str(match), _MATCHES)
        text = f"is {match!r}, not one of {', '.join(_MATCHES)}{meant}"
        yield fault((*place, "arguments", "x-match"), text)


def _type_of(draft: Draft, exchange: str | None) -> str | None:
    """None: not known, or not to be relied upon."""
    if exchange in ("amq.headers", "amq.match"):
        return "headers"
    if exchange is None or exchange not in draft.exchanges:
        return None
    if not draft.sound(("exchanges", exchange), "type"):
        return None
    return str(draft.exchanges[exchange].get("type", "direct"))


def _lost_letters(draft: Draft) -> Iterator[Fault]:
    """Through the default exchange a key is a queue's name; messages for any other are lost."""
    declared = {concrete.name for concrete in draft.queues}
    seen: set[Place] = set()
    for concrete in draft.queues:
        letter = concrete.terms.get("dead_letter") or {}
        key, written = letter.get("key"), concrete.written
        holder = written.place if "dead_letter" in written.own else ("defaults", "queues")
        if letter.get("exchange") != "" or not key or key in declared or holder in seen:
            continue
        seen.add(holder)
        if draft.sound(("queues",)) and draft.sound(("roles",)):
            text = f"{key!r} is no declared queue{did_you_mean(key, declared)}"
            yield draft.document.fault((*holder, "dead_letter", "key"), text)


def _protocol(draft: Draft) -> Iterator[Fault]:
    if ALL in draft.services:
        text = f"{ALL!r} is the routing key that reaches every service; choose another name"
        yield draft.document.fault(("services", ALL), text)
    if not draft.sound(("exchanges",)) or not any(map(draft.watched, draft.services)):
        return
    for name in (HEARTBEAT, EVENTS):
        if name not in draft.exchanges:
            text = f"{name!r} is missing; watched services need {name}: {{type: topic}}"
            yield draft.document.fault(("exchanges",), text)
