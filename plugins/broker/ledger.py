"""The deliveries of one channel that wait for an acknowledgement, by delivery tag.  Pure.

What an acknowledgement does to a queue is the queue's.
Source: rabbitmq.com/docs/confirms ("Consumer Delivery Acknowledgements").
"""

from __future__ import annotations

from itertools import takewhile
from typing import NamedTuple

from .delivery import ChannelConsumer
from .errors import Refused
from .queue import Entry, Queue

_AFTER_ALL_TAGS = 1 << 64


class Unacked(NamedTuple):
    """One delivery; `consumer` is None for a message that was got."""

    tag: int
    queue: Queue
    entry: Entry
    consumer: ChannelConsumer | None

    @property
    def settles_with(self) -> tuple[str, int, str]:
        """What is settled together and before what: by queue, then gets, then by consumer."""
        if self.consumer is None:
            return self.queue.name, self.tag, ""
        return self.queue.name, _AFTER_ALL_TAGS, self.consumer.tag


class Ledger:
    """Gives out delivery tags, from 1, and remembers who holds what.

    `consumed` counts what consumers hold, without what was got.
    """

    def __init__(self) -> None:
        self.consumed = 0
        self._held: dict[int, Unacked] = {}
        self._last = 0

    def tag(self) -> int:
        """The tag of a delivery that nobody acknowledges."""
        self._last += 1
        return self._last

    def hold(self, queue: Queue, entry: Entry, consumer: ChannelConsumer | None) -> int:
        """The tag of a delivery that is held until it is settled."""
        self._last = tag = self._last + 1
        self._held[tag] = Unacked(tag, queue, entry, consumer)
        if consumer is not None:
            consumer.unacked += 1
            self.consumed += 1
        return tag

    def settle(self, tag: int, *, multiple: bool) -> list[Unacked]:
        """The deliveries that a tag stands for, oldest first, held no longer.

        0 with `multiple` stands for all there are, were it none.  Raises 406 for an unknown tag.
        """
        if multiple and not tag:
            return self.settle_all()
        if tag not in self._held:
            raise Refused("PRECONDITION_FAILED", f"unknown delivery tag {tag}")
        tags = list(takewhile(lambda held: held <= tag, self._held)) if multiple else [tag]
        return self._freed([self._held.pop(held) for held in tags])

    def settle_all(self) -> list[Unacked]:
        settled = list(self._held.values())
        self._held.clear()
        return self._freed(settled)

    def _freed(self, settled: list[Unacked]) -> list[Unacked]:
        for unacked in settled:
            if unacked.consumer is not None:
                unacked.consumer.unacked -= 1
                self.consumed -= 1
        return settled


def groups(settled: list[Unacked]) -> list[list[Unacked]]:
    """Deliveries as they are settled: RabbitMQ goes by queue and consumer, each group by itself."""
    if len(settled) == 1:
        return [settled]
    found: dict[tuple[str, int, str], list[Unacked]] = {}
    for unacked in settled:
        found.setdefault(unacked.settles_with, []).append(unacked)
    return [found[key] for key in sorted(found)]
