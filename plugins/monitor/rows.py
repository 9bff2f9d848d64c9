"""The rows of all watched services: each judged, or followed, and looked at when it is due.

One row's judgement is `detector.py`'s; whether there may be one at all is `watch.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .detector import judge
from .evidence import Effect, Evidence, Tick
from .row import Row, Rules
from .standby import follow


class Rows:
    """`by_name`: how each stands.  `leading`: they are judged here; else the leader is followed.

    `emit` is handed what judging asks for.
    """

    def __init__(
        self, rules: Mapping[str, Rules], now: float, emit: Callable[[Effect], None]
    ) -> None:
        self.by_name = {service: Row(service, now) for service in rules}
        self.leading = False
        self._rules, self._emit = rules, emit
        self._check_at = float("inf")

    def judge(self, service: str, seen: Evidence, now: float) -> None:
        rules = self._rules[service]
        if not self.leading:
            self.by_name[service] = follow(self.by_name[service], seen, now, rules)
            return
        row, effects = judge(self.by_name[service], seen, now, rules)
        self.by_name[service] = row
        for effect in effects:
            self._emit(effect)
        self._check_at = min(self._check_at, row.deadline(rules))

    def judge_all(self, seen: Evidence, now: float) -> None:
        for service in self.by_name:
            self.judge(service, seen, now)

    def each(self, change: Callable[[Row], Row]) -> None:
        self.by_name = {service: change(row) for service, row in self.by_name.items()}
        self._check_at = float("-inf")  # what is due has changed

    def due(self, now: float) -> bool:
        """Whether time alone may change one of them."""
        return self.leading and now >= self._check_at

    def tick(self, seen: Tick, now: float) -> None:
        self._check_at = float("inf")
        for service, row in self.by_name.items():
            deadline = row.deadline(self._rules[service])
            if deadline <= now:
                self.judge(service, seen, now)
            else:
                self._check_at = min(self._check_at, deadline)

    def several(self) -> list[tuple[str, int]]:
        """Services with n > 1 live instances, and n."""
        rows = [(name, row) for name, row in self.by_name.items() if len(row.instances) > 1]
        counts = ((name, len(row.live(self._rules[name]))) for name, row in rows)
        return [(name, live) for name, live in counts if live > 1]
