"""What a monitor may say in the topology, as a JSON Schema; what follows is `timing.py`'s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

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
            "shortest": "100ms",
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
            "shortest": "50ms",
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
        "grace": {
            "type": "string",
            "format": "duration",
            "longest": "1h",
            "description": "Time that a service may be without a connection before DOWN; 0s.",
        },
        "renew_every": {
            "type": "string",
            "format": "duration",
            "shortest": "1s",
            "longest": "25m",
            "description": "How often the leading monitor renews its baton; 5m unless said.",
        },
    },
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The role's own, for bug reports: what a run saw, and the same judged again."""
    parser.add_argument("--record", metavar="FILE", help="monitor: write down what it sees")
    parser.add_argument("--replay", metavar="FILE", help="monitor: judge a recorded run again")
