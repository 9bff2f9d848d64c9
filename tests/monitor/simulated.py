"""A monitor at work in a simulated world: a `Watch`, driven as `session.py` drives it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from orquestador_plugins.monitor.evidence import Changed, Count, Probe
from orquestador_plugins.monitor.outputs import Output, RoundDue
from orquestador_plugins.monitor.row import Row, Rules
from orquestador_plugins.monitor.watch import Record, Watch

from orquestador.events import Echo, State

from .world import WIRE, Answer, Moment, World

BEAT = 0.05
WITHIN = 0.5
SETTLE = 3.0


@dataclass(frozen=True)
class Seen:
    """A change, when it came, and whether the monitor could see then."""

    at: float
    change: Changed
    blind: bool

    @property
    def row(self) -> Row:
        return self.change.row


@dataclass
class Monitor:
    """`heard`: the moments at which an echo of a service was read."""

    world: World
    rules: Mapping[str, Rules]
    every: float = 1.0
    record: Record | None = None
    outputs: list[Output] = field(default_factory=list)
    changes: list[Seen] = field(default_factory=list)
    heard: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.watch = Watch(self.rules, within=WITHIN, settle=SETTLE, now=0.0, record=self.record)
        self._words = count(1)
        self._session = 0
        self._inbox: deque[tuple[int, Moment]] = deque()
        self._asleep = self._blocked = 0.0
        self._beat_due = self._round_due = self._own_due = 0.0
        self.world.on_bounce = self._bounced
        self.world.on_echo = self._echoed
        self.world.on_cancelled = lambda service: self._read(lambda: self._ask(service))
        self.world.clock.at(BEAT, self._beat, last=True)
        self._open()

    @property
    def now(self) -> float:
        return self.world.clock.now

    def down(self, service: str) -> list[Seen]:
        return [c for c in self.changes if c.row.service == service and c.row.state is State.DOWN]

    def states(self, service: str) -> list[State]:
        return [seen.row.state for seen in self.changes if seen.row.service == service]

    # -- what happens to it

    def sleep(self, seconds: float) -> None:
        """Its process stands still; what arrives is read when it wakes."""
        self._asleep = max(self._asleep, self.now + seconds)

    def block(self, seconds: float) -> None:
        """The broker takes no events, of nobody."""
        end = self.now + seconds
        self._blocked = self.world.blocked = max(self.world.blocked, end)
        self._read(lambda: self.watch.publishers_blocked("low on memory", self.now))
        self.world.clock.at(end, self._let_go)

    def lose(self, seconds: float) -> None:
        """Its session ends, and another one begins."""
        self._session += 1
        self.watch.lost("the connection is gone", self.now)
        self._carry_out()
        for queue in self.world.queues.values():
            queue.watched = False
        session = self._session
        self.world.clock.after(seconds, lambda: self._open() if session == self._session else None)

    def _let_go(self) -> None:
        if self.now >= self._blocked:
            self._read(lambda: self.watch.publishers_blocked(None, self.now))

    # -- its session

    def _open(self) -> None:
        again = max(self._asleep, self._blocked, self.world.stalled)
        if self.now < again:
            session = self._session
            self.world.clock.at(again, lambda: self._open() if session == self._session else None)
            return
        self._beat_due = self.now + BEAT
        self._round_due = self.now + self.every
        self.watch.opened(self.now)
        self._ping_itself()
        self.watch.lead(self._session + 1, self.now)
        self._send_round()
        for service, queue in self.world.queues.items():
            self.world.consume(service)
            if not queue.watched:
                self._ask(service)
        self._carry_out()

    @property
    def _open_now(self) -> bool:
        return self.watch.doubt.connected

    def _beat(self) -> None:
        clock = self.world.clock
        if self.now < self._asleep:
            clock.at(self._asleep, self._beat, last=True)
            return
        if self._open_now:
            self.watch.loop_late(self.now - self._beat_due, self.now)
        self._beat_due = self.now + BEAT
        self.watch.tick(self.now)
        self._carry_out()
        if self._open_now and self.now >= self._blocked:
            if self.watch.doubt.blind is not None and self.now >= self._own_due:
                self._own_due = self.now + 0.25
                self._ping_itself()
            if self.now >= self._round_due:
                self._send_round()
        self._carry_out()
        clock.at(self._beat_due, self._beat, last=True)

    def _read(self, act: Moment) -> None:
        """Something has arrived in this session; read at once, or when it wakes, in its order."""
        self._inbox.append((self._session, act))
        self._read_all()

    def _read_all(self) -> None:
        if self.now < self._asleep:
            self.world.clock.at(self._asleep, self._read_all)
            return
        while self._inbox:
            session, act = self._inbox.popleft()
            if session == self._session and self._open_now:
                self.watch.loop_late(self.now - self._beat_due, self.now)
                act()
                self._carry_out()

    def _bounced(self, service: str) -> None:
        self._read(lambda: self.watch.bounced(service, self.now))

    def _echoed(self, echo: Echo) -> None:
        def act() -> None:
            gone = self.watch.rows[echo.service].parted
            if echo.phase == "alive" and echo.instance not in gone:
                self.heard.setdefault(echo.service, []).append(self.now)
            self.watch.echo(echo, self.now)

        self._read(act)

    def _ask(self, service: str) -> None:
        def answered(consumers: Answer) -> None:
            if consumers is None:
                self._read(lambda: self.watch.no_queue(service, self.now))
            else:
                self._read(lambda: self.watch.counted(service, consumers, self.now))

        self.world.count(service, answered)

    # -- out

    def _carry_out(self) -> None:
        probed = False
        outputs = self.watch.drain()
        while outputs:
            self.outputs += outputs
            for output in outputs:
                match output:
                    case Changed():
                        blind = self.watch.doubt.blind is not None
                        self.changes.append(Seen(self.now, output, blind))
                    case Probe(service, number):
                        probed = True
                        self._probe(service, number)
                    case Count(service):
                        self._ask(service)
                    case RoundDue(at):
                        self._round_due = at
            outputs = self.watch.drain()
        if probed:
            self._ping_itself()

    def _send_round(self) -> None:
        self._round_due = max(self._round_due + self.every, self.now + self.every / 2)
        ping = self._word()
        self.watch.sent_round(ping, self.now)
        self._come_back(ping)
        for service in self.rules:
            self.world.ping(service, ping)
        for service, number in self.watch.extras():
            self._probe(service, number)

    def _probe(self, service: str, number: int) -> None:
        if self.now < self._blocked or not self._open_now:
            return
        for _ in range(number):
            ping = self._word()
            self.watch.sent_probe(service, ping, self.now)
            self.world.ping(service, ping)

    def _ping_itself(self) -> None:
        if self.now < self._blocked or not self._open_now:
            return
        ping = self._word()
        self.watch.sent_own(ping, self.now)
        self._come_back(ping)

    def _come_back(self, ping: str) -> None:
        def back() -> None:
            self._read(lambda: self.watch.own_back(ping, self.now))

        session = self._session
        arrives = max(self.now + 2 * WIRE, self.world.stalled)
        self.world.clock.at(arrives, lambda: back() if session == self._session else None)

    def _word(self) -> str:
        return f"p{next(self._words)}"
