"""A watch that cannot see judges nobody, holds what arrives, and asks anew when it sees again."""

from __future__ import annotations

import pytest
from orquestador_plugins.monitor.evidence import Changed, Count, Goodbye, Heard, Probe
from orquestador_plugins.monitor.held import KEPT, Held
from orquestador_plugins.monitor.outputs import RoundDue, Said
from orquestador_plugins.monitor.row import Rules
from orquestador_plugins.monitor.watch import SEEING_AGAIN

from orquestador.events import Health, State

from .driving import Driven, both_up

ALL_UP = {"a": State.UP, "b": State.UP}


@pytest.fixture
def blind() -> Driven:
    """Its loop was late by 5 s, at second 1, with nothing unanswered."""
    driven = both_up()
    driven.watch.loop_late(5.0, 1.0)
    assert driven.watch.doubt.blind
    driven.drain()
    return driven


# -- going blind


def test_a_session_sees_once_its_own_ping_is_back_and_a_round_follows() -> None:
    driven = Driven()

    assert [o for o in driven.first if isinstance(o, Said)][-1].kind == "seeing"
    assert RoundDue(SEEING_AGAIN) in driven.first


def test_nobody_is_judged_while_the_session_is_lost() -> None:
    driven = both_up()
    driven.round(1.1)
    driven.watch.lost("the broker hung up", 1.2)
    driven.ticks(1.2, 60.0)

    assert driven.states() == ALL_UP
    assert driven.watch.doubt.blind == "the broker hung up"
    assert driven.drain() == []  # who runs the sessions says so, once an outage


def test_an_own_ping_that_is_not_back_blames_nobody_else() -> None:
    driven = both_up()
    driven.round(1.1, back=False)
    driven.ticks(1.1, 5.0)

    assert driven.states() == ALL_UP
    assert driven.watch.doubt.blind


@pytest.mark.parametrize("echo_within", [0.5, 0.125])
def test_a_broker_that_stalls_when_a_rounds_own_ping_is_back_makes_nobody_down(
    echo_within: float,
) -> None:
    """Whether it still sees, the own ping that went out with the probes says, not the round's."""
    rules = Rules(echo_within=echo_within, probe_every=echo_within / 2)
    driven = both_up(rules=rules)
    driven.drain()
    driven.round(1.0)  # its own ping is back; no echo is, nor anything later
    for tick in range(1, 33):
        now = 1.0 + tick / 16
        driven.watch.tick(now)
        for probe in [o for o in driven.drain() if isinstance(o, Probe)]:
            driven.watch.sent_probe(probe.service, f"probe{now}", now)
            driven.watch.sent_own(f"own{now}", now)

    assert driven.watch.doubt.blind
    assert State.DOWN not in driven.states().values()


def test_a_monitor_that_slept_holds_what_arrived_until_its_own_ping_is_back() -> None:
    driven = both_up()
    ping = driven.round(1.1, back=False)
    driven.watch.loop_late(30.0, 31.1)
    driven.echo("a", ping, 31.1)
    driven.ticks(31.1, 31.5)
    assert driven.states() == ALL_UP

    driven.own(31.6)
    assert [said.kind for said in driven.said()] == ["blind", "seeing"]
    driven.ticks(31.65, 40.0)  # all earlier pings are forgotten
    assert driven.states() == ALL_UP


def test_since_when_it_is_blind_is_known_until_it_sees(blind: Driven) -> None:
    assert blind.watch.blind_since == 1.0

    blind.own(2.0)
    assert blind.watch.blind_since is None


# -- what is worth nothing while blind


def test_bounces_and_counts_are_dropped_and_a_round_will_ask_again(blind: Driven) -> None:
    blind.watch.bounced("a", 1.1)
    blind.watch.counted("a", 1, 1.2)
    blind.own(2.0)
    outputs = blind.drain()

    assert blind.states() == ALL_UP
    assert RoundDue(2.0 + SEEING_AGAIN) in outputs
    assert not [o for o in outputs if isinstance(o, Changed | Count)]

    blind.round(2.1)
    blind.watch.bounced("a", 2.101)
    blind.watch.counted("a", 1, 2.102)
    assert blind.states() == {"a": State.DOWN, "b": State.UP}


def test_a_count_asked_before_and_read_while_blind_is_no_verdict() -> None:
    driven = both_up()
    driven.watch.bounced("a", 1.0)
    driven.watch.publishers_blocked("low on memory", 1.1)
    driven.watch.counted("a", 1, 1.2)
    driven.watch.publishers_blocked(None, 2.0)
    driven.own(2.1)

    assert driven.states() == ALL_UP


def test_a_count_of_an_unseen_service_that_is_dropped_while_blind_is_asked_again() -> None:
    driven = both_up()
    driven.watch.unseen("a", "its node is down", 1.0)
    driven.ticks(1.05, 1.25)
    assert Count("a") in driven.drain()
    driven.watch.loop_late(5.0, 1.3)
    driven.watch.counted("a", 2, 1.3)

    driven.own(2.0)
    driven.ticks(2.05, 20.0)
    assert Count("a") in driven.drain()


