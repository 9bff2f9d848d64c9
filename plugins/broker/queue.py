"""A queue: messages in order, who takes them, when they expire or are dropped.  Pure.

Time and timers are handed in, dead letters handed out.  It knows consumers only by the few methods
of `consumers.Consumer`, and no exchange.
Source: rabbitmq.com/docs/queues, /docs/ttl, /docs/maxlength, /docs/dlx, /docs/consumers; where they
leave order open, what RabbitMQ 3.10's classic queues do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import merge
from typing import Protocol

from .arguments import QueueOptions
from .consumers import Consumer, Round
from .message import Message
from .tables import Table


class Timer(Protocol):
    def cancel(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a queue gets from outside.  Times in seconds of a clock that never goes back."""

    clock: Callable[[], float]
    later: Callable[[float, Callable[[], None]], Timer]
    bury: Callable[[Queue, Message, str], None]
    """Takes a dead letter and its reason: `rejected`, `expired`, `maxlen` or `delivery_limit`."""
    expired: Callable[[Queue], None]
    """Called when the queue itself has been unused for its `x-expires`."""
    weigh: Callable[[int], None]
    """Told of bytes taken (positive) and freed (negative)."""


class Entry:
    """One message in one queue.  `position` orders it among its neighbours for good."""

    __slots__ = ("expires", "message", "position", "redelivered", "returns")

    def __init__(self, message: Message, position: int, expires: float | None) -> None:
        self.message = message
        self.position = position
        self.expires = expires
        self.redelivered = False
        self.returns = 0

    def __lt__(self, other: Entry) -> bool:
        return self.position < other.position


