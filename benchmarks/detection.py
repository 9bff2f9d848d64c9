"""How soon is a fault seen: `python -m benchmarks.detection [--n N] [--kinds kill,stop,...]`.

The time from just before the fault (the signal, the cut) to the moment at which the line of the
monitor's standard output that tells of it has been read by the benchmark.  Real commands, a
RabbitMQ of its own, default settings unless a kind says otherwise.  Faults are open loop at
instants drawn beforehand, uniform over the ping's phase.  A fault without its line within --limit
counts as longer than everything ("never seen").  The median has a two-sided 95 % interval, the p99
a one-sided 95 % bound, both from order statistics; a goal for a p99 is met if that bound meets it.

Beside it, on the same broker and struck by the same faults, a plain monitor: a ping each 2 s, DOWN
after 6 s without an echo (benchmarks/plain.py).
"""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import dataclass
from typing import Any

from benchmarks import campaign, handover, results
from benchmarks.campaign import PLAIN, Kind, names_the_lost, state
from benchmarks.plot import Chart, distributions
from benchmarks.quantiles import Times
from benchmarks.stage import MONITOR
from benchmarks.victims import HANGING, cuts, sends

KILL = sends(signal.SIGKILL)
DOWN = state("DOWN")
FAST = {"median": 0.005, "p99": 0.025}
KINDS = (
    Kind("kill", "SIGKILL", KILL, DOWN, FAST),
    Kind("kill-1000", "SIGKILL, 1,000 others", KILL, DOWN, {"median": 0.010}, others=1000),
    Kind("kill-30s", "SIGKILL, ping_every 30s", KILL, DOWN, FAST, ping_every="30s", plain=False),
    Kind(
        "replica",
        "SIGKILL of one of two, named",
        KILL,
        names_the_lost,
        {"median": 0.010},
        replicas=2,
        plain=False,
    ),
    Kind("cut", "connection cut and refused", cuts, DOWN, proxied=True),
    Kind("interrupt", "SIGINT to STOPPED", sends(signal.SIGINT), state("STOPPED")),
    Kind(
        "stop",
        "SIGSTOP",
        sends(signal.SIGSTOP),
        DOWN,
        {"median": 1.6, "longest": 2.1},
        share=1 / 3,
    ),
    Kind(
        "hang",
        "hung responder",
        sends(signal.SIGUSR1),
        DOWN,
        {"median": 1.6, "longest": 2.1},
        program=HANGING,
        share=1 / 3,
    ),
)
LEADER, LEADER_TITLE = "leader", "leader killed to the next ping"
LEADER_GOALS = {"median": 0.050}
LEADER_SHARE = 1 / 3
HANDOVER_WITHIN = 2.0  # seconds, whole periods: how long a pair is left alone before the kill


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `more` goes into the JSON beside the times."""

    name: str
    title: str
    observer: str
    times: Times
    goals: dict[str, float]
    more: dict[str, Any]


def measure(kind: Kind, arguments: argparse.Namespace) -> list[Row]:
    outcome = campaign.run(
        kind,
        n=max(1, round(arguments.n * kind.share)),
        slot=arguments.slot,
        limit=arguments.limit,
        pool=arguments.pool,
        seed=arguments.seed,
    )
    more = {
        "said": outcome.paths(),
        "put_off": outcome.unready,
        "down_without_fault": outcome.false_downs,
        "notices": dict(outcome.notices),
    }
    rows = [Row(kind.name, kind.title, MONITOR, outcome.times(MONITOR), kind.goals, more)]
    if kind.plain:
        rows.append(Row(kind.name, kind.title, PLAIN, outcome.times(PLAIN), {}, {}))
    return rows


def measure_handover(arguments: argparse.Namespace) -> list[Row]:
    try:
        times = handover.run(
            n=max(1, round(arguments.n * LEADER_SHARE)),
            within=HANDOVER_WITHIN,
            limit=arguments.limit,
            seed=arguments.seed,
        )
        more: dict[str, Any] = {}
    except AssertionError as fault:
        times, more = Times(()), {"not_measured": str(fault)}
    return [Row(LEADER, LEADER_TITLE, MONITOR, times, LEADER_GOALS, more)]


def verdicts(times: Times, goals: dict[str, float]) -> dict[str, tuple[float | None, str]]:
    """For each goal what was reached, None if n is too small to tell, and the verdict."""
    reached: dict[str, float | None] = {}
    if times.n:
        reached = {
            "median": times.median().estimate,
            "p99": times.p99().high,
            "longest": times.longest,
        }
    return {
        name: (reached.get(name), _verdict(times.n, reached.get(name), goal))
        for name, goal in goals.items()
    }


def _verdict(n: int, reached: float | None, goal: float) -> str:
    if not n:
        return "not measured"
    if reached is None:
        return "n too small"
    return "met" if reached <= goal else "not met"


def table(rows: list[Row]) -> str:
    cells = [[row.title, row.observer, *results.times_row(row.times)] for row in rows]
    return results.table(["fault", "by", *results.TIMES_HEAD], cells)


def goals_table(rows: list[Row]) -> str:
    cells = []
    for row in rows:
        for name, (reached, verdict) in verdicts(row.times, row.goals).items():
            said = "-" if reached is None else results.milliseconds(reached, row.times.limit)
            goal = results.milliseconds(row.goals[name])
            cells.append([f"{row.title}: {name}", f"<= {goal}", said, verdict])
    return results.table(["goal", "", "reached", ""], cells)


def notes(rows: list[Row]) -> list[str]:
    """What the table has no column for."""
    lines = []
    for row in rows:
        for name, value in row.more.items():
            if value:
                lines.append(f"{row.name}: {name.replace('_', ' ')}: {value}")
    return lines


def figures(rows: list[Row]) -> dict[str, Any]:
    return {
        "rows": [
            {
                "kind": row.name,
                "fault": row.title,
                "by": row.observer,
                **results.times_json(row.times),
                "goals": {
                    name: {"seconds": row.goals[name], "verdict": verdict}
                    for name, (_, verdict) in verdicts(row.times, row.goals).items()
                },
                **row.more,
            }
            for row in rows
        ]
    }


def chart(rows: list[Row]) -> Chart:
    """The monitor's times by kind; those of the plain one together: what struck is one to it."""
    series = [(row.title, row.times) for row in rows if row.observer == MONITOR and row.times.n]
    plain = [row.times for row in rows if row.observer == PLAIN]
    if plain:
        seen = tuple(sorted(second for times in plain for second in times.seen))
        pooled = Times(seen, sum(times.censored for times in plain), plain[0].limit)
        series.append(("all of those that a plain monitor watches too, by it", pooled))
    return distributions("From the fault to the line that tells of it", series)


