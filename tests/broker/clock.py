"""Time in the hands of a test: a clock, timers that run when told to, a queue's surroundings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from plugins.broker.arguments import QueueOptions
from plugins.broker.message import Message
from plugins.broker.queue import Entry, Queue, Surroundings


@dataclass
class Timer:
    due: float
    act: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class World:
    """Everything a queue needs, and a record of what it did with it."""

    now: float = 0.0
    weight: int = 0
    buried: list[tuple[str, str]] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)

    def later(self, delay: float, act: Callable[[], None]) -> Timer:
        timer = Timer(self.now + delay, act)
        self.timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [t for t in self.timers if not t.cancelled and t.due <= end]:
            timer = min(due, key=lambda t: t.due)
            self.timers.remove(timer)
            self.now = max(self.now, timer.due)
            timer.act()
        self.now = end

    def weigh(self, change: int) -> None:
        self.weight += change

    def queue(self, **options: object) -> Queue:
        return Queue(
            "q",
            Surroundings(
                clock=lambda: self.now,
                later=self.later,
                bury=lambda _, message, reason: self.buried.append((text(message), reason)),
                expired=lambda queue: self.expired.append(queue.name),
                weigh=self.weigh,
            ),
            options=QueueOptions(**options),  # type: ignore[arg-type]  # whatever a test asks for
        )


def message(body: str, *, time_to_live: int | None = None) -> Message:
    return Message("", ("q",), b"\0\0", body.encode(), time_to_live)


def text(message: Message) -> str:
    return message.body.decode()


class Taker:
    """A consumer that takes up to `room` messages at a time."""

    def __init__(self, room: int = 100, *, priority: int = 0, exclusive: bool = False) -> None:
        self.room = room
        self.priority = priority
        self.exclusive = exclusive
        self.waiting = False
        self.taken: list[Entry] = []
        self.lost = False

    def can_take(self) -> bool:
        return len(self.taken) < self.room

    def deliver(self, queue: Queue, entry: Entry) -> None:
        self.taken.append(entry)

    def cancelled(self) -> None:
        self.lost = True

    @property
    def bodies(self) -> list[str]:
        return [text(entry.message) for entry in self.taken]
