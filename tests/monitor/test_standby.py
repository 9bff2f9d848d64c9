"""A monitor that does not lead: it follows the leader's word and takes over warm."""

from __future__ import annotations

from orquestador_plugins.monitor.evidence import Changed, Count, Probe
from orquestador_plugins.monitor.outputs import Greeted
from orquestador_plugins.monitor.reports import By, board

from orquestador.events import State

from .driving import SILENT, UP, Driven, alive, standing_by, standing_by_and_told, status

# -- following


def test_it_judges_nobody_and_asks_for_nothing() -> None:
    driven = standing_by()
    driven.other_round(11.0)
    driven.watch.bounced("a", 11.1)
    driven.watch.counted("a", 1, 11.2)
    driven.watch.no_queue("b", 11.3)
    driven.watch.unseen("b", "its node is down", 11.4)
    driven.echo("a", None, 11.5, phase="hello", instance="a2")
    driven.ticks(11.5, 60.0)

    assert set(driven.states().values()) == {State.UNKNOWN}
    assert driven.drain() == []


def test_states_and_incidents_are_what_the_leader_says() -> None:
    driven = standing_by_and_told()
    down = status("a", State.DOWN, "no consumer", incident="i1", text="nobody consumes its queue")
    driven.watch.status(down, 11.0, 11.2)

    row = driven.watch.rows["a"]
    assert (row.state, row.reason, row.text) == (State.DOWN, "no consumer", down.text)
    assert (row.since, row.incident) == (11.0, "i1")
    assert not row.instances and row.words == ("a1",)


def test_a_change_is_told_once_with_what_we_knew_before() -> None:
    driven = standing_by()
    down = status("a", State.DOWN, "silent", previous=State.SUSPECT, incident="i1")
    driven.watch.status(down, 11.0, 11.2)
    (told,) = driven.told()
    assert (told.state, told.previous, told.incident) == (State.DOWN, State.UNKNOWN, "i1")

    driven.watch.status(down, 11.0, 12.0)
    assert driven.told() == []


def test_a_repeated_status_is_no_change_but_one_of_another_reason_is() -> None:
    driven = standing_by_and_told()
    driven.watch.status(status("a", *UP, previous=State.UP, detected_by="repeat"), 10.0, 11.0)
    assert driven.told() == []

    driven.watch.status(status("a", State.DOWN, "silent", incident="i"), 12.0, 12.0)
    driven.watch.status(status("a", State.DOWN, "not provisioned", incident="i"), 12.0, 13.0)
    assert [told.reason for told in driven.told()] == ["silent", "not provisioned"]
    assert driven.watch.rows["a"].since == 12.0


def test_an_incident_is_over_with_the_status_that_ends_it() -> None:
    driven = standing_by_and_told()
    driven.watch.status(status("a", State.DOWN, "silent", incident="i1"), 11.0, 11.0)
    driven.watch.status(status("a", *UP, incident="i1"), 12.0, 12.0)

    (_, told) = driven.told()
    assert told.incident == "i1"
    assert driven.watch.rows["a"].incident is None


def test_a_status_of_a_service_that_the_file_does_not_know_is_ignored() -> None:
    driven = standing_by_and_told()
    driven.watch.status(status("stranger", State.DOWN, "silent"), 11.0, 11.0)

    assert driven.drain() == []


def test_a_leader_does_not_take_anothers_word() -> None:
    driven = standing_by_and_told()
    driven.watch.lead(9, 11.0)
    driven.watch.status(status("a", State.DOWN, "silent", incident="i1"), 11.0, 11.1)

    assert driven.states()["a"] is State.UP and driven.told() == []


def test_instances_come_and_go_by_their_echoes_and_goodbyes() -> None:
    driven = standing_by_and_told()
    ping = driven.other_round(11.0)
    driven.echo("a", ping, 11.01)
    driven.echo("a", "extra", 11.01, instance="a2")
    assert set(driven.watch.rows["a"].instances) == {"a1", "a2"}

    driven.echo("a", ping, 11.5, instance="a2", redelivered=True)
    assert set(driven.watch.rows["a"].instances) == {"a2"}

    driven.echo("a", None, 11.6, phase="goodbye", instance="a2")
    driven.echo("a", "extra", 11.7, instance="a2")
    assert not driven.watch.rows["a"].instances
    assert driven.states()["a"] is State.UP  # what follows from it, the leader says


def test_a_monitor_that_starts_is_greeted_and_is_no_service() -> None:
    driven = Driven(leads=True, monitors=("watcher",))
    driven.echo("watcher", None, 1.0, phase="hello", instance="w2")

    assert Greeted() in driven.drain()
    assert driven.watch.undeclared.last_echo == {}


# -- taking over


def test_a_service_known_by_echoes_to_the_leaders_pings_is_judged_at_once_after_the_lead() -> None:
    driven = standing_by_and_told()
    driven.watch.lead(9, 10.5)
    driven.round(10.5)
    driven.watch.bounced("a", 10.502)
    assert Count("a") in driven.drain()

    driven.watch.counted("a", 1, 10.503)
    assert driven.states() == {"a": State.DOWN, "b": State.UP}


