"""Messages as they leave and arrive, free of pika's types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Struct


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What to publish.  `mandatory`: a message that no queue takes comes back (Unroutable)."""

    exchange: str
    routing_key: str
    body: bytes
    message_id: str
    type: str | None = None
    app_id: str | None = None
    correlation_id: str | None = None
    user_id: str | None = None
    content_type: str | None = None
    headers: Mapping[str, Any] | None = None
    timestamp: int | None = None  # seconds since 1970, as AMQP has it
    persistent: bool = False
    mandatory: bool = False


class Delivery(Struct, frozen=True):
    """What arrived.  `tag` is what `Channel.ack` takes, on the channel it came by."""

    tag: int
    exchange: str
    routing_key: str
    body: bytes
    redelivered: bool
    message_id: str | None
    type: str | None
    app_id: str | None
    correlation_id: str | None
    user_id: str | None
    content_type: str | None
    headers: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Declared:
    """queue.declare-ok: the name (the broker's own for ''), ready messages, consumers."""

    name: str
    messages: int
    consumers: int
