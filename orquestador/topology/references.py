"""Exchanges that a file refers to: declared somewhere in it, or the broker's own.

RabbitMQ's own ones: https://www.rabbitmq.com/docs/exchanges#predeclared; those of its tracing, log
and event exchanges are internal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orquestador.errors import Fault
from orquestador.nodes import Place
from orquestador.topology.expand import Draft, predeclared
from orquestador.wording import did_you_mean

PREDECLARED = {
    "": "direct",
    "amq.direct": "direct",
    "amq.fanout": "fanout",
    "amq.topic": "topic",
    "amq.headers": "headers",
    "amq.match": "headers",
}
BROKERS_TALK = ("amq.rabbitmq.trace", "amq.rabbitmq.log", "amq.rabbitmq.event")
"""Topic exchanges to which queues may be bound, and nobody publishes but the broker."""


def faults(draft: Draft, place: Place, exchange: Any) -> Iterator[Fault]:
    """A fault if it names an exchange that is neither declared nor the broker's own."""
    if not isinstance(exchange, str) or exchange in draft.exchanges:
        return
    if exchange in PREDECLARED or exchange in BROKERS_TALK:
        return
    if predeclared(exchange):
        meant = did_you_mean(exchange, filter(None, (*PREDECLARED, *BROKERS_TALK)))
        yield draft.document.fault(place, f"the broker has no exchange {exchange!r}{meant}")
    elif draft.sound(("exchanges",)):
        meant = did_you_mean(exchange, draft.exchanges)
        yield draft.document.fault(place, f"{exchange!r} is not declared{meant}")


def faults_of_target(draft: Draft, place: Place, exchange: Any) -> Iterator[Fault]:
    """The same for one that messages are sent on to."""
    yield from faults(draft, place, exchange)
    if exchange in BROKERS_TALK:
        text = f"{exchange!r} is for what the broker itself has to tell; choose another"
        yield draft.document.fault(place, text)


def type_of(draft: Draft, exchange: Any) -> str | None:
    """None: not known, or not to be relied upon."""
    if exchange in BROKERS_TALK:
        return "topic"
    if exchange in PREDECLARED:
        return PREDECLARED[exchange]
    if exchange not in draft.exchanges or not draft.sound(("exchanges", exchange), "type"):
        return None
    return str(draft.exchanges[exchange].get("type", "direct"))


def internal(draft: Draft, exchange: Any) -> bool:
    """Whether the file makes it one that takes no messages from publishers."""
    return isinstance(exchange, str) and bool(draft.exchanges.get(exchange, {}).get("internal"))
