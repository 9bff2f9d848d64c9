"""Is anybody called DOWN who is not: `python -m benchmarks.soak [--minutes 30]`.

Real services (a library's Responder each, their own connections) and the real monitor, while both
processors are kept busy by other work, the broker is stopped and started once and killed and
started once, the monitor's connections are cut, and those of a part of the services, one at a time:
at instants drawn beforehand, spread over the time.

Nobody dies, so that each DOWN line is a false one, but for a service whose own connection was cut:
that one may be DOWN, `no consumer`, until it is back.  In the end a process full of services is
killed after all: a monitor that calls nobody down at all would fail that.  Exit code 1: a false
DOWN, or one in the end that was not seen.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack
from random import Random
from typing import Any

from benchmarks import results
from benchmarks.judging import KILL, MONITOR_CUT, SERVICE_CUT, STOP, Judge, Planned, plan
from benchmarks.plot import Axis, Chart
from benchmarks.quantiles import Times, rate_bound
from benchmarks.stage import MONITOR, Process, Stage
from tests.support.proxy import Proxy

CREW = 50
"""Services of one process."""
UP_WITHIN = 120.0  # seconds
LOOK_EVERY = 0.1  # seconds
AWAY = 5.0  # seconds that the broker is gone, beside what its start takes
CALM = 30.0  # seconds without a fault at the end, at least
CONTROL_WITHIN = 15.0  # seconds
SPIN = "while True: pass"


class Soak:
    """Everything on a stage; `run()` returns when the plan is through."""

    def __init__(self, stage: Stage, stack: ExitStack, arguments: argparse.Namespace) -> None:
        self.stage, self.arguments = stage, arguments
        self.judge = Judge()
        self.names = [f"service{number:03}" for number in range(1, arguments.services + 1)]
        self.topology = stage.topology({name: {} for name in self.names})
        self.monitors_proxy = stack.enter_context(Proxy(stage.node.port))
        self.proxies = {
            name: stack.enter_context(Proxy(stage.node.port))
            for name in self.names[: arguments.service_cuts]
        }
        self.started = self.elapsed = 0.0
        self.not_up: list[tuple[float, int]] = []
        self.done: Counter[str] = Counter()

    def run(self) -> None:
        """Start all, wait until they are UP, load the processors, and do what is planned."""
        seconds = self.arguments.minutes * 60
        self.stage.provision(self.topology)
        self.crews = [self._crew(number) for number in range(-(-len(self.names) // CREW))]
        url = self.stage.node.address("%2F", port=self.monitors_proxy.port)
        self.stage.monitor(self.topology, url=url)
        self._wait_until_all_up()
        for number in range(self.arguments.load):
            self.stage.start(f"load-{number}", "-c", SPIN)
        planned = plan(
            seconds,
            monitor_cuts=self.arguments.monitor_cuts,
            cut=list(self.proxies),
            random=Random(self.arguments.seed),
        )
        self.started = time.monotonic()
        for each in planned:
            self._let_pass(self.started + each.at)
            self._do(each)
            self.done[each.what] += 1
        self._let_pass(max(self.started + seconds, time.monotonic() + CALM))
        self._wait_until_all_up()
        self.elapsed = time.monotonic() - self.started

    def control(self) -> Times:
        """The last crew is killed: when each of its services was DOWN."""
        names = set(self.names[(len(self.crews) - 1) * CREW :])
        at = self.crews[-1].signal(signal.SIGKILL)
        times: list[float | None] = []
        while names and (line := self.stage.next_line(at + CONTROL_WITHIN)) is not None:
            if line.source == MONITOR and line.is_status("DOWN") and line.service in names:
                names.discard(line.service)
                times.append(line.at - at)
        return Times.of([*times, *[None] * len(names)], CONTROL_WITHIN)

    def _crew(self, number: int) -> Process:
        services = []
        for name in self.names[number * CREW : (number + 1) * CREW]:
            proxy = self.proxies.get(name)
            url = self.stage.node.address("%2F", port=proxy.port if proxy else None)
            services.append(f"{name}={url}")
        where = ("--topology", str(self.topology))
        return self.stage.start(f"crew-{number}", "-m", "benchmarks.crew", *where, *services)

    def _do(self, planned: Planned) -> None:
        if planned.what == MONITOR_CUT:
            self.monitors_proxy.cut()
        elif planned.what == SERVICE_CUT:
            self.judge.cut(planned.service)
            self.proxies[planned.service].cut()
        elif planned.what == STOP:
            self.stage.node.control("stop_app")
            self._let_pass(time.monotonic() + AWAY)
            self.stage.node.control("start_app")
        else:
            self.stage.node.kill()
            self._let_pass(time.monotonic() + AWAY)
            self.stage.node.start()

    def _let_pass(self, until: float) -> None:
        while time.monotonic() < until:
            self._step(min(until, time.monotonic() + LOOK_EVERY))

    def _wait_until_all_up(self) -> None:
        until = time.monotonic() + UP_WITHIN
        while missing := [name for name in self.names if self.judge.states.get(name) != "UP"]:
            if time.monotonic() > until:
                raise AssertionError(f"not UP within {UP_WITHIN:g} s: {', '.join(missing)}")
            self._step(time.monotonic() + LOOK_EVERY)

    def _step(self, until: float) -> None:
        line = self.stage.next_line(until)
        now = time.monotonic()
        for name, proxy in self.proxies.items():
            if self.judge.excused_until.get(name) == math.inf and proxy.connections:
                self.judge.connected(name, now)
        if line is not None and line.source == MONITOR:
            self.judge.read(line)
            if self.started:
                up = sum(state == "UP" for state in self.judge.states.values())
                self.not_up.append((line.at - self.started, len(self.names) - up))


def rows(soak: Soak, control: Times) -> list[list[str]]:
    judge, done = soak.judge, soak.done
    hours = seeing_hours(soak)
    median = control.median().estimate if control.n else None
    return [
        ["minutes, services", f"{soak.elapsed / 60:.1f}, {len(soak.names)}"],
        ["busy loops beside them", str(soak.arguments.load)],
        ["broker stopped and started", str(done[STOP])],
        ["broker killed and started", str(done[KILL])],
        ["the monitor's connections cut", str(done[MONITOR_CUT])],
        ["a service's connection cut", str(done[SERVICE_CUT])],
        ["false DOWNs", str(len(judge.false_downs))],
        ["service-hours, the monitor seeing", f"{hours:.1f}"],
        ["so at most, at 95 %", f"{bound(soak):.2g} for each service-hour"],
        ["DOWN, no consumer, of a service just cut", str(len(judge.excused))],
        ["SUSPECT", str(judge.said["SUSPECT"])],
        ["blind, times and seconds", f"{len(judge.blind)}, {judge.blind_for:.0f}"],
        ["in the end killed, of them DOWN", f"{control.n}, {len(control.seen)}"],
        ["median of that", results.milliseconds(median, control.limit)],
    ]


def seeing_hours(soak: Soak) -> float:
    return len(soak.names) * max(1e-9, soak.elapsed - soak.judge.blind_for) / 3600


def bound(soak: Soak) -> float:
    return rate_bound(len(soak.judge.false_downs), seeing_hours(soak))


def figures(soak: Soak, control: Times) -> dict[str, Any]:
    judge = soak.judge
    return {
        "minutes": round(soak.elapsed / 60, 2),
        "services": len(soak.names),
        "busy_loops": soak.arguments.load,
        "done": dict(soak.done),
        "false_downs": [
            {"seconds": round(at - soak.started, 3), "service": service, "reason": reason}
            for at, service, reason in judge.false_downs
        ],
        "service_hours_seeing": round(seeing_hours(soak), 3),
        "false_downs_per_hour_at_most": bound(soak),
        "down_after_own_cut": len(judge.excused),
        "lines": dict(judge.said),
        "blind_seconds": round(judge.blind_for, 3),
        "control": results.times_json(control),
    }


def chart(soak: Soak) -> Chart:
    """Services that are not UP, and whether the monitor was blind, over the minutes."""
    most = max([1, *(count for _, count in soak.not_up)])
    drawn = Chart(
        "A soak: services that the monitor does not call UP",
        Axis("minutes", 0, max(0.1, soak.elapsed / 60)),
        Axis("services", 0, most * 1.1),
        steps=True,
    )
    lines = [(at / 60, float(count)) for at, count in soak.not_up]
    drawn.series.append(("not UP", [(0.0, 0.0), *lines]))
    blind: list[tuple[float, float]] = [(0.0, 0.0)]
    for start, end in soak.judge.blind:
        blind += [((start - soak.started) / 60, most / 2), ((end - soak.started) / 60, 0.0)]
    drawn.series.append(("the monitor is blind (raised) or sees", blind))
    return drawn


def main() -> int:
    parser = results.parser("soak", __doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--monitor-cuts", type=int, default=50)
    parser.add_argument("--service-cuts", type=int, default=50, help="as many services, once each")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--load", type=int, default=cores, help="busy loops; one for each core")
    arguments = parser.parse_args()
    with Stage("soak") as stage, ExitStack() as stack:
        soak = Soak(stage, stack, arguments)
        soak.run()
        control = soak.control()
    print(results.machine_line(), end="\n\n")
    print(results.table(["a soak", ""], rows(soak, control)))
    for at, service, reason in soak.judge.false_downs:
        print(f"false DOWN at {at - soak.started:.1f} s: {service}, {reason}", file=sys.stderr)
    results.write("soak", arguments, figures(soak, control), chart(soak))
    return 1 if soak.judge.false_downs or control.censored else 0


if __name__ == "__main__":
    raise SystemExit(results.guarded(main))
