"""What provisioning did, thing by thing, and the exit code that follows.

Doing it is `apply.py`'s; printing it, the command line's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    CREATED = "created"
    THERE = "already there"
    BOUND = "bound"
    CONFLICT = "conflict"
    REFUSED = "refused"
    FAILED = "failed"


DONE = (Result.CREATED, Result.THERE, Result.BOUND)
FAULTS = (Result.CONFLICT, Result.REFUSED, Result.FAILED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One exchange, queue or binding.  `text`: the broker's reason, where there is one."""

    kind: str
    name: str
    result: Result
    text: str = ""

    def __str__(self) -> str:
        reason = f": {self.text}" if self.text else ""
        return f"{self.kind:<8} {self.name:<40} {self.result}{reason}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """One line: what changed, or that nothing did, and what could not be done."""
    counts = Counter(outcome.result for outcome in outcomes)
    faults = sum(counts[fault] for fault in FAULTS)
    words = [f"{counts[result]} {result}" for result in Result if counts[result]]
    if faults:
        applied = "partly" if faults < len(outcomes) else "nothing"
        return f"{applied} applied: {', '.join(words)}"
    if not counts[Result.CREATED]:
        return f"nothing changed: {', '.join(words)}"
    return ", ".join(words)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 all done; 4 a conflict; 77 refused, and nothing else was done; 3 partly applied."""
    results = {outcome.result for outcome in outcomes}
    if Result.CONFLICT in results:
        return 4
    if Result.REFUSED in results and not results & set(DONE):
        return 77
    return 3 if results & set(FAULTS) else 0
