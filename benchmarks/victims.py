"""Services to be struck: real processes, started ahead, struck in one way, brought back to life."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.stage import MONITOR, Process, Stage
from tests.support.proxy import Proxy

RUNNER = ("runner.py", "--role", "mock")
HANGING = ("-m", "benchmarks.hanging")


@dataclass(slots=True)
class Fault:
    """One fault, and when each observer said what was expected of it."""

    at: float
    lost: str | None
    """The word of the replica that was struck."""
    seen: dict[str, float] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Victim:
    """One service; `replicas` processes answer for it.

    `words`: the instance of each process that has said hello.  `up`: who sees it well.
    """

    name: str
    stage: Stage
    topology: Path
    program: tuple[str, ...] = RUNNER
    replicas: int = 1
    proxy: Proxy | None = None
    fault: Fault | None = None
    up: set[str] = field(default_factory=set)
    words: dict[int, str] = field(default_factory=dict)
    revived: float = field(default_factory=time.monotonic)
    _processes: list[Process] = field(default_factory=list)

    def start(self) -> None:
        """One process, if one is missing; the next one when this one has said hello."""
        if len(self._processes) < self.replicas:
            url = self.stage.node.address("%2F", port=self.proxy.port if self.proxy else None)
            where = ("--topology", str(self.topology), "--url", url, "--name", self.name)
            self._processes.append(self.stage.start(self.name, *self.program, *where))

    def greeted(self, instance: str) -> None:
        """A hello: it is of the process that was started last."""
        self.words[self._processes[-1].pid] = instance
        self.start()

    def well(self, observers: Collection[str]) -> bool:
        return (
            self.fault is None
            and len(self.words) == self.replicas
            and self.up.issuperset(observers)
        )

    def signal(self, number: signal.Signals, random: Random) -> Fault:
        """To one of its processes."""
        process = random.choice(self._processes)
        return Fault(process.signal(number), self.words[process.pid])

    def cut(self) -> Fault:
        """Its connection, which is refused until it is revived."""
        assert self.proxy is not None
        fault = Fault(time.monotonic(), None)
        self.proxy.cut(refuse=True)
        return fault

    def revive(self) -> None:
        """Let it connect again, or start anew what was struck."""
        assert self.fault is not None
        seen, lost = set(self.fault.seen), self.fault.lost
        if self.fault.states:
            seen.add(MONITOR)
        self.up -= seen  # who saw nothing will not say that it is back
        self.fault, self.revived = None, time.monotonic()
        if self.proxy is not None:
            self.words.clear()
            self.proxy.accept_again()
        for process in list(self._processes):
            if lost is not None and self.words.get(process.pid) == lost:
                del self.words[process.pid]
                self.stage.forget(process)
                self._processes.remove(process)
        self.start()


Strike = Callable[[Victim, Random], Fault]


def sends(number: signal.Signals) -> Strike:
    return lambda victim, random: victim.signal(number, random)


def cuts(victim: Victim, _: Random) -> Fault:
    return victim.cut()
