"""What a plan of messages has room for: the arithmetic, against numbers worked out by hand."""

from __future__ import annotations

from collections import Counter

from benchmarks.messages import _counted
from benchmarks.tap import ALL, Counts

# Two services, ten rounds at 30 s: each echoes ten pings, the monitor hears twenty echoes.
MONITOR = Counts(
    Counter({"ping published": 10, "ping delivered": 10, "echo delivered": 20, "ack": 20}),
    Counter({ALL: 10_000, "echo delivered": 6_000}),
)
SERVICES = Counts(
    Counter({"ping delivered": 20, "echo published": 20, "ack": 40}), Counter({ALL: 12_000})
)


def test_an_hour_is_its_rounds() -> None:
    counted = _counted("30s", 10, 2, MONITOR, SERVICES, (3, 1))

    assert (counted.monitor.published, counted.monitor.delivered) == (120, 120)
    assert (counted.service.published, counted.service.delivered) == (120, 240)
    assert counted.monitor.bytes == 4_000 * 12
    assert counted.service.bytes == 18_000 * 12 / 2


def test_two_services_at_30_s_publish_a_quarter_of_a_million_a_month() -> None:
    counted = _counted("30s", 10, 2, MONITOR, SERVICES, (3, 1))

    assert counted.month(2, delivered=False) == 720 * 360
    assert counted.month(2, delivered=True) == 720 * (240 + 720)


def test_what_fits_is_the_last_that_does() -> None:
    counted = _counted("30s", 10, 2, MONITOR, SERVICES, (3, 1))
    fits = counted.fit(1_000_000, delivered=True)

    assert counted.month(fits, delivered=True) <= 1_000_000
    assert counted.month(fits + 1, delivered=True) > 1_000_000


def test_a_plan_too_small_for_the_monitor_has_room_for_none() -> None:
    assert _counted("30s", 10, 2, MONITOR, SERVICES, (3, 1)).fit(1000, delivered=True) == 0
