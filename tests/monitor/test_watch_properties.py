"""What holds of a watch whatever happens to services, broker and monitor (Hypothesis).

Drawn are stories: what goes wrong when in a small world whose truth is known; see `stories.py`.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from orquestador_plugins.monitor.row import Rules

from orquestador.events import Health, State

from .simulated import BEAT, Monitor
from .stories import (
    EVERY,
    LATE,
    MANY,
    OF_SERVICES,
    OF_THE_WATCHING,
    RULES,
    STEADY,
    TARGET,
    Story,
    happens,
    stories,
    watched,
)
from .world import QUICK, TOO_LATE, WIRE

UNNOTICED = 0.25 + BEAT  # seconds that a monitor may stand still without doubting itself
WITNESSES = ("bounce", "silence", "returned")
SLACK = 1e-6
HASTY = st.builds(Rules, echo_within=st.just(0.1), probe_every=st.just(0.1))


def truth(monitor: Monitor, service: str) -> set[State]:
    """What a monitor may say of a service whose processes have been as they are for long."""
    answering = [p for p in monitor.world.queues[service].processes if p.answers]
    if not answering:
        return {State.DOWN, State.STOPPED}
    whole = len(answering) >= monitor.rules[service].replicas
    fine = all(p.health is Health.OK and p.trip < TOO_LATE for p in answering)
    return {State.UP} if whole and fine else {State.DEGRADED}


@given(RULES, EVERY, stories(OF_SERVICES, OF_THE_WATCHING))
@MANY
def test_no_down_without_a_witness_and_none_while_blind(
    rules: Rules, every: float, story: Story
) -> None:
    monitor = watched(rules, every)
    happens(monitor, story)
    for service, queue in monitor.world.queues.items():
        for seen in monitor.down(service):
            change, at = seen.change, seen.at
            assert change.detected_by in WITNESSES and change.evidence and change.row.incident
            assert not seen.blind and change.row.unseen is None
            if change.detected_by == "bounce":
                assert queue.nobody.within(at - UNNOTICED, at)
            elif change.detected_by == "returned":
                assert queue.missing.within(change.row.since - UNNOTICED, at)
            else:
                bound = monitor.rules[service].bound
                assert queue.unwell.within(at - bound - every - UNNOTICED, at)
                assert not [h for h in monitor.heard[service] if at - bound + SLACK < h < at]


@given(RULES | HASTY, EVERY, stories(OF_SERVICES, OF_THE_WATCHING))
@MANY
def test_a_service_that_is_well_is_never_down_whatever_happens_to_the_watching(
    rules: Rules, every: float, story: Story
) -> None:
    monitor = watched(rules, every)
    happens(monitor, story)

    assert monitor.down(STEADY) == []


@given(RULES, EVERY, stories(OF_SERVICES))
@MANY
def test_a_service_that_is_well_is_never_suspect_for_longer_than_one_probe(
    rules: Rules, every: float, story: Story
) -> None:
    monitor = watched(rules, every)
    happens(monitor, story)
    mine = [seen for seen in monitor.changes if seen.row.service == STEADY]
    longest = rules.probe_every + QUICK + 4 * WIRE + BEAT
    for seen, after in pairwise(mine):
        assert seen.row.state is State.UP or after.at - seen.at <= longest
    assert monitor.watch.rows[STEADY].state is State.UP


@given(RULES, EVERY, stories(OF_SERVICES, OF_THE_WATCHING))
@MANY
def test_in_the_end_every_service_is_said_to_be_as_it_is(
    rules: Rules, every: float, story: Story
) -> None:
    monitor = watched(rules, every)
    happens(monitor, story)
    assert monitor.watch.doubt.blind is None
    for service, row in monitor.watch.rows.items():
        assert row.unseen is None or not monitor.world.queues[service].exists
        assert row.state in truth(monitor, service)


@given(
    rules=st.builds(Rules, down_after=st.integers(1, 5), probe_every=st.floats(0.1, 1.0)),
    every=EVERY,
    passed=st.floats(0.0, 3.0),
)
@MANY
def test_a_silent_service_is_down_within_the_period_and_the_bound(
    rules: Rules, every: float, passed: float
) -> None:
    monitor = watched(rules, every)
    world = monitor.world
    world.run(world.clock.now + passed)
    world.freeze(world.queues[TARGET].processes[0])
    fault = world.clock.now
    world.run(fault + every + max(rules.bound, 2 * rules.echo_within) + 2 * BEAT + QUICK)

    assert monitor.watch.rows[TARGET].state is State.DOWN
    assert [seen.change.detected_by for seen in monitor.down(TARGET)] == ["silence"]


@given(every=EVERY, passed=st.floats(0.0, 3.0))
@MANY
def test_a_service_that_is_killed_is_down_in_milliseconds_whatever_the_period(
    every: float, passed: float
) -> None:
    monitor = watched(Rules(), every)
    world = monitor.world
    world.run(world.clock.now + passed)
    world.kill(TARGET, world.queues[TARGET].processes[0])
    world.run(world.clock.now + 6 * WIRE)

    assert [seen.change.detected_by for seen in monitor.down(TARGET)] == ["bounce"]


@given(rules=RULES, every=EVERY, trips=st.lists(LATE, min_size=40, max_size=40))
@MANY
def test_a_slow_service_is_neither_down_nor_flapping_while_it_answers(
    rules: Rules, every: float, trips: list[float]
) -> None:
    monitor = watched(rules, every)
    world = monitor.world
    process = world.queues[TARGET].processes[0]
    for trip in trips:
        process.trip = trip
        world.run(world.clock.now + every)

    states = monitor.states(TARGET)
    assert State.DOWN not in states and states[-1] is State.DEGRADED
    assert states.count(State.DEGRADED) == 1
    assert len(states) <= 2 + 2 * rules.down_after
