"""A second pair of eyes on the broker: plain pika, nothing of ours, a connection for each look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from tests.support.waiting import eventually


@dataclass(frozen=True)
class Message:
    body: bytes
    routing_key: str
    redelivered: bool
    properties: pika.BasicProperties


class Witness:
    """Looks at, and changes, what one vhost holds."""

    def __init__(self, url: str) -> None:
        self._parameters = pika.URLParameters(url)

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        connection = pika.BlockingConnection(self._parameters)
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def exists(self, queue: str) -> bool:
        return self._passive(queue) is not None

    def messages(self, queue: str) -> int:
        """Ready ones: those in a consumer's hands are not counted."""
        found = self._passive(queue)
        return found.message_count if found else 0

    def consumers(self, queue: str) -> int:
        found = self._passive(queue)
        return found.consumer_count if found else 0

    def has_exchange(self, name: str) -> bool:
        with self.channel() as channel:
            try:
                channel.exchange_declare(name, passive=True)
            except pika.exceptions.ChannelClosedByBroker:
                return False
        return True

    def take(self, queue: str) -> Message | None:
        """One message, acknowledged."""
        with self.channel() as channel:
            return taken(channel, queue)

    def wait_for(self, queue: str, within: float = 10.0) -> Message:
        message = eventually(lambda: self.take(queue), within)
        assert message is not None
        return message

    def put(self, exchange: str, key: str, body: bytes, **properties: Any) -> None:
        with self.channel() as channel:
            channel.basic_publish(exchange, key, body, pika.BasicProperties(**properties))

    def declare(self, queue: str, **arguments: Any) -> None:
        with self.channel() as channel:
            channel.queue_declare(queue, durable=True, arguments=arguments)

    def declare_exchange(self, name: str, kind: str = "topic") -> None:
        with self.channel() as channel:
            channel.exchange_declare(name, kind, durable=True)

    def bind(self, queue: str, exchange: str, key: str = "#") -> None:
        with self.channel() as channel:
            channel.queue_bind(queue, exchange, key)

    def delete(self, queue: str) -> None:
        with self.channel() as channel:
            channel.queue_delete(queue)

    def _passive(self, queue: str) -> Any:
        with self.channel() as channel:
            try:
                return channel.queue_declare(queue, passive=True).method
            except pika.exceptions.ChannelClosedByBroker:
                return None


def taken(channel: BlockingChannel, queue: str) -> Message | None:
    """One message, acknowledged, by a channel that stays open for the next."""
    method, properties, body = channel.basic_get(queue, auto_ack=True)
    if method is None:
        return None
    return Message(body, method.routing_key, method.redelivered, properties)
