"""Whether a topology fits a broker's plan: the sums, told with what does not fit and what would."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.messages import Cost, Counted
from orquestador.hooks import loading
from orquestador.hooks.registry import Registry
from orquestador.provision import limits
from orquestador.topology.access import Costs, Rate
from orquestador.topology.load import load
from orquestador.topology.model import Limits, Queue, Service, Topology

ROOT = Path(__file__).parents[2]
MONTH = limits.MONTH


@pytest.fixture(scope="module")
def registry() -> Registry:
    return loading.load(ROOT).registry


@pytest.fixture
def complaints(tmp_path: Path, registry: Registry) -> Callable[..., list[str]]:
    """Of a file like the shipped one, with these limits, as a person sees them."""

    def about(limits_line: str, *changes: tuple[str, str]) -> list[str]:
        text = (ROOT / "topology.yaml").read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "topology.yaml"
        path.write_text(f"{text}limits: {limits_line}\n", encoding="utf-8")
        topology = load(path, registry.vocabulary())
        found = limits.faults(topology, partial(registry.costs, topology))
        return [fault.text for fault in found]

    return about


def plain(services: dict[str, Service], *queues: Queue, **ceilings: int) -> Topology:
    return Topology(
        Path("topology.yaml"),
        {},
        {queue.name: queue for queue in queues},
        services,
        limits=Limits(**ceilings, lines=dict.fromkeys(ceilings, 7)),
    )


def texts(topology: Topology, costs: Costs) -> list[str]:
    return [fault.text for fault in limits.faults(topology, lambda _service: costs)]


# -- queues and connections


def test_what_fits_is_not_complained_about(complaints: Callable[..., list[str]]) -> None:
    assert complaints("{queues: 4, connections: 5, messages_per_month: 20753280}") == []


def test_a_file_without_limits_has_none() -> None:
    assert texts(plain({}), Costs()) == []


def test_queues_are_those_that_last_and_those_of_running_processes(
    complaints: Callable[..., list[str]],
) -> None:
    assert complaints("{queues: 3}") == [
        "4 do not fit into 3: 3 that last + 1 echoes.monitor.{unique} of running processes"
    ]


def test_connections_are_counted_by_role_and_replicas(
    complaints: Callable[..., list[str]],
) -> None:
    replicas = ("mock1: {role: mock}", "mock1: {role: mock, replicas: 4}")

    assert complaints("{connections: 7}", replicas) == [
        "8 do not fit into 7: 5 of role mock (5 x 1) + 3 of role monitor (1 x 3)"
    ]


def test_each_process_has_an_exclusive_queue_of_its_own() -> None:
    template = Queue("replies.{unique}", durable=False, exclusive=True)
    services = {
        "a": Service("a", "web", (template.name,), {"replicas": 3}),
        "b": Service("b", "web", (template.name,)),
    }

    assert texts(plain(services, template, Queue("work"), queues=4), Costs()) == [
        "5 do not fit into 4: 4 replies.{unique} of running processes + 1 that last"
    ]


def test_a_service_that_no_plugin_plays_has_one_connection(registry: Registry) -> None:
    topology = plain({"a": Service("a", "billing"), "b": Service("b", "billing")}, connections=1)

    (fault,) = limits.faults(topology, partial(registry.costs, topology))

    assert str(fault) == (
        "topology.yaml:7: limits.connections: 2 do not fit into 1: 2 of role billing (2 x 1)"
    )


# -- messages


def test_messages_are_added_up_and_the_period_that_fits_is_named(
    complaints: Callable[..., list[str]],
) -> None:
    assert complaints("{messages_per_month: 1000000}") == [
        "20,753,280 in 30 days (published and delivered ones count, as with CloudAMQP) do not fit "
        "into 1,000,000: 20,736,000 (8 each 1 s: 1 ping published, 2 delivered to services and 1 "
        "to monitor, 2 echoes published and delivered to it) + 17,280 (2 each 300 s: 1 baton "
        "published and delivered); services.monitor.ping_every: 22s would fit (959,825)"
    ]


def test_the_period_that_is_named_does_fit(complaints: Callable[..., list[str]]) -> None:
    assert complaints("{messages_per_month: 1000000}", ("ping_every: 1s", "ping_every: 22s")) == []
    assert complaints("{messages_per_month: 1000000}", ("ping_every: 1s", "ping_every: 21s")) != []


def test_where_no_period_would_fit_that_is_said(complaints: Callable[..., list[str]]) -> None:
    (text,) = complaints("{messages_per_month: 20000}")

    assert text.endswith("; no services.monitor.ping_every would fit, up to 8m")


def test_a_second_monitor_listens_and_pings_itself(complaints: Callable[..., list[str]]) -> None:
    second = ("  mock1:", "  watch2: {role: monitor, ping_every: 10s}\n  mock1:")

    (text,) = complaints("{messages_per_month: 1000000}", second)

    assert "(3 each 1 s: 1 ping and 2 echoes delivered to watch2)" in text
    assert "(2 each 10 s: 1 ping of watch2 to itself published and delivered)" in text
    assert text.count("baton") == 1


def test_each_replica_is_pinged_and_answers(complaints: Callable[..., list[str]]) -> None:
    replicas = ("mock1: {role: mock}", "mock1: {role: mock, replicas: 2}")

    (text,) = complaints("{messages_per_month: 1}", replicas)

    assert "(12 each 1 s: 2 pings published, 3 delivered to services and 1 to monitor, " in text


def test_a_monitor_without_anything_to_watch_costs_nothing(registry: Registry) -> None:
    topology = plain({"m": Service("m", "monitor")}, connections=1, messages_per_month=1)

    assert limits.faults(topology, partial(registry.costs, topology)) == ()


@pytest.mark.parametrize("every", ["1s", "10s", "30s", "60s"])
def test_the_sums_are_those_that_were_measured(every: str, registry: Registry) -> None:
    """docs/figures/messages.json counts whole rounds on the wire; the baton is not in it."""
    figures = json.loads((ROOT / "docs/figures/messages.json").read_text())
    (measured,) = (each for each in figures["periods"] if each["ping_every"] == every)
    counted = _counted(measured)
    topology = load(ROOT / "topology.yaml", registry.vocabulary())
    monitor = replace(
        topology.services["monitor"], options={"ping_every": float(every.removesuffix("s"))}
    )
    topology = replace(topology, services={**topology.services, "monitor": monitor})

    rounds = registry.costs(topology, monitor).rates[0]

    assert rounds.per_second * MONTH == pytest.approx(counted.month(2, delivered=True))
    assert registry.costs(topology, monitor).connections == measured["connections"]["monitor"]
    mock = registry.costs(topology, topology.services["mock1"])
    assert mock.connections == measured["connections"]["service"]


def _counted(measured: dict[str, Any]) -> Counted:
    def cost(of: dict[str, float]) -> Cost:
        return Cost(of["published_per_hour"], of["delivered_per_hour"], 0.0)

    return Counted(
        every=measured["ping_every"],
        rounds=measured["rounds"],
        services=measured["services"],
        monitor=cost(measured["monitor"]),
        service=cost(measured["each_service"]),
        connections=(3, 1),
        seen={},
    )


@pytest.mark.parametrize(
    ("seconds", "messages", "fits"),
    [
        (0.1, 2 * MONTH, "500ms"),
        (0.1, 3 * MONTH, "340ms"),
        (1.0, MONTH / 59.5, "1m"),
        (1.0, MONTH / 61, "70s"),
    ],
)
def test_a_period_is_rounded_up_to_what_a_person_would_write(
    seconds: float, messages: float, fits: str
) -> None:
    rate = Rate(1 / seconds, "it", "services.a.every", seconds)
    topology = plain({"a": Service("a", "any")}, messages_per_month=int(messages))

    (text,) = texts(topology, Costs(1, (rate,)))

    assert f"; services.a.every: {fits} would fit" in text


def test_of_many_terms_the_largest_are_shown() -> None:
    rates = tuple(Rate(number, f"sort {number}") for number in range(1, 9))
    topology = plain({"a": Service("a", "any")}, messages_per_month=10)

    (text,) = texts(topology, Costs(1, rates))

    assert text.endswith(f"{4 * MONTH:,} (sort 4) + {6 * MONTH:,} others")
    assert "would fit" not in text
