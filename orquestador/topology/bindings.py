"""Bindings of queues and exchanges: what they name, and what their source looks at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orquestador.errors import Fault
from orquestador.nodes import Place
from orquestador.topology import references
from orquestador.topology.expand import Draft, predeclared
from orquestador.wording import did_you_mean

_MATCHES = ("all", "any", "all-with-x", "any-with-x")
_TO_QUEUES = "every queue is bound to the default exchange under its own name already; remove it"
_TO_EXCHANGES = "nothing can be bound to the default exchange; remove it"


def faults(draft: Draft) -> Iterator[Fault]:
    for name, terms in draft.exchanges.items():
        bindings = terms.get("bindings", ())
        for position, binding in enumerate(bindings):
            place = ("exchanges", name, "bindings", position)
            if (binding or {}).get("exchange") == name:
                text = f"{name!r} is bound to itself; remove it"
                yield draft.document.fault((*place, "exchange"), text)
            else:
                yield from _binding(draft, place, binding or {}, _TO_EXCHANGES)
        yield from _twice(draft, ("exchanges", name), bindings)
    for written in draft.written:
        for position, binding in enumerate(written.own.get("bindings", ())):
            here = (*written.place, "bindings", position)
            yield from _binding(draft, here, binding or {}, _TO_QUEUES)
    seen: set[Place] = set()
    for concrete in draft.queues:
        if concrete.written.place not in seen:
            found = list(_twice(draft, concrete.written.place, concrete.terms.get("bindings", ())))
            seen |= {concrete.written.place} if found else set()
            yield from found


def _binding(
    draft: Draft, place: Place, binding: Mapping[str, Any], default: str
) -> Iterator[Fault]:
    fault = draft.document.fault
    exchange, key = binding.get("exchange"), binding.get("key") or ""
    arguments = binding.get("arguments") or {}
    if exchange is None:
        return
    if exchange == "":
        yield fault((*place, "exchange"), default)
        return
    yield from references.faults(draft, (*place, "exchange"), exchange)
    kind = references.type_of(draft, exchange)
    if kind == "direct" and {"*", "#"} & set(key.split(".")):
        remedy = f"give {exchange!r} the type topic"
        if predeclared(exchange):
            remedy = "'amq.topic' takes patterns"
        yield fault((*place, "key"), f"{key!r} is no pattern for a direct exchange; {remedy}")
    if arguments and kind in ("direct", "fanout", "topic"):
        text = f"only headers exchanges look at arguments, and {exchange!r} is of type {kind}"
        yield fault((*place, "arguments"), text)
    match = arguments.get("x-match") or "all"
    if kind == "headers" and match not in _MATCHES:
        meant = did_you_mean(str(match), _MATCHES)
        text = f"is {match!r}, not one of {', '.join(_MATCHES)}{meant}"
        yield fault((*place, "arguments", "x-match"), text)


def _twice(draft: Draft, place: Place, bindings: Sequence[Any]) -> Iterator[Fault]:
    first: dict[object, int] = {}
    for position, binding in enumerate(bindings):
        here = (*place, "bindings", position)
        same = identity(binding or {})
        if same is None or not draft.sound(here, "arguments"):
            continue
        other = first.setdefault(same, position)
        if other != position:
            line = draft.document.line((*place, "bindings", other))
            text = f"is the same as bindings[{other}] on line {line}; remove one of the two"
            yield draft.document.fault(here, text)


def identity(binding: Mapping[str, Any]) -> tuple[object, ...] | None:
    """Equal for two bindings of one thing that a broker takes for the same; None: not readable."""
    exchange, key = binding.get("exchange"), binding.get("key", "")
    arguments = binding.get("arguments") or {}
    if exchange is None or key is None or None in arguments.values():
        return None
    return exchange, key, json.dumps(arguments, sort_keys=True) if arguments else ""
