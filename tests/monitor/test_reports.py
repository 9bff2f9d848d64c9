"""Rows and changes in wall-clock time: what a status says of the moment of a fault."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orquestador_plugins.monitor.evidence import Changed, NoQueue
from orquestador_plugins.monitor.reports import By, board, changed_status, repeated_status

from orquestador.events import Status

from .driving import PAIR, Watched, both_up, echo, ping, redelivered


def wall(moment: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=moment)


def at(second: str) -> str:
    return f"2026-01-01T00:00:{second}Z"


def last_status(watched: Watched) -> Status:
    """As it is published at the moment of the change."""
    now, change = watched.effects[-1]
    assert isinstance(change, Changed)
    return changed_status(change, watched.rules, By("monitor", 7, now, wall))


def test_a_down_bounds_the_moment_of_the_fault_by_last_echo_and_detection(down: Watched) -> None:
    status = last_status(down)

    assert (status.not_before, status.not_after) == (at("00.000"), at("02.000"))
    assert status.since == status.at == at("02.000")
    assert status.evidence["monitor"] == "monitor" and status.epoch == 7
    assert status.incident and status.instances.live == 0


def test_a_down_of_a_service_never_heard_has_no_earliest_moment() -> None:
    watched = Watched()
    watched(1.0, ping(1))
    watched.run(1.0, 2.0)

    assert (last_status(watched).not_before, last_status(watched).not_after) == (None, at("02.000"))


def test_a_bounce_bounds_it_to_milliseconds(up: Watched) -> None:
    up(4.0, ping(5), echo(5))
    up.bounce(4.1, consumers=1)

    status = last_status(up)
    assert (status.not_before, status.not_after) == (at("04.000"), at("04.101"))
    assert (status.detected_by, status.instances.lost) == ("bounce", "one")


def test_what_is_not_down_bounds_nothing(up: Watched, pair: Watched) -> None:
    pair(1.5, redelivered("p2", 2))
    for watched in (up, pair):
        assert (last_status(watched).not_before, last_status(watched).not_after) == (None, None)


def test_a_survivors_report_counts_and_names(pair: Watched) -> None:
    pair(1.5, redelivered("p2", 2))

    instances = last_status(pair).instances
    assert (instances.live, instances.expected, instances.lost) == (1, PAIR.replicas, "one")


def test_the_incident_is_on_the_status_that_ends_it(down: Watched) -> None:
    incident = last_status(down).incident
    down(3.0, ping(4), echo(4, instance="two"))

    assert last_status(down).incident == incident


def test_the_bounds_stay_in_order_though_it_echoed_since(down: Watched) -> None:
    """One echo of a known instance ends no DOWN, and is no fault's earliest moment either."""
    down(3.0, ping(4), echo(4))
    repeated = repeated_status(down.row, down.rules, By("monitor", 7, 3.5, wall))
    down(4.0, NoQueue())

    for status in (repeated, last_status(down)):
        assert status.not_before is not None and status.not_after is not None
        assert status.not_before <= status.not_after


def test_a_repeat_says_the_state_as_it_is_and_since_when(down: Watched) -> None:
    status = repeated_status(down.row, down.rules, By("monitor", 7, 9.0, wall))

    assert status.previous is status.state and status.detected_by == "repeat"
    assert (status.since, status.at, status.not_after) == (at("02.000"), at("09.000"), at("02.000"))


def test_a_board_shows_one_service_stale_that_cannot_be_seen_and_all_of_a_blind_monitor() -> None:
    driven = both_up()
    driven.watch.unseen("a", "its node is down", 1.0)
    shown = board(driven.watch, By("monitor", 7, 1.1, wall))
    assert {row.service: row.stale for row in shown.rows} == {"a": True, "b": False}

    driven.watch.publishers_blocked("low on memory", 1.2)
    shown = board(driven.watch, By("monitor", 7, 1.3, wall))
    assert all(row.stale for row in shown.rows) and shown.blind
    assert shown.leads
