"""What the detector is told and what it asks for: frozen, without I/O.

Moments are seconds of one monotonic clock, whichever the caller uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orquestador.events import Health, State

if TYPE_CHECKING:
    from .row import Row


@dataclass(frozen=True, slots=True)
class Pinged:
    """A ping of round `sequence` went out to the service."""

    ping: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Heard:
    """An echo.  `sequence`: of our own ping that it answers, else None.

    `round_trip`: None where lateness may not be judged (redelivered, another monitor's ping, a
    ping sent while blind): such an echo proves life, no more.
    """

    instance: str
    health: Health = Health.OK
    ping: str | None = None
    sequence: int | None = None
    round_trip: float | None = None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Hello:
    instance: str


@dataclass(frozen=True, slots=True)
class Goodbye:
    instance: str


@dataclass(frozen=True, slots=True)
class NoQueue:
    """A passive declare of the service's ping queue said 404."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed.  `own`: the latest round whose ping to the monitor itself came back."""

    own: int


Evidence = Pinged | Heard | Hello | Goodbye | NoQueue | Tick


@dataclass(frozen=True, slots=True)
class Probe:
    """Send so many pings to this service alone."""

    service: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Changed:
    """(state, reason) of a service changed; `row` is how it stands now."""

    row: Row
    previous: State
    detected_by: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    lost: str | None = None


Effect = Probe | Changed
