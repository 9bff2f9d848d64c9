"""What watching costs in messages and bytes: `python -m benchmarks.messages [--every 1s,30s]`.

The monitor and some services, real commands, each speak through a proxy that counts AMQP's methods
and bytes (benchmarks/tap.py).  Counted are whole rounds, at least two, from shortly after one ping
to shortly after another; an hour is extrapolated from them by the number of rounds in it.  What is
rarer than that is not in it: starts and ends, changes of state, a renewed baton each 5 min.

*published* is what clients send to the broker, *delivered* what it sends to them, once for each
receiver.  A month has 30 days.  How a plan counts is its provider's to say: the table has the
services that fit if only what is published counts, and if both do.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import results
from benchmarks.plot import Axis, Chart
from benchmarks.stage import Stage
from benchmarks.tap import ALL, Counts, Tap
from orquestador.durations import parse

HOURS = 720
"""A month's."""
START_WITHIN = 60.0  # seconds
QUIET = 2.0  # seconds, at most, from a ping to the moment at which its round is over


@dataclass(frozen=True, slots=True)
class Cost:
    """In an hour: published, delivered, bytes."""

    published: float
    delivered: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Counted:
    """One `ping_every`: what the monitor costs alone, and what each service adds."""

    every: str
    rounds: int
    services: int
    monitor: Cost
    service: Cost
    connections: tuple[int, int]
    seen: dict[str, dict[str, int]]

    def month(self, services: int, *, delivered: bool) -> float:
        """Messages in a month, with so many services."""
        return HOURS * (_of(self.monitor, delivered) + services * _of(self.service, delivered))

    def fit(self, plan: int, *, delivered: bool) -> int:
        """Services that a plan of so many messages a month has room for."""
        left = plan / HOURS - _of(self.monitor, delivered)
        return max(0, math.floor(left / _of(self.service, delivered) + 1e-9))


def _of(cost: Cost, delivered: bool) -> float:
    return cost.published + (cost.delivered if delivered else 0.0)


def measure(every: str, arguments: argparse.Namespace) -> Counted:
    names = [f"service{number}" for number in range(1, arguments.services + 1)]
    period = parse(every)
    rounds = max(2, math.ceil(arguments.seconds / period))
    with Stage("messages") as stage, Tap(stage.node.port) as one, Tap(stage.node.port) as many:
        # Statuses are repeated once it has settled; they are no part of a round.
        topology = stage.topology({name: {} for name in names}, ping_every=every, settle="500ms")
        stage.provision(topology)
        to_many = stage.node.address("%2F", port=many.port)
        for name in names:
            where = ("--topology", str(topology), "--url", to_many, "--name", name)
            stage.start(name, "runner.py", "--role", "mock", *where)
        stage.monitor(topology, url=stage.node.address("%2F", port=one.port))
        stage.all_in("UP", names, START_WITHIN)
        _after_a_ping(one, period)
        before = one.counts(), many.counts()
        _after_a_ping(one, period, rounds)
        monitor, services = one.counts() - before[0], many.counts() - before[1]
        made = one.connections, many.connections // len(names)
    return _counted(every, rounds, len(names), monitor, services, made)


def _after_a_ping(tap: Tap, period: float, rounds: int = 1) -> None:
    """Wait for so many pings more, and until the last one's echoes are surely through."""
    for _ in range(rounds):
        last, until = tap.last_ping, time.monotonic() + 2 * period + 30.0
        while tap.last_ping == last:
            if time.monotonic() > until:
                raise AssertionError(f"no ping for {2 * period + 30.0:g} s")
            time.sleep(0.01)
    time.sleep(max(0.0, tap.last_ping + min(QUIET, period / 2) - time.monotonic()))


def _counted(
    every: str,
    rounds: int,
    services: int,
    monitor: Counts,
    others: Counts,
    connections: tuple[int, int],
) -> Counted:
    """The monitor's deliveries of echoes are the services' doing; the rest of its is its own."""
    hourly = 3600 / parse(every) / rounds
    echoes = "echo delivered"

    def messages(counts: Counts, way: str) -> int:
        return sum(n for kind, n in counts.messages.items() if kind.endswith(way))

    own = Cost(
        published=messages(monitor, "published") * hourly,
        delivered=(messages(monitor, "delivered") - monitor.messages[echoes]) * hourly,
        bytes=(monitor.sizes[ALL] - monitor.sizes[echoes]) * hourly,
    )
    share = hourly / services
    each = Cost(
        published=messages(others, "published") * share,
        delivered=(messages(others, "delivered") + monitor.messages[echoes]) * share,
        bytes=(others.sizes[ALL] + monitor.sizes[echoes]) * share,
    )
    seen = {
        "monitor": dict(sorted(monitor.messages.items())),
        "services": dict(sorted(others.messages.items())),
    }
    return Counted(every, rounds, services, own, each, connections, seen)


