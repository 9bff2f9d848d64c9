"""The detector's table, row by row: echoes, goodbyes, health; with a clock that the test holds."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from orquestador_plugins.monitor.evidence import Changed, Goodbye, NoQueue, Probe

from orquestador.events import Health, State

from .driving import (
    NOBODY,
    SEES_ALL,
    SILENT,
    UP,
    Watched,
    answering,
    echo,
    ping,
)

STOPPED = (State.STOPPED, "goodbye")


def test_an_echo_in_time_makes_an_unknown_service_up() -> None:
    watched = Watched()
    (change,) = watched(0.1, ping(1), echo(1))

    assert isinstance(change, Changed)
    assert watched.state == UP
    assert (change.previous, change.detected_by) == (State.UNKNOWN, "echo")


def test_a_suspect_that_answers_is_up_again(up: Watched) -> None:
    up(1.0, ping(2))
    up.run(1.0, 1.6)

    up(1.61, echo(2, round_trip=0.01))

    assert up.state == UP


def test_an_echo_that_changes_nothing_says_nothing(up: Watched) -> None:
    since = up.row.since
    for sequence in range(2, 10):
        assert up(float(sequence), ping(sequence), echo(sequence)) == ()
    assert up.row.since == since


# -- goodbye


def test_goodbye_of_the_only_instance_is_stopped(up: Watched) -> None:
    (change,) = up(0.5, Goodbye("one"))

    assert isinstance(change, Changed)
    assert (change.lost, change.detected_by) == ("one", "goodbye")
    assert up.state == STOPPED


def test_goodbye_of_one_of_two_leaves_the_service_up(up: Watched) -> None:
    up(1.0, ping(2), echo(2, instance="two"))

    assert up(1.1, Goodbye("one")) == ()
    assert up.state == UP


def test_goodbye_of_one_of_two_that_are_both_wanted_is_degraded(pair: Watched) -> None:
    (change,) = pair(1.5, Goodbye("one"))

    assert isinstance(change, Changed)
    assert pair.state == (State.DEGRADED, "replicas")
    assert (change.row.text, change.lost, change.detected_by) == ("1 of 2", "one", "goodbye")


def test_an_echo_after_its_goodbye_counts_for_nothing(up: Watched) -> None:
    up(0.5, Goodbye("one"))

    assert up(0.6, echo(1)) == ()
    assert up.state == STOPPED


def test_a_second_goodbye_of_the_same_instance_says_nothing(up: Watched) -> None:
    up(0.5, Goodbye("one"))

    assert up(0.6, Goodbye("one")) == ()


def test_a_goodbye_read_after_no_consumer_withdraws_it_in_the_same_incident(up: Watched) -> None:
    """A ping around the cancel bounces before the goodbye is read."""
    up.bounce(1.0, consumers=1)
    assert up.state == NOBODY
    incident = up.row.incident

    (change,) = up(1.1, Goodbye("one"))

    assert isinstance(change, Changed) and up.state == STOPPED
    assert change.evidence["withdrawn"] is True
    assert incident is not None and change.row.incident == incident
    assert up.row.incident is None


def test_a_goodbye_after_silence_ends_the_incident_and_withdraws_nothing(down: Watched) -> None:
    incident = down.row.incident

    (change,) = down(3.0, Goodbye("one"))

    assert isinstance(change, Changed) and down.state == STOPPED
    assert change.row.incident == incident and "withdrawn" not in change.evidence


def test_time_alone_does_not_end_stopped(up: Watched) -> None:
    up(0.5, Goodbye("one"))
    for sequence in range(2, 10):
        up(float(sequence), ping(sequence))
        up.run(float(sequence), sequence + 0.9)

    assert up.state == STOPPED


def test_stopped_is_ended_at_once_by_an_instance_that_has_not_parted(up: Watched) -> None:
    up(0.5, Goodbye("one"))

    up(1.0, ping(2), echo(2, instance="two"))

    assert up.state == UP


def test_stopped_is_ended_by_a_known_instance_that_had_only_been_frozen(up: Watched) -> None:
    up(1.0, ping(2), echo(2), echo(2, instance="frozen"))
    for sequence in range(3, 20):
        up(float(sequence), ping(sequence), echo(sequence))
    up(19.5, Goodbye("one"))
    assert up.state == STOPPED and "frozen" in up.row.words

    up(20.0, ping(20), echo(20, instance="frozen"))

    assert up.state == UP


# -- coming back


def test_a_new_instance_ends_down_at_once(down: Watched) -> None:
    (change,) = down(3.0, ping(4), echo(4, instance="two"))

    assert isinstance(change, Changed) and down.state == UP
    assert change.previous is State.DOWN


def test_a_known_instance_is_up_after_up_after_echoes_and_probed_meanwhile(down: Watched) -> None:
    (probe,) = down(3.0, ping(4), echo(4))
    assert isinstance(probe, Probe)
    assert down.state == SILENT

    down(3.05, ping(4), echo(4))
    assert down.state == UP


def test_the_words_of_instances_are_kept_when_down_forgets_them(down: Watched) -> None:
    assert not down.row.instances and down.row.words == ("one",)


def test_the_incident_is_named_on_the_change_that_ends_it_and_is_over_then(down: Watched) -> None:
    incident = down.row.incident
    (change,) = down(3.0, ping(4), echo(4, instance="two"))

    assert isinstance(change, Changed)
    assert incident and change.row.incident == incident
    assert down.row.incident is None


def test_the_next_down_is_another_incident(down: Watched) -> None:
    first = down.row.incident
    down(3.0, ping(4), echo(4, instance="two"))
    down(4.0, ping(5))
    down.run(4.0, 5.0)

    assert down.state == SILENT
    assert down.row.incident not in (None, first)


# -- health


@pytest.mark.parametrize("health", [Health.DEGRADED, Health.FAILING])
def test_an_instance_that_is_not_well_makes_the_service_degraded(
    up: Watched, health: Health
) -> None:
    up(1.0, ping(2), replace(echo(2), health=health, details={"error": "no database"}))

    assert up.state == (State.DEGRADED, health.value)
    assert "no database" in up.row.text


def test_an_unknown_service_that_is_not_well_is_degraded_at_once() -> None:
    watched = Watched()
    watched(0.1, ping(1), replace(echo(1), health=Health.FAILING))

    assert watched.state == (State.DEGRADED, "failing")


def test_a_service_that_is_well_again_is_up(up: Watched) -> None:
    up(1.0, ping(2), replace(echo(2), health=Health.FAILING))
    up(2.0, ping(3), echo(3))

    assert up.state == UP


def test_a_down_service_returns_as_what_its_instances_say(down: Watched) -> None:
    down(3.0, ping(4), replace(echo(4, instance="two"), health=Health.DEGRADED))

    assert down.state == (State.DEGRADED, "degraded")


def test_no_queue_is_down_not_provisioned_from_any_state(up: Watched) -> None:
    stopped = answering()
    stopped(0.5, Goodbye("one"))
    suspect = answering()
    suspect(1.0, ping(2))
    suspect(1.5, SEES_ALL)
    for watched in (Watched(), up, suspect, stopped):
        before = watched.state[0]
        (change,) = watched(5.0, NoQueue())

        assert isinstance(change, Changed) and change.previous is before
        assert watched.state == (State.DOWN, "not provisioned")
        assert change.row.incident and change.detected_by == "returned"


def test_no_queue_of_a_down_service_is_a_change_of_reason_in_the_same_incident(
    down: Watched,
) -> None:
    incident, since = down.row.incident, down.row.since
    down(5.0, NoQueue())

    assert down.state == (State.DOWN, "not provisioned")
    assert (down.row.incident, down.row.since) == (incident, since)
