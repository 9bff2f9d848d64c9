"""What a plan says to do about what the file wants: every row of it, without a broker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from orquestador.provision import planning
from orquestador.provision.found import UNASKED, Found, Snapshot, Status
from orquestador.provision.plan import Action, Plan, Wishes
from orquestador.provision.records import Record, Section
from orquestador.topology.model import Absent, Binding, Exchange, Queue
from orquestador.topology.things import Id, Kind, Link, link
from tests.provision.cases import (
    ABSENT,
    PRESENT,
    SAME,
    differs,
    exchange,
    planned,
    queue,
    recorded,
    step,
    topology,
)

ORDERS = Exchange("orders", "topic", line=3)
WORK = Queue("work", arguments={"x-message-ttl": 30_000}, line=14)
QUORUM = Queue("work", arguments={"x-queue-type": "quorum", "x-message-ttl": 30_000}, line=14)
BOUND = replace(WORK, bindings=(Binding("orders", "order.*"),))
BINDING = link("orders", Kind.QUEUE, "work", "order.*", {})


# -- exchanges and queues


@pytest.mark.parametrize(
    ("found", "action"),
    [(ABSENT, Action.CREATE), (SAME, Action.KEEP), (differs(), Action.CONFLICT)],
)
@pytest.mark.parametrize("thing", [ORDERS, WORK])
def test_what_is_absent_is_created_what_is_the_same_kept_what_differs_left_alone(
    thing: Exchange | Queue, found: Found, action: Action
) -> None:
    id = (queue if isinstance(thing, Queue) else exchange)(thing.name)

    planned_step = step(planned(topology(thing), {id: found}), id)

    assert (planned_step.action, planned_step.thing, planned_step.found) == (action, thing, found)


@pytest.mark.parametrize(
    ("file", "found", "wishes", "action", "reason"),
    [
        # -- nothing asked for: nothing replaced
        (WORK, differs(), {}, Action.CONFLICT, ""),
        (WORK, differs(5, 2), {}, Action.CONFLICT, ""),
        # -- --recreate: empty and unused only
        (WORK, differs(), {"recreate"}, Action.RECREATE, ""),
        (WORK, differs(5), {"recreate"}, Action.CONFLICT, "not recreated: it holds 5 messages: "),
        (WORK, differs(0, 1), {"recreate"}, Action.CONFLICT, "not recreated: stop its 1 consumer"),
        (replace(WORK, disposable=True), differs(5), {"recreate"}, Action.RECREATE,
         "drops 5 messages, all disposable"),
        (replace(WORK, disposable=True), differs(5, 1), {"recreate"}, Action.CONFLICT, "not recr"),
        (QUORUM, differs(type="quorum"), {"recreate"}, Action.RECREATE, "not atomic on a quorum"),
        (QUORUM, differs(type="classic"), {"recreate"}, Action.RECREATE, ""),
        (WORK, differs(type="stream"), {"recreate"}, Action.RECREATE, "not atomic on a stream"),
        # -- --migrate: unused, and its messages fit
        (WORK, differs(5), {"migrate"}, Action.MIGRATE, "moves 5 messages"),
        (WORK, differs(), {"migrate"}, Action.MIGRATE, "moves 0 messages"),
        (WORK, differs(5, 3), {"migrate"}, Action.CONFLICT, "not migrated: stop its 3 consumers"),
        (Queue("work", arguments={"x-max-length": 4}), differs(5), {"migrate"}, Action.CONFLICT,
         "not migrated: it would drop 1 of its 5 messages, for max_length is 4"),
        (Queue("work", arguments={"x-max-length": 5}), differs(5), {"migrate"}, Action.MIGRATE, ""),
        (WORK, differs(5, type="stream"), {"migrate"}, Action.CONFLICT, "of a stream cannot be"),
        # -- both: each where it fits
        (WORK, differs(), {"recreate", "migrate"}, Action.RECREATE, ""),
        (WORK, differs(5), {"recreate", "migrate"}, Action.MIGRATE, ""),
        (WORK, differs(0, 1), {"recreate", "migrate"}, Action.CONFLICT, "first; not migrated: "),
    ],
)  # fmt: skip
def test_a_queue_that_differs_is_replaced_only_if_asked_and_only_where_nothing_is_lost(
    file: Queue, found: Found, wishes: set[str], action: Action, reason: str
) -> None:
    plan = planned(
        topology(file),
        {queue("work"): found},
        recreate="recreate" in wishes,
        migrate="migrate" in wishes,
    )

    assert step(plan, queue("work")).action is action
    assert reason in step(plan, queue("work")).reason
    assert bool(step(plan, queue("work")).reason) == bool(reason) or action is Action.MIGRATE


@pytest.mark.parametrize(
    ("file", "found", "recreate", "action"),
    [
        (ORDERS, differs(), False, Action.CONFLICT),
        (ORDERS, differs(), True, Action.RECREATE),
        (replace(ORDERS, owned=False), SAME, True, Action.KEEP),
        (replace(ORDERS, owned=False), PRESENT, True, Action.KEEP),
        (replace(ORDERS, owned=False), ABSENT, True, Action.CONFLICT),
        (replace(ORDERS, owned=False), differs(), True, Action.CONFLICT),
    ],
)
def test_an_exchange_is_made_anew_only_if_asked_and_never_one_of_somebody_else(
    file: Exchange, found: Found, recreate: bool, action: Action
) -> None:
    plan = planned(topology(file), {exchange("orders"): found}, recreate=recreate)

    assert step(plan, exchange("orders")).action is action
    if not file.owned and action is Action.CONFLICT:
        assert "owned: false" in step(plan, exchange("orders")).reason
        assert "owner" in [each.name for each in step(plan, exchange("orders")).remedies]


@pytest.mark.parametrize("status", UNASKED)
@pytest.mark.parametrize("thing", [ORDERS, WORK])
def test_what_could_not_be_asked_is_unknown_whatever_is_wished(
    thing: Exchange | Queue, status: Status
) -> None:
    id = (queue if isinstance(thing, Queue) else exchange)(thing.name)
    found = Found(status, text="the broker's words")

    plan = planned(topology(thing), {id: found}, recreate=True, migrate=True, prune=True)

    assert step(plan, id).action is Action.UNKNOWN
    assert step(plan, id).reason == "the broker's words"
    assert len(step(plan, id).remedies) == 1


def test_what_was_not_asked_at_all_is_unknown() -> None:
    plan = planning.make(topology(WORK), Snapshot(), None, Wishes())

    assert step(plan, queue("work")).action is Action.UNKNOWN


@pytest.mark.parametrize("found", [ABSENT, SAME, differs(5)])
def test_a_migration_that_was_begun_is_a_conflict_until_it_is_ended(found: Found) -> None:
    def plan(migrate: bool) -> Plan:
        things = {queue("work"): found}
        return planned(topology(WORK), things, migrating=["work"], migrate=migrate)

    assert step(plan(False), queue("work")).action is Action.CONFLICT
    assert step(plan(False), queue("work")).reason == "a migration of it was begun and not ended"
    assert "ends it" in step(plan(False), queue("work")).remedies[0].text
    assert step(plan(True), queue("work")).action is Action.MIGRATE


def test_a_queue_for_which_the_vhost_has_no_room_is_a_conflict() -> None:
    full = Found(Status.ABSENT, text="PRECONDITION_FAILED - cannot declare queue 'work' in vhost")

    plan = planned(topology(ORDERS, BOUND), {queue("work"): full})

    assert step(plan, queue("work")).action is Action.CONFLICT
    assert step(plan, queue("work")).reason == full.text
    assert step(plan, BINDING).action is Action.UNKNOWN


def test_exclusive_queues_of_processes_are_no_part_of_a_plan() -> None:
    template = Queue("echoes.{unique}", durable=False, exclusive=True)

    assert planned(topology(template)).steps == ()


# -- bindings


@pytest.mark.parametrize(
    ("section", "listed", "action"),
    [
        (None, None, Action.ASSURE),
        (Section(), None, Action.CREATE),
        (recorded(BINDING), None, Action.KEEP),
        (Section({BINDING: Record(begun=True)}), None, Action.CREATE),
        (None, [BINDING], Action.KEEP),
        (Section(), [BINDING], Action.KEEP),
        (None, [], Action.CREATE),
        (recorded(BINDING), [], Action.CREATE),
    ],
)
def test_a_binding_is_there_if_a_listing_or_a_record_says_so(
    section: Section | None, listed: Iterable[Link] | None, action: Action
) -> None:
    plan = planned(topology(ORDERS, BOUND), section=section, links=listed)

    assert (step(plan, BINDING).action, step(plan, BINDING).thing) == (action, BINDING)


@pytest.mark.parametrize("made", [exchange("orders"), queue("work")])
@pytest.mark.parametrize("section", [None, recorded(BINDING)])
def test_a_binding_of_what_is_created_is_created_too(made: Id, section: Section | None) -> None:
    plan = planned(topology(ORDERS, BOUND), {made: ABSENT}, section)

    assert step(plan, BINDING).action is Action.CREATE


@pytest.mark.parametrize(
    ("file", "found", "reason"),
    [
        (ORDERS, {queue("work"): Found(Status.REFUSED)}, "queue work is unknown"),
        (ORDERS, {exchange("orders"): Found(Status.UNKNOWN)}, "exchange orders is unknown"),
        (replace(ORDERS, owned=False), {exchange("orders"): ABSENT}, "exchange orders is not"),
    ],
)
def test_a_binding_whose_end_cannot_be_had_is_unknown(
    file: Exchange, found: dict[Id, Found], reason: str
) -> None:
    plan = planned(topology(file, BOUND), found, recorded(BINDING))

    assert step(plan, BINDING).action is Action.UNKNOWN
    assert step(plan, BINDING).reason.startswith(reason)


def test_a_binding_to_what_differs_is_planned_all_the_same() -> None:
    plan = planned(topology(ORDERS, BOUND), {queue("work"): differs()}, Section())

    assert step(plan, BINDING).action is Action.CREATE


def test_a_binding_from_the_brokers_own_exchange_needs_no_declaration_of_it() -> None:
    own = replace(WORK, bindings=(Binding("amq.topic", "k"),))
    plan = planned(topology(own), section=Section())

    assert step(plan, link("amq.topic", Kind.QUEUE, "work", "k", {})).action is Action.CREATE


def test_exchanges_are_bound_to_exchanges_likewise() -> None:
    audit = Exchange("audit", "fanout", bindings=(Binding("orders", "#"),))
    between = link("orders", Kind.EXCHANGE, "audit", "#", {})
    plan = planned(topology(ORDERS, audit), {exchange("audit"): ABSENT}, recorded(between))

    assert step(plan, between).action is Action.CREATE


def test_bindings_that_nobody_can_see_are_counted_in_a_note_and_pend_nothing() -> None:
    plan = planned(topology(ORDERS, BOUND))

    assert plan.pending == 0
    assert len(plan.notes) == 1
    assert plan.notes[0].startswith("1 binding (?)")


def test_listed_bindings_of_somebody_else_are_named_and_stay() -> None:
    theirs = link("amq.topic", Kind.QUEUE, "work", "theirs", {})
    elsewhere = link("amq.topic", Kind.QUEUE, "not ours", "k", {})
    plan = planned(topology(ORDERS, BOUND), links=[BINDING, theirs, elsewhere])

    assert plan.pending == 0
    assert plan.notes == (
        "not in the file, somebody else's, and left alone: 1 binding: amq.topic -> work (theirs)",
    )


# -- what comes back with what is made anew


def test_a_replaced_queue_gets_back_the_bindings_of_file_record_and_listing() -> None:
    by_hand, foreign = (link("orders", Kind.QUEUE, "work", key, {}) for key in ("hand", "foreign"))
    other = link("orders", Kind.QUEUE, "other", "k", {})
    wanted, found = topology(ORDERS, BOUND), {queue("work"): differs()}

    unlisted = planned(wanted, found, recorded(BINDING, by_hand), migrate=True)
    listed = planned(wanted, found, recorded(by_hand), [foreign, other], recreate=True)

    assert step(unlisted, queue("work")).links == (by_hand, BINDING)
    assert step(listed, queue("work")).links == (foreign, by_hand, BINDING)


def test_a_replaced_exchange_gets_back_its_bindings_in_both_directions() -> None:
    source = Exchange("source", "topic")
    orders = replace(ORDERS, bindings=(Binding("source", "#"),))
    incoming = link("source", Kind.EXCHANGE, "orders", "#", {})
    plan = planned(topology(source, orders, BOUND), {exchange("orders"): differs()}, recreate=True)

    assert set(step(plan, exchange("orders")).links) == {incoming, BINDING}


def test_what_is_pruned_or_must_be_absent_does_not_come_back() -> None:
    dropped, tombstone = (link("orders", Kind.QUEUE, "work", key, {}) for key in ("old", "dead"))
    wanted = topology(ORDERS, BOUND, absent=Absent(links=(tombstone,)))
    known = recorded(BINDING, dropped, tombstone)

    def back(prune: bool) -> set[Link]:
        plan = planned(wanted, {queue("work"): differs()}, known, recreate=True, prune=prune)
        return set(step(plan, queue("work")).links)

    assert back(prune=False) == {BINDING, dropped}
    assert back(prune=True) == {BINDING}


def test_a_run_after_a_killed_one_brings_back_what_only_the_record_knows() -> None:
    dropped = link("orders", Kind.QUEUE, "work", "old", {})
    known = Section(
        {queue("work"): Record("classic", begun=True), BINDING: Record(), dropped: Record()}
    )
    found = {queue("work"): ABSENT}

    anew = planned(topology(ORDERS, BOUND), found, known)
    moving = planned(topology(ORDERS, BOUND), found, known, migrating=["work"], migrate=True)

    assert step(anew, queue("work")).action is Action.RECREATE
    assert step(moving, queue("work")).action is Action.MIGRATE
    for plan in (anew, moving):
        assert set(step(plan, queue("work")).links) == {BINDING, dropped}
        assert dropped not in plan.vanished


def test_a_listed_binding_of_the_temporary_queue_comes_back_to_its_queue() -> None:
    theirs = link("amq.topic", Kind.QUEUE, "work.migrating", "theirs", {})
    own = link("work.migrating", Kind.QUEUE, "work.migrating", "", {})
    found = {queue("work"): ABSENT}
    plan = planned(
        topology(ORDERS, BOUND), found, None, [theirs, own], migrating=["work"], migrate=True
    )

    back = {(each.source, each.destination) for each in step(plan, queue("work")).links}
    assert back == {("orders", "work"), ("amq.topic", "work")}


def test_bindings_of_a_queue_that_was_being_made_anew_are_not_in_step() -> None:
    known = Section({queue("work"): Record("classic", begun=True), BINDING: Record()})

    plan = planned(topology(ORDERS, BOUND), section=known)

    assert step(plan, BINDING).action is Action.CREATE


@pytest.mark.parametrize(("listed", "notes"), [(None, 1), ([BINDING], 0)])
def test_that_unknown_bindings_are_lost_is_noted(listed: Iterable[Link] | None, notes: int) -> None:
    found = {queue("work"): differs()}
    plan = planned(topology(ORDERS, BOUND), found, Section(), listed, recreate=True)

    assert len([note for note in plan.notes if "others are lost" in note]) == notes


def test_a_binding_of_a_queue_that_a_begun_migration_has_away_comes_back_with_it() -> None:
    found = {queue("work"): ABSENT}
    plan = planned(topology(ORDERS, BOUND), found, Section(), migrating=["work"], migrate=True)

    assert step(plan, BINDING).action is Action.KEEP
    assert step(plan, queue("work")).links == (BINDING,)
