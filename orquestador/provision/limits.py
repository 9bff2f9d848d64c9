"""Whether a topology fits into a broker's plan (`limits:`): queues, connections, messages.  Pure.

What one process costs, its role says (`Role.costs`).  A message counts when it is published and
each time it is delivered, as with CloudAMQP: https://www.cloudamqp.com/docs/faq-lavinmq.html.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from orquestador import durations
from orquestador.errors import Fault
from orquestador.topology.access import Costs, Rate
from orquestador.topology.model import Service, Topology

MONTH = 30 * 86_400  # seconds
SHOWN = 5  # terms of a sum; the others are told together
UNIT = " in 30 days (published and delivered ones count, as with CloudAMQP)"

CostsOf = Callable[[Service], Costs]
Terms = Mapping[str, float]
"""A sum: what each part is, and how much."""


def faults(topology: Topology, costs_of: CostsOf) -> tuple[Fault, ...]:
    """One for each ceiling that is too low, with the arithmetic, and what would fit.

    `costs_of(service)`: of one process of the service.
    """
    limits = topology.limits
    costs = {name: costs_of(service) for name, service in topology.services.items()}
    rates = [rate for name in costs for rate in costs[name].rates * _processes(topology, name)]
    checks = {
        "queues": (limits.queues, _queues(topology), ""),
        "connections": (limits.connections, _connections(topology, costs), ""),
        "messages_per_month": (limits.messages_per_month, _messages(rates), UNIT),
    }
    found = []
    for key, (most, terms, unit) in checks.items():
        total = sum(terms.values())
        if most is None or total <= most:
            continue
        text = f"{total:,.0f}{unit} do not fit into {most:,}: {_sum(terms)}"
        if unit:
            text += _would_fit(rates, most)
        line = limits.lines.get(key, 0)
        found.append(Fault(str(topology.path), line, f"limits.{key}", text))
    return tuple(found)


def _queues(topology: Topology) -> Terms:
    terms: defaultdict[str, float] = defaultdict(float, {"that last": len(topology.lasting)})
    for name, service in topology.services.items():
        for queue in (topology.queues[each] for each in service.queues):
            if queue.unique:
                terms[f"{queue.name} of running processes"] += _processes(topology, name)
    return terms


def _connections(topology: Topology, costs: Mapping[str, Costs]) -> Terms:
    processes: Counter[tuple[str, int]] = Counter()
    for name, service in topology.services.items():
        processes[service.role, costs[name].connections] += _processes(topology, name)
    return {
        f"of role {role} ({number} x {each})": number * each
        for (role, each), number in processes.items()
    }


def _messages(rates: Sequence[Rate]) -> Terms:
    terms: defaultdict[str, float] = defaultdict(float)
    for rate in rates:
        terms[f"({rate.because})"] += rate.per_second * MONTH
    return terms


def _processes(topology: Topology, service: str) -> int:
    return int(topology.services[service].options.get("replicas", 1))


def _sum(terms: Terms) -> str:
    largest = sorted(terms.items(), key=lambda term: -term[1])
    shown = [f"{number:,.0f} {what}" for what, number in largest[:SHOWN] if number]
    rest = sum(number for _, number in largest[SHOWN:])
    return " + ".join([*shown, *([f"{rest:,.0f} others"] if rest else [])])


# -- what would fit


def _would_fit(rates: Sequence[Rate], most: int) -> str:
    """The setting that most depends on, with the value from which on it fits; "" for none."""
    paced: defaultdict[tuple[str, float, float], float] = defaultdict(float)
    for rate in rates:
        if rate.setting:
            paced[rate.setting, rate.now, rate.longest] += rate.per_second
    if not paced:
        return ""
    (setting, now, longest), moving = max(paced.items(), key=lambda each: each[1])
    fixed = sum(rate.per_second for rate in rates) - moving
    room = most / MONTH - fixed
    needed = _round_up(moving * now / room) if room > 0 else math.inf
    if needed > longest:
        return f"; no {setting} would fit, up to {durations.render(longest)}"
    total = (moving * now / needed + fixed) * MONTH
    return f"; {setting}: {durations.render(needed)} would fit ({total:,.0f})"


def _round_up(seconds: float) -> float:
    """To one that a person would write: tens of milliseconds, seconds, then tens of seconds."""
    if seconds <= 1:
        return math.ceil(seconds * 100) / 100
    step = 1 if seconds <= 60 else 10
    return float(math.ceil(seconds / step) * step)
