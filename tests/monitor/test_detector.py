"""The detector's table, row by row, and its rules of silence: with a clock that the test holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from orquestador_plugins.monitor.detector import judge
from orquestador_plugins.monitor.evidence import (
    Changed,
    Effect,
    Evidence,
    Goodbye,
    Heard,
    Hello,
    NoQueue,
    Pinged,
    Probe,
    Tick,
)
from orquestador_plugins.monitor.row import Row, Rules

from orquestador.events import Health, State

RULES = Rules()
SEES_ALL = Tick(own=1_000_000)


class Watched:
    """One service under the detector, told what happens at which second."""

    def __init__(self, rules: Rules = RULES, *, judged: bool = True) -> None:
        self.rules = rules
        self.row = replace(Row("payments", 0.0), judged=judged)
        self.effects: list[tuple[float, Effect]] = []

    def __call__(self, now: float, *evidence: Evidence) -> tuple[Effect, ...]:
        seen: tuple[Effect, ...] = ()
        for each in evidence:
            self.row, effects = judge(self.row, each, now, self.rules)
            self.effects += [(now, effect) for effect in effects]
            seen += effects
        return seen

    def run(self, start: float, end: float, step: float = 0.05) -> None:
        """Ticks, as the monitor's beat gives them."""
        now = start
        while now <= end + 1e-9:
            self(round(now, 6), SEES_ALL)
            now += step

    @property
    def state(self) -> tuple[State, str]:
        return self.row.state, self.row.reason

    @property
    def probes(self) -> list[float]:
        return [at for at, effect in self.effects if isinstance(effect, Probe)]

    @property
    def changes(self) -> list[tuple[float, State, str]]:
        return [
            (at, effect.row.state, effect.row.reason)
            for at, effect in self.effects
            if isinstance(effect, Changed)
        ]


def echo(sequence: int, round_trip: float | None = 0.002, instance: str = "one") -> Heard:
    return Heard(instance, ping=f"p{sequence}", sequence=sequence, round_trip=round_trip)


def ping(sequence: int) -> Pinged:
    return Pinged(f"p{sequence}", sequence)


@pytest.fixture
def up() -> Watched:
    """A service that has answered the first round, at second 0."""
    watched = Watched()
    watched(0.0, ping(1), echo(1))
    assert watched.state == (State.UP, "answering")
    return watched


@pytest.fixture
def down(up: Watched) -> Watched:
    up(1.0, ping(2))
    up.run(1.0, 2.0)
    assert up.state == (State.DOWN, "silent")
    return up


# -- the table


def test_an_echo_in_time_makes_an_unknown_service_up() -> None:
    watched = Watched()
    (change,) = watched(0.1, ping(1), echo(1))

    assert isinstance(change, Changed)
    assert (change.previous, change.row.state, change.detected_by) == (
        State.UNKNOWN,
        State.UP,
        "echo",
    )


def test_silence_past_echo_within_is_a_suspicion_and_a_probe_at_once(up: Watched) -> None:
    up(1.0, ping(2))

    assert up(1.49, SEES_ALL) == ()
    change, probe = up(1.5, SEES_ALL)

    assert isinstance(change, Changed) and change.row.state is State.SUSPECT
    assert probe == Probe("payments")


def test_silence_at_its_bound_is_down_with_its_witness_and_bounds(up: Watched) -> None:
    up(1.0, ping(2))
    up.run(1.0, 1.95)
    assert up.state == (State.SUSPECT, "silent")

    (change,) = up(2.0, SEES_ALL)

    assert isinstance(change, Changed)
    assert up.state == (State.DOWN, "silent")
    assert change.row.incident and change.row.last_echo == 0.0
    assert change.evidence["silent_for"] == pytest.approx(1.0)


def test_a_suspect_is_probed_again_each_probe_every(up: Watched) -> None:
    up(1.0, ping(2))
    up.run(1.0, 2.0)

    assert up.probes == pytest.approx([1.5, 1.75], abs=0.051)


def test_a_service_never_heard_of_is_probed_and_then_down_without_suspicion() -> None:
    watched = Watched()
    watched(0.0, ping(1))
    watched.run(0.0, 1.0)

    assert [state for _, state, _ in watched.changes] == [State.DOWN]
    assert watched.probes[0] == pytest.approx(0.5)
    assert watched.row.text == "never answered a ping"


