"""The keys of a queue that become AMQP arguments: under which name, for which types of queue.

Source: `queue_arguments` and `capabilities` in RabbitMQ's rabbit_classic_queue, rabbit_quorum_queue
and rabbit_stream_queue (3.10 to 4.3).  Whether a file uses them rightly is `queues.py`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orquestador import durations

CLASSIC, QUORUM, STREAM = "classic", "quorum", "stream"
ALTERNATE = "alternate-exchange"


@dataclass(frozen=True, slots=True)
class Term:
    """One key: its AMQP argument, and the types of queue that take it."""

    argument: str
    types: tuple[str, ...]


TERMS = {
    "type": Term("x-queue-type", (CLASSIC, QUORUM, STREAM)),
    "expires": Term("x-expires", (CLASSIC, QUORUM)),
    "message_ttl": Term("x-message-ttl", (CLASSIC, QUORUM)),
    "max_length": Term("x-max-length", (CLASSIC, QUORUM)),
    "max_length_bytes": Term("x-max-length-bytes", (CLASSIC, QUORUM, STREAM)),
    "overflow": Term("x-overflow", (CLASSIC, QUORUM)),
    "dead_letter": Term("x-dead-letter-exchange", (CLASSIC, QUORUM)),
    "single_active": Term("x-single-active-consumer", (CLASSIC, QUORUM)),
    "delivery_limit": Term("x-delivery-limit", (QUORUM,)),
    "max_priority": Term("x-max-priority", (CLASSIC,)),
}
DEAD_LETTER_KEY = "x-dead-letter-routing-key"
DURATIONS = ("expires", "message_ttl")

OURS = {term.argument: key for key, term in TERMS.items()} | {DEAD_LETTER_KEY: "dead_letter"}
"""AMQP arguments that the file writes as keys."""

OTHERS = {
    "x-queue-mode": (CLASSIC,),
    "x-queue-version": (CLASSIC,),
    "x-queue-master-locator": (CLASSIC,),
    "x-queue-leader-locator": (CLASSIC, QUORUM, STREAM),
    "x-consumer-timeout": (CLASSIC, QUORUM, STREAM),
    "x-consumer-disconnected-timeout": (QUORUM,),
    "x-dead-letter-strategy": (QUORUM,),
    "x-delayed-retry-type": (QUORUM,),
    "x-delayed-retry-min": (QUORUM,),
    "x-delayed-retry-max": (QUORUM,),
    "x-quorum-initial-group-size": (QUORUM,),
    "x-quorum-target-group-size": (QUORUM,),
    "x-max-in-memory-length": (QUORUM,),
    "x-max-in-memory-bytes": (QUORUM,),
    "x-max-age": (STREAM,),
    "x-initial-cluster-size": (STREAM,),
    "x-stream-max-segment-size-bytes": (STREAM,),
    "x-stream-filter-size-bytes": (STREAM,),
}
"""Those that RabbitMQ knows besides, for `arguments:`, and the types of queue that take them in any
version.  What they may be is the schema's."""


def takes(kind: str, key: str, value: Any) -> bool:
    """Whether a queue of that type may have that key with that value."""
    if key == "auto_delete":
        return kind == CLASSIC or not value
    if key == "overflow" and value == "reject-publish-dlx":
        return kind == CLASSIC
    return key not in TERMS or kind in TERMS[key].types


def takes_argument(kind: str, name: str) -> bool:
    """The same for a name under `arguments:`; what only a plugin knows is taken by any."""
    return name not in OTHERS or kind in OTHERS[name]


def milliseconds(duration: str) -> int:
    """ValueError where the duration is no whole number of them: brokers count no less."""
    exact = durations.parse(duration) * 1000
    if abs(exact - round(exact)) > 1e-6:
        raise ValueError(f"{duration!r} is no whole number of milliseconds")
    return round(exact)


def queue_arguments(terms: Mapping[str, Any]) -> dict[str, Any]:
    """A checked queue's AMQP arguments.  `terms` has exchanges by their names on the broker."""
    arguments: dict[str, Any] = {}
    for key, term in TERMS.items():
        value = terms.get(key)
        if value is None or value is False or (key == "type" and value == CLASSIC):
            continue
        if key == "dead_letter":
            arguments[term.argument] = value["exchange"]
            if value.get("key") is not None:
                arguments[DEAD_LETTER_KEY] = value["key"]
        else:
            arguments[term.argument] = milliseconds(value) if key in DURATIONS else value
    return arguments | dict(terms.get("arguments") or {})
