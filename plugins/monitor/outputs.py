"""What a watch asks its edge to do, beside the detector's effects: frozen, without I/O."""

from __future__ import annotations

from dataclasses import dataclass

from orquestador.events import Status

from .evidence import Changed, Count, Probe, Sight


@dataclass(frozen=True, slots=True)
class RoundDue:
    """A round is wanted at this moment, before the next regular one."""

    at: float


@dataclass(frozen=True, slots=True)
class Said:
    """Something about the watching itself: blind, seeing, undeclared or rejected."""

    kind: str
    text: str
    service: str | None = None

    @classmethod
    def of(cls, sight: Sight) -> Said:
        """Blindness for one service alone, or its end."""
        if sight.blind is not None:
            return cls("blind", f"{sight.service}: {sight.blind}", sight.service)
        return cls("seeing", f"{sight.service}: its queue answers again", sight.service)


@dataclass(frozen=True, slots=True)
class Told:
    """The leader said something new of a service; `status.previous` is what we knew."""

    status: Status


@dataclass(frozen=True, slots=True)
class Greeted:
    """Another monitor has started: every current status is to be repeated for it."""


Output = Changed | Probe | Count | RoundDue | Said | Told | Greeted
