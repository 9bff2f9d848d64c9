"""What the detector is told and what it asks for: frozen, without I/O.

Moments are seconds of one monotonic clock, whichever the caller uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from orquestador.events import Health, State

if TYPE_CHECKING:
    from .row import Row


class Pinged(Struct, frozen=True):
    """A ping of round `sequence` went out to the service."""

    ping: str
    sequence: int


class Heard(Struct, frozen=True):
    """An echo.  `sequence`, `sent_at`: of the ping that it answers, if we know that ping.

    `round_trip`: None where lateness may not be judged (redelivered, another monitor's ping, a
    ping sent while blind): such an echo proves life, no more.
    """

    instance: str
    health: Health = Health.OK
    ping: str | None = None
    sequence: int | None = None
    round_trip: float | None = None
    redelivered: bool = False
    details: Mapping[str, Any] | None = None
    sent_at: float | None = None


class Hello(Struct, frozen=True):
    instance: str


class Goodbye(Struct, frozen=True):
    instance: str


class Bounced(Struct, frozen=True):
    """A ping of its queue was handed to the monitor: nobody else took it."""


class Counted(Struct, frozen=True):
    """Its queue has so many consumers, the monitor's own among them; asked after a bounce."""

    consumers: int


class NoQueue(Struct, frozen=True):
    """A passive declare of the service's ping queue said 404."""


class Unseen(Struct, frozen=True):
    """Nobody can know how it is: its queue's node is down, say."""

    why: str


class Tick(Struct, frozen=True):
    """Time has passed.

    Of the monitor's pings to itself, `own` is the latest round of those that came back, `own_at`
    when the latest of them was sent.
    """

    own: int
    own_at: float = inf


Evidence = Pinged | Heard | Hello | Goodbye | Bounced | Counted | NoQueue | Unseen | Tick


@dataclass(frozen=True, slots=True)
class Probe:
    """Send so many pings to this service alone."""

    service: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Count:
    """Ask how many consumers its ping queue has."""

    service: str


@dataclass(frozen=True, slots=True)
class Sight:
    """The monitor is blind for this service alone, and why; or sees it again (None)."""

    service: str
    blind: str | None


@dataclass(frozen=True, slots=True)
class Changed:
    """(state, reason) of a service changed; `row` is how it stands now."""

    row: Row
    previous: State
    detected_by: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    lost: str | None = None


Effect = Probe | Count | Sight | Changed