class Queue:
    """One queue.  `owner` is whoever has it exclusively, None for a shared one.

    An entry that `get` or a consumer took is the taker's until `ack`, `requeue` or `discard`.
    """

    def __init__(
        self,
        name: str,
        surroundings: Surroundings,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        owner: object = None,
        arguments: Table | None = None,
        options: QueueOptions | None = None,
    ) -> None:
        self.name = name
        self.durable = durable
        self.auto_delete = auto_delete
        self.owner = owner
        self.arguments: Table = arguments or {}
        self.options = options or QueueOptions()
        self.deleted = False
        self.round = Round(single_active=self.options.single_active)
        self._around = surroundings
        self._ready: deque[Entry] = deque()
        self._ready_bytes = 0
        self._next_position = 0
        self._limited = not (self.options.max_length is None and self.options.max_bytes is None)
        self._ttl_timer: Timer | None = None
        self._ttl_due = 0.0
        self._expiry_timer: Timer | None = None
        self.touch()

    def __len__(self) -> int:
        """Messages ready for delivery; those a consumer holds are not counted."""
        return len(self._ready)

    @property
    def consumer_count(self) -> int:
        return len(self.round.all)

    # Messages in

    def publish(self, message: Message) -> bool:
        """Take a message; False where the queue is full and refuses it."""
        if self._limited and self.options.overflow != "drop-head" and self._would_overflow(message):
            if self.options.overflow == "reject-publish-dlx":
                self._around.bury(self, message, "maxlen")
            return False
        entry = Entry(message, self._next_position, self._expiry(message))
        self._next_position += 1
        self._around.weigh(message.size)
        taker = None if self._ready else self.round.next()
        if taker is not None:
            taker.deliver(self, entry)
            return True
        self._ready.append(entry)
        self._ready_bytes += len(message.body)
        dropped = self._drop_head() if self._limited else False
        if dropped or len(self._ready) == 1:
            self._drop_expired()
        if self.options.single_active:
            # A new active consumer may not have been handed anything yet.
            self.pump()
        return True

    def _would_overflow(self, message: Message) -> bool:
        return self._over(len(self._ready) + 1, self._ready_bytes + len(message.body))

    def _over(self, length: int, size: int) -> bool:
        longest, largest = self.options.max_length, self.options.max_bytes
        return (longest is not None and length > longest) or (
            largest is not None and size > largest
        )

    def _expiry(self, message: Message) -> float | None:
        times = (self.options.message_ttl, message.time_to_live)
        shortest = min((time for time in times if time is not None), default=None)
        return None if shortest is None else self._around.clock() + shortest / 1000

    def _drop_head(self) -> bool:
        dropped = False
        while self._ready and self._over(len(self._ready), self._ready_bytes):
            self._bury(self._pop(), "maxlen")
            dropped = True
        return dropped

    # Messages out

    def get(self) -> Entry | None:
        """The oldest message, or None.  Counts as use, which puts `x-expires` off."""
        self.touch()
        return self._take() if self._ready else None

    def _take(self) -> Entry:
        entry = self._pop()
        if self._ready and self._ready[0].expires is not None:
            self._drop_expired()
        return entry

    def _pop(self) -> Entry:
        entry = self._ready.popleft()
        self._ready_bytes -= len(entry.message.body)
        return entry

    def pump(self) -> None:
        """Hand out what is ready to whoever can take it."""
        while self._ready and (taker := self.round.next()) is not None:
            taker.deliver(self, self._take())

    def ack(self, entry: Entry) -> None:
        self._around.weigh(-entry.message.size)

    def ack_all(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.ack(entry)

    def discard(self, entries: Iterable[Entry]) -> None:
        """Rejected by whoever held them: dead letters."""
        for entry in entries:
            self._bury(entry, "rejected")

    def requeue(self, entries: Iterable[Entry]) -> None:
        """Give entries back to where they were, marked as redelivered."""
        if self.deleted:
            self.ack_all(entries)
            return
        kept = sorted(entry for entry in entries if self._may_return(entry))
        if not kept:
            return
        self._ready_bytes += sum(len(entry.message.body) for entry in kept)
        if not self._ready or kept[-1] < self._ready[0]:
            self._ready.extendleft(reversed(kept))
        else:
            self._ready = deque(merge(kept, self._ready))
        if self.options.overflow == "drop-head":
            self._drop_head()
        self._drop_expired()
        self.pump()

    def _may_return(self, entry: Entry) -> bool:
        entry.redelivered = True
        entry.returns += 1
        limit = self.options.delivery_limit
        if limit is None or entry.returns <= limit:
            return True
        self._bury(entry, "delivery_limit")
        return False

    def purge(self) -> int:
        """Drop all that is ready; how many that was."""
        count = len(self._ready)
        while self._ready:
            self.ack(self._pop())
        return count

    def _bury(self, entry: Entry, reason: str) -> None:
        self._around.weigh(-entry.message.size)
        if not self.deleted:
            self._around.bury(self, entry.message, reason)

    # Consumers

    def add_consumer(self, consumer: Consumer) -> None:
        """From now on it is served; deliver with `pump` once it has its answer."""
        self._stop_expiry()
        self.round.add(consumer)

    def remove_consumers(self, gone: Iterable[Consumer]) -> None:
        """Take consumers out; their messages come back by `requeue`."""
        for consumer in gone:
            self.round.remove(consumer)
        self.touch()

    def rejoin(self, consumer: Consumer) -> bool:
        """A consumer may be able to take again; whether it does, and the queue wants a pump."""
        return not self.deleted and self.round.resume(consumer)

    # Time

    def _drop_expired(self) -> None:
        """Drop what has expired at the head, and only there; wake up again for what comes next."""
        ready = self._ready
        if not ready or ready[0].expires is None:
            return
        now = self._around.clock()
        while ready and ready[0].expires is not None and ready[0].expires <= now:
            self._bury(self._pop(), "expired")
        if ready and ready[0].expires is not None:
            self._wake_at(ready[0].expires)

    def _wake_at(self, due: float) -> None:
        if self._ttl_timer is not None:
            if due >= self._ttl_due:
                return
            self._ttl_timer.cancel()
        self._ttl_due = due
        self._ttl_timer = self._around.later(max(0.0, due - self._around.clock()), self._woken)

    def _woken(self) -> None:
        self._ttl_timer = None
        self._drop_expired()

    def touch(self) -> None:
        """It was used: count `x-expires` from now, unless a consumer keeps it alive."""
        if self.options.expires is None or self.round.all or self.deleted:
            return
        self._stop_expiry()
        self._expiry_timer = self._around.later(self.options.expires / 1000, self._unused)

    def _stop_expiry(self) -> None:
        if self._expiry_timer is not None:
            self._expiry_timer.cancel()
            self._expiry_timer = None

    def _unused(self) -> None:
        self._expiry_timer = None
        self._around.expired(self)

    def close(self) -> list[Consumer]:
        """Forget everything, for good; the consumers it had."""
        self.deleted = True
        self._stop_expiry()
        if self._ttl_timer is not None:
            self._ttl_timer.cancel()
        self.purge()
        consumers, self.round = self.round.all, Round(single_active=False)
        return consumers
