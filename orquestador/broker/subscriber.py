"""A handler fed from a queue: acknowledged when it returns, tried once more when it raises.

Which queue, and when to connect again, is `bus_session.py`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from orquestador.broker.channel import Channel
from orquestador.broker.connection import Connection
from orquestador.broker.message import Delivery
from orquestador.broker.workers import Workers
from orquestador.errors import EventError
from orquestador.events import CONTENT_TYPE

log = logging.getLogger("orquestador.bus")


@dataclass(frozen=True, slots=True)
class Received:
    """What a handler gets.  `data` is the JSON of the body, or its bytes where it is not JSON."""

    data: Any
    exchange: str
    routing_key: str
    message_id: str | None
    headers: Mapping[str, Any]
    redelivered: bool


Handler = Callable[[Received], object]


@dataclass(frozen=True, slots=True)
class Subscription:
    queue: str
    handler: Handler
    prefetch: int
    workers: Workers


@dataclass(frozen=True, slots=True)
class Consumer:
    """A subscription at work on a channel of its own."""

    channel: Channel
    tag: str
    running: set[asyncio.Task[None]]

    async def leave(self) -> None:
        """Take no more; returns when what is in work is done and answered."""
        await self.channel.cancel(self.tag)
        if self.running:
            await asyncio.wait(self.running)


async def consume(connection: Connection, queue: str, subscription: Subscription) -> Consumer:
    """Start it.  `queue` is the name on the broker."""
    channel = await connection.channel(prefetch=subscription.prefetch)
    running: set[asyncio.Task[None]] = set()

    def deliver(delivery: Delivery) -> None:
        task = asyncio.create_task(_handle(channel, subscription, delivery))
        running.add(task)  # asyncio itself keeps only a weak reference
        task.add_done_callback(running.discard)

    return Consumer(channel, await channel.consume(queue, deliver), running)


async def _handle(channel: Channel, subscription: Subscription, delivery: Delivery) -> None:
    try:
        received = _received(delivery)
        await subscription.workers.call(lambda: subscription.handler(received))
    except EventError as fault:
        log.error("queue %r: a message is rejected: %s", subscription.queue, fault)
        channel.reject(delivery.tag, requeue=False)
    except Exception:
        again = not delivery.redelivered
        fate = "will be tried once more" if again else "is rejected"
        log.exception("queue %r: the handler raised; the message %s", subscription.queue, fate)
        channel.reject(delivery.tag, requeue=again)
    else:
        channel.ack(delivery.tag)


def _received(delivery: Delivery) -> Received:
    data: Any = delivery.body
    if delivery.content_type == CONTENT_TYPE:
        try:
            data = msgspec.json.decode(delivery.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
            raise EventError(f"its body is not JSON ({fault})") from None
    return Received(
        data=data,
        exchange=delivery.exchange,
        routing_key=delivery.routing_key,
        message_id=delivery.message_id,
        headers=delivery.headers or {},
        redelivered=delivery.redelivered,
    )
