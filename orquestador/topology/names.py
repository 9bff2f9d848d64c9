"""The names in a draft: placeholders in their places, no name twice, none too long for the wire.

None that provisioning gives to things of its own, either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orquestador.errors import Fault
from orquestador.nodes import Place
from orquestador.topology.expand import SERVICE, Draft, Written, placeholders
from orquestador.topology.model import UNIQUE
from orquestador.wording import did_you_mean

LONGEST = 255
"""Bytes of an AMQP short string."""

UNIQUE_WORD = 32
"""Bytes kept free for what becomes of `{unique}`."""

MIGRATING = ".migrating"
LOCK = ".migrating.lock"
MARKER = "orquestador.migrating"
"""`--migrate` keeps a queue's messages in `<queue>.migrating`, marks it at an exchange MARKER."""


def faults(draft: Draft) -> Iterator[Fault]:
    for name, terms in draft.exchanges.items():
        for place, text in [((), name), *_of_bindings(terms)]:
            for found in placeholders(text) if isinstance(text, str) else ():
                problem = f"an exchange belongs to no service: {found} means nothing here"
                yield draft.document.fault(("exchanges", name, *place), problem)
    for written in draft.written:
        yield from _placeholders(draft, written)
    yield from _collisions(draft)
    yield from _reserved(draft)
    yield from _lengths(draft)


def _placeholders(draft: Draft, written: Written) -> Iterator[Fault]:
    owned = written.role or bool(written.services)
    for place, text in _texts(written):
        for found in placeholders(text):
            problem = None
            if found not in (SERVICE, UNIQUE):
                meant = did_you_mean(found, (SERVICE, UNIQUE))
                problem = f"{found} is no placeholder{meant or f'; there are {SERVICE}, {UNIQUE}'}"
            elif not owned:
                problem = f"{found} is for the queues of roles and services, and this is neither's"
            elif found == UNIQUE and place != written.place:
                problem = f"{UNIQUE} is replaced in queue names only"
            elif written.shared and place != written.place:
                problem = (
                    f"the services of the role share this queue; write {SERVICE} in its name too"
                )
            if problem:
                yield draft.document.fault(place, problem)


def _texts(written: Written) -> Iterator[tuple[Place, str]]:
    """The strings in which placeholders may stand."""
    own = written.own
    yield written.place, written.name
    letter = own.get("dead_letter") or {}
    spots: list[tuple[Place, Any]] = [(("dead_letter", "key"), letter.get("key"))]
    spots += [(("arguments", name), value) for name, value in (own.get("arguments") or {}).items()]
    spots += _of_bindings(own)
    for place, value in spots:
        if isinstance(value, str):
            yield (*written.place, *place), value


def _of_bindings(holder: Mapping[str, Any]) -> Iterator[tuple[Place, Any]]:
    for position, binding in enumerate(holder.get("bindings", ())):
        at: Place = ("bindings", position)
        held = binding or {}
        yield (*at, "key"), held.get("key")
        for name, value in (held.get("arguments") or {}).items():
            yield (*at, "arguments", name), value


def _collisions(draft: Draft) -> Iterator[Fault]:
    first: dict[str, Written] = {}
    seen: set[Place] = set()
    line_of = draft.document.line
    for concrete in sorted(draft.queues, key=lambda queue: line_of(queue.written.place)):
        written = concrete.written
        other = first.setdefault(concrete.name, written)
        if other is written or written.place in seen:
            continue
        seen.add(written.place)
        text = f"the queue {concrete.name!r} is declared on line {line_of(other.place)} already"
        yield draft.document.fault(written.place, text)


def _reserved(draft: Draft) -> Iterator[Fault]:
    queues = {concrete.name: concrete.written.place for concrete in draft.queues}
    exchanges: dict[str, Place] = {name: ("exchanges", name) for name in draft.exchanges}
    for name, place in (*queues.items(), *exchanges.items()):
        base = next((name.removesuffix(end) for end in (LOCK, MIGRATING) if name.endswith(end)), "")
        if base in queues or name == MARKER:
            yield draft.document.fault(place, "is a name that --migrate uses; choose another")


def _lengths(draft: Draft) -> Iterator[Fault]:
    """Once a place, however many services it stands for."""
    long: dict[Place, str] = {}
    for name, terms in draft.exchanges.items():
        _measure(long, ("exchanges", name), draft.prefix + name)
        for position, binding in enumerate(terms.get("bindings") or ()):
            _measure(
                long, ("exchanges", name, "bindings", position, "key"), (binding or {}).get("key")
            )
    for concrete in draft.queues:
        place = concrete.written.place
        name = concrete.name.replace(UNIQUE, "x" * UNIQUE_WORD)
        _measure(long, place, draft.prefix + name)
        letter = concrete.terms.get("dead_letter") or {}
        _measure(long, (*place, "dead_letter", "key"), letter.get("key"))
        for position, binding in enumerate(concrete.terms.get("bindings") or ()):
            _measure(long, (*place, "bindings", position, "key"), (binding or {}).get("key"))
    for place, text in long.items():
        yield draft.document.fault(place, text)


def _measure(long: dict[Place, str], place: Place, name: str | None) -> None:
    # Half of a surrogate pair, which does not encode, is a fault that was told already.
    size = len((name or "").encode(errors="surrogatepass"))
    if size > LONGEST:
        long.setdefault(place, f"is {size} bytes long on the broker; the most is {LONGEST}")