def test_its_lost_replica_is_named_by_the_survivor_of_a_ping_of_the_former_leader() -> None:
    driven = standing_by_and_told()
    ping = driven.other_round(11.0)
    driven.echo("a", ping, 11.01)
    driven.echo("a", "extra", 11.01, instance="a2")
    driven.watch.lead(9, 11.5)
    driven.echo("a", ping, 11.6, instance="a2", redelivered=True)

    assert set(driven.watch.rows["a"].instances) == {"a2"}


def test_a_silent_one_is_down_by_the_new_leaders_own_clock() -> None:
    driven = standing_by_and_told()
    driven.other_round(11.0)  # unanswered: the former leader's question
    driven.watch.lead(9, 20.0)
    driven.ticks(20.0, 25.0)
    assert driven.states() == {"a": State.UP, "b": State.UP}

    ping = driven.round(25.0)
    driven.echo("b", ping, 25.01)
    driven.ticks(25.05, 26.1)
    assert driven.states() == {"a": State.DOWN, "b": State.UP}


def test_those_down_or_stopped_stay_so_since_when_they_were_in_the_same_incident() -> None:
    driven = standing_by_and_told()
    driven.watch.status(status("a", State.DOWN, "silent", incident="i1"), 11.0, 11.1)
    driven.watch.status(status("b", State.STOPPED, "goodbye"), 12.0, 12.1)
    driven.drain()
    driven.watch.lead(9, 20.0)
    driven.round(20.0)
    driven.watch.bounced("a", 20.001)
    driven.watch.bounced("b", 20.001)
    driven.ticks(20.05, 30.0)

    rows = driven.watch.rows
    assert [rows[name].state for name in "ab"] == [State.DOWN, State.STOPPED]
    assert [rows[name].since for name in "ab"] == [11.0, 12.0]
    assert rows["a"].incident == "i1"
    assert not [o for o in driven.drain() if isinstance(o, Changed | Probe | Count)]


def test_an_incident_that_the_former_leader_opened_is_ended_under_its_name() -> None:
    driven = standing_by_and_told()
    driven.watch.status(status("a", State.DOWN, "silent", incident="i1"), 11.0, 11.1)
    driven.watch.lead(9, 20.0)
    driven.drain()
    driven.echo("a", driven.round(20.0), 20.01, instance="a2")

    (change,) = [o for o in driven.drain() if isinstance(o, Changed)]
    assert (change.row.state, change.row.incident) == (State.UP, "i1")


def test_an_instance_heard_as_a_standby_is_known_and_one_never_heard_is_new() -> None:
    for word, state in (("a1", State.DOWN), ("a2", State.UP)):
        driven = standing_by_and_told()
        driven.watch.status(status("a", *SILENT, incident="i1"), 11.0, 11.1)
        driven.watch.lead(9, 20.0)
        driven.echo("a", driven.round(20.0), 20.01, instance=word)

        assert driven.states()["a"] is state


def test_a_service_that_only_statuses_named_is_not_judged_before_the_session_settles() -> None:
    driven = Driven(leads=False)
    driven.watch.status(status("a", *UP), 0.1, 0.1)
    driven.watch.lead(9, 1.0)
    driven.round(1.0)
    driven.watch.bounced("a", 1.001)
    driven.ticks(1.05, 6.9)

    assert driven.states()["a"] is State.UP
    assert not [o for o in driven.drain() if isinstance(o, Count)]


def test_a_lost_session_ends_the_lead() -> None:
    driven = standing_by_and_told()
    driven.watch.lead(9, 11.0)
    driven.watch.lost("the broker hung up", 12.0)

    assert not driven.watch.leading and driven.watch.epoch == 0


def test_another_leaders_rounds_are_not_those_of_one_who_leads() -> None:
    driven = standing_by_and_told()
    driven.watch.lead(9, 11.0)
    rounds = driven.watch.round
    driven.watch.other_round("theirs", 11.5)

    assert driven.watch.round == rounds
    assert driven.watch.pings.find("theirs") is None


def test_an_echo_of_another_monitors_ping_proves_life_too() -> None:
    """Two leaders at once: the clock of silence starts anew, and nobody is timed."""
    driven = standing_by_and_told()
    driven.watch.lead(9, 11.0)
    driven.round(11.0)
    for tenth in range(111, 130):
        driven.watch.echo(alive("a", "a1", "theirs"), tenth / 10)
        driven.ticks(tenth / 10, tenth / 10)

    assert driven.states() == {"a": State.UP, "b": State.DOWN}


def test_a_standby_without_a_leader_says_once_that_what_it_shows_may_be_old() -> None:
    driven = standing_by()
    driven.watch.other_round("theirs", 1.0)
    driven.drain()
    driven.watch.nobody_leads(1.0, 4.1)
    driven.watch.nobody_leads(4.1, 7.2)

    assert [said.text for said in driven.said()] == ["nobody has led for 3 s"]
    assert board(driven.watch, By.at_present("monitor", 0, 7.2)).blind == "nobody has led for 3 s"

    driven.watch.other_round("theirs again", 8.0)
    assert [said.kind for said in driven.said()] == ["seeing"]
    assert board(driven.watch, By.at_present("monitor", 0, 8.1)).blind is None
