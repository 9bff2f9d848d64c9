"""What a monitor may say in the topology, and the rules for each watched service that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orquestador import Service, Topology
from orquestador.backoff import CAP

from .row import Rules

PING_EVERY, ECHO_WITHIN, DOWN_AFTER = 1.0, 0.5, 3
PROBE_EVERY, UP_AFTER = 0.25, 2
SETTLE_FOR_ADDRESS = 2.0

OPTIONS: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "ping_every": {
            "type": "string",
            "format": "duration",
            "shortest": "10ms",
            "longest": "8m",
            "description": "Time from one round of pings to the next; 1s unless said, at most 8m.",
        },
        "echo_within": {
            "type": "string",
            "format": "duration",
            "shortest": "1ms",
            "description": "Time that an echo may take; 500ms unless said.",
        },
        "down_after": {
            "type": "integer",
            "minimum": 1,
            "description": "Unanswered in a row (the ping, then probes) that mean DOWN; 3.",
        },
        "probe_every": {
            "type": "string",
            "format": "duration",
            "description": "Time between the probes of a suspect; 250ms unless said.",
        },
        "up_after": {
            "type": "integer",
            "minimum": 1,
            "description": "Echoes in time before a known instance of a DOWN service is UP; 2.",
        },
        "settle": {
            "type": "string",
            "format": "duration",
            "description": "Time after connecting before silence counts; 5s and 2s an address.",
        },
    },
}


@dataclass(frozen=True, slots=True)
class Timing:
    """The monitor's own pace, in seconds; the rules of each watched service, by name."""

    ping_every: float
    echo_within: float
    probe_every: float
    settle: float
    rules: Mapping[str, Rules]


def timing(topology: Topology, monitor: Service, addresses: int) -> Timing:
    """From the monitor's entry; a watched service's own entry overrides it where it may."""
    own = monitor.options
    return Timing(
        ping_every=own.get("ping_every", PING_EVERY),
        echo_within=own.get("echo_within", ECHO_WITHIN),
        probe_every=own.get("probe_every", PROBE_EVERY),
        settle=own.get("settle", CAP + SETTLE_FOR_ADDRESS * addresses),
        rules={service.name: _rules(service.options, own) for service in topology.watched},
    )


def _rules(entry: Mapping[str, Any], own: Mapping[str, Any]) -> Rules:
    return Rules(
        ping_every=own.get("ping_every", PING_EVERY),
        echo_within=entry.get("echo_within", own.get("echo_within", ECHO_WITHIN)),
        down_after=entry.get("down_after", own.get("down_after", DOWN_AFTER)),
        probe_every=own.get("probe_every", PROBE_EVERY),
        up_after=own.get("up_after", UP_AFTER),
        replicas=entry.get("replicas", 1),
        user=entry.get("user"),
    )
