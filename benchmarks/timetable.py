"""When faults happen: drawn in advance, from a seed, uniform over the ping's phase.  Pure.

Open loop: no moment depends on how soon an earlier fault was seen, so that slow detections cannot
thin out the faults that would show them (Tene's "coordinated omission").
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random


def moments(count: int, *, slot: float, period: float, random: Random) -> list[float]:
    """Seconds from the start for `count` faults, one uniform in each slot, in order.

    Slots that are whole periods make each phase uniform; shorter ones that add up to whole periods
    make them uniform together, so the slot is fitted.
    """
    width = fitted(slot, period, count)
    return [(number + random.random()) * width for number in range(count)]


def fitted(slot: float, period: float, count: int) -> float:
    """The least width from `slot` on that is whole periods, or that makes `count` of them so."""
    if slot >= period:
        return math.ceil(slot / period - 1e-9) * period
    return math.ceil(slot * count / period - 1e-9) * period / count


def later(last: float, *, width: float, random: Random) -> Iterator[float]:
    """More moments after the `last` slot's end, for faults whose victim was not ready."""
    number = math.floor(last / width + 1e-9) + 1
    while True:
        yield (number + random.random()) * width
        number += 1
