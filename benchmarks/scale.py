"""A thousand and ten thousand services: `python -m benchmarks.scale [--sizes 1000,10000]`.

They are simulated by few processes that speak the real protocol (benchmarks/fleet.py); monitor and
broker are the real ones, all on this machine.  For each size, in this order:

- memory and processor time of the monitor over a steady --steady interval, the latter for each echo
  that the services sent in it: everything that the process does, divided by its echoes;
- DOWN lines in that interval, where nothing happens to anybody, with the rate that so many
  service-hours bound at 95 % (3 / hours at none);
- the time of a round, over --rounds rounds: from the ping at an ear of ours to the last echo there;
- detection of one service (--faults times, one after the other, at instants drawn beforehand), of a
  thousand at once, of all at once: from just before the fault to the monitor's lines, the first and
  the last.  One: its connection, on which it is alone, is closed.  A thousand: their process gets
  SIGKILL.  All: all processes do.

From 5,000 services on with `ping_every: 5s, echo_within: 3s`, below with the defaults.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from random import Random
from typing import Any

from benchmarks import results
from benchmarks.plot import distributions
from benchmarks.quantiles import Times, rate_bound
from benchmarks.results import milliseconds
from benchmarks.scene import TOGETHER, Scene, Size
from benchmarks.stage import Stage

MANY = 5000
SLOW_PACE = {"ping_every": "5s", "echo_within": "3s"}
GOALS = {1000: 60.0, 10_000: 150.0}
"""MB of the monitor, by the number of services."""
GOAL_ECHO, GOAL_THOUSAND = 40e-6, 0.400  # seconds


def measure(services: int, arguments: argparse.Namespace) -> Size:
    size = Size(services, SLOW_PACE if services >= MANY else {})
    lone = min(arguments.faults, services)
    with Stage("scale") as stage:
        scene = Scene(stage, size, lone, arguments.per_connection)
        scene.let_pass(time.monotonic() + arguments.rest)
        scene.measure_steady(arguments.steady)
        scene.measure_rounds(arguments.rounds)
        scene.measure_one(lone, Random(arguments.seed), arguments.limit)
        if services > TOGETHER:
            size.thousand = scene.killed([0], arguments.limit)
            scene.revive(0)
        size.all = scene.killed(range(len(scene.fleets)), arguments.limit)
    if services == TOGETHER:
        size.thousand = size.all
    return size


def rows(size: Size) -> dict[str, str]:
    """What the table says of one size."""
    limit = size.all.limit

    def span(times: Times) -> str:
        if not times.n:
            return "-"
        first, last = times.ranked(1), times.longest
        never = f", {times.censored} never" if times.censored else ""
        return f"{milliseconds(first, limit)} .. {milliseconds(last, limit)}{never}"

    one = size.one.median()
    between = "n too small"
    if one.low is not None:
        between = f"{milliseconds(one.low, limit)} .. {milliseconds(one.high, limit)}"
    bound = rate_bound(size.false_downs, size.hours)
    return {
        "ping_every, echo_within": ", ".join(size.pace.values()) or "1s, 500ms",
        "start of the monitor to all UP": f"{size.start:.1f} s",
        "echoes measured": f"{size.echoes:,} in {size.interval:.0f} s",
        "monitor's processor time for each": f"{size.per_echo * 1e6:.1f} us",
        "monitor's memory": f"{size.memory['VmRSS']:.0f} MB",
        "at most so far": f"{size.memory['VmHWM']:.0f} MB",
        "DOWN without a fault": f"{size.false_downs} in {size.hours:,.1f} service-hours",
        "so at most, at 95 %": f"{bound:.2g} for each service-hour",
        f"a round, longest of {len(size.rounds)}": milliseconds(max(size.rounds, default=None)),
        f"one of them, median of {size.one.n}": milliseconds(one.estimate, limit),
        "95 % of it": between,
        "longest": milliseconds(size.one.longest, limit),
        "a thousand at once, first .. last": span(size.thousand),
        "all at once, first .. last": span(size.all),
    }


def goals(size: Size) -> list[list[str]]:
    found = [("processor time for each echo", size.per_echo, GOAL_ECHO, 1e6, "us")]
    if size.services in GOALS:
        found.append(("memory", size.memory["VmRSS"], GOALS[size.services], 1, "MB"))
    if size.services == TOGETHER:
        found.append(("a thousand at once", size.thousand.longest, GOAL_THOUSAND, 1e3, "ms"))
    return [
        [
            f"{size.services:,}: {what}",
            f"<= {goal * scale:g} {unit}",
            f"{reached * scale:.1f} {unit}",
            "met" if reached <= goal else "not met",
        ]
        for what, reached, goal, scale, unit in found
    ]


def figures(size: Size) -> dict[str, Any]:
    return {
        "services": size.services,
        "pace": size.pace,
        "start_seconds": round(size.start, 3),
        "echoes": size.echoes,
        "interval_seconds": round(size.interval, 3),
        "processor_seconds_per_echo": size.per_echo,
        "memory_MB": size.memory,
        "down_without_fault": size.false_downs,
        "service_hours": round(size.hours, 3),
        "down_per_hour_at_most": rate_bound(size.false_downs, size.hours),
        "round_seconds": [round(each, 6) for each in size.rounds],
        "one": results.times_json(size.one),
        "thousand": results.times_json(size.thousand),
        "all": results.times_json(size.all),
        "notices": dict(Counter(size.notices).most_common(20)),
    }


def main() -> int:
    parser = results.parser("scale", __doc__)
    parser.add_argument("--sizes", default="1000,10000", help="numbers of services")
    parser.add_argument("--steady", type=float, default=120.0, help="seconds of nothing")
    parser.add_argument("--rest", type=float, default=10.0, help="seconds before them")
    parser.add_argument("--rounds", type=int, default=10, help="whose time is taken")
    parser.add_argument("--faults", type=int, default=30, help="of one service")
    parser.add_argument("--per-connection", type=int, default=250, help="services on one")
    parser.add_argument("--limit", type=float, default=30.0, help="seconds; then it is never seen")
    arguments = parser.parse_args()
    sizes = []
    for services in map(int, arguments.sizes.split(",")):
        sizes.append(measure(services, arguments))
        print(services, rows(sizes[-1]), end="\n\n", file=sys.stderr, flush=True)
    columns = [rows(size) for size in sizes]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    cells = [[label, *(column.get(label, "") for column in columns)] for label in labels]
    head = ["services", *(f"{size.services:,}" for size in sizes)]
    reached = results.table(["goal", "", "reached", ""], [row for s in sizes for row in goals(s)])
    print("\n\n".join([results.machine_line(), results.table(head, cells), reached]))
    chart = distributions(
        "From the fault to DOWN, among many",
        [
            (f"{what} of {size.services:,}", times)
            for size in sizes
            for what, times in (("one", size.one), ("1,000", size.thousand), ("all", size.all))
            if times.n and not (what == "1,000" and times is size.all)
        ],
    )
    results.write("scale", arguments, {"sizes": [figures(size) for size in sizes]}, chart)
    return 0


if __name__ == "__main__":
    raise SystemExit(results.guarded(main))
