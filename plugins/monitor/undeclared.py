"""Services that echo though the topology does not declare them: shown, never judged."""

from __future__ import annotations

FORGOTTEN_AFTER = 600.0  # seconds
KEPT = 100


class Undeclared:
    """`last_echo`: by service, the moment it was heard."""

    def __init__(self) -> None:
        self.last_echo: dict[str, float] = {}

    def heard(self, service: str, now: float) -> bool:
        """Whether it is new; one too many is not taken in."""
        self.forget(now)
        new = service not in self.last_echo
        if new and len(self.last_echo) >= KEPT:
            return False
        self.last_echo[service] = now
        return new

    def forget(self, now: float) -> None:
        """Those not heard for ten minutes."""
        gone = [name for name, at in self.last_echo.items() if now - at > FORGOTTEN_AFTER]
        for name in gone:
            del self.last_echo[name]
