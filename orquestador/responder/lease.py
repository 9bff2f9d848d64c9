"""The ping that a service holds: what is acknowledged when, and when silence is doubted.  Pure.

Knows no socket and no clock: times are seconds of one that never goes back, handed in.  To
acknowledge, and to consume again, is `consuming.py`'s.  Protocol, sections 2 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

Settled = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds, but for `periods`: so many times a ping's `every` without another are too many."""

    periods: float = 3.0
    shortest: float = 300.0
    longest: float = 1500.0  # below RabbitMQ's consumer timeout of 30 minutes
    apart: float = 300.0  # what the tries to consume again grow to be apart, beside the periods

    def patience(self, every: float) -> float:
        """How long no ping may come before the service doubts its consumer."""
        return self.periods * every

    def hold(self, every: float) -> float:
        """How long a ping is held without a new one."""
        return min(max(self.patience(every), self.shortest), self.longest)


@dataclass(frozen=True, slots=True)
class Lease:
    """What a service holds: the delivery tag of one ping, or nothing.

    `every`: what the last ping promised that promised another; None before the first, and then
    nothing is doubted, for nobody knows when a ping is due.  What has to be acknowledged comes
    back beside the new lease, as delivery tags.
    """

    terms: Terms = Terms()
    held: int | None = None
    release_at: float = inf
    every: float | None = None
    doubt_at: float = inf

    @property
    def patience(self) -> float:
        return inf if self.every is None else self.terms.patience(self.every)

    @property
    def due(self) -> float:
        """When there is something to do, if nothing comes."""
        return min(self.release_at, self.doubt_at)

    def begun(self, now: float) -> Lease:
        """Consuming begins on a new channel: what another held is the broker's again."""
        return Lease(self.terms, every=self.every, doubt_at=now + self.patience)

    def arrived(
        self, tag: int, now: float, every: float, *, promised: bool = True
    ) -> tuple[Lease, Settled]:
        """A ping came, and is held; the one before it is not any more.

        `promised`: another one follows after `every`.
        """
        after = replace(
            self,
            held=tag,
            release_at=now + self.terms.hold(every),
            every=every if promised else self.every,
        )
        return replace(after, doubt_at=now + after.patience), self._tags

    def released(self) -> tuple[Lease, Settled]:
        """Nothing is held any more."""
        return replace(self, held=None, release_at=inf), self._tags

    def doubted(self, now: float, wait: float) -> Lease:
        """It consumes again; if no ping comes, once more after its patience and `wait`."""
        return replace(self, doubt_at=now + self.patience + wait)

    @property
    def _tags(self) -> Settled:
        return () if self.held is None else (self.held,)
