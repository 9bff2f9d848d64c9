"""Evidence kept from going blind until the monitor sees again, in its order, bounded."""

from __future__ import annotations

from .evidence import Evidence

KEPT = 50_000  # pieces


class Held:
    """The newest of a kind, service and instance says what the older ones said."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, type[Evidence], str], tuple[Evidence, float]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, service: str, seen: Evidence, now: float) -> None:
        # A survivor's witness is one of its own kind.
        word = getattr(seen, "instance", "") + ("!" if getattr(seen, "redelivered", False) else "")
        key = (service, type(seen), word)
        self._kept.pop(key, None)
        self._kept[key] = (seen, now)
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]

    def take(self) -> list[tuple[str, Evidence, float]]:
        """Everything, oldest first; then it is empty."""
        kept, self._kept = self._kept, {}
        return [(service, seen, at) for (service, _, _), (seen, at) in kept.items()]

    def clear(self) -> None:
        self._kept.clear()
