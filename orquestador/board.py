"""What observers see between changes: frozen snapshots of all services.

A change itself is an `events.Status`.  Who fills a board and who shows it are plugins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orquestador.events import State


@dataclass(frozen=True, slots=True)
class Row:
    """One watched service.  `round_trip` in seconds, of the last echo; times are UTC."""

    service: str
    state: State
    reason: str
    text: str
    since: datetime
    round_trip: float | None
    last_echo: datetime | None
    live: int
    expected: int
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Undeclared:
    """A service that echoes but that the topology does not know: shown, never judged."""

    service: str
    last_echo: datetime


@dataclass(frozen=True, slots=True)
class Board:
    """`blind` is why the watcher cannot see just now, or None while it sees.

    `leads`: it judges by itself; else the rows are what the leading monitor says.
    """

    watcher: str
    at: datetime
    rows: tuple[Row, ...]
    undeclared: tuple[Undeclared, ...] = ()
    blind: str | None = None
    leads: bool = True
    rounds: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about the watching itself.

    `kind`: blind, seeing, leader, standby, undeclared, rejected or warning.  `service`: where it is
    about one.
    """

    kind: str
    text: str
    at: datetime
    service: str | None = None
