"""A small world to watch: a clock, a broker that counts truthfully, services that may go wrong.

What is watched from: `simulated.py`.  Nothing here knows how a monitor judges.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import msgspec

from orquestador.events import Echo, Health

from .driving import alive

WIRE = 0.001  # seconds from one end of a connection to the other
RETRY = 0.2  # seconds between two tries to connect
WINDOW = 2  # pings that a process may hold
QUICK = 0.02  # seconds from a ping to its echo
TOO_LATE = 0.5  # seconds: an echo that takes so long is not one in time
KEPT = 10  # pings of a queue that nobody consumes

Moment = Callable[[], None]
Answer = int | None  # consumers; None: no such queue


class Clock:
    """Runs what is due in the order of its moments; at one moment, what came first."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, int, Moment]] = []
        self._numbers = count()

    def at(self, moment: float, act: Moment, *, last: bool = False) -> None:
        """`last`: after everything else of that moment, as a timer comes after what sockets say."""
        heapq.heappush(self._due, (max(moment, self.now), int(last), next(self._numbers), act))

    def after(self, seconds: float, act: Moment) -> None:
        self.at(self.now + seconds, act)

    def run(self, until: float, noted: Callable[[float], None]) -> None:
        """`noted` is called after each moment."""
        while self._due and self._due[0][0] <= until:
            self.now, _, _, act = heapq.heappop(self._due)
            act()
            noted(self.now)
        self.now = until


@dataclass
class Process:
    """One start of a service.  `window`: the pings that it was given and has not acknowledged."""

    word: str
    alive: bool = True
    frozen: bool = False
    connected: bool = True
    connection: int = 0
    trip: float = QUICK
    health: Health = Health.OK
    window: list[str] = field(default_factory=list)
    unread: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def answers(self) -> bool:
        return self.alive and self.connected and not self.frozen


class Log:
    """From when to when something held."""

    def __init__(self) -> None:
        self._turns: list[float] = []

    def note(self, now: float, holds: bool) -> None:
        if holds is (len(self._turns) % 2 == 0):
            self._turns.append(now)

    def within(self, start: float, end: float) -> bool:
        """Whether it held at some moment in [start, end]."""
        ends = [*self._turns[1::2], float("inf")]
        return any(a <= end and b >= start for a, b in zip(self._turns[::2], ends, strict=False))


@dataclass
class Queue:
    """`full`: so many pings will find a full window, though the service is well."""

    exists: bool = True
    away: bool = False
    full: int = 0
    watched: bool = False
    ready: deque[tuple[str, bool]] = field(default_factory=lambda: deque(maxlen=KEPT))
    processes: list[Process] = field(default_factory=list)
    nobody: Log = field(default_factory=Log)
    missing: Log = field(default_factory=Log)
    unwell: Log = field(default_factory=Log)

    @property
    def consumers(self) -> int:
        if self.away:
            return 0
        return sum(p.connected for p in self.processes) + self.watched

    def note(self, now: float) -> None:
        well = all(p.answers and p.trip < TOO_LATE for p in self.processes)
        self.nobody.note(now, not any(p.connected for p in self.processes))
        self.missing.note(now, not self.exists)
        self.unwell.note(now, not (self.processes and well and self.exists and not self.away))