def main() -> int:
    names = [kind.name for kind in KINDS] + [LEADER]
    parser = results.parser("detection", __doc__)
    parser.add_argument("--n", type=int, default=300, help="faults; a third of it of slow ones")
    parser.add_argument("--kinds", default=",".join(names), help="of " + ", ".join(names))
    parser.add_argument("--slot", type=float, default=2.0, help="seconds that each fault has")
    parser.add_argument("--pool", type=int, default=10, help="victims; each rests until it is UP")
    parser.add_argument("--limit", type=float, default=15.0, help="seconds; then it is never seen")
    arguments = parser.parse_args()
    wanted = arguments.kinds.split(",")
    if unknown := sorted(set(wanted) - set(names)):
        parser.error(f"no such kind: {', '.join(unknown)}; there are {', '.join(names)}")
    rows: list[Row] = []
    for kind in KINDS:
        if kind.name in wanted:
            rows += measure(kind, arguments)
            print(table(rows[-1 - kind.plain :]), end="\n\n", file=sys.stderr, flush=True)
    if LEADER in wanted:
        rows += measure_handover(arguments)
    said = "\n".join(notes(rows))
    print("\n\n".join([results.machine_line(), table(rows), goals_table(rows), said]))
    results.write("detection", arguments, figures(rows), chart(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(results.guarded(main))
