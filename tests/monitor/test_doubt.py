"""When the monitor may not trust its own eyes, and when it may again."""

from __future__ import annotations

import pytest
from orquestador_plugins.monitor.doubt import OUT_KEPT, STARTING, Doubt


@pytest.fixture
def seeing() -> Doubt:
    return Doubt(within=0.5).opened().own_sent("a", 0.0).own_back("a")


def test_it_starts_blind_and_sees_when_its_first_own_ping_is_back() -> None:
    doubt = Doubt(within=0.5)
    assert doubt.blind == STARTING

    doubt = doubt.opened().own_sent("a", 0.0)
    assert doubt.blind

    assert doubt.own_back("a").blind is None


def test_a_lost_session_is_blindness_with_its_reason(seeing: Doubt) -> None:
    assert seeing.lost("the broker hung up").blind == "the broker hung up"


def test_blocked_publishers_are_blindness_that_no_own_ping_ends_before_they_are_let_go(
    seeing: Doubt,
) -> None:
    blocked = seeing.publishers_blocked("low on memory").own_sent("b", 1.0)
    assert "low on memory" in (blocked.blind or "")
    assert blocked.own_back("b").blind

    free = blocked.publishers_blocked(None)
    assert free.blind
    assert free.own_back("b").blind is None


def test_an_own_ping_not_back_in_time_is_blindness(seeing: Doubt) -> None:
    waiting = seeing.own_sent("b", 1.0)

    assert waiting.overdue(1.5).blind is None
    assert "own ping" in (waiting.overdue(1.51).blind or "")


def test_a_loop_late_by_more_than_half_of_what_an_echo_may_take_is_blindness(
    seeing: Doubt,
) -> None:
    assert seeing.loop_late(0.25).blind is None
    assert "late" in (seeing.loop_late(0.26).blind or "")


def test_only_a_ping_sent_while_blind_ends_it(seeing: Doubt) -> None:
    blind = seeing.own_sent("before", 1.0).loop_late(5.0)
    assert blind.own_back("before").blind

    assert blind.own_sent("after", 6.0).own_back("after").blind is None


def test_the_first_reason_stays(seeing: Doubt) -> None:
    assert seeing.loop_late(5.0).publishers_blocked("low on disk").blind == (
        seeing.loop_late(5.0).blind
    )


def test_a_later_own_ping_answers_the_earlier_ones_and_not_the_reverse(seeing: Doubt) -> None:
    doubt = seeing.own_sent("b", 1.0).own_sent("c", 2.0)

    assert doubt.own_back("c").overdue(99.0).blind is None
    assert doubt.own_back("b").overdue(99.0).blind


def test_what_is_out_is_bounded_and_the_oldest_keeps_its_clock(seeing: Doubt) -> None:
    doubt = seeing
    for number in range(100):
        doubt = doubt.own_sent(f"p{number}", float(number))

    assert len(doubt.out) == OUT_KEPT and doubt.out[0] == ("p0", 0.0)