class World:
    """`on_...`: what the broker tells whoever watches."""

    def __init__(self, services: dict[str, int]) -> None:
        self.clock = Clock()
        self.stalled = 0.0  # until then the broker does nothing
        self.blocked = 0.0  # until then it takes no events
        self.on_bounce: Callable[[str], None] = lambda _service: None
        self.on_echo: Callable[[Echo], None] = lambda _echo: None
        self.on_cancelled: Callable[[str], None] = lambda _service: None
        self._words = count(1)
        self._boot = 0
        self.queues = {name: Queue() for name in services}
        for name, processes in services.items():
            for _ in range(processes):
                self.start(name)

    def run(self, until: float) -> None:
        self.clock.run(until, self._note)

    def _note(self, now: float) -> None:
        for queue in self.queues.values():
            queue.note(now)

    # -- the broker

    def consume(self, service: str) -> None:
        """Whoever watches takes what nobody else does."""
        queue = self.queues[service]
        queue.watched = queue.exists and not queue.away
        while queue.watched and queue.ready:
            queue.ready.popleft()
            self.clock.after(WIRE, lambda: self.on_bounce(service))

    def ping(self, service: str, ping: str) -> None:
        self._broker(lambda: self._arrived(service, ping))

    def count(self, service: str, answered: Callable[[Answer], None]) -> None:
        """Whoever watches consumes again where it does not."""

        def ask() -> None:
            queue = self.queues[service]
            self.consume(service)
            consumers = queue.consumers if queue.exists else None
            self.clock.after(WIRE, lambda: answered(consumers))

        self._broker(ask)

    def _broker(self, act: Moment) -> None:
        """What is on its way is lost when the broker restarts."""
        boot = self._boot
        arrives = max(self.clock.now + WIRE, self.stalled)
        self.clock.at(arrives, lambda: act() if boot == self._boot else None)

    def _arrived(self, service: str, ping: str) -> None:
        queue = self.queues[service]
        if queue.full and any(p.answers for p in queue.processes):
            queue.full -= 1
            if queue.watched:
                self.clock.after(WIRE, lambda: self.on_bounce(service))
        else:
            self._deal(service, ping, False)

    def _deal(self, service: str, ping: str, again: bool) -> None:
        queue = self.queues[service]
        if not queue.exists or queue.away:
            return
        free = [p for p in queue.processes if p.connected and len(p.window) < WINDOW]
        if free:
            process = min(free, key=lambda p: len(p.window))
            queue.processes.remove(process)
            queue.processes.append(process)
            process.window.append(ping)
            self.clock.after(WIRE, lambda: self._read(service, process, ping, again))
        elif queue.watched:
            self.clock.after(WIRE, lambda: self.on_bounce(service))
        else:
            queue.ready.append((ping, again))

    def _requeue(self, service: str, process: Process) -> None:
        held, process.window, process.unread = process.window, [], []
        for ping in held:
            self._broker(lambda ping=ping: self._deal(service, ping, True))

    # -- a process

    def _read(self, service: str, process: Process, ping: str, again: bool) -> None:
        if ping not in process.window or not process.alive:
            return
        if process.frozen:
            process.unread.append((ping, again))
            return
        process.window = process.window[process.window.index(ping) :]  # acknowledges earlier ones

        def answer() -> None:
            if process.frozen:
                process.unread.append((ping, again))
            elif process.answers:
                echo = alive(service, process.word, ping)
                self._publish(
                    process,
                    msgspec.structs.replace(echo, redelivered=again, health=process.health),
                )

        self.clock.after(process.trip, answer)

    def _publish(self, process: Process, echo: Echo) -> None:
        """Blocked publishers' events wait for the end of the alarm, if their connection lives."""
        connection = process.connection

        def publish() -> None:
            if process.connected and connection == process.connection:
                self._broker(lambda: self.clock.after(WIRE, lambda: self.on_echo(echo)))

        self.clock.at(max(self.clock.now, self.blocked), publish)

    def _say(self, service: str, process: Process, phase: str) -> None:
        said = msgspec.structs.replace(alive(service, process.word, None), phase=phase)
        self._publish(process, said)

    def _connect(self, service: str, process: Process) -> None:
        queue = self.queues[service]
        if not process.alive or process.frozen or process.connected:
            return
        if queue.away or self.clock.now < self.stalled:
            self.clock.after(RETRY, lambda: self._connect(service, process))
            return
        queue.exists = process.connected = True
        process.connection += 1
        self._say(service, process, "hello")
        ready = list(queue.ready)
        queue.ready.clear()
        for ping, again in ready:
            self._deal(service, ping, again)

    # -- what happens to services

    def start(self, service: str) -> None:
        process = Process(f"{service}{next(self._words)}", connected=False)
        self.queues[service].processes.append(process)
        self._connect(service, process)

    def kill(self, service: str, process: Process) -> None:
        process.alive = process.frozen = False
        self._disconnect(service, process)
        self.queues[service].processes.remove(process)

    def cut(self, service: str, process: Process, back: float) -> None:
        """Its connection is gone; it connects again by itself."""
        self._disconnect(service, process)
        self.clock.after(back, lambda: self._connect(service, process))

    def stop(self, service: str, process: Process) -> None:
        """Cleanly: nothing that it held comes back."""
        process.alive = False
        process.window = []
        self._say(service, process, "goodbye")
        self.clock.after(WIRE, lambda: self._disconnect(service, process))
        self.queues[service].processes.remove(process)

    def freeze(self, process: Process) -> None:
        process.frozen = True

    def thaw(self, service: str, process: Process) -> None:
        process.frozen = False
        unread, process.unread = process.unread, []
        for ping, again in unread:
            self._read(service, process, ping, again)
        self._connect(service, process)

    def _disconnect(self, service: str, process: Process) -> None:
        process.connected = False
        self._requeue(service, process)

    # -- what happens to queues and the broker

    def delete(self, service: str, back: float) -> None:
        """Everyone's consumer is cancelled; its service declares the queue again."""
        queue = self.queues[service]
        queue.exists = queue.watched = False
        queue.ready.clear()
        for process in queue.processes:
            process.connected, process.window = False, []
            self.clock.after(back, lambda p=process: self._connect(service, p))
        self.clock.after(WIRE, lambda: self.on_cancelled(service))

    def fail_over(self, service: str, seconds: float) -> None:
        """The queue's node is gone; a queue that has just failed over has no consumers."""
        queue = self.queues[service]
        queue.away, queue.watched = True, False
        for process in queue.processes:
            process.window = []
        self.clock.after(WIRE, lambda: self.on_cancelled(service))

        def back() -> None:
            queue.away = False

        self.clock.after(seconds, back)

    def restart(self, away: float, back: float) -> None:
        """The broker loses every connection and every ping; services come back `back` later."""
        self._boot += 1
        self.stalled = max(self.stalled, self.clock.now + away)
        for service, queue in self.queues.items():
            queue.watched = False
            queue.ready.clear()
            for process in tuple(queue.processes):
                process.connected, process.window, process.unread = False, [], []
                reconnect = lambda s=service, p=process: self._connect(s, p)  # noqa: E731
                self.clock.after(away + back, reconnect)
