"""One kind of fault, many times: struck by the timetable, watched by one observer or two."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Any

from benchmarks.fleet import name_of
from benchmarks.listening import Ear
from benchmarks.quantiles import Times
from benchmarks.stage import MONITOR, Line, Stage
from benchmarks.timetable import fitted, later, moments
from benchmarks.victims import RUNNER, Fault, Strike, Victim
from orquestador.durations import parse
from tests.support.proxy import Proxy

PLAIN = "plain"
HELLO = "hello"
LOOK_EVERY = 0.1  # seconds between two looks at limits
START_WITHIN = 120.0  # seconds until everything is UP
REVIVE_WITHIN = 60.0  # seconds until a victim is UP again
Expects = Callable[[Line, Fault], bool]


def state(*states: str) -> Expects:
    return lambda line, _: line.is_status(*states)


def names_the_lost(line: Line, fault: Fault) -> bool:
    """DEGRADED, and which replica it was."""
    return line.is_status("DEGRADED") and line.said["instances"]["lost"] == fault.lost


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault, and the line by which the monitor shows that it saw it.

    `goals`: seconds that the median, the p99 (by its 95 % bound) or the longest may take.
    `plain`: whether the plain monitor takes part; it can tell nothing of replicas, and its own
    pings would renew the leases where the monitor's are rare.  `share`: of the n asked for.
    """

    name: str
    title: str
    strike: Strike
    expects: Expects
    goals: dict[str, float] = field(default_factory=dict)
    program: tuple[str, ...] = RUNNER
    ping_every: str = "1s"
    others: int = 0
    replicas: int = 1
    proxied: bool = False
    plain: bool = True
    share: float = 1.0


@dataclass(slots=True)
class Outcome:
    """`unready`: faults put off to a moment newly drawn, for no victim was well at theirs.

    `notices`: how often the monitor said what of itself: blind, seeing, a warning.
    """

    kind: Kind
    limit: float
    faults: list[Fault] = field(default_factory=list)
    unready: int = 0
    false_downs: list[str] = field(default_factory=list)
    notices: Counter[str] = field(default_factory=Counter)

    def times(self, observer: str) -> Times:
        return Times.of([fault.seen.get(observer) for fault in self.faults], self.limit)

    def paths(self) -> dict[str, int]:
        """How often the monitor went which way: `SUSPECT by silence > DOWN by silence`."""
        ways = Counter(" > ".join(fault.states) or "nothing said" for fault in self.faults)
        return dict(ways.most_common())


def run(kind: Kind, *, n: int, slot: float, limit: float, pool: int, seed: int) -> Outcome:
    """On a stage of its own, from an empty broker to the last verdict."""
    with Stage("detection") as stage, ExitStack() as stack:
        campaign = _Campaign(kind, stage, stack, pool, Random(seed), limit)
        campaign.set_up()
        return campaign.run(n, slot)


class _Campaign:
    def __init__(
        self,
        kind: Kind,
        stage: Stage,
        stack: ExitStack,
        pool: int,
        random: Random,
        limit: float,
    ) -> None:
        self.kind, self.stage, self.random = kind, stage, random
        self.observers = (MONITOR, PLAIN) if kind.plain else (MONITOR,)
        self.outcome = Outcome(kind, limit)
        names = [f"victim{number}" for number in range(1, pool + 1)]
        self.others = [name_of(number) for number in range(kind.others)]
        options: dict[str, Any] = {"replicas": kind.replicas} if kind.replicas > 1 else {}
        services = dict.fromkeys(names, options) | {name: {} for name in self.others}
        self.topology = stage.topology(services, ping_every=kind.ping_every)
        proxies = {
            name: stack.enter_context(Proxy(stage.node.port)) if kind.proxied else None
            for name in names
        }
        self.victims = {
            name: Victim(name, stage, self.topology, kind.program, kind.replicas, proxy)
            for name, proxy in proxies.items()
        }
        stage.provision(self.topology)
        keys = [f"echo.{name}" for name in names]
        stack.enter_context(Ear(stage.node.url, "events", keys, stage.lines, HELLO))

    def set_up(self) -> None:
        """Everybody starts; returns when each victim is well in each observer's eyes."""
        stage, names = self.stage, ",".join(self.victims)
        if self.others:
            count = ("--count", str(len(self.others)))
            stage.start("fleet", "-m", "benchmarks.fleet", "--url", stage.node.url, *count)
        stage.monitor(self.topology)
        stage.all_in("UP", self.others, START_WITHIN)
        if self.kind.plain:
            where = ("--url", stage.node.url, "--services", names)
            stage.start(PLAIN, "-m", "benchmarks.plain", *where)
        for victim in self.victims.values():
            victim.revived = time.monotonic()
            victim.start()
        while not all(victim.well(self.observers) for victim in self.victims.values()):
            self._step(time.monotonic() + LOOK_EVERY)

    def run(self, n: int, slot: float) -> Outcome:
        period = parse(self.kind.ping_every)
        width = fitted(slot, period, n)
        due = moments(n, slot=width, period=period, random=self.random)
        extra = later(due[-1], width=width, random=self.random)
        start = time.monotonic()
        while due or any(victim.fault for victim in self.victims.values()):
            now = time.monotonic()
            self._step(min([now + LOOK_EVERY, *(start + moment for moment in due[:1])]))
            if due and time.monotonic() >= start + due[0]:
                due.pop(0)
                if ready := [each for each in self.victims.values() if each.well(self.observers)]:
                    victim = self.random.choice(ready)
                    victim.fault = self.kind.strike(victim, self.random)
                    self.outcome.faults.append(victim.fault)
                else:
                    self.outcome.unready += 1
                    due.append(next(extra))
        return self.outcome

    def _step(self, until: float) -> None:
        """Read one line, or wait until then; revive those whose fault everybody has seen."""
        line = self.stage.next_line(until)
        if line is not None:
            self._read(line)
        now = time.monotonic()
        for victim in self.victims.values():
            fault = victim.fault
            if fault is not None:
                if len(fault.seen) == len(self.observers) or now > fault.at + self.outcome.limit:
                    victim.revive()
            elif not victim.well(self.observers) and now > victim.revived + REVIVE_WITHIN:
                raise AssertionError(f"{victim.name} is not well within {REVIVE_WITHIN:g} s")

    def _read(self, line: Line) -> None:
        if line.source == HELLO:
            if line.said["phase"] == "hello":
                self.victims[line.service].greeted(line.said["instance"])
            return
        if line.source == MONITOR and line.said["event"] != "status":
            self.outcome.notices[line.said["event"]] += 1
        victim = self.victims.get(line.service)
        if victim is None or line.said["event"] != "status":
            return
        fault = victim.fault
        if fault is None:
            if line.is_status("UP"):
                victim.up.add(line.source)
            elif line.source == MONITOR and line.is_status("DOWN") and MONITOR in victim.up:
                self.outcome.false_downs.append(victim.name)
            return
        expected = line.is_status("DOWN")
        if line.source == MONITOR:
            fault.states.append(f"{line.said['state']} by {line.said['detected_by']}")
            expected = self.kind.expects(line, fault)
        if expected and line.source not in fault.seen:
            fault.seen[line.source] = line.at - fault.at
