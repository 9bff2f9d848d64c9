"""Replicas: who survives whom, who hangs, who is forgotten; the state follows from all of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from orquestador_plugins.monitor.evidence import Changed, Goodbye
from orquestador_plugins.monitor.row import FORGOTTEN_AFTER, WORDS_KEPT, Rules

from orquestador.events import Health, State

from .driving import (
    PAIR,
    RULES,
    SEES_ALL,
    SILENT,
    UP,
    Driven,
    Watched,
    answering,
    answering_pair,
    both_up,
    echo,
    extra,
    ping,
    redelivered,
)

ONE_OF_TWO = (State.DEGRADED, "replicas")


def live(watched: Watched) -> list[str]:
    return sorted(instance.word for instance in watched.row.live(watched.rules))


# -- the whole and its parts


def test_fewer_replicas_than_declared_is_degraded_but_only_after_the_bound() -> None:
    watched = Watched(PAIR)
    watched(0.0, ping(1), echo(1))
    watched(0.99, echo(1))
    assert watched.state[0] is State.UNKNOWN  # the other may be about to answer

    watched(1.0, ping(2), echo(2))
    assert (watched.state, watched.row.text) == (ONE_OF_TWO, "1 of 2")

    watched(2.0, ping(3), echo(3), extra(3))
    assert watched.state == UP


def test_the_bound_of_one_of_two_is_counted_anew_in_a_new_session() -> None:
    """The broker restarted: the replicas come back one after the other, as they did at first."""
    watched = Watched(PAIR)
    watched(0.0, ping(1), echo(1))
    watched.row = watched.row.unsettled()

    watched(20.0, ping(2), echo(2))
    assert watched.state[0] is State.UNKNOWN


def test_replicas_that_disagree_change_nothing_a_round(up: Watched) -> None:
    for sequence in range(2, 12):
        ill = replace(echo(sequence, instance="two"), health=Health.FAILING)
        up(float(sequence), ping(sequence), echo(sequence), ill)

    assert up.changes == [UP, (State.DEGRADED, "failing")]


def test_one_slow_instance_of_two_makes_the_service_slow_and_stays_so(pair: Watched) -> None:
    for sequence in range(3, 12):
        slow = replace(extra(sequence), round_trip=0.7)
        pair(float(sequence), ping(sequence), echo(sequence), slow)

    assert pair.changes == [UP, (State.DEGRADED, "slow")]


# -- a survivor


def test_a_survivor_reports_its_dead_sister_by_the_ping_that_she_had_held(pair: Watched) -> None:
    (change,) = pair(1.5, redelivered("p2", 2))

    assert isinstance(change, Changed) and pair.state == ONE_OF_TWO
    assert (change.row.text, change.lost, change.detected_by) == ("1 of 2", "one", "survivor")
    assert change.evidence["survivor"] == "two"
    assert live(pair) == ["two"]


def test_a_survivor_of_a_ping_that_is_not_the_newest_is_a_witness_too(pair: Watched) -> None:
    """The lease is the ping before the newest where that one is in work."""
    pair(1.5, redelivered("p1", 1))

    assert pair.changed[-1].lost == "one"


def test_one_survivor_of_two_where_one_is_enough_leaves_the_service_up() -> None:
    watched = answering_pair(RULES)

    assert watched(1.5, redelivered("p2", 2)) == ()
    assert watched.state == UP and live(watched) == ["two"]


def test_a_redelivered_ping_whose_holder_is_not_known_says_nothing_of_anybody(
    pair: Watched,
) -> None:
    """It had reached an instance that died, or not, before answering it: nobody is forgotten."""
    assert pair(1.5, redelivered("p9", None)) == ()
    assert pair.state == UP and live(pair) == ["one", "two"]


def test_a_redelivered_echo_of_the_very_instance_that_held_it_is_its_reconnect(
    pair: Watched,
) -> None:
    assert pair(1.5, redelivered("p2", 2, instance="one")) == ()
    assert pair.state == UP and live(pair) == ["one", "two"]


def test_a_survivor_makes_nobody_up(down: Watched) -> None:
    down(3.0, redelivered("p1", 1))

    assert down.state == SILENT


def test_a_lost_replica_that_is_replaced_makes_the_service_whole(pair: Watched) -> None:
    pair(1.5, redelivered("p2", 2))
    pair(2.0, ping(3), echo(3, instance="three"), extra(3))

    assert pair.state == UP


# -- a hung one


def test_a_hung_replica_is_degraded_after_down_after_rounds_and_named(pair: Watched) -> None:
    for sequence in range(3, 7):
        pair(float(sequence), ping(sequence), echo(sequence))
        hung = sequence > 2 + RULES.down_after
        assert pair.state == (ONE_OF_TWO if hung else UP)

    assert (pair.changed[-1].lost, pair.row.text) == ("two", "1 of 2")


def test_a_hung_replica_that_dies_later_is_told_by_its_survivor_and_once() -> None:
    watched = answering_pair()
    for sequence in range(3, 8):
        watched(float(sequence), ping(sequence), echo(sequence))
    assert watched.state == ONE_OF_TWO and "two" in watched.row.instances

    assert watched(8.0, redelivered("x2", 2, instance="one")) == ()
    assert watched.state == ONE_OF_TWO and "two" not in watched.row.instances


def test_a_hung_replica_that_thaws_is_live_again(pair: Watched) -> None:
    for sequence in range(3, 8):
        pair(float(sequence), ping(sequence), echo(sequence))
    pair(8.0, ping(8), echo(8), extra(8))

    assert pair.state == UP


def test_a_hung_instance_is_forgotten_ten_rounds_later_but_its_word_is_kept(up: Watched) -> None:
    for sequence in range(2, 30):
        up(
            float(sequence),
            ping(sequence),
            echo(sequence, instance="two"),
            extra(sequence, "three"),
        )
        hung_from = 1 + RULES.down_after
        assert ("one" in live(up)) == (sequence <= hung_from)
        assert ("one" in up.row.instances) == (sequence <= hung_from + FORGOTTEN_AFTER)

    assert up.row.words == ("one", "two", "three")


# -- who is forgotten when, and whose word is kept


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_goodbye_forgets_the_instance_and_never_counts_it_again(replicas: int) -> None:
    watched = answering_pair(Rules(replicas=replicas))
    watched(1.5, Goodbye("one"))
    state = watched.state
    for sequence in (3, 4, 5):
        assert watched(float(sequence), ping(sequence), echo(sequence)) == ()

    assert watched.state == state and live(watched) == ["two"]


def test_no_consumer_forgets_all_instances_and_keeps_their_words(pair: Watched) -> None:
    pair.bounce(1.5, consumers=1)

    assert not pair.row.instances and pair.row.words == ("one", "two")


def test_an_instance_that_was_never_heard_in_time_is_new_when_it_is() -> None:
    watched = answering()
    watched.bounce(1.0, consumers=1)
    watched(1.1, redelivered("p1", 1, instance="two"))
    assert watched.state[0] is State.DOWN

    watched(2.0, ping(3), echo(3, instance="two"))
    assert watched.state == UP


def test_the_last_hundred_words_are_kept() -> None:
    watched = answering()
    for number in range(WORDS_KEPT + 10):
        watched(0.5, echo(1, instance=f"i{number}"))

    assert len(watched.row.words) == WORDS_KEPT
    assert watched.row.words[-1] == f"i{WORDS_KEPT + 9}"


@pytest.mark.parametrize("blind_rounds", [0, 40])
def test_an_instance_that_is_heard_is_not_hung_however_many_rounds_its_echoes_are_behind(
    blind_rounds: int,
) -> None:
    """Pinged each 50 ms it answers after 200 ms, also after rounds that went out blind."""
    driven = both_up(rules=Rules(every=0.05))
    for _ in range(blind_rounds):
        if driven.watch.doubt.blind is None:
            driven.watch.loop_late(2.0, 1.0)
        driven.round(1.0, back=False)
    driven.own(1.0)
    driven.drain()

    sent = [driven.round(1.0 + number * 0.05) for number in range(4)]
    for number in range(4, 60):
        now = 1.0 + number * 0.05
        sent.append(driven.round(now))
        driven.answer(sent[number - 4], now)
        assert set(driven.states().values()) == {State.UP}

    assert not [output for output in driven.drain() if isinstance(output, Changed)]


def test_an_echo_of_a_round_long_ago_shows_that_its_instance_is_not_hung() -> None:
    watched = answering(Rules(every=0.05))
    for sequence in range(2, 60):
        watched(sequence * 0.005, ping(sequence))
    assert live(watched) == []

    assert watched(0.3, echo(20, round_trip=0.2)) == ()
    assert watched.state == UP and live(watched) == ["one"]


def test_rounds_whose_echoes_may_still_be_on_their_way_do_not_make_a_replica_hung() -> None:
    """Ten rounds go out within what an echo may take."""
    rules = Rules(replicas=2, every=0.05)
    watched = answering_pair(rules)
    for sequence in range(3, 17):
        watched(1.0 + sequence * 0.05, ping(sequence), echo(sequence))
        hung = sequence > 2 + rules.down_after + 10
        assert watched.state == (ONE_OF_TWO if hung else UP)
    assert watched.state == ONE_OF_TWO


def test_a_replica_missing_from_the_start_is_said_at_the_bound_by_time_alone() -> None:
    driven = Driven(rules=PAIR)
    driven.echo("a", driven.round(0.1), 0.11)
    driven.ticks(0.15, 1.05)
    assert driven.states()["a"] is State.UNKNOWN  # the other may be about to answer

    driven.ticks(1.1, 1.15)
    row = driven.watch.rows["a"]
    assert ((row.state, row.reason), row.text) == (ONE_OF_TWO, "1 of 2")
    assert row.waited is None


def test_the_goodbye_of_one_of_two_before_any_was_heard_in_this_session_stops_nothing() -> None:
    watched = Watched(PAIR, judged=False)

    assert watched(0.1, Goodbye("one")) == ()
    assert watched.state[0] is State.UNKNOWN

    watched(0.2, ping(1), echo(1, instance="two"))
    watched(1.3, SEES_ALL)
    assert watched.changes == [ONE_OF_TWO]
