"""Cross references of a draft: what names what, and what the protocol needs.

What one value may look like is the schema's, services' options are `options.py`'s; one subject a
module: `names.py`, `exchanges.py`, `queues.py`, `bindings.py`, `absent.py`.  A role's queue is
judged once, as written, not once a service.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orquestador.errors import Fault
from orquestador.nodes import Place
from orquestador.topology import absent, bindings, exchanges, names, queues, references
from orquestador.topology.expand import Draft
from orquestador.topology.model import ALL, EVENTS, HEARTBEAT
from orquestador.wording import did_you_mean


def faults(draft: Draft) -> Iterator[Fault]:
    """All of them, in no order."""
    yield from names.faults(draft)
    yield from exchanges.faults(draft)
    yield from queues.faults(draft)
    yield from bindings.faults(draft)
    yield from absent.faults(draft)
    for place, exchange in _named(draft):
        yield from references.faults_of_target(draft, place, exchange)
    yield from _publishers(draft)
    yield from _lost_letters(draft)
    yield from _protocol(draft)


def _named(draft: Draft) -> Iterator[tuple[Place, Any]]:
    """Where an exchange is named, but for bindings."""
    for defaults in (("exchanges", "alternate"), ("queues", "dead_letter", "exchange")):
        yield ("defaults", *defaults), draft.document.at(("defaults", *defaults))
    for name, terms in draft.exchanges.items():
        place = ("exchanges", name, "alternate")
        if place in draft.document.lines:  # else it is the default, which is named once
            yield place, terms.get("alternate")
    for written in draft.written:
        letter = written.own.get("dead_letter") or {}
        yield (*written.place, "dead_letter", "exchange"), letter.get("exchange")


def _publishers(draft: Draft) -> Iterator[Fault]:
    for section, entries in (("roles", draft.roles), ("services", draft.services)):
        for name, entry in entries.items():
            for position, exchange in enumerate((entry or {}).get("publishes") or ()):
                place = (section, name, "publishes", position)
                yield from references.faults_of_target(draft, place, exchange)
                if references.internal(draft, exchange):
                    text = f"{exchange!r} is internal: it takes no messages from publishers"
                    yield draft.document.fault(place, text)


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
        elif references.internal(draft, name):
            text = f"pings and echoes are published to {name!r}, which can't be internal"
            yield draft.document.fault(("exchanges", name, "internal"), text)
