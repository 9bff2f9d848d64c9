"""What silence and lateness make of a service, and when they may not count; protocol, section 4."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from orquestador_plugins.monitor.evidence import Changed, Probe, Tick
from orquestador_plugins.monitor.row import Rules

from orquestador.events import State

from .driving import RULES, SEES_ALL, SILENT, UP, Watched, answering, echo, late, ping

SUSPECT = (State.SUSPECT, "silent")
SLOW = (State.DEGRADED, "slow")


@pytest.fixture
def slow(up: Watched) -> Watched:
    """Three late echoes in a row, of the rounds at seconds 2, 3 and 4."""
    for sequence in (2, 3, 4):
        up(float(sequence), ping(sequence))
        up(sequence + 0.6, late(sequence))
    assert up.state == SLOW
    return up


# -- suspicion, probes, the bound


def test_silence_past_echo_within_is_a_suspicion_and_a_probe_at_once(up: Watched) -> None:
    up(1.0, ping(2))

    assert up(1.49, SEES_ALL) == ()
    change, probe = up(1.5, SEES_ALL)

    assert isinstance(change, Changed) and up.state == SUSPECT
    assert change.detected_by == "silence"
    assert probe == Probe("payments")


def test_a_degraded_service_is_suspected_as_an_up_one_is() -> None:
    watched = answering(Rules(replicas=2))
    watched(1.0, ping(2), echo(2))
    assert watched.state == (State.DEGRADED, "replicas")

    watched(2.0, ping(3))
    watched(2.5, SEES_ALL)
    assert watched.state == SUSPECT


def test_silence_at_its_bound_is_down_with_its_witness_and_bounds(up: Watched) -> None:
    up(1.0, ping(2))
    up.run(1.0, 1.95)
    assert up.state == SUSPECT

    (change,) = up(2.0, SEES_ALL)

    assert isinstance(change, Changed) and up.state == SILENT
    assert change.detected_by == "silence"
    assert change.row.incident and change.row.last_echo == 0.0
    assert change.evidence["silent_for"] == pytest.approx(1.0)
    assert change.evidence["unanswered"] == "p2"


def test_a_suspect_is_probed_again_each_probe_every(up: Watched) -> None:
    up(1.0, ping(2))
    up.run(1.0, 2.0)

    assert up.probes == pytest.approx([1.5, 1.75], abs=0.051)


def test_a_service_never_heard_of_is_probed_and_then_down_without_suspicion() -> None:
    watched = Watched()
    watched(0.0, ping(1))
    watched.run(0.0, 1.0)

    assert watched.changes == [SILENT]
    assert watched.probes[0] == pytest.approx(0.5)
    assert watched.row.text == "never answered a ping"


def test_nobody_is_down_before_a_probe_has_had_its_echo_within(up: Watched) -> None:
    """The clock was looked at late: the first probe goes out when the bound is nearly over."""
    up(1.0, ping(2))
    up(1.9, SEES_ALL)
    up(2.35, SEES_ALL)
    assert up.state == SUSPECT

    up(2.4, SEES_ALL)
    assert up.state == SILENT


def test_a_patience_of_one_round_still_leaves_a_probe_its_time() -> None:
    watched = answering(replace(RULES, down_after=1))
    watched(1.0, ping(2))
    watched.run(1.0, 1.95)
    assert watched.state == SUSPECT

    watched(2.0, SEES_ALL)
    assert watched.state == SILENT


def test_the_clock_starts_at_the_later_of_first_unanswered_ping_and_last_echo(up: Watched) -> None:
    up(1.0, ping(2))
    up(1.1, ping(3))
    up(1.2, ping(4))
    up(1.3, echo(3))

    assert [asked.sequence for asked in up.row.asked] == [4]
    assert up.row.silent_since == 1.3


def test_an_echo_answers_every_ping_up_to_its_own_round_whoever_echoes(up: Watched) -> None:
    for sequence in (2, 3, 4):
        up(float(sequence), ping(sequence))
    up(4.1, echo(4, instance="two"))

    assert up.row.asked == ()


# -- what silence may not count


def test_silence_does_not_count_while_our_own_ping_of_that_round_is_not_back(up: Watched) -> None:
    up(1.0, ping(2))
    for tenth in range(11, 60):
        up(tenth / 10, Tick(own=1))
    assert up.state == UP

    up(6.0, Tick(own=3))  # of a later one
    assert up.state == SUSPECT


def test_silence_does_not_count_before_the_session_has_settled() -> None:
    watched = Watched(judged=False)
    watched(0.0, ping(1))
    watched.run(0.0, 5.0)
    assert watched.state[0] is State.UNKNOWN

    watched.row = watched.row.settled()
    watched.run(5.0, 8.0)
    assert watched.state[0] is State.UNKNOWN  # what was sent before does not count either

    watched(8.0, ping(2))
    watched.run(8.0, 9.0)
    assert watched.state == SILENT


def test_a_first_timed_echo_settles_a_service_by_itself() -> None:
    watched = Watched(judged=False)
    watched(0.0, ping(1), echo(1))
    watched(1.0, ping(2))
    watched.run(1.0, 2.0)
    assert watched.state == SILENT


def test_an_echo_that_cannot_be_timed_settles_nobody() -> None:
    watched = Watched(judged=False)
    watched(0.0, ping(1), echo(1, round_trip=None))
    watched(1.0, ping(2))
    watched.run(1.0, 5.0)
    assert watched.state[0] is State.UNKNOWN


# -- lateness


def test_a_late_echo_ends_the_silence(up: Watched) -> None:
    up(1.0, ping(2))
    up.run(1.0, 1.55)
    assert up.state == SUSPECT

    up(1.6, late(2))
    assert up.state == UP


def test_down_after_late_echoes_in_a_row_are_slow_and_as_many_in_time_end_it(up: Watched) -> None:
    for sequence in (2, 3):
        up(float(sequence), ping(sequence))
        up(sequence + 0.6, late(sequence))
        assert up.state[0] is State.UP
    up(4.0, ping(4))
    up(4.6, late(4))
    assert up.state == SLOW

    for sequence in (5, 6):
        up(float(sequence), ping(sequence), echo(sequence))
        assert up.state == SLOW
    up(7.0, ping(7), echo(7))
    assert up.state == UP


def test_late_echoes_that_are_not_in_a_row_make_nobody_slow(up: Watched) -> None:
    for sequence in range(2, 20):
        up(float(sequence), ping(sequence), late(sequence) if sequence % 3 else echo(sequence))
    assert up.changes == [UP]


def test_a_slow_service_is_not_suspected_but_probed_and_down_at_the_bound(slow: Watched) -> None:
    slow(5.0, ping(5))
    slow.run(5.0, 5.95)
    assert slow.state == SLOW
    assert any(5.4 < at < 5.6 for at in slow.probes)

    slow.run(6.0, 6.1)
    assert slow.state == SILENT


def test_a_slow_service_stays_slow_while_it_answers(slow: Watched) -> None:
    for sequence in range(5, 30):
        slow(float(sequence), ping(sequence))
        slow.run(sequence + 0.05, sequence + 0.75)
        slow(sequence + 0.8, late(sequence))
        slow.run(sequence + 0.85, sequence + 0.95)

    assert slow.changes == [UP, SLOW]


def test_a_slow_instance_that_is_gone_does_not_keep_the_next_from_being_suspected(
    slow: Watched,
) -> None:
    for sequence in range(5, 10):
        slow(float(sequence), ping(sequence), echo(sequence, instance="two"))
    assert slow.state == UP

    slow(10.0, ping(10))
    slow(10.55, SEES_ALL)
    assert slow.state == SUSPECT


def test_an_echo_that_cannot_be_timed_proves_life_but_makes_nobody_up_or_slow(up: Watched) -> None:
    up(1.0, ping(2))
    up.run(1.0, 1.9)
    up(1.95, echo(2, round_trip=None))
    assert up.state == SUSPECT

    up.run(2.0, 6.0)
    assert up.state == SUSPECT  # nothing has been asked since


def test_echoes_that_cannot_be_timed_do_not_end_down_but_ask_for_probes(down: Watched) -> None:
    asked = len(down.probes)
    for sequence in range(4, 9):
        down(float(sequence), ping(sequence), echo(sequence, round_trip=None, instance="two"))

    assert down.state == SILENT
    assert len(down.probes) > asked

    down(9.0, ping(9), echo(9, instance="two"))
    assert down.state == UP  # its word was never heard in time: it is new
