"""Whether a round takes longer than an echo may: then it is the setting that is late, not services.

Pure; a round of 10,000 services takes seconds on a small machine, whoever is well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FEW = 20  # services: below, lateness is theirs
SHARE = 0.1  # of the services late in one round
MARGIN = 1.5  # of the slowest echo: what would fit
SAID_EVERY = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Load:
    """The round under way: how many echoes were late, and the slowest one's seconds."""

    services: int
    within: float
    late: int = 0
    slowest: float = 0.0
    said: float = float("-inf")

    def heard(self, round_trip: float) -> Load:
        if round_trip <= self.within:
            return self
        return replace(self, late=self.late + 1, slowest=max(self.slowest, round_trip))

    def next_round(self, now: float) -> tuple[Load, str | None]:
        """Start counting anew; a warning, once a minute, if too many echoes were late."""
        fresh = replace(self, late=0, slowest=0.0)
        too_many = self.late > max(FEW, SHARE * self.services)
        if not too_many or now - self.said < SAID_EVERY:
            return fresh, None
        text = (
            f"a round of {self.services} services took {self.slowest:.1f} s:"
            f" echo_within: {self.within:g}s is too short here,"
            f" {self.slowest * MARGIN:.1f}s would fit"
        )
        return replace(fresh, said=now), text
