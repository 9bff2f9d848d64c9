"""The order-statistic intervals of the benchmarks, against known values and by trial."""

from __future__ import annotations

import math
from fractions import Fraction
from random import Random

import pytest

from benchmarks.quantiles import HALF, P99, Times, rate_bound, two_sided_ranks, upper_rank


def test_299_is_the_least_n_that_bounds_a_p99() -> None:
    """0.99 ** 299 is the first power below 5 %."""
    assert upper_rank(298, P99) is None
    assert upper_rank(299, P99) == 299
    assert 0.99**299 < 0.05 < 0.99**298


def test_with_more_measurements_the_bound_leaves_the_largest() -> None:
    """473 is the least n whose second largest will do: Hahn and Meeker's tables."""
    assert upper_rank(472, P99) == 472
    assert upper_rank(473, P99) == 472


def test_the_median_has_an_interval_from_six_measurements_on() -> None:
    """2 x 0.5 ** 6 is 3.1 %, 2 x 0.5 ** 5 is 6.3 %."""
    assert two_sided_ranks(5, HALF) is None
    assert two_sided_ranks(6, HALF) == (1, 6)


@pytest.mark.parametrize(("n", "ranks"), [(10, (2, 9)), (20, (6, 15)), (100, (40, 61))])
def test_the_ranks_of_a_median_are_those_of_the_sign_test(n: int, ranks: tuple[int, int]) -> None:
    assert two_sided_ranks(n, HALF) == ranks


@pytest.mark.parametrize(("n", "p"), [(30, HALF), (300, P99), (300, HALF), (1000, P99)])
def test_ranks_cover_as_they_claim(n: int, p: Fraction) -> None:
    """By summing the binomial in floating point, another way than the module's."""

    def below(k: int) -> float:
        return math.fsum(
            math.exp(
                math.lgamma(n + 1)
                - math.lgamma(i + 1)
                - math.lgamma(n - i + 1)
                + i * math.log(p)
                + (n - i) * math.log(1 - p)
            )
            for i in range(k)
        )

    rank = upper_rank(n, p)
    assert rank is not None
    assert below(rank) >= 0.95 > below(rank - 1)
    ranks = two_sided_ranks(n, p)
    if ranks is not None:
        assert below(ranks[1]) - below(ranks[0]) >= 0.95


def test_nine_in_ten_thousand_are_ranked_without_overflow() -> None:
    rank = upper_rank(10_000, P99)

    assert rank is not None
    assert 9900 < rank < 9950


def test_a_true_median_is_caught_as_often_as_promised() -> None:
    random = Random(8)
    caught = 0
    for _ in range(400):
        median = Times.of([random.random() for _ in range(31)]).median()
        assert median.low is not None
        assert median.high is not None
        caught += median.low <= 0.5 <= median.high

    assert caught >= 0.92 * 400


def test_a_fault_never_seen_counts_as_the_longest() -> None:
    times = Times.of([0.003, None, 0.001], limit=15.0)

    assert (times.n, times.censored) == (3, 1)
    assert times.median().estimate == 0.003
    assert times.longest == math.inf


def test_most_faults_never_seen_make_the_median_infinite() -> None:
    assert Times.of([0.001, None, None]).median().estimate == math.inf


def test_one_censored_of_three_hundred_unbounds_the_p99() -> None:
    assert Times.of([0.001] * 299 + [None]).p99().high == math.inf
    assert Times.of([0.001] * 298).p99().high is None


def test_no_event_seen_bounds_the_rate_by_three() -> None:
    assert rate_bound(0, 100.0) == pytest.approx(-math.log(0.05) / 100, rel=1e-6)


@pytest.mark.parametrize(("events", "mean"), [(1, 4.744), (2, 6.296), (10, 16.962)])
def test_events_seen_raise_the_bound(events: int, mean: float) -> None:
    """Garwood's one-sided limits."""
    assert rate_bound(events, 1.0) == pytest.approx(mean, abs=0.001)


@pytest.mark.parametrize("n", [0, 1, 7, 500, 501, 9999])
def test_thinned_times_keep_both_ends_and_their_ranks(n: int) -> None:
    times = Times.of([float(number) for number in range(1, n + 1)])

    thinned = times.thinned(500)

    assert len(thinned) <= 501
    assert all(rank == seconds for rank, seconds in thinned)
    assert [rank for rank, _ in thinned[:1] + thinned[-1:]] == ([1, n] if n else [])