def test_a_suspect_that_answers_is_up_again(up: Watched) -> None:
    up(1.0, ping(2))
    up.run(1.0, 1.6)

    up(1.61, echo(2, round_trip=0.01))

    assert up.state == (State.UP, "answering")


def test_goodbye_of_the_only_instance_is_stopped(up: Watched) -> None:
    (change,) = up(0.5, Goodbye("one"))

    assert isinstance(change, Changed) and change.lost == "one"
    assert up.state == (State.STOPPED, "goodbye")


def test_goodbye_of_one_of_two_leaves_the_service_up(up: Watched) -> None:
    up(1.0, ping(2), echo(2, instance="two"))

    assert up(1.1, Goodbye("one")) == ()
    assert up.state == (State.UP, "answering")


def test_an_echo_after_its_goodbye_counts_for_nothing(up: Watched) -> None:
    up(0.5, Goodbye("one"))

    assert up(0.6, echo(1)) == ()
    assert up.state == (State.STOPPED, "goodbye")


def test_a_new_instance_ends_stopped_and_down_at_once(down: Watched) -> None:
    down(3.0, ping(4), echo(4, instance="two"))
    assert down.state == (State.UP, "answering")

    down(3.5, Goodbye("two"))
    down(4.0, ping(5), echo(5, instance="three"))
    assert down.state == (State.UP, "answering")


def test_a_known_instance_is_up_after_up_after_echoes_and_probed_meanwhile(down: Watched) -> None:
    (probe,) = down(3.0, ping(4), echo(4))
    assert isinstance(probe, Probe)
    assert down.state == (State.DOWN, "silent")

    down(3.05, ping(4), echo(4))
    assert down.state == (State.UP, "answering")


def test_no_queue_is_down_not_provisioned_from_any_state(up: Watched, down: Watched) -> None:
    for watched in (Watched(), up, down):
        watched(5.0, NoQueue())
        assert watched.state == (State.DOWN, "not provisioned")


@pytest.mark.parametrize("health", [Health.DEGRADED, Health.FAILING])
def test_an_instance_that_is_not_well_makes_the_service_degraded(
    up: Watched, health: Health
) -> None:
    up(1.0, ping(2), replace(echo(2), health=health, details={"error": "no database"}))

    assert up.state == (State.DEGRADED, health.value)
    assert "no database" in up.row.text


def test_replicas_that_disagree_change_nothing_a_round(up: Watched) -> None:
    for sequence in range(2, 12):
        ill = replace(echo(sequence, instance="two"), health=Health.FAILING)
        up(float(sequence), ping(sequence), echo(sequence), ill)

    assert [state for _, state, _ in up.changes] == [State.UP, State.DEGRADED]


def test_fewer_replicas_than_declared_is_degraded_but_only_after_the_bound() -> None:
    watched = Watched(replace(RULES, replicas=2))
    watched(0.0, ping(1), echo(1))
    assert watched.state[0] is State.UNKNOWN  # the other may be about to answer

    watched(1.0, ping(2), echo(2))
    assert (watched.state, watched.row.text) == ((State.DEGRADED, "replicas"), "1 of 2")

    watched(2.0, ping(3), echo(3), echo(3, instance="two"))
    assert watched.state == (State.UP, "answering")


# -- hello, probing


def test_a_hello_changes_no_state_and_asks_for_probes_at_once(down: Watched) -> None:
    assert down(3.0, Hello("two")) == (Probe("payments", 1),)
    assert down.state == (State.DOWN, "silent")


def test_a_hello_is_probed_on_until_the_service_is_up_at_most_eight_times(down: Watched) -> None:
    already = len(down.probes)
    down(3.0, Hello("two"))
    down.run(3.05, 8.0)
    assert len(down.probes) - already == 8

    down(8.1, Hello("three"), ping(9))
    down(8.2, echo(9, round_trip=0.1, instance="three"))
    asked = len(down.probes)
    down.run(8.25, 8.6)
    assert len(down.probes) == asked


def test_pings_that_waited_in_the_queue_for_a_restart_make_nobody_slow(down: Watched) -> None:
    down(5.0, Hello("two"))
    for sequence, sent in ((2, 1.0), (3, 2.0), (4, 3.0)):
        down(5.01, echo(sequence, round_trip=5.01 - sent, instance="two"))
    assert down.state == (State.DOWN, "silent")

    down(5.02, ping(5), echo(5, round_trip=0.01, instance="two"))
    assert down.state == (State.UP, "answering")