def test_silence_begun_before_is_forgotten_and_begins_with_the_next_round() -> None:
    driven = both_up()
    driven.echo("b", driven.round(1.1), 1.11)
    driven.ticks(1.15, 2.05)
    assert driven.states()["a"] is State.SUSPECT
    driven.watch.loop_late(1.0, 2.06)
    driven.own(2.1)
    driven.ticks(2.15, 10.0)
    assert driven.states()["a"] is State.SUSPECT

    driven.echo("b", driven.round(10.0), 10.01)
    driven.ticks(10.0, 11.05)
    assert driven.states() == {"a": State.DOWN, "b": State.UP}


def test_grace_does_not_run_while_blind() -> None:
    driven = both_up(rules=Rules(grace=2.0))
    driven.watch.bounced("a", 1.0)
    driven.watch.counted("a", 1, 1.001)
    driven.watch.loop_late(10.0, 11.0)
    driven.own(11.1)
    driven.ticks(11.15, 12.0)
    assert driven.states()["a"] is State.SUSPECT

    driven.round(12.0)
    driven.watch.bounced("a", 12.001)
    driven.watch.counted("a", 1, 12.002)
    assert driven.states()["a"] is State.SUSPECT


# -- what is held


def test_an_echo_to_a_ping_sent_while_blind_is_not_timed() -> None:
    driven = both_up()
    driven.watch.publishers_blocked("low on memory", 1.0)
    ping = driven.round(1.1, back=False)
    driven.watch.publishers_blocked(None, 9.0)
    driven.own(9.0)
    for now in (9.1, 9.2, 9.3):
        driven.echo("a", ping, now)

    assert driven.watch.rows["a"].state is State.UP


def test_an_echo_to_a_ping_sent_before_the_last_blindness_ended_is_not_timed() -> None:
    """The monitor was late itself: three of them would make a service slow."""
    driven = both_up()
    pings = [driven.round(now) for now in (1.1, 1.2, 1.3)]
    driven.watch.loop_late(5.0, 1.4)
    driven.echo("a", pings[0], 2.0)  # read while blind, and weighed when it sees
    driven.own(2.1)
    for ping in pings[1:]:
        driven.echo("a", ping, 2.2)
    row = driven.watch.rows["a"]
    assert (row.state, row.last_echo) == (State.UP, 2.2)
    assert row.round_trip == pytest.approx(0.01)

    driven.echo("a", driven.round(2.3), 2.33)
    assert driven.watch.rows["a"].round_trip == pytest.approx(0.03)


def test_a_goodbye_is_weighed_when_it_sees_with_the_moment_at_which_it_was_read(
    blind: Driven,
) -> None:
    blind.echo("a", None, 1.1, phase="goodbye")
    assert blind.states() == ALL_UP

    blind.own(2.0)
    assert blind.states() == {"a": State.STOPPED, "b": State.UP}
    assert blind.watch.rows["a"].since == 1.1


def test_a_queue_that_was_missing_while_it_was_blind_is_asked_for_again_and_not_judged(
    blind: Driven,
) -> None:
    """The answer is as old as the blindness: its service may have declared it since."""
    blind.watch.no_queue("b", 1.2)
    blind.own(2.0)
    assert blind.states() == ALL_UP

    blind.ticks(2.05, 8.0)
    assert Count("b") in blind.drain()


def test_the_newest_of_a_kind_says_what_the_older_ones_said() -> None:
    held = Held()
    for number in range(500):
        held.add("a", Heard("one", ping=f"p{number}"), number / 1000)
    held.add("a", Goodbye("one"), 0.5)
    held.add("a", Heard("one", ping="last"), 0.6)

    assert held.take() == [
        ("a", Goodbye("one"), 0.5),
        ("a", Heard("one", ping="last"), 0.6),
    ]
    assert held.take() == []


def test_a_survivors_echo_is_held_beside_a_later_one_of_the_same_instance() -> None:
    held = Held()
    witness, later = Heard("two", ping="p1", redelivered=True), Heard("two", ping="p2")
    held.add("a", witness, 0.1)
    held.add("a", later, 0.2)

    assert held.take() == [("a", witness, 0.1), ("a", later, 0.2)]


def test_what_is_held_is_bounded_and_the_oldest_is_let_go() -> None:
    held = Held()
    for number in range(KEPT + 100):
        held.add("a", Heard(f"i{number}"), 0.0)

    assert len(held) == KEPT
    assert held.take()[0][1] == Heard("i100")


def test_what_was_held_is_weighed_with_what_it_said_last(blind: Driven) -> None:
    blind.echo("a", "round1", 1.1)
    blind.echo("a", "round1", 1.2, health=Health.FAILING)
    blind.own(2.0)

    (instance,) = blind.watch.rows["a"].instances.values()
    assert instance.health is Health.FAILING


