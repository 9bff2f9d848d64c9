"""Reconnect delays: what holds for every choice of the numbers."""

from __future__ import annotations

from itertools import islice
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from orquestador.backoff import CAP, FIRST, delays

seconds = st.floats(min_value=0.001, max_value=100)


class Most(Random):
    """Chance that always takes the upper bound."""

    def uniform(self, a: float, b: float) -> float:
        assert a == 0
        return b


@given(first=seconds, growth=st.floats(min_value=1, max_value=1000), seed=st.integers())
def test_every_delay_is_between_nothing_and_the_cap(first: float, growth: float, seed: int) -> None:
    cap = first * growth

    for delay in islice(delays(first, cap, random=Random(seed)), 50):
        assert 0 <= delay <= cap


@given(first=seconds, growth=st.floats(min_value=1, max_value=1000))
def test_the_bound_doubles_until_it_is_the_cap_and_stays_there(first: float, growth: float) -> None:
    cap = first * growth
    bounds = list(islice(delays(first, cap, random=Most()), 30))

    assert bounds == [min(cap, first * 2**n) for n in range(30)]


@given(seed=st.integers())
def test_the_same_chance_gives_the_same_delays(seed: int) -> None:
    one, other = (list(islice(delays(random=Random(seed)), 20)) for _ in range(2))

    assert one == other


def test_delays_are_spread_over_the_whole_range() -> None:
    # Full jitter: clients that were cut together do not come back together.
    late = list(islice(delays(FIRST, CAP, random=Random(1)), 1000))[10:]

    assert min(late) < 0.1 * CAP and max(late) > 0.9 * CAP
