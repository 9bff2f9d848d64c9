"""One number of simulated services on a stage, and what can be measured there.

In which order, and what is shown of it, is `scale.py`'s.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from random import Random

from benchmarks.fleet import name_of
from benchmarks.listening import Ear
from benchmarks.quantiles import Times
from benchmarks.stage import MONITOR, Line, Process, Stage
from benchmarks.timetable import fitted, moments
from orquestador.durations import parse

TOGETHER = 1000
"""Services of the first process, which dies alone."""
STEADY = "steady"
UP_WITHIN = 300.0  # seconds
ANSWER_WITHIN = 120.0  # seconds
ROUND_WITHIN = 10.0  # seconds
ONE_SLOT = 4.0  # seconds that each fault of one service has, at least


@dataclass(slots=True)
class Size:
    """What was measured with so many services; times in seconds, memory in MB."""

    services: int
    pace: dict[str, str]
    start: float = 0.0
    echoes: int = 0
    interval: float = 0.0
    per_echo: float = 0.0
    memory: dict[str, float] = field(default_factory=dict)
    false_downs: int = 0
    rounds: list[float] = field(default_factory=list)
    one: Times = field(default_factory=lambda: Times(()))
    thousand: Times = field(default_factory=lambda: Times(()))
    all: Times = field(default_factory=lambda: Times(()))
    notices: list[str] = field(default_factory=list)

    @property
    def hours(self) -> float:
        return self.services * self.interval / 3600


class Scene:
    """Monitor and fleets on a stage, with everything UP."""

    def __init__(self, stage: Stage, size: Size, lone: int, together: int) -> None:
        """`lone` services have a connection each, of the others `together` share one."""
        self.stage, self.size, self.lone, self.together = stage, size, lone, together
        count = size.services
        self.names = [name_of(number) for number in range(count)]
        self.states: dict[str, str] = {}
        self.phase = "start"
        topology = stage.topology({name: {} for name in self.names}, **size.pace)
        stage.provision(topology)
        self.blocks = [(0, min(TOGETHER, count))]
        rest = count - TOGETHER
        if rest > 0:
            half = (rest + 1) // 2
            self.blocks += [(TOGETHER, half), (TOGETHER + half, rest - half)]
        self.fleets = [self._fleet(number) for number in range(len(self.blocks))]
        started = time.monotonic()
        self.monitor = stage.monitor(topology)
        self._all_up(self.names)
        size.start = time.monotonic() - started

    def _fleet(self, number: int) -> Process:
        first, count = self.blocks[number]
        source = f"fleet-{number}"
        where = ("--url", self.stage.node.url, "--first", str(first), "--count", str(count))
        lone = ("--lone", str(self.lone if number == 0 else 0))
        shared = ("--per-connection", str(self.together))
        fleet = self.stage.start(source, "-m", "benchmarks.fleet", *where, *lone, *shared)
        self._answer(source, "ready")
        return fleet

    def _answer(self, source: str, event: str) -> Line:
        def is_it(line: Line) -> bool:
            self._note(line)
            return line.source == source and line.said.get("event") == event

        return self.stage.wait(is_it, ANSWER_WITHIN, f"{event} of {source}")

    def _all_up(self, names: Sequence[str]) -> None:
        missing = {name for name in names if self.states.get(name) != "UP"}

        def done(line: Line) -> bool:
            self._note(line)
            if line.is_status("UP"):
                missing.discard(line.service)
            return not missing

        if missing:
            self.stage.wait(done, UP_WITHIN, f"{len(missing)} services UP")

    def _note(self, line: Line) -> None:
        """What is true of every line, whoever waits for it."""
        if line.source != MONITOR:
            return
        if line.said["event"] == "status":
            self.states[line.service] = line.said["state"]
            self.size.false_downs += self.phase == STEADY and line.is_status("DOWN")
        elif line.said["event"] in ("warning", "blind"):
            said = f"{self.phase}: {line.said['event']}: {line.said['text']}"
            self.size.notices.append(said)

    def ask(self, fleet: Process, word: str, name: str = "") -> Line:
        fleet.tell(f"{word} {name}".strip())
        return self._answer(fleet.source, word)

    def let_pass(self, until: float) -> None:
        while (line := self.stage.next_line(until)) is not None:
            self._note(line)

    def revive(self, number: int) -> None:
        """Start a fleet anew in the place of one that was killed, until all of it is UP."""
        self.stage.forget(self.fleets[number])
        self.fleets[number] = self._fleet(number)
        first, count = self.blocks[number]
        self._all_up(self.names[first : first + count])

    def measure_steady(self, seconds: float) -> None:
        """Processor time and memory of the monitor, and its DOWN lines, while nothing happens."""
        size, self.phase = self.size, STEADY
        before, echoes = self.monitor.processor_seconds(), self._echoes()
        start = time.monotonic()
        self.let_pass(start + seconds)
        size.interval = time.monotonic() - start
        size.echoes = self._echoes() - echoes
        size.per_echo = (self.monitor.processor_seconds() - before) / max(1, size.echoes)
        size.memory = self.monitor.memory()

    def _echoes(self) -> int:
        return sum(self.ask(fleet, "count").said["echoes"] for fleet in self.fleets)

    def measure_rounds(self, count: int) -> None:
        """From a ping to the last of its echoes, at ears of ours; those without all don't count."""
        self.phase = "rounds"
        heard: SimpleQueue[Line] = SimpleQueue()
        url = self.stage.node.url
        with (
            Ear(url, "heartbeat", ["all"], heard, "ping"),
            Ear(url, "events", ["echo.*"], heard, "echo"),
            suppress(Empty),
        ):
            sent: dict[str, float] = {}
            got: Counter[str] = Counter()
            until = time.monotonic() + (count + 2) * ROUND_WITHIN
            while len(self.size.rounds) < count and time.monotonic() < until:
                line = heard.get(timeout=ROUND_WITHIN)
                if line.source == "ping":
                    sent[line.said["id"]] = line.at
                    continue
                ping = line.said["ping"]
                got[ping] += 1
                if got[ping] == self.size.services and ping in sent:
                    self.size.rounds.append(line.at - sent[ping])

    def measure_one(self, count: int, random: Random, limit: float) -> None:
        """Lone services, each cut once, at instants that were drawn beforehand."""
        fleet, times, self.phase = self.fleets[0], [], "one"
        period = parse(self.size.pace.get("ping_every", "1s"))
        slot = fitted(ONE_SLOT, period, count)
        start = time.monotonic()
        for number, moment in enumerate(moments(count, slot=slot, period=period, random=random)):
            self.let_pass(start + moment)
            name = self.names[number]
            at = self.ask(fleet, "cut", name).said["at"]
            times += self._downs([name], at, limit)
            self.ask(fleet, "back", name)
        self._all_up(self.names[:count])
        self.size.one = Times.of(times, limit)

    def killed(self, numbers: Sequence[int], limit: float) -> Times:
        """SIGKILL to these fleets' processes, and when each of their services was DOWN."""
        self.phase = f"{len(numbers)} of {len(self.fleets)} processes killed"
        blocks = [self.blocks[number] for number in numbers]
        names = [name for first, count in blocks for name in self.names[first : first + count]]
        at = min([self.fleets[number].signal(signal.SIGKILL) for number in numbers])
        return Times.of(self._downs(names, at, limit), limit)

    def _downs(self, names: list[str], at: float, limit: float) -> list[float | None]:
        missing = set(names)
        times: list[float | None] = []
        while missing and (line := self.stage.next_line(at + limit)) is not None:
            self._note(line)
            if line.source == MONITOR and line.is_status("DOWN") and line.service in missing:
                missing.discard(line.service)
                times.append(line.at - at)
        return [*times, *[None] * len(missing)]
