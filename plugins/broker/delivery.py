"""A consumer as its channel has it: prefetch, and the frame that brings a message.

Whose turn it is belongs to `consumers`, what is unacknowledged to `ledger`.
Source: rabbitmq.com/docs/consumer-prefetch.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pamqp import commands

from .message import Properties
from .queue import Entry, Queue
from .tables import Field
from .wire import short

if TYPE_CHECKING:
    from .channel import Channel

_INDEX = struct.Struct(">I")
_TAG = struct.Struct(">QB")
_COUNT = struct.Struct(">I")
_DELIVER = _INDEX.pack(commands.Basic.Deliver.index)
_GET_OK = _INDEX.pack(commands.Basic.GetOk.index)


class ChannelConsumer:
    """One consumer of one queue.  `prefetch` in messages, 0 for no limit."""

    def __init__(
        self,
        channel: Channel,
        queue: Queue,
        tag: str,
        *,
        no_ack: bool,
        exclusive: bool,
        priority: int,
    ) -> None:
        self.channel = channel
        self.queue = queue
        self.tag = tag
        self.no_ack = no_ack
        self.exclusive = exclusive
        self.priority = priority
        self.prefetch = 0 if no_ack else channel.prefetch
        self.unacked = 0
        self.waiting = False
        self._prefix = _DELIVER + short(tag)

    def can_take(self) -> bool:
        channel = self.channel
        if channel.connection.congested:
            return False
        if self.no_ack:
            return True
        if self.prefetch and self.unacked >= self.prefetch:
            return False
        return not channel.prefetch_total or channel.ledger.consumed < channel.prefetch_total

    def deliver(self, queue: Queue, entry: Entry) -> None:
        self.channel.deliver(self, queue, entry)

    def cancelled(self) -> None:
        self.channel.consumer_lost(self)

    def method(self, tag: int, entry: Entry) -> bytes:
        """The payload of the basic.deliver that brings this entry."""
        return self._prefix + _TAG.pack(tag, entry.redelivered) + entry.message.routing


def get_ok(tag: int, entry: Entry, left: int) -> bytes:
    """The payload of the basic.get-ok for this entry; `left` are the messages still ready."""
    return _GET_OK + _TAG.pack(tag, entry.redelivered) + entry.message.routing + _COUNT.pack(left)


def properties_of(queue: Queue, entry: Entry, *, got: bool = False) -> bytes:
    """Properties as delivered: quorum queues count in a header how often a message came back.

    They say so of every message that is `got`, of others from the first return on.
    """
    if queue.options.type != "quorum" or not (entry.returns or got):
        return entry.message.properties
    headers = {**entry.message.headers, "x-delivery-count": Field("long", entry.returns)}
    properties = Properties.scan(entry.message.properties)
    return properties.with_headers(headers, keep_expiration=True)
