"""Reconnect delays: full jitter, doubling, capped.  Knows no socket and no clock.

Source: Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015), "full jitter".
"""

from collections.abc import Iterator
from random import Random

FIRST = 0.1
CAP = 5.0


def delays(first: float = FIRST, cap: float = CAP, *, random: Random) -> Iterator[float]:
    """Seconds before each next attempt, for ever; uniform in [0, min(cap, first * 2**n)]."""
    ceiling = first
    while True:
        yield random.uniform(0, ceiling)
        ceiling = min(cap, ceiling * 2)
