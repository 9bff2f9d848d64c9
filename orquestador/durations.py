"""Durations as people write them ("500ms", "1.5s", "2m", "1h") <-> seconds.  Knows no clock."""

import re

EXAMPLES = "500ms, 1.5s, 2m or 1h"

_WRITTEN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)", re.ASCII)
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_MILLISECONDS = 1000


def parse(text: str) -> float:
    """Seconds; ValueError with an example when `text` is no duration."""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise ValueError(
            f"{text!r} is not a duration; write a number and its unit, such as {EXAMPLES}"
        )
    number, unit = float(written[1]), written[2]
    # Dividing rounds once, so that 3ms is exactly 0.003; 3 * 0.001 is not.
    return number / _MILLISECONDS if unit == "ms" else number * _SECONDS[unit]


def render(seconds: float) -> str:
    """The shortest way to write it in the largest unit that divides it, to the microsecond."""
    for unit, length in _SECONDS.items():
        if seconds and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    thousandths = round(seconds * _MILLISECONDS)
    if 0 < seconds < 1 and thousandths / _MILLISECONDS == seconds:
        return f"{thousandths}ms"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"
