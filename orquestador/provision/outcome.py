"""What provisioning did, thing by thing, and the exit code that follows.

Doing it is `applying.py`'s; printing it, the command line's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    CREATED = "created"
    RECREATED = "recreated"
    MIGRATED = "migrated"
    REMOVED = "removed"
    THERE = "already there"
    BOUND = "bound"  # whether it was before, nobody can say
    UNBOUND = "unbound"  # likewise
    LEFT = "left"  # as the plan said
    NOT_REMOVED = "not removed"  # which the plan had said it would be
    CONFLICT = "conflict"
    REFUSED = "refused"
    FAILED = "failed"


CHANGED = (Result.CREATED, Result.RECREATED, Result.MIGRATED, Result.REMOVED)
DONE = (*CHANGED, Result.THERE, Result.BOUND, Result.UNBOUND)
FAULTS = (Result.NOT_REMOVED, Result.CONFLICT, Result.REFUSED, Result.FAILED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One exchange, queue or binding.  `text`: the reason, or what there is to know beside it."""

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
        applied = "partly" if any(counts[done] for done in DONE) else "nothing"
        return f"{applied} applied: {', '.join(words)}"
    if not any(counts[changed] for changed in CHANGED):
        return ": ".join(["nothing changed", *filter(None, [", ".join(words)])])
    return ", ".join(words)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 all done; 4 a conflict; 77 refused, and nothing else was done; 3 partly applied."""
    results = {outcome.result for outcome in outcomes}
    if Result.CONFLICT in results:
        return 4
    if Result.REFUSED in results and not results & set(DONE):
        return 77
    return 3 if results & set(FAULTS) else 0


def counted(number: int, what: str) -> str:
    """ "1 message", "1,200 messages"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
