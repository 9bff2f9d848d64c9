"""Exchanges, queues and bindings of a broker in the topology file's words.

Everything is said, right or wrong: what does not fit is `fitting.py`'s to find.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orquestador import durations
from orquestador.provision.importing.reading import EXCHANGES, QUEUES, Definitions, Item
from orquestador.topology.arguments import (
    ALTERNATE,
    CLASSIC,
    DEAD_LETTER_KEY,
    DURATIONS,
    TERMS,
)
from orquestador.topology.expand import predeclared

DEAD_LETTER = TERMS["dead_letter"].argument
OF_EXCHANGES = "exchange"


@dataclass(slots=True)
class Entry:
    """One line or more of the file.  `keys`: what it says.

    `refused`: why it cannot stand in the file, once that is known; then it is a comment there.
    """

    section: str
    name: str
    keys: Mapping[str, Any]
    item: Item
    bindings: list[Entry] = field(default_factory=list)
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Entries:
    """In the file's order.  `loose`: bindings whose destination cannot be written, with why."""

    exchanges: tuple[Entry, ...]
    queues: tuple[Entry, ...]
    loose: tuple[Entry, ...]

    @property
    def things(self) -> tuple[Entry, ...]:
        return (*self.exchanges, *self.queues)


def entries(held: Definitions) -> Entries:
    """Sorted by name, bindings below what they are of.  The default exchange's own are implied."""
    exchanges = [_exchange(item) for item in held.exchanges if not predeclared(item["name"])]
    queues = [_queue(item) for item in held.queues]
    exchanges.sort(key=_by_name)
    queues.sort(key=_by_name)
    things = {(entry.section, entry.name): entry for entry in (*exchanges, *queues)}
    loose: list[Entry] = []
    for item in sorted(held.bindings, key=_by_ends):
        if item["source"] == "":
            continue
        kind = EXCHANGES if item["destination_type"] == OF_EXCHANGES else QUEUES
        thing = things.get((kind, item["destination"]))
        (thing.bindings if thing else loose).append(_binding(item))
    for binding in loose:
        binding.refused = _why_loose(binding.item)
    return Entries(tuple(exchanges), tuple(queues), tuple(loose))


def _by_name(entry: Entry) -> str:
    return entry.name


def _by_ends(item: Item) -> tuple[str, str]:
    return item["source"], item["routing_key"]


def _why_loose(item: Item) -> str:
    what = item["destination_type"]
    if what == OF_EXCHANGES and predeclared(item["destination"]):
        return "this file binds nothing to the broker's own exchanges"
    if what == OF_EXCHANGES:
        return "the definitions lack that exchange (rabbitmqctl leaves internal ones out): add it"
    return "the definitions lack that queue"


def _exchange(item: Item) -> Entry:
    arguments = dict(item.get("arguments") or {})
    keys: dict[str, Any] = {"type": item["type"]}
    if not item.get("durable", True):
        keys["durable"] = False
    keys |= {key: True for key in ("auto_delete", "internal") if item.get(key)}
    if ALTERNATE in arguments:
        keys["alternate"] = arguments.pop(ALTERNATE)
    return Entry(EXCHANGES, item["name"], keys | _rest(arguments), item)


def _queue(item: Item) -> Entry:
    arguments = dict(item.get("arguments") or {})
    keys: dict[str, Any] = {}
    if (kind := arguments.pop(TERMS["type"].argument, item.get("type", CLASSIC))) != CLASSIC:
        keys["type"] = kind
    if not item.get("durable", True):
        keys["durable"] = False
    keys |= {key: True for key in ("exclusive", "auto_delete") if item.get(key)}
    keys |= dict(_terms(arguments))
    return Entry(QUEUES, item["name"], keys | _rest(arguments), item)


def _terms(arguments: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments that have keys of their own, taken out."""
    for key, term in TERMS.items():
        if term.argument not in arguments:
            continue
        value = arguments.pop(term.argument)
        if key in DURATIONS and type(value) is int and value >= 0:
            value = durations.render(value / 1000)
        if term.argument == DEAD_LETTER:
            value = {"exchange": value}
            if DEAD_LETTER_KEY in arguments:
                value["key"] = arguments.pop(DEAD_LETTER_KEY)
        yield key, value


def _rest(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"arguments": dict(arguments)} if arguments else {}


def _binding(item: Item) -> Entry:
    keys: dict[str, Any] = {"exchange": item["source"]}
    if item["routing_key"]:
        keys["key"] = item["routing_key"]
    return Entry("bindings", item["destination"], keys | _rest(item.get("arguments") or {}), item)
