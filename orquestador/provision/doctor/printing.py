"""The doctor's screen, and the same as JSON.  What is found is the other modules'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from orquestador.provision.doctor.check import Check, Verdict, exit_code

_COLOURS = {Verdict.OK: 32, Verdict.WARN: 33, Verdict.FAIL: 31, Verdict.SKIP: 2}  # ANSI's SGR
_WIDTH = max(map(len, Verdict))
_NAMES = 12


def lines(check: Check, *, colour: bool = False) -> list[str]:
    """One line, and a second one for the remedy."""
    verdict = f"{check.verdict:<{_WIDTH}}"
    if colour:
        verdict = f"\x1b[{_COLOURS[check.verdict]}m{verdict}\x1b[0m"
    shown = [f"  {verdict}  {check.name:<{_NAMES}}  {check.text}"]
    if check.remedy:
        shown.append(f"{' ' * (_WIDTH + _NAMES + 6)}try: {check.remedy}")
    return shown


def summary(checks: Sequence[Check]) -> str:
    """One line: whether they will do, and what stands against it."""
    failed = [check.name for check in checks if check.verdict is Verdict.FAIL]
    if failed:
        return f"they will not do: {', '.join(dict.fromkeys(failed))}"
    counts = Counter(check.verdict for check in checks)
    warnings, skipped = counts[Verdict.WARN], counts[Verdict.SKIP]
    words = [
        *([f"{warnings} warning{'s' * (warnings > 1)}"] if warnings else ()),
        *([f"{skipped} not asked"] if skipped else ()),
    ]
    return "this broker and this account will do" + (f" ({', '.join(words)})" if words else "")


def as_json(checks: Sequence[Check], where: str) -> dict[str, Any]:
    """`version`, `broker` (no password), `exit`, and `checks`: name, verdict, text, remedy."""
    return {
        "version": 1,
        "broker": where,
        "exit": exit_code(checks),
        "checks": [
            {
                "name": check.name,
                "verdict": check.verdict.value,
                "text": check.text,
                "remedy": check.remedy,
            }
            for check in checks
        ],
    }
