"""The watch as a whole, without socket or clock: who is judged, a stranger, or rejected."""

from __future__ import annotations

from msgspec.structs import replace
from orquestador_plugins.monitor.evidence import Changed, Count, Probe
from orquestador_plugins.monitor.outputs import Said
from orquestador_plugins.monitor.row import INSTANCES_KEPT, Rules
from orquestador_plugins.monitor.undeclared import KEPT
from orquestador_plugins.monitor.watch import Watch

from orquestador.events import State

from .driving import Driven, both_up, standing_by_and_told


def test_a_silent_service_is_down_and_the_other_stays_up() -> None:
    driven = both_up()
    driven.echo("a", driven.round(1.1), 1.11)
    driven.ticks(1.1, 2.2)

    assert driven.states() == {"a": State.UP, "b": State.DOWN}
    assert any(isinstance(output, Probe) for output in driven.drain())


def test_a_bounce_is_asked_about_and_its_count_judges_that_service_alone() -> None:
    driven = both_up()
    driven.watch.bounced("a", 1.0)
    assert driven.drain() == [Count("a")]

    driven.watch.counted("a", 1, 1.001)
    assert driven.states() == {"a": State.DOWN, "b": State.UP}


def test_blindness_for_one_service_is_said_and_so_is_its_end() -> None:
    driven = both_up()
    driven.watch.unseen("a", "its node is down", 1.0)
    driven.watch.unseen("a", "its node is down", 2.0)
    (blind,) = driven.said()
    assert (blind.kind, blind.service) == ("blind", "a") and "its node is down" in blind.text

    driven.answer(driven.round(3.0), 3.01)
    (seeing,) = driven.said()
    assert (seeing.kind, seeing.service) == ("seeing", "a")


def test_silence_counts_only_once_our_own_ping_of_that_round_or_a_later_one_is_back() -> None:
    driven = both_up()
    driven.watch.sent_round("unseen", 1.1)
    driven.watch.own_back("round1", 1.2)
    driven.ticks(1.15, 1.6)
    assert set(driven.states().values()) == {State.UP}

    driven.watch.own_back("unseen", 1.61)
    driven.ticks(1.65, 1.7)
    assert set(driven.states().values()) == {State.SUSPECT}


def test_changes_come_out_in_the_order_in_which_they_happened() -> None:
    driven = Driven()
    ping = driven.round(0.1)
    driven.echo("b", ping, 0.11)
    driven.echo("a", ping, 0.12)

    changed = [o.row.service for o in driven.drain() if isinstance(o, Changed)]
    assert changed == ["b", "a"]


def test_the_incident_of_a_silence_is_the_same_from_two_monitors() -> None:
    """Each under its own pings: what they have in common is the last echo that both have read."""
    leader, standby = both_up(), standing_by_and_told()
    for driven in (leader, standby):
        driven.echo("a", "the last one", 20.0)
    standby.watch.lead(9, 21.0)
    for driven in (leader, standby):
        driven.round(21.0)
        driven.ticks(21.0, 22.1)

    incidents = {driven.watch.rows["a"].incident for driven in (leader, standby)}
    assert len(incidents) == 1 and None not in incidents
    assert leader.watch.rows["a"].incident != leader.watch.rows["b"].incident


# -- strangers and refusals


def test_an_undeclared_service_is_said_once_and_shown_and_forgotten() -> None:
    driven = both_up()
    for now in (1.0, 2.0):
        driven.echo("stranger", "p", now)
    assert [said.service for said in driven.said()] == ["stranger"]
    assert "stranger" in driven.watch.undeclared.last_echo

    driven.watch.tick(700.0)
    assert driven.watch.undeclared.last_echo == {}


def test_strangers_beyond_a_hundred_are_not_taken_in() -> None:
    driven = both_up()
    for number in range(KEPT + 50):
        driven.echo(f"stranger{number}", "p", 1.0)

    assert len(driven.watch.undeclared.last_echo) == KEPT


def test_an_echo_under_another_user_is_rejected_where_the_service_names_one() -> None:
    driven = Driven(rules=replace(Rules(), user="billing"))
    ping = driven.round(0.1)
    driven.echo("a", ping, 0.11, user="guest")
    driven.echo("b", ping, 0.11, user="billing")

    assert driven.states() == {"a": State.UNKNOWN, "b": State.UP}
    assert driven.watch.rejected == 1
    assert [o.kind for o in driven.drain() if isinstance(o, Said)] == ["rejected"]


# -- more than one instance, and many services


def test_a_second_instance_gets_a_ping_more_each_round() -> None:
    driven = both_up()
    driven.echo("a", "round1", 0.2, instance="a2")

    assert driven.watch.extras() == [("a", 1)]


def test_a_hung_instance_gets_no_ping_more() -> None:
    driven = both_up()
    driven.echo("a", "round1", 0.2, instance="a2")
    for second in range(1, 6):
        driven.answer(driven.round(float(second)), second + 0.01)

    assert driven.watch.extras() == []


def test_a_flood_of_instances_is_not_answered_with_a_flood_of_pings() -> None:
    driven = both_up()
    for number in range(3000):
        driven.echo("a", "round1", 0.2, instance=f"i{number}")

    assert driven.watch.extras() == [("a", INSTANCES_KEPT - 1)]


def test_one_ping_to_each_of_many_services_is_remembered_until_it_is_answered() -> None:
    names = [f"s{number}" for number in range(5000)]
    watch = Watch({name: Rules() for name in names}, within=0.5, settle=0.0, now=0.0)
    watch.next_round(0.0)
    for name in names:
        watch.sent_probe(name, f"p-{name}", 0.0)

    assert all(watch.pings.find(f"p-{name}") for name in names)
