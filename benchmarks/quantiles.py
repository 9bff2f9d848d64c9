"""Quantiles of measured times with their order-statistic intervals.  Pure; exact; no assumption
about the distribution.

The k-th smallest of n independent times is above the p-quantile with probability P(B < k), B being
binomial (n, p): so ranks alone bound a quantile (David and Nagaraja, "Order Statistics", 2003,
section 7.1).  Faults that were never seen take part as infinite times, so that none is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

CONFIDENCE = Fraction(95, 100)
HALF, P99 = Fraction(1, 2), Fraction(99, 100)


@cache
def _below(n: int, p: Fraction) -> tuple[int, ...]:
    """P(B < k) x p.denominator**n for k in 0..n + 1, in whole numbers: nothing is rounded."""
    hit, miss = p.numerator, p.denominator - p.numerator
    sums, term = [0], miss**n
    for k in range(n + 1):
        sums.append(sums[-1] + term)
        term = term * (n - k) * hit // ((k + 1) * miss)
    return tuple(sums)


def upper_rank(n: int, p: Fraction, confidence: Fraction = CONFIDENCE) -> int | None:
    """The least rank whose time is above the p-quantile with this confidence; None: n too small.

    One-sided.  Of a p99 at 95 % there is one from n = 299 on.
    """
    below = _below(n, p)
    wanted = confidence * p.denominator**n
    return next((rank for rank in range(1, n + 1) if below[rank] >= wanted), None)


def two_sided_ranks(
    n: int, p: Fraction, confidence: Fraction = CONFIDENCE
) -> tuple[int, int] | None:
    """Ranks between which the p-quantile lies, each tail at most half of what is left; or None.

    Of a median at 95 % there are some from n = 6 on.
    """
    below = _below(n, p)
    tail = (1 - confidence) / 2 * p.denominator**n
    low = next((rank for rank in range(n, 0, -1) if below[rank] <= tail), None)
    high = upper_rank(n, p, 1 - (1 - confidence) / 2)
    return (low, high) if low is not None and high is not None else None


@dataclass(frozen=True, slots=True)
class Quantile:
    """Seconds; `low` is None where only an upper bound was asked for, both where n is too small."""

    estimate: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Times:
    """What was measured: the times seen, in seconds, and how many were censored at `limit`."""

    seen: tuple[float, ...]
    censored: int = 0
    limit: float = math.inf

    @classmethod
    def of(cls, measured: Sequence[float | None], limit: float = math.inf) -> Times:
        """None is a time that was not seen within `limit`."""
        seen = sorted(time for time in measured if time is not None)
        return cls(tuple(seen), len(measured) - len(seen), limit)

    @property
    def n(self) -> int:
        return len(self.seen) + self.censored

    def ranked(self, rank: int) -> float:
        """The time of that rank, from 1; infinite among the censored ones."""
        return self.seen[rank - 1] if rank <= len(self.seen) else math.inf

    @property
    def longest(self) -> float:
        return self.ranked(self.n)

    def thinned(self, most: int = 500) -> list[tuple[int, float]]:
        """Rank and time of those seen, evenly fewer where there are more than `most`; both ends."""
        step = -(-len(self.seen) // most) or 1
        ranks = sorted({*range(1, len(self.seen) + 1, step), *([len(self.seen)] * bool(self.seen))})
        return [(rank, self.ranked(rank)) for rank in ranks]

    def median(self) -> Quantile:
        """With its two-sided interval."""
        ranks = two_sided_ranks(self.n, HALF)
        low, high = (self.ranked(rank) for rank in ranks) if ranks else (None, None)
        return Quantile(self.ranked(math.ceil(self.n / 2)), low, high)

    def p99(self) -> Quantile:
        """With its one-sided upper bound."""
        rank = upper_rank(self.n, P99)
        high = None if rank is None else self.ranked(rank)
        return Quantile(self.ranked(math.ceil(self.n * P99)), None, high)


def rate_bound(events: int, hours: float, confidence: Fraction = CONFIDENCE) -> float:
    """Events an hour that the true rate is below with this confidence (Poisson, one-sided).

    None seen in h hours: 3.0 / h, the "rule of three".
    """

    def at_most(mean: float) -> float:
        return sum(
            math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(events + 1)
        )

    low, high = 1e-9, 10.0 + 3.0 * events
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(middle) > 1 - confidence else (low, middle)
    return high / hours
