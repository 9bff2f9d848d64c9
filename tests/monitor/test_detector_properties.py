"""What holds of the detector whatever happens, in whatever order (Hypothesis)."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from itertools import accumulate, chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields, replace
from orquestador_plugins.monitor.detector import judge
from orquestador_plugins.monitor.evidence import (
    Bounced,
    Changed,
    Count,
    Counted,
    Evidence,
    Goodbye,
    Heard,
    Hello,
    NoQueue,
    Pinged,
    Sight,
    Tick,
    Unseen,
)
from orquestador_plugins.monitor.row import (
    ASKED_KEPT,
    INSTANCES_KEPT,
    WORDS_KEPT,
    Asked,
    Instance,
    Row,
    Rules,
)

from orquestador.events import Health, State

RULES = st.builds(
    Rules,
    echo_within=st.floats(0.01, 2.0),
    down_after=st.integers(1, 5),
    probe_every=st.floats(0.01, 1.0),
    up_after=st.integers(1, 3),
    replicas=st.integers(1, 3),
    grace=st.sampled_from([0.0, 0.3]),
)
WORDS = st.sampled_from(["one", "two", "three"])
SEQUENCES = st.integers(1, 30)
IN_TIME = Heard("one", ping="p", sequence=1, round_trip=0.0)
ASKED: st.SearchStrategy[list[Evidence]] = st.one_of(
    st.integers(0, 2).map(lambda consumers: [Bounced(), Counted(consumers)]),
    st.just([Tick(99)]),
    st.just([Unseen("its node is down")]),
)
EVIDENCE: st.SearchStrategy[Evidence] = st.one_of(
    st.builds(lambda s: Pinged(f"p{s}", s), SEQUENCES),
    st.builds(
        Heard,
        instance=WORDS,
        health=st.sampled_from(Health),
        ping=st.just("p"),
        sequence=st.none() | SEQUENCES,
        round_trip=st.none() | st.floats(0, 5),
        redelivered=st.booleans(),
    ),
    st.builds(Hello, WORDS),
    st.builds(Goodbye, WORDS),
    st.just(Bounced()),
    st.builds(Counted, st.integers(0, 3)),
    st.just(NoQueue()),
    st.just(Unseen("its node is down")),
    st.builds(Tick, st.integers(0, 40)),
)
HISTORY = st.lists(st.tuples(st.floats(0, 1.0), EVIDENCE), max_size=60)


Moment = tuple[float, Evidence]


def moments(history: list[Moment]) -> list[Moment]:
    """Each with the time since the start instead of since the one before."""
    return list(
        zip(accumulate(passed for passed, _ in history), (e for _, e in history), strict=True)
    )


def replay(
    rules: Rules, history: list[Moment], *, judged: bool = True
) -> tuple[Row, list[tuple[float, Evidence, Changed]]]:
    return go_on(replace(Row("s", 0.0), judged=judged), rules, moments(history))


def go_on(
    row: Row, rules: Rules, history: list[Moment]
) -> tuple[Row, list[tuple[float, Evidence, Changed]]]:
    changes = []
    for now, seen in history:
        row, effects = judge(row, seen, now, rules)
        changes += [(now, seen, effect) for effect in effects if isinstance(effect, Changed)]
    return row, changes


@given(RULES, HISTORY)
def test_judging_leaves_the_row_that_it_is_given_as_it_was(
    rules: Rules, history: list[Moment]
) -> None:
    row = replace(Row("s", 0.0), judged=True)
    for now, seen in moments(history):
        before = replace(row, instances=dict(row.instances))
        after, _ = judge(row, seen, now, rules)
        assert row == before and list(row.instances) == list(before.instances)
        row = after


def test_rows_instances_and_pings_are_frozen() -> None:
    instance = Instance("one", 0.0, 1)
    for frozen in (Row("s", 0.0), instance, Asked(1, 0.0, "p"), Rules()):
        name = fields(frozen)[0].name
        with pytest.raises(AttributeError):
            setattr(frozen, name, "other")


@given(RULES, HISTORY, st.integers(0, 60), HISTORY)
def test_the_state_is_a_function_of_the_evidence(
    rules: Rules, history: list[Moment], half: int, other: list[Moment]
) -> None:
    """Nothing is remembered but in the row: not between two halves, nor of another service."""
    whole = replay(rules, history)
    row, first = go_on(replace(Row("s", 0.0), judged=True), rules, moments(history)[:half])
    replay(rules, other)
    row, second = go_on(deepcopy(row), rules, moments(history)[half:])

    assert (row, [*first, *second]) == whole


@given(RULES, HISTORY)
def test_every_down_has_its_witness_and_its_incident(rules: Rules, history: list[Moment]) -> None:
    _, changes = replay(rules, history)
    witnesses = {Tick: "silence", NoQueue: "returned", Counted: "bounce"}
    for _, seen, change in changes:
        if change.row.state is State.DOWN:
            assert witnesses[type(seen)] == change.detected_by
            assert change.row.incident


@given(RULES, HISTORY)
def test_a_service_that_cannot_be_seen_is_neither_down_nor_suspect(
    rules: Rules, history: list[Moment]
) -> None:
    """What ends its blindness may judge it in the same moment: `no queue` alone does."""
    row = replace(Row("s", 0.0), judged=True)
    for now, seen in moments(history):
        before = row
        row, effects = judge(row, seen, now, rules)
        if before.unseen is not None and row.unseen is not None:
            worse = (State.DOWN, State.SUSPECT)
            assert not [e for e in effects if isinstance(e, Changed) and e.row.state in worse]


@given(RULES, HISTORY)
def test_blindness_for_one_service_is_said_once_and_ended_once(
    rules: Rules, history: list[Moment]
) -> None:
    row, blind = replace(Row("s", 0.0), judged=True), False
    for now, seen in moments(history):
        row, effects = judge(row, seen, now, rules)
        for sight in (each for each in effects if isinstance(each, Sight)):
            assert blind is (sight.blind is None)
            blind = sight.blind is not None
        assert blind is (row.unseen is not None)


@given(RULES, HISTORY)
def test_one_question_is_under_way_at_most(rules: Rules, history: list[Moment]) -> None:
    row = replace(Row("s", 0.0), judged=True)
    for now, seen in moments(history):
        asked = row.counting is not None and not isinstance(seen, Counted)
        row, effects = judge(row, seen, now, rules)
        assert sum(isinstance(each, Count) for each in effects) <= (0 if asked else 1)


@given(st.lists(ASKED, max_size=12))
def test_a_service_that_cannot_be_seen_is_always_asked_for_again(
    answers: list[list[Evidence]],
) -> None:
    rules, row = Rules(grace=0.3), replace(Row("s", 0.0), judged=True)
    row, _ = judge(row, IN_TIME, 0.0, rules)
    for number, seen in enumerate(chain.from_iterable(answers), 1):
        row, _ = judge(row, seen, number / 10, rules)
        assert row.unseen is None or row.counting is not None or row.next_count is not None


@given(RULES, HISTORY)
def test_a_change_is_one_of_state_and_reason_and_changes_follow_one_another(
    rules: Rules, history: list[Moment]
) -> None:
    row, changes = replay(rules, history)
    state, reason = State.UNKNOWN, "not heard"
    for _, _, change in changes:
        assert change.previous is state
        assert (change.row.state, change.row.reason) != (state, reason)
        state, reason = change.row.state, change.row.reason
    assert (row.state, row.reason) == (state, reason)


@given(RULES, HISTORY)
def test_nobody_is_called_down_by_silence_before_the_session_has_settled(
    rules: Rules, history: list[Moment]
) -> None:
    unheard = [(p, e) for p, e in history if not isinstance(e, Heard)]
    _, changes = replay(rules, unheard, judged=False)
    assert all(change.row.reason != "silent" for _, _, change in changes)


def flood(of: Callable[[int], Evidence], more_than: int) -> st.SearchStrategy[list[Evidence]]:
    """So many in a row that what is kept of each must be let go of."""
    return st.integers(0, 300).flatmap(
        lambda first: st.integers(more_than + 1, more_than + 50).map(
            lambda count: [of(number) for number in range(first, first + count)]
        )
    )


FLOODS = st.one_of(
    flood(lambda n: Pinged(f"p{n}", n + 1), ASKED_KEPT),
    flood(lambda n: Heard(f"i{n}", ping="p", round_trip=0.0), max(WORDS_KEPT, INSTANCES_KEPT)),
    flood(lambda n: Heard(f"i{n}", ping="p", round_trip=None), INSTANCES_KEPT),
    flood(lambda n: Hello(f"i{n}"), WORDS_KEPT),
    flood(lambda n: Goodbye(f"i{n}"), WORDS_KEPT),
    EVIDENCE.map(lambda seen: [seen]),
)


@given(RULES, st.lists(FLOODS, min_size=1, max_size=6))
def test_memory_is_bounded(rules: Rules, floods: list[list[Evidence]]) -> None:
    row = replace(Row("s", 0.0), judged=True)
    for now, seen in enumerate(chain.from_iterable(floods)):
        row, _ = judge(row, seen, now / 1000, rules)
        assert len(row.asked) <= ASKED_KEPT and len(row.instances) <= INSTANCES_KEPT
        assert len(row.words) <= WORDS_KEPT and len(row.parted) <= WORDS_KEPT


@given(rules=RULES, silent_from=st.floats(0.0, 3.0), every=st.floats(0.1, 2.0))
@settings(max_examples=200)
def test_a_silent_service_is_down_within_the_bound(
    rules: Rules, silent_from: float, every: float
) -> None:
    """The period and the bound, and the beat that looks; every echo before the fault is in time."""
    rules, beat = replace(rules, replicas=1), 0.01
    row, now, sequence, next_round = replace(Row("s", 0.0), judged=True), 0.0, 0, 0.0
    # One beat for each of: silence noticed, its probe sent, its time over.
    bound = every + max(rules.bound, 2 * rules.echo_within) + 4 * beat
    while now <= silent_from + bound:
        if now >= next_round:
            sequence, next_round = sequence + 1, next_round + every
            row, _ = judge(row, Pinged(f"p{sequence}", sequence), now, rules)
            if now < silent_from:
                heard = Heard("one", ping=f"p{sequence}", sequence=sequence, round_trip=0.0)
                row, _ = judge(row, heard, now, rules)
        row, _ = judge(row, Tick(sequence), now, rules)
        if row.state is State.DOWN:
            break
        now += beat
    assert row.state is State.DOWN


@given(rules=RULES, delays=st.lists(st.floats(0.0, 0.99), min_size=5, max_size=30))
def test_a_service_whose_echoes_are_all_in_time_is_up_from_the_first_on(
    rules: Rules, delays: list[float]
) -> None:
    rules = replace(rules, replicas=1)
    row, changes = replace(Row("s", 0.0), judged=True), []
    for sequence, share in enumerate(delays, 1):
        sent, trip = sequence * 2.5, share * rules.echo_within
        for at, seen in (
            (sent, Pinged(f"p{sequence}", sequence)),
            (sent + trip, Tick(sequence)),
            (sent + trip, Heard("one", ping="p", sequence=sequence, round_trip=trip)),
            (sent + 2.49, Tick(sequence)),
        ):
            row, effects = judge(row, seen, at, rules)
            changes += [effect.row.state for effect in effects if isinstance(effect, Changed)]
    assert changes == [State.UP]


@given(
    order=st.lists(st.permutations(["ok", "ill"]), min_size=3, max_size=20),
    share=st.floats(0.0, 0.99),
)
def test_replicas_that_disagree_cause_no_change_a_round(
    order: list[list[str]], share: float
) -> None:
    rules = Rules(replicas=2)
    row, states = replace(Row("s", 0.0), judged=True), []
    for sequence, words in enumerate(order, 1):
        now = float(sequence)
        row, _ = judge(row, Pinged(f"p{sequence}", sequence), now, rules)
        for word in words:
            health = Health.OK if word == "ok" else Health.FAILING
            now += share * rules.echo_within / 2
            trip = now - sequence
            row, effects = judge(row, Heard(word, health, "p", sequence, trip), now, rules)
            states += [effect.row.state for effect in effects if isinstance(effect, Changed)]
    assert states == [State.DEGRADED]


@given(st.lists(st.tuples(WORDS, SEQUENCES), min_size=1, max_size=20), RULES, RULES)
def test_the_incident_is_the_same_from_two_monitors_that_read_the_same_echoes(
    echoes: list[tuple[str, int]], ours: Rules, theirs: Rules
) -> None:
    """Whatever they asked themselves, when, and however patient each is."""
    incidents = set()
    for start, rules in ((0.0, ours), (1000.0, theirs)):
        row = replace(Row("s", start), judged=True)
        for number, (word, ping) in enumerate(echoes):
            heard = Heard(word, ping=f"p{ping}", sequence=ping if start else None)
            row, _ = judge(row, heard, start + number, rules)
        row, _ = judge(row, Pinged(f"own{start}", 99), start + 30, rules)
        for tick in range(200):
            row, _ = judge(row, Tick(99), start + 30 + tick / 10, rules)
        assert row.state is State.DOWN
        incidents.add(row.incident)
    assert len(incidents) == 1
