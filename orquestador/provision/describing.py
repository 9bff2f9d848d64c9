"""An exchange, queue or binding in a few words: "quorum, max_length 100, dead_letter dead"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orquestador.provision.written import DEAD_LETTER, TYPE, key_of, shown
from orquestador.topology.arguments import ALTERNATE, DEAD_LETTER_KEY
from orquestador.topology.model import Exchange, Queue


def words(thing: Exchange | Queue) -> str:
    """Its type, then what is not usual, by the file's keys and the names on the broker."""
    return ", ".join(_exchange(thing) if isinstance(thing, Exchange) else _queue(thing))


def properties(thing: Exchange | Queue) -> dict[str, Any]:
    """All of it, as AMQP has it."""
    said: dict[str, Any] = {"durable": thing.durable, "auto_delete": thing.auto_delete}
    if isinstance(thing, Exchange):
        said |= {"type": thing.type, "internal": thing.internal}
    return said | {"arguments": dict(thing.arguments)}


def _exchange(exchange: Exchange) -> Iterator[str]:
    yield exchange.type
    if not exchange.owned:
        yield "not owned"
    yield from _flags(exchange)
    if exchange.internal:
        yield "internal"
    yield from _terms(exchange.arguments, (ALTERNATE,))
    if ALTERNATE in exchange.arguments:
        yield f"alternate {exchange.arguments[ALTERNATE]}"


def _queue(queue: Queue) -> Iterator[str]:
    yield queue.type
    yield from _flags(queue)
    yield from _terms(queue.arguments, (TYPE, DEAD_LETTER, DEAD_LETTER_KEY))
    if DEAD_LETTER in queue.arguments:
        key = queue.arguments.get(DEAD_LETTER_KEY)
        exchange = queue.arguments[DEAD_LETTER] or "the default exchange"
        yield f"dead_letter {exchange}{'' if key is None else f' ({key})'}"


def _flags(thing: Exchange | Queue) -> Iterator[str]:
    if not thing.durable:
        yield "transient"
    if thing.auto_delete:
        yield "auto_delete"


def _terms(arguments: Mapping[str, Any], told: tuple[str, ...]) -> Iterator[str]:
    for name, value in arguments.items():
        if name in told:
            continue
        yield key_of(name) if value is True else f"{key_of(name)} {shown(name, value)}"