def rows(counted: Counted, plan: int) -> dict[str, str]:
    one, each = counted.monitor, counted.service
    return {
        "rounds counted, services": f"{counted.rounds}, {counted.services}",
        "the monitor alone, in an hour:": "",
        "  published": f"{one.published:,.0f}",
        "  delivered": f"{one.delivered:,.0f}",
        "  kB": f"{one.bytes / 1e3:,.0f}",
        "each service, in an hour:": "",
        "  published by it": f"{each.published:,.0f}",
        "  delivered to and from it": f"{each.delivered:,.0f}",
        "  kB of it": f"{each.bytes / 1e3:,.0f}",
        "two services, millions in a month:": "",
        "  published only": f"{counted.month(2, delivered=False) / 1e6:.2f}",
        "  published and delivered": f"{counted.month(2, delivered=True) / 1e6:.2f}",
        f"services in {plan / 1e6:g} million a month:": "",
        "  if what is published counts": str(counted.fit(plan, delivered=False)),
        "  if both count": str(counted.fit(plan, delivered=True)),
    }


def arithmetic(counted: Counted, plan: int) -> str:
    one, each = counted.monitor, counted.service
    fits = counted.fit(plan, delivered=True)
    return (
        f"{counted.every}: {HOURS} h x ({one.published:,.0f} + {one.delivered:,.0f} + {fits} x "
        f"({each.published:,.0f} + {each.delivered:,.0f})) = "
        f"{counted.month(fits, delivered=True):,.0f} of {plan:,}"
    )


def figures(counted: Counted, plan: int) -> dict[str, Any]:
    def cost(of: Cost) -> dict[str, float]:
        names = ("published", "delivered", "bytes")
        return {f"{name}_per_hour": round(getattr(of, name), 1) for name in names}

    return {
        "ping_every": counted.every,
        "rounds": counted.rounds,
        "services": counted.services,
        "monitor": cost(counted.monitor),
        "each_service": cost(counted.service),
        "connections": {"monitor": counted.connections[0], "service": counted.connections[1]},
        "methods_counted": counted.seen,
        "services_that_fit": {
            "published": counted.fit(plan, delivered=False),
            "published_and_delivered": counted.fit(plan, delivered=True),
        },
    }


def chart(all_counted: list[Counted], plan: int) -> Chart:
    """How many services fit, over the period."""

    def points(fit: Callable[[Counted], int]) -> list[tuple[float, float]]:
        return [(parse(counted.every), float(fit(counted))) for counted in all_counted]

    published = points(lambda counted: counted.fit(plan, delivered=False))
    both = points(lambda counted: counted.fit(plan, delivered=True))
    most = max([1.0, *(y for _, y in published)])
    drawn = Chart(
        f"Services that {plan / 1e6:g} million messages a month have room for",
        Axis("ping_every, seconds", 1, 100, logarithmic=True),
        Axis("services", 0, most * 1.1),
    )
    drawn.series.append(("what is published counts", published))
    drawn.series.append(("deliveries count too", both))
    return drawn


def main() -> int:
    parser = results.parser("messages", __doc__)
    parser.add_argument("--every", default="1s,10s,30s,60s", help="values of ping_every")
    parser.add_argument("--services", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0, help="counted, at least two rounds")
    parser.add_argument("--plan", type=int, default=1_000_000, help="messages a month")
    arguments = parser.parse_args()
    plan, found = arguments.plan, []
    for every in arguments.every.split(","):
        found.append(measure(every, arguments))
        print(f"{every}: {found[-1].seen}", file=sys.stderr, flush=True)
    columns = [rows(counted, plan) for counted in found]
    cells = [[label, *(column[label] for column in columns)] for label in columns[0]]
    head = ["ping_every", *(counted.every for counted in found)]
    made = f"connections: {found[0].connections[0]} of the monitor, {found[0].connections[1]} each"
    sums = "\n".join(arithmetic(counted, plan) for counted in found)
    print("\n\n".join([results.machine_line(), results.table(head, cells), sums, made]))
    said = {"plan": plan, "periods": [figures(counted, plan) for counted in found]}
    results.write("messages", arguments, said, chart(found, plan))
    return 0


if __name__ == "__main__":
    raise SystemExit(results.guarded(main))
