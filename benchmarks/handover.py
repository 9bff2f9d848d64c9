"""The leading monitor is killed: how soon does the next one ping?

Two monitors of one topology; a listener of the benchmark's own hears their pings to `all`.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from random import Random

from benchmarks.listening import Ear
from benchmarks.quantiles import Times
from benchmarks.stage import Line, Process, Stage

PINGS = "pings"
SERVICES: dict[str, dict[str, str]] = {f"service{number}": {} for number in range(1, 4)}
READY_WITHIN = 30.0  # seconds


def run(*, n: int, within: float, limit: float, seed: int) -> Times:
    """Closed loop: a leader can be killed only once it leads and the next one stands by.

    How long after that it is killed is drawn all the same, uniform up to `within` seconds: whole
    periods of the ping.  Raises AssertionError where no monitor says `leader` or `standby`.
    """
    random = Random(seed)
    with Stage("handover") as stage:
        topology = stage.topology(SERVICES)
        stage.provision(topology)
        with Ear(stage.node.url, "heartbeat", ["all"], stage.lines, PINGS):
            waits = [random.random() * within for _ in range(n)]
            return _Handover(stage, topology).run(waits, limit)


class _Handover:
    def __init__(self, stage: Stage, topology: Path) -> None:
        self.stage, self.topology = stage, topology
        self.count = 0
        self.leads = self.instance = ""
        self.processes: dict[str, Process] = {}

    def run(self, waits: list[float], limit: float) -> Times:
        times: list[float | None] = []
        self._start("leader")
        for wait in waits:
            self._start("standby")
            self._until(time.monotonic() + wait)
            leader, before = self.processes.pop(self.leads), self.instance
            at = leader.signal(signal.SIGKILL)
            times.append(self._next_ping(before, at, limit))
            self.stage.forget(leader)
            (self.leads,) = self.processes
        return Times.of(times, limit)

    def _start(self, becomes: str) -> None:
        """One more monitor, until it says what it is."""
        self.count += 1
        source = f"monitor-{self.count}"
        self.processes[source] = self.stage.monitor(self.topology, source=source)
        until = time.monotonic() + READY_WITHIN
        while (line := self.stage.next_line(until)) is not None:
            self._hear(line)
            if line.source == source and line.said.get("event") == becomes:
                if becomes == "leader":
                    self.leads = source
                return
        raise AssertionError(f"no monitor said {becomes!r} within {READY_WITHIN:g} s")

    def _until(self, moment: float) -> None:
        while (line := self.stage.next_line(moment)) is not None:
            self._hear(line)

    def _next_ping(self, before: str, at: float, limit: float) -> float | None:
        while (line := self.stage.next_line(at + limit)) is not None:
            self._hear(line)
            if line.source == PINGS and line.at > at and self.instance != before:
                return line.at - at
        return None

    def _hear(self, line: Line) -> None:
        if line.source == PINGS:
            self.instance = line.said["sender"]["instance"]
