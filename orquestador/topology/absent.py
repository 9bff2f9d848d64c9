"""The section `absent`: each thing once, and none that the file declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orquestador.errors import Fault
from orquestador.nodes import Place
from orquestador.topology.bindings import identity
from orquestador.topology.expand import Draft, placeholders
from orquestador.topology.names import LONGEST

_PLACE = "absent"


def faults(draft: Draft) -> Iterator[Fault]:
    if not draft.absent:
        return
    exchanges: dict[str, Place] = {name: ("exchanges", name) for name in draft.exchanges}
    queues = {concrete.name: concrete.written.place for concrete in draft.queues}
    for section, declared in (("exchanges", exchanges), ("queues", queues)):
        first: dict[str, int] = {}
        for position, name in enumerate(draft.absent.get(section) or ()):
            if name is None:
                continue
            place: Place = (_PLACE, section, position)
            yield from _name(draft, place, name)
            yield from _once(draft, place, declared.get(name), first.setdefault(name, position))
    yield from _bindings(draft)


def _bindings(draft: Draft) -> Iterator[Fault]:
    declared = _declared_bindings(draft) if draft.absent.get("bindings") else {}
    first: dict[object, int] = {}
    for position, binding in enumerate(draft.absent.get("bindings") or ()):
        if binding is None:
            continue
        place: Place = (_PLACE, "bindings", position)
        if binding.get("exchange") == "":
            text = "the default exchange's bindings are the queues themselves; remove it"
            yield draft.document.fault((*place, "exchange"), text)
        ends = [key for key in ("queue", "to_exchange") if binding.get(key) is not None]
        if len(ends) != 1:
            if draft.sound(place, "queue", "to_exchange"):
                text = (
                    "was of a queue or of an exchange: write queue or to_exchange, one of the two"
                )
                yield draft.document.fault(place, text)
            continue
        for key in ("exchange", ends[0], "key"):
            yield from _name(draft, (*place, key), binding.get(key) or "")
        same = (ends[0], binding[ends[0]], identity(binding))
        if same[-1] is not None:
            yield from _once(draft, place, declared.get(same), first.setdefault(same, position))


def _declared_bindings(draft: Draft) -> dict[tuple[object, ...], Place]:
    held: list[tuple[str, str, Place, Mapping[str, Any]]] = [
        ("to_exchange", name, ("exchanges", name), terms) for name, terms in draft.exchanges.items()
    ]
    held += [
        ("queue", concrete.name, concrete.written.place, concrete.terms)
        for concrete in draft.queues
    ]
    return {
        (end, name, identity(binding or {})): (*place, "bindings", position)
        for end, name, place, terms in held
        for position, binding in enumerate(terms.get("bindings", ()))
    }


def _once(draft: Draft, place: Place, declared: Place | None, first: int) -> Iterator[Fault]:
    line = draft.document.line
    if declared is not None:
        text = f"is declared on line {line(declared)}; remove one of the two"
        yield draft.document.fault(place, text)
    if first != place[-1]:
        text = f"stands on line {line((*place[:-1], first))} already"
        yield draft.document.fault(place, text)


def _name(draft: Draft, place: Place, name: str) -> Iterator[Fault]:
    for found in placeholders(name):
        text = (
            f"nothing absent belongs to a service: {found} means nothing here; write the name out"
        )
        yield draft.document.fault(place, text)
    size = len(name.encode()) + (0 if place[-1] == "key" else len(draft.prefix.encode()))
    if size > LONGEST:
        text = f"is {size} bytes long on the broker; the most is {LONGEST}"
        yield draft.document.fault(place, text)
