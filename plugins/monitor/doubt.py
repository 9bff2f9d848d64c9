"""Whether the monitor can trust its own eyes: pure, told what happens, asked whether it is blind.

Blind is: no session; publishers blocked by the broker; its own ping not back in time; its own loop
late.  It sees again when a ping that it sent to itself while blind is back.  Protocol, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

STARTING = "not connected yet"
WAITING = "waiting for its own ping"
OUT_KEPT = 16


@dataclass(frozen=True, slots=True)
class Doubt:
    """`blind`: why, or None.  `within`: seconds that an own ping may take.

    `out`: own pings not back yet, (id, moment sent), oldest first; forgotten on going blind, so
    that what is in it while blind was sent while blind.
    """

    within: float = 0.5
    blind: str | None = STARTING
    connected: bool = False
    blocked: str | None = None
    out: tuple[tuple[str, float], ...] = ()

    def opened(self) -> Doubt:
        """A session has begun: still blind, until its first own ping is back."""
        return replace(self, connected=True, blind=WAITING, out=())

    def lost(self, why: str) -> Doubt:
        return replace(self, connected=False, blocked=None, blind=why, out=())

    def publishers_blocked(self, reason: str | None) -> Doubt:
        """connection.blocked with the broker's reason, or connection.unblocked (None)."""
        after = replace(self, blocked=reason)
        if reason is None:
            return after
        text = f"the broker blocks publishers ({reason})"
        if self.blind == WAITING:  # and this is why it does not come
            return replace(after, blind=text, out=())
        return after.doubting(text)

    def loop_late(self, by: float) -> Doubt:
        """Its own loop ran `by` seconds late: what it read meanwhile may be older than it looks."""
        if by <= self.within / 2:
            return self
        return self.doubting(f"its own process was late by {by:.1f} s")

    def own_sent(self, ping: str, now: float) -> Doubt:
        if len(self.out) >= OUT_KEPT:  # the oldest keeps its clock
            return replace(self, out=(self.out[0], *self.out[2:], (ping, now)))
        return replace(self, out=(*self.out, (ping, now)))

    def own_back(self, ping: str) -> Doubt:
        """An own ping came back; the broker keeps their order, so that it answers earlier ones."""
        ids = [out for out, _ in self.out]
        if ping not in ids:
            return self
        after = replace(self, out=self.out[ids.index(ping) + 1 :])
        sees = self.blind is not None and self.connected and self.blocked is None
        return replace(after, blind=None) if sees else after

    def overdue(self, now: float) -> Doubt:
        """Blind if an own ping is out for longer than `within`."""
        if self.blind or not self.out or now - self.out[0][1] <= self.within:
            return self
        return self.doubting(f"its own ping is not back after {self.within:g} s")

    def doubting(self, why: str) -> Doubt:
        """Blind from now on, for this reason; the first one stays."""
        return self if self.blind is not None else replace(self, blind=why, out=())
