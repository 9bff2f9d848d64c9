"""A monitor's pace, and the rules for each watched service, from what the topology says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orquestador import ConfigurationError, Service, Topology
from orquestador.backoff import CAP

from .row import Rules

PING_EVERY, ECHO_WITHIN, DOWN_AFTER = 1.0, 0.5, 3
PROBE_EVERY, UP_AFTER = 0.25, 2
SETTLE_FOR_ADDRESS = 2.0
RENEW_EVERY = 300.0
LEADER = "leader"


@dataclass(frozen=True, slots=True)
class Timing:
    """The monitor's own pace, in seconds; the rules of each watched service, by name."""

    ping_every: float
    echo_within: float
    probe_every: float
    settle: float
    renew_every: float
    leader: str
    rules: Mapping[str, Rules]


def timing(topology: Topology, monitor: Service, addresses: int) -> Timing:
    """From the monitor's entry; a watched service's own entry overrides it where it may.

    Raises ConfigurationError where the monitor has no queue for the baton.
    """
    own = monitor.options
    settle = own.get("settle", CAP + SETTLE_FOR_ADDRESS * addresses)
    return Timing(
        ping_every=own.get("ping_every", PING_EVERY),
        echo_within=own.get("echo_within", ECHO_WITHIN),
        probe_every=own.get("probe_every", PROBE_EVERY),
        settle=settle,
        renew_every=own.get("renew_every", RENEW_EVERY),
        leader=_leader(topology, monitor),
        rules={service.name: _rules(service.options, own, settle) for service in topology.watched},
    )


def _rules(entry: Mapping[str, Any], own: Mapping[str, Any], settle: float) -> Rules:
    return Rules(
        echo_within=entry.get("echo_within", own.get("echo_within", ECHO_WITHIN)),
        down_after=entry.get("down_after", own.get("down_after", DOWN_AFTER)),
        probe_every=own.get("probe_every", PROBE_EVERY),
        up_after=own.get("up_after", UP_AFTER),
        replicas=entry.get("replicas", 1),
        grace=entry.get("grace", own.get("grace", 0.0)),
        user=entry.get("user"),
        every=own.get("ping_every", PING_EVERY),
        settle=settle,
    )


def _leader(topology: Topology, monitor: Service) -> str:
    if LEADER in monitor.queues:
        return LEADER
    entry = "leader: {single_active: true, max_length: 1, disposable: true}"
    text = f"services.{monitor.name}: a monitor needs a queue {LEADER!r}; add to its role's queues:"
    raise ConfigurationError(f"{topology.path}: {text} {entry}")
