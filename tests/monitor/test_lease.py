"""A returned lease: what a bounce asks for, what a count says, `grace`; protocol, section 2."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from orquestador_plugins.monitor.evidence import (
    Bounced,
    Changed,
    Count,
    Counted,
    Effect,
    Goodbye,
    Hello,
    NoQueue,
    Pinged,
    Probe,
    Unseen,
)
from orquestador_plugins.monitor.row import Rules

from orquestador.events import State

from .driving import (
    NOBODY,
    PAIR,
    SEES_ALL,
    SILENT,
    UP,
    Watched,
    answering,
    echo,
    ping,
)

COUNT = (Count("payments"),)
WAITING = (State.SUSPECT, "no consumer")


@pytest.fixture
def patient() -> Watched:
    """An UP service that has 3 s to consume again."""
    return answering(Rules(grace=3.0))


# -- a bounce is never a verdict


def test_a_bounce_changes_nothing_and_asks_for_the_queues_consumers(up: Watched) -> None:
    assert up(1.0, Bounced()) == COUNT
    assert up.state == UP


def test_a_bounce_of_a_degraded_or_suspect_service_is_asked_about() -> None:
    degraded = answering(PAIR)
    degraded(1.0, ping(2), echo(2))
    assert degraded.state[0] is State.DEGRADED
    assert degraded(1.5, Bounced()) == COUNT

    suspect = answering()
    suspect(1.0, ping(2))
    suspect(1.5, SEES_ALL)
    assert suspect.state[0] is State.SUSPECT
    assert suspect(1.6, Bounced()) == COUNT


def test_a_bounce_of_an_unknown_down_or_stopped_service_is_not_asked_about(down: Watched) -> None:
    stopped = answering()
    stopped(0.5, Goodbye("one"))
    for watched in (Watched(), down, stopped):
        assert watched(3.0, Bounced()) == ()


def test_bounces_before_the_session_has_settled_are_ignored(up: Watched) -> None:
    up.row = up.row.unsettled()

    assert up(1.0, Bounced()) == ()


def test_a_question_that_is_under_way_is_not_asked_twice(up: Watched) -> None:
    up(1.0, Bounced())
    assert up(1.001, Bounced(), Bounced()) == ()

    up(1.002, Counted(2))
    assert up(1.003, Bounced()) == COUNT


def test_a_question_that_is_under_way_when_the_service_settles_is_not_asked_twice() -> None:
    watched = Watched()
    watched(0.0, NoQueue(), Unseen("its node is down"), Counted(1))
    settles = watched.row.settles
    assert settles is not None

    assert COUNT[0] in watched(settles - 0.1, SEES_ALL)
    assert COUNT[0] not in watched(settles, SEES_ALL)


# -- one consumer: the monitor's own


def test_a_count_of_one_is_nobody_else_and_down(up: Watched) -> None:
    up(1.0, Bounced())
    (change,) = up(1.004, Counted(1))

    assert isinstance(change, Changed) and up.state == NOBODY
    assert (change.detected_by, change.lost) == ("bounce", "one")
    assert change.evidence and change.row.incident
    assert not up.row.instances and up.row.words == ("one",)


def test_a_count_of_one_of_a_suspect_is_down(up: Watched) -> None:
    up(1.0, ping(2))
    up(1.5, SEES_ALL)
    up.bounce(1.6, consumers=1)

    assert up.state == NOBODY


def test_a_count_of_one_names_nobody_lost_where_several_were_known(pair: Watched) -> None:
    pair.bounce(1.5, consumers=1)

    assert pair.state == NOBODY
    assert pair.changed[-1].lost is None
    assert pair.changed[-1].evidence["instances"] == ["one", "two"]


@pytest.mark.parametrize("spoke", [echo(1), Hello("two")])
def test_a_count_of_one_is_asked_again_where_the_service_spoke_since_the_question(
    up: Watched, spoke: Hello
) -> None:
    up(1.0, Bounced())
    up(1.001, spoke)

    assert up(1.002, Counted(1)) == COUNT
    assert up.state == UP

    up(1.003, Counted(1))
    assert up.state == NOBODY


def test_a_goodbye_before_the_count_is_a_stop_and_no_crash(up: Watched) -> None:
    up(1.0, Bounced())
    up(1.001, Goodbye("one"))
    up(1.002, Counted(1))

    assert up.changes == [UP, (State.STOPPED, "goodbye")]


def test_a_service_that_is_back_after_no_consumer_is_up_as_after_silence(up: Watched) -> None:
    up.bounce(1.0, consumers=1)
    up(2.0, ping(2), echo(2))
    assert up.state == NOBODY

    up(2.1, ping(2), echo(2))
    assert up.state == UP


def test_a_count_that_nobody_asked_for_is_no_verdict(up: Watched) -> None:
    """The monitor's consumer was cancelled and is back; a probe asks anew."""
    assert up(1.0, Counted(1)) == (Probe("payments"),)
    assert up.state == UP


def test_a_queue_that_is_back_with_nobody_else_at_it_is_down_for_that_reason(up: Watched) -> None:
    up(1.0, NoQueue())
    assert up.state == (State.DOWN, "not provisioned")
    incident = up.row.incident
    up.run(1.05, 1.3)
    assert len(up.counts) == 1

    up(1.31, Counted(1))
    assert up.state == NOBODY
    assert up.row.incident == incident


# -- two or more


