"""Whose turn it is among the consumers of one queue: priorities, then round robin.  Pure.

Source: rabbitmq.com/docs/consumer-priority.  A consumer that cannot take a message leaves the round
and comes back at the end of its priority's line when it can: so does RabbitMQ, and a client sees it
in the order of deliveries.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .queue import Entry, Queue


class Consumer(Protocol):
    """What a queue knows of a consumer."""

    priority: int
    exclusive: bool
    waiting: bool
    """Whether it left the round because it could not take a message; the round writes it."""

    def can_take(self) -> bool: ...

    def deliver(self, queue: Queue, entry: Entry) -> None: ...

    def cancelled(self) -> None:
        """The queue is gone."""


class Round:
    """All consumers of a queue, and the order in which they are served."""

    def __init__(self, *, single_active: bool) -> None:
        self.all: list[Consumer] = []
        self.active: Consumer | None = None
        self._single = single_active
        self._lines: dict[int, deque[Consumer]] = {}

    @property
    def exclusive(self) -> bool:
        """Whether one consumer has the queue to itself."""
        return any(consumer.exclusive for consumer in self.all)

    def add(self, consumer: Consumer) -> None:
        self.all.append(consumer)
        consumer.waiting = False
        self._join(consumer)
        if self._single and self.active is None:
            self.active = consumer

    def remove(self, consumer: Consumer) -> None:
        """Take it out; where it was the single active one, the first in line is that now."""
        self.all.remove(consumer)
        if not consumer.waiting:
            self._leave(consumer)
        consumer.waiting = False
        if consumer is self.active:
            self.active = self._first()

    def next(self) -> Consumer | None:
        """Who takes the next message, moved to the end of its line; None when nobody can."""
        if self._single:
            return self._next_active()
        while (consumer := self._first()) is not None:
            line = self._lines[consumer.priority]
            if consumer.can_take():
                if len(line) > 1:
                    line.rotate(-1)
                return consumer
            self._leave(consumer)
            consumer.waiting = True
        return None

    def _next_active(self) -> Consumer | None:
        active = self.active
        if active is None or active.waiting:
            return None
        if active.can_take():
            return active
        self._leave(active)
        active.waiting = True
        return None

    def resume(self, consumer: Consumer) -> bool:
        """Back into the round where it had left it and can take again; whether it came back."""
        if not consumer.waiting or not consumer.can_take():
            return False
        consumer.waiting = False
        self._join(consumer)
        return True

    def _first(self) -> Consumer | None:
        return self._lines[max(self._lines)][0] if self._lines else None

    def _join(self, consumer: Consumer) -> None:
        self._lines.setdefault(consumer.priority, deque()).append(consumer)

    def _leave(self, consumer: Consumer) -> None:
        line = self._lines[consumer.priority]
        line.remove(consumer)
        if not line:
            del self._lines[consumer.priority]
