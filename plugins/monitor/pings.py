"""The pings that went out lately, by id: an echo is timed against the one that it names."""

from __future__ import annotations

from dataclasses import dataclass

KEPT = 4096  # at least; a probe of each service must fit a few times


@dataclass(frozen=True, slots=True)
class Sent:
    """`trusted`: sent while the monitor could see, so that its echo's lateness may be judged."""

    sequence: int
    at: float
    trusted: bool


class Pings:
    """As many as `services` of them need, the oldest forgotten first."""

    def __init__(self, services: int) -> None:
        self._kept = max(KEPT, 8 * services)
        self._sent: dict[str, Sent] = {}

    def sent(self, ping: str, sequence: int, at: float, *, trusted: bool) -> None:
        self._sent[ping] = Sent(sequence, at, trusted)
        if len(self._sent) > self._kept:
            del self._sent[next(iter(self._sent))]

    def find(self, ping: str | None) -> Sent | None:
        """None: not ours, or too long ago."""
        return self._sent.get(ping) if ping is not None else None