def test_a_count_of_two_changes_nothing_and_one_probe_goes_out_probe_every_later(
    up: Watched,
) -> None:
    up(1.0, ping(2))
    assert up.bounce(1.001, consumers=2) == ()
    assert up(1.24, SEES_ALL) == ()

    assert up(1.252, SEES_ALL) == (Probe("payments"),)
    up.run(1.3, 1.45)
    assert len(up.probes) == 1 and up.state == UP


def test_silence_decides_where_others_consume_but_nobody_answers(up: Watched) -> None:
    """The zombie connection of a hung service."""
    up(1.0, ping(2))
    up.bounce(1.001, consumers=2)
    up.run(1.0, 1.95)
    assert up.state == (State.SUSPECT, "silent")

    up.run(2.0, 2.05)
    assert up.state == SILENT


def test_the_probe_in_a_bounced_pings_place_goes_out_though_an_earlier_ping_is_answered(
    up: Watched,
) -> None:
    """Its window was full because earlier pings were in work; their echoes do not answer it."""
    up(1.0, ping(2))
    up(1.4, ping(3))
    up.bounce(1.401, consumers=2)
    up(1.45, echo(2, round_trip=0.45))
    up.run(1.5, 1.7)

    assert len(up.probes) == 1
    assert up.state == UP


def test_a_suspect_is_probed_already_and_gets_no_probe_more(up: Watched) -> None:
    up(1.0, ping(2))
    up(1.5, SEES_ALL)
    up.bounce(1.55, consumers=2)
    up.run(1.6, 1.9)

    assert up.probes == pytest.approx([1.5, 1.75], abs=0.06)


# -- grace


def test_with_grace_nobody_is_a_suspicion_that_names_its_reason(patient: Watched) -> None:
    (change,) = patient.bounce(1.0, consumers=1)

    assert isinstance(change, Changed) and patient.state == WAITING
    assert change.detected_by == "bounce"


def test_after_grace_it_is_asked_again_and_down_if_still_nobody_is_there(patient: Watched) -> None:
    patient.bounce(1.0, consumers=1)
    patient(2.0, ping(3))
    patient.run(1.05, 4.0)
    assert patient.state == WAITING and patient.probes == []  # no other clock runs

    assert patient(4.01, SEES_ALL) == COUNT
    patient(4.011, Counted(1))
    assert patient.state == NOBODY
    assert patient.row.incident


def test_bounces_during_grace_do_not_prolong_it(patient: Watched) -> None:
    patient.bounce(1.0, consumers=1)
    for now in (2.0, 3.0):
        patient.bounce(now, consumers=1)
    patient.run(3.05, 4.05)
    patient(4.06, Counted(1))

    assert patient.changes == [UP, WAITING, NOBODY]


def test_grace_is_ended_by_an_echo_of_a_ping_that_was_sent_since(patient: Watched) -> None:
    patient.bounce(1.0, consumers=1)
    patient(1.5, Hello("one"))
    patient(1.501, ping(2))
    patient(1.51, echo(2))
    assert patient.state == UP

    patient.run(1.55, 1.95)
    assert patient.counts == [1.0]


def test_an_echo_of_an_earlier_ping_does_not_end_grace(patient: Watched) -> None:
    """It was on its way when the service died."""
    patient(0.9, ping(2))
    patient.bounce(1.0, consumers=1)
    patient(1.1, echo(2))

    assert patient.state == WAITING


@pytest.mark.parametrize(("sent_at", "ended"), [(0.95, False), (1.75, True)])
def test_whether_an_echo_of_another_ping_of_the_round_ends_grace_says_when_that_was_sent(
    patient: Watched, sent_at: float, ended: bool
) -> None:
    """A probe has its round's number, as the ping before the bounce had."""
    patient(0.9, ping(2))
    patient.bounce(1.0, consumers=1)
    patient(1.5, Hello("one"))
    patient(1.501, Pinged("probe", 2))
    other = replace(echo(2), ping="other", round_trip=1.8 - sent_at, sent_at=sent_at)
    patient(1.8, other)

    assert patient.state == (UP if ended else WAITING)


def test_grace_is_ended_by_a_count_of_two_and_a_probe_asks_anew(patient: Watched) -> None:
    patient.bounce(1.0, consumers=1)
    patient.run(1.05, 4.05)
    assert patient(4.06, Counted(2)) == (Probe("payments"),)
    assert patient.state == WAITING

    patient(4.07, ping(5), echo(5))
    assert patient.state == UP


def test_a_consumer_that_is_back_after_grace_but_does_not_answer_is_silent(
    patient: Watched,
) -> None:
    patient.bounce(1.0, consumers=1)
    patient.run(1.05, 4.05)
    patient(4.06, Counted(2), ping(5))
    patient.run(4.1, 5.1)

    assert patient.changes[-2:] == [(State.SUSPECT, "silent"), SILENT]


def test_a_goodbye_during_grace_is_stopped(patient: Watched) -> None:
    patient.bounce(1.0, consumers=1)
    patient(1.1, Goodbye("one"))
    patient.run(1.15, 6.0)

    assert patient.changes == [UP, WAITING, (State.STOPPED, "goodbye")]


def test_effects_of_a_count_are_none_for_a_service_that_may_not_fall(down: Watched) -> None:
    before: list[tuple[float, Effect]] = list(down.effects)
    down(3.0, Bounced())

    assert down.effects == before
