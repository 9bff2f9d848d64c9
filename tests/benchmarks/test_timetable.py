"""Faults at instants drawn in advance, uniform over the ping's phase."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from benchmarks.timetable import fitted, later, moments


def test_each_slot_has_its_fault_in_order() -> None:
    drawn = moments(50, slot=2.0, period=1.0, random=Random(1))

    assert [int(moment / 2.0) for moment in drawn] == list(range(50))


@pytest.mark.parametrize(
    ("slot", "period", "count", "width"),
    [(2.0, 1.0, 300, 2.0), (1.5, 1.0, 7, 2.0), (2.0, 30.0, 300, 2.0), (2.0, 30.0, 20, 3.0)],
)
def test_slots_are_fitted_to_whole_periods(
    slot: float, period: float, count: int, width: float
) -> None:
    assert fitted(slot, period, count) == pytest.approx(width)


@pytest.mark.parametrize(("slot", "period"), [(1.0, 1.0), (2.0, 1.0), (2.0, 30.0)])
def test_phases_are_uniform(slot: float, period: float) -> None:
    """Each tenth of the period has its share, within four standard deviations."""
    count = 3000
    drawn = moments(count, slot=slot, period=period, random=Random(2))

    for tenth in range(10):
        share = sum(int(moment % period / period * 10) == tenth for moment in drawn)
        assert abs(share - count / 10) < 4 * (count * 0.09) ** 0.5


def test_the_same_seed_is_the_same_timetable() -> None:
    def drawn(seed: int) -> list[float]:
        return moments(5, slot=1.0, period=1.0, random=Random(seed))

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


def test_faults_put_off_come_in_slots_after_the_last() -> None:
    drawn = list(islice(later(19.3, width=2.0, random=Random(1)), 3))

    assert [int(moment / 2.0) for moment in drawn] == [10, 11, 12]