def test_evidence_of_a_session_that_ended_is_not_weighed_in_the_next(blind: Driven) -> None:
    blind.echo("a", None, 1.1, phase="goodbye")
    blind.watch.lost("gone", 1.2)
    blind.watch.opened(48.0)
    blind.own(48.0)

    assert blind.states()["a"] is State.UP


def test_a_monitor_that_slept_does_not_blame_its_settings_for_late_echoes() -> None:
    """A warning names `echo_within` where rounds are slow, not where the monitor was."""
    names = [f"s{number}" for number in range(100)]
    driven = Driven(services=names)
    ping = driven.round(0.1)
    driven.watch.loop_late(30.0, 30.2)
    for name in names:
        driven.echo(name, ping, 30.2)
    driven.own(30.3)
    driven.round(30.4)

    assert [said.kind for said in driven.said()] == ["blind", "seeing"]


# -- settling


def test_a_new_session_judges_nobody_before_it_has_settled() -> None:
    driven = both_up()
    driven.watch.lost("gone", 1.2)
    driven.watch.opened(10.0)
    driven.own(10.0)
    driven.watch.lead(8, 10.0)
    driven.round(10.1)
    for service in ("a", "b"):
        driven.watch.bounced(service, 10.101)
    driven.ticks(10.15, 16.95)
    assert driven.states() == ALL_UP
    assert not [o for o in driven.drain() if isinstance(o, Count)]

    driven.ticks(17.0, 17.05)
    assert driven.rounds_due() == [17.0]
    driven.round(17.1)
    driven.ticks(17.1, 18.2)
    assert driven.states() == {"a": State.DOWN, "b": State.DOWN}


def test_settling_ends_for_each_service_with_its_first_timed_echo() -> None:
    driven = both_up()
    driven.watch.lost("gone", 1.2)
    driven.watch.opened(10.0)
    driven.own(10.0)
    driven.watch.lead(8, 10.0)
    driven.echo("a", driven.round(10.1), 10.11)
    driven.round(11.1)
    driven.ticks(11.1, 12.2)

    assert driven.states() == {"a": State.DOWN, "b": State.UP}


def test_those_down_or_stopped_stay_so_over_a_new_session() -> None:
    driven = both_up()
    driven.echo("a", None, 0.5, phase="goodbye")
    driven.watch.bounced("b", 1.0)
    driven.watch.counted("b", 1, 1.001)
    before = {name: (row.since, row.incident) for name, row in driven.watch.rows.items()}
    driven.watch.lost("gone", 1.2)
    driven.watch.opened(10.0)
    driven.own(10.0)
    driven.watch.lead(8, 10.0)
    driven.ticks(10.05, 30.0)

    assert driven.states() == {"a": State.STOPPED, "b": State.DOWN}
    assert {name: (row.since, row.incident) for name, row in driven.watch.rows.items()} == before


def test_a_blind_session_does_not_settle_before_it_sees() -> None:
    driven = both_up()
    driven.watch.lost("gone", 1.2)
    driven.watch.opened(10.0)
    driven.watch.lead(8, 10.0)
    driven.ticks(10.05, 20.0)
    driven.round(20.0)
    driven.ticks(20.05, 20.1)

    assert driven.states() == ALL_UP
    assert not driven.watch.rows["a"].asked  # forgotten when it saw, and again at the end


def test_without_settling_a_service_that_never_answers_is_down_at_the_bound() -> None:
    driven = Driven(settle=0.0)
    driven.echo("a", driven.round(0.1), 0.11)
    driven.ticks(0.1, 1.2)

    assert driven.states() == {"a": State.UP, "b": State.DOWN}


def test_a_session_that_never_sees_says_so_once() -> None:
    driven = Driven()
    driven.watch.lost("gone", 1.0)
    driven.watch.opened(2.0)
    driven.drain()
    driven.ticks(2.0, 10.0)

    said = driven.said()
    assert len(said) == 1 and "own ping does not come back" in said[0].text


def test_settling_counts_from_the_first_sight_of_a_session() -> None:
    driven = both_up()
    driven.watch.lost("gone", 1.2)
    driven.watch.opened(10.0)
    driven.ticks(10.05, 13.0)
    driven.own(13.0)  # 7 s from now
    driven.ticks(13.05, 19.95)
    assert not driven.watch.rows["a"].judged

    driven.watch.tick(20.0)
    assert driven.watch.rows["a"].judged


def test_a_later_sight_of_a_session_does_not_make_settling_longer() -> None:
    driven = Driven()
    driven.watch.loop_late(5.0, 5.0)
    driven.own(5.5)
    driven.ticks(5.55, 6.95)
    assert not driven.watch.rows["a"].judged

    driven.watch.tick(7.0)
    assert driven.watch.rows["a"].judged
