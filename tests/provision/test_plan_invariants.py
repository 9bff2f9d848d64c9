"""Whatever is found on a broker, a plan gives up nothing that it was not told to give up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orquestador.provision import planning
from orquestador.provision.found import Found, Snapshot, Status
from orquestador.provision.plan import CHANGES, Action, Wishes
from orquestador.provision.records import Record, Section
from orquestador.topology.model import Binding, Exchange, Queue
from orquestador.topology.things import Id, Kind, link
from tests.provision.cases import (
    TTL,
    exchange,
    queue,
    topology,
)

LETTERS = st.sampled_from("abc")
FOUND = st.builds(
    Found,
    st.sampled_from(Status),
    st.just((TTL,)),
    st.sampled_from((None, "classic", "quorum", "stream")),
    st.integers(0, 3),
    st.integers(0, 2),
)
QUEUES = st.builds(
    Queue,
    LETTERS,
    disposable=st.booleans(),
    retain=st.booleans(),
    bindings=st.lists(st.builds(Binding, LETTERS, LETTERS), max_size=2, unique_by=str).map(tuple),
)
EXCHANGES = st.builds(Exchange, LETTERS, owned=st.booleans())
IDS = st.builds(Id, st.sampled_from((Kind.EXCHANGE, Kind.QUEUE)), LETTERS)
LINKS = st.builds(link, LETTERS, st.just(Kind.QUEUE), LETTERS, LETTERS, st.just({}))
RECORDS = st.builds(Record, st.just(""), st.booleans(), st.booleans(), st.booleans())
SECTIONS = st.none() | st.dictionaries(IDS | LINKS, RECORDS, max_size=6).map(Section)
SNAPSHOTS = st.builds(
    Snapshot,
    st.dictionaries(IDS, FOUND),
    st.none() | st.frozensets(LINKS, max_size=4),
    st.frozensets(LETTERS, max_size=1),
)


@given(
    st.lists(QUEUES, max_size=3, unique_by=lambda each: each.name),
    st.lists(EXCHANGES, max_size=3, unique_by=lambda each: each.name),
    SNAPSHOTS,
    SECTIONS,
    st.builds(Wishes, st.booleans(), st.booleans(), st.booleans()),
    st.booleans(),
)
def test_whatever_is_found_nothing_is_lost_that_was_not_given_up(
    queues: list[Queue],
    exchanges: list[Exchange],
    snapshot: Snapshot,
    section: Section | None,
    wishes: Wishes,
    force: bool,
) -> None:
    wanted = topology(*exchanges, *queues)
    plan = planning.make(wanted, snapshot, section, wishes)
    end = planning.removal(wanted, snapshot, section, with_messages=force)

    for each in (plan, end):
        assert len({step.id for step in each.steps}) == len(each.steps)
    ids = {exchange(name) for name in wanted.exchanges} | {queue(name) for name in wanted.queues}
    assert ids | {each.id for each in wanted.links} <= {step.id for step in plan.steps}
    allowed = {Action.RECREATE: wishes.recreate, Action.MIGRATE: wishes.migrate}
    for each_step in (*plan.steps, *end.steps):
        found, thing = each_step.found, each_step.thing
        removes = each_step.action in (Action.REMOVE, Action.RECREATE)
        if each_step.action in CHANGES and each_step in plan.steps:
            assert allowed.get(each_step.action, True)
            assert each_step.action is not Action.REMOVE or wishes.prune
        if removes and isinstance(thing, Exchange):
            assert thing.owned
        if removes and each_step.id.kind is Kind.QUEUE and found and not force:
            assert not found.consumers
            record = (section or Section()).records.get(each_step.id, Record())
            disposable = thing.disposable if isinstance(thing, Queue) else record.disposable
            assert disposable or not found.messages