# -- lateness


def late(sequence: int, instance: str = "one") -> Heard:
    return echo(sequence, round_trip=0.6, instance=instance)


def test_down_after_late_echoes_in_a_row_are_slow_and_as_many_in_time_end_it(up: Watched) -> None:
    for sequence in (2, 3):
        up(float(sequence), ping(sequence))
        up(sequence + 0.6, late(sequence))
        assert up.state[0] is State.UP
    up(4.0, ping(4))
    up(4.6, late(4))
    assert up.state == (State.DEGRADED, "slow")

    for sequence in (5, 6):
        up(float(sequence), ping(sequence), echo(sequence))
        assert up.state == (State.DEGRADED, "slow")
    up(7.0, ping(7), echo(7))
    assert up.state == (State.UP, "answering")


def test_a_slow_service_is_not_suspected_but_probed_and_down_at_the_bound(up: Watched) -> None:
    for sequence in (2, 3, 4):
        up(float(sequence), ping(sequence))
        up(sequence + 0.6, late(sequence))
    up(5.0, ping(5))
    up.run(5.0, 5.95)
    assert up.state == (State.DEGRADED, "slow")
    assert any(5.4 < at < 5.6 for at in up.probes)

    up.run(6.0, 6.1)
    assert up.state == (State.DOWN, "silent")


def test_an_echo_that_cannot_be_timed_proves_life_but_makes_nobody_up_or_slow(up: Watched) -> None:
    up(1.0, ping(2))
    up.run(1.0, 1.9)
    up(1.95, echo(2, round_trip=None))
    assert up.state == (State.SUSPECT, "silent")

    up.run(2.0, 6.0)
    assert up.state == (State.SUSPECT, "silent")  # nothing has been asked since


# -- what silence may count


def test_silence_does_not_count_while_our_own_ping_of_that_round_is_not_back(up: Watched) -> None:
    up(1.0, ping(2))
    for tenth in range(11, 60):
        up(tenth / 10, Tick(own=1))
    assert up.state == (State.UP, "answering")


def test_silence_does_not_count_before_the_session_has_settled() -> None:
    watched = Watched(judged=False)
    watched(0.0, ping(1))
    watched.run(0.0, 5.0)
    assert watched.state[0] is State.UNKNOWN

    watched.row = watched.row.settled()
    watched(5.0, ping(2))
    watched.run(5.0, 6.0)
    assert watched.state == (State.DOWN, "silent")


def test_a_first_timed_echo_settles_a_service_by_itself() -> None:
    watched = Watched(judged=False)
    watched(0.0, ping(1), echo(1))
    watched(1.0, ping(2))
    watched.run(1.0, 2.0)
    assert watched.state == (State.DOWN, "silent")


def test_an_echo_answers_every_ping_up_to_its_own_round(up: Watched) -> None:
    up(1.0, ping(2))
    up(1.1, ping(3))
    up(1.2, ping(4))
    up(1.3, echo(3))
    assert [asked.sequence for asked in up.row.asked] == [4]
    assert up.row.silent_since == 1.3


def test_the_incident_is_the_same_on_the_change_that_ends_it(down: Watched) -> None:
    incident = down.row.incident
    down(3.0, ping(4), echo(4, instance="two"))
    (_, change) = down.effects[-1]

    assert isinstance(change, Changed)
    assert change.row.incident == incident
    assert down.row.incident is None


def test_a_hung_instance_is_not_live_and_is_forgotten_ten_rounds_later(up: Watched) -> None:
    for sequence in range(2, 30):
        up(float(sequence), ping(sequence), echo(sequence, instance="two"))
        live = [each.word for each in up.row.live(RULES)]
        assert ("one" in live) == (sequence <= 1 + RULES.down_after)
    assert list(up.row.instances) == ["two"]


def test_a_slow_instance_that_is_gone_does_not_keep_the_next_from_being_suspected(
    up: Watched,
) -> None:
    for sequence in (2, 3, 4):
        up(float(sequence), ping(sequence))
        up(sequence + 0.6, late(sequence))
    for sequence in range(5, 10):
        up(float(sequence), ping(sequence), echo(sequence, instance="two"))
    assert up.state == (State.UP, "answering")

    up(10.0, ping(10))
    up(10.55, SEES_ALL)
    assert up.state == (State.SUSPECT, "silent")
