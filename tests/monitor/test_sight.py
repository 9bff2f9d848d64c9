"""Blind for one service alone: nobody can know how it is, it is asked for again and again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from orquestador_plugins.monitor.evidence import (
    Bounced,
    Changed,
    Count,
    Counted,
    NoQueue,
    Probe,
    Sight,
    Unseen,
)
from orquestador_plugins.monitor.row import Rules

from orquestador.events import State

from .driving import SILENT, UP, Watched, answering, echo, ping

NODE_DOWN = Unseen("home node rabbit@b is down")
LONGEST_WAIT = 5.0


@pytest.fixture
def unseen(up: Watched) -> Watched:
    """Its queue failed over at second 1, with a ping of round 2 unanswered."""
    up(0.9, ping(2))
    up.bounce(1.0, consumers=0)
    assert up.row.unseen
    return up


def test_a_count_of_zero_is_blindness_for_this_service_and_no_verdict(up: Watched) -> None:
    (sight,) = up.bounce(1.0, consumers=0)

    assert isinstance(sight, Sight) and sight.service == "payments" and sight.blind
    assert up.state == UP


def test_no_clock_runs_while_it_is_unseen(unseen: Watched) -> None:
    for sequence in range(3, 30):
        unseen(float(sequence), ping(sequence))
        unseen.run(sequence + 0.05, sequence + 0.95)

    assert unseen.changes == [UP] and unseen.probes == []


def test_it_is_asked_for_again_with_growing_waits_and_said_once(unseen: Watched) -> None:
    for beat in range(21, 600):
        unseen.run(beat / 20, beat / 20)
        if unseen.row.counting is not None:
            unseen(beat / 20 + 0.001, Counted(0))

    waits = [b - a for a, b in pairwise(unseen.counts)]
    assert waits[0] < 0.5 and waits[-1] == pytest.approx(LONGEST_WAIT, abs=0.11)
    assert all(b > a - 0.11 for a, b in pairwise(waits))
    assert unseen.sights == [unseen.row.unseen]


def test_a_bounce_asks_again_at_once_whatever_the_state(down: Watched) -> None:
    down(3.0, NODE_DOWN)

    assert down(3.1, Bounced()) == (Count("payments"),)


@pytest.mark.parametrize("consumers", [1, 2])
def test_a_count_of_one_or_more_ends_it_without_a_verdict_and_a_probe_asks_anew(
    unseen: Watched, consumers: int
) -> None:
    unseen.run(1.05, 1.3)
    seeing, probe = unseen(1.31, Counted(consumers))

    assert seeing == Sight("payments", None) and probe == Probe("payments")
    assert unseen.state == UP and unseen.row.unseen is None


def test_what_was_asked_before_is_forgotten_when_it_is_seen_again(unseen: Watched) -> None:
    unseen.run(1.05, 1.3)
    unseen(1.31, Counted(1))
    unseen.run(1.35, 9.0)
    assert unseen.state == UP

    unseen(9.0, ping(9))
    unseen.run(9.0, 10.0)
    assert unseen.state == SILENT


def test_an_echo_of_a_ping_sent_since_ends_it(unseen: Watched) -> None:
    unseen(2.0, ping(3))
    (seeing,) = unseen(2.01, echo(3))

    assert seeing == Sight("payments", None)
    assert unseen.state == UP and unseen.row.unseen is None
    unseen.run(2.05, 9.0)
    assert unseen.counts == [1.0]


def test_an_echo_of_a_ping_sent_before_does_not(unseen: Watched) -> None:
    assert unseen(1.1, echo(2)) == ()
    assert unseen.row.unseen

    unseen(2.0, ping(3))
    assert unseen(2.1, echo(2)) == ()
    assert unseen.row.unseen


def test_a_node_that_is_down_is_blindness_in_any_state(down: Watched) -> None:
    for watched in (Watched(), answering(), down):
        before = watched.state
        (sight,) = watched(5.0, NODE_DOWN)

        assert sight == Sight("payments", NODE_DOWN.why)
        assert watched.state == before


def test_an_unseen_service_whose_queue_turns_out_to_be_gone_is_down(unseen: Watched) -> None:
    seeing, change = unseen(2.0, NoQueue())

    assert seeing == Sight("payments", None)
    assert isinstance(change, Changed) and change.row.reason == "not provisioned"
    assert unseen.state[0] is State.DOWN


def test_a_queue_that_does_not_exist_is_asked_for_again(up: Watched) -> None:
    up(1.0, NoQueue())
    up.run(1.05, 1.3)
    assert len(up.counts) == 1

    up(1.31, NoQueue())
    up.run(1.35, 2.0)
    assert len(up.counts) == 2 and len(up.changed) == 2  # and told once


def test_a_queue_that_fails_over_during_grace_is_asked_for_again() -> None:
    watched = answering(Rules(grace=3.0))
    watched.bounce(1.0, consumers=1)
    watched.run(1.05, 4.05)
    watched(4.06, Counted(0))
    assert watched.row.unseen

    asked = len(watched.counts)
    watched.run(4.1, 15.0)
    assert len(watched.counts) > asked


def test_a_new_failover_is_asked_about_as_soon_as_the_first_one(up: Watched) -> None:
    """Waits grow while it is not to be seen, and start anew the next time."""
    for now in (1.0, 2.0, 4.0, 8.0):
        up(now, NoQueue())
    up.run(8.05, 14.0)
    up(14.01, Counted(1))
    up(20.0, ping(20), echo(20, instance="two"))
    assert up.state == UP
    asked = len(up.counts)

    up.bounce(30.0, consumers=0)
    up.run(30.05, 30.5)
    assert len(up.counts) == asked + 2


def test_the_time_to_consume_again_ends_with_an_echo_and_with_the_session(up: Watched) -> None:
    up(1.0, Unseen("its node is down"))
    up.run(1.05, 1.3)
    up(1.31, Counted(1))
    assert up.row.unsettled().settles is None

    up(2.0, ping(2), echo(2))
    assert up.row.judged and up.row.settles is None


def test_a_service_whose_queue_is_back_has_time_to_consume_it_again(up: Watched) -> None:
    up(1.0, Unseen("its node is down"))
    up.run(1.05, 1.3)
    up(1.31, Counted(1))
    assert up(1.32, Bounced()) == ()
    assert up.state == UP

    up.run(1.35, 8.4)
    up.bounce(8.41, consumers=1)
    assert up.state[0] is State.DOWN
