"""What a plan takes away: what the file has dropped, and all of it for `destroy`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from orquestador.provision import planning
from orquestador.provision.found import Found, Snapshot, Status
from orquestador.provision.plan import Action, Plan
from orquestador.provision.records import Record, Section
from orquestador.topology.model import Absent, Binding, Exchange, Queue
from orquestador.topology.things import Id, Kind, Link, link
from tests.provision.cases import (
    ABSENT,
    PRESENT,
    SAME,
    actions,
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
BOUND = replace(WORK, bindings=(Binding("orders", "order.*"),))
BINDING = link("orders", Kind.QUEUE, "work", "order.*", {})
OLD = link("orders", Kind.QUEUE, "old", "k", {})


@pytest.mark.parametrize(
    ("found", "record", "prune", "action", "reason"),
    [
        (PRESENT, Record("classic"), False, Action.HELD, "no longer in the file"),
        (PRESENT, Record("classic"), True, Action.REMOVE, "no longer in the file"),
        (PRESENT, Record("classic", begun=True), True, Action.REMOVE, "no longer in the file"),
        (PRESENT, Record("quorum"), True, Action.REMOVE, "not atomic on a quorum queue"),
        (Found(Status.PRESENT, messages=5), Record(), False, Action.HELD, "it holds 5 messages"),
        (Found(Status.PRESENT, messages=1), Record(), True, Action.HELD, "it holds 1 message"),
        (Found(Status.PRESENT, consumers=2), Record(), True, Action.HELD, "it has 2 consumers"),
        (Found(Status.PRESENT, messages=5, consumers=1), Record(), True, Action.HELD,
         "it holds 5 messages and has 1 consumer"),
        (Found(Status.PRESENT, messages=5), Record(disposable=True), True, Action.REMOVE, ""),
        (Found(Status.PRESENT, messages=5), Record(disposable=True), False, Action.HELD, ""),
        (Found(Status.PRESENT, messages=5, consumers=1), Record(disposable=True), True, Action.HELD,
         "it has 1 consumer"),
        (Found(Status.REFUSED, text="no"), Record(), True, Action.UNKNOWN, "no"),
        (Found(Status.LOCKED, text="no"), Record(), True, Action.UNKNOWN, "no"),
    ],
)  # fmt: skip
def test_a_queue_that_the_file_has_dropped_goes_if_asked_and_if_nobody_misses_it(
    found: Found, record: Record, prune: bool, action: Action, reason: str
) -> None:
    plan = planned(topology(), {queue("old"): found}, recorded(old=record), prune=prune)

    assert step(plan, queue("old")).action is action
    assert reason in step(plan, queue("old")).reason
    assert step(plan, queue("old")).disposable == (record.disposable and action is Action.REMOVE)
    if action is Action.HELD:
        (remedy,) = step(plan, queue("old")).remedies
        assert remedy.text.endswith("apply --prune removes it")


def test_what_is_recorded_and_gone_from_the_broker_is_forgotten() -> None:
    found = {queue("old"): ABSENT, exchange("gone"): ABSENT, exchange("orders"): SAME}
    plan = planned(topology(), found, recorded(queue("old"), exchange("gone"), OLD), prune=True)

    assert plan.steps == ()
    assert set(plan.vanished) == {queue("old"), exchange("gone"), OLD}


def test_bindings_go_first_then_queues_then_exchanges() -> None:
    found = {queue("old"): PRESENT, exchange("gone"): PRESENT, exchange("orders"): PRESENT}
    known = recorded(exchange("gone"), queue("old"), OLD, exchange("orders"))

    plan = planned(topology(), found, known, prune=True)

    assert [each.id.kind for each in plan.steps] == ["binding", "queue", "exchange", "exchange"]
    assert set(actions(plan).values()) == {Action.REMOVE}


def test_a_dropped_binding_is_undone_even_of_a_queue_that_is_held() -> None:
    """Else the queue would never be drained."""
    found = {queue("old"): Found(Status.PRESENT, messages=5)}
    known = recorded(queue("old"), OLD)

    assert actions(planned(topology(ORDERS), found, known)) == {
        "orders": Action.KEEP, str(OLD): Action.HELD, "old": Action.HELD,
    }  # fmt: skip
    assert actions(planned(topology(ORDERS), found, known, prune=True)) == {
        "orders": Action.KEEP, str(OLD): Action.REMOVE, "old": Action.HELD,
    }  # fmt: skip


def test_an_exchange_with_bindings_of_others_is_held() -> None:
    """Its own leftover binding goes; the listing shows another one."""
    foreign = link("gone", Kind.QUEUE, "theirs", "k", {})
    own = link("gone", Kind.QUEUE, "old", "k", {})
    found = {exchange("gone"): PRESENT, queue("old"): PRESENT}
    known = recorded(exchange("gone"), own)

    plan = planned(topology(), found, known, [foreign, own], prune=True)

    assert step(plan, own).action is Action.REMOVE
    assert step(plan, exchange("gone")).action is Action.HELD
    assert "still bound to it: theirs" in step(plan, exchange("gone")).reason


def test_a_binding_that_the_listing_lacks_is_forgotten() -> None:
    plan = planned(topology(ORDERS), {queue("old"): PRESENT}, recorded(OLD), [], prune=True)

    assert plan.vanished == (OLD,)
    assert actions(plan) == {"orders": Action.KEEP}


@pytest.mark.parametrize("found", [None, PRESENT])
def test_a_retained_queue_stays_whatever_is_wished(found: Found | None) -> None:
    known = Section({queue("old"): Record("classic", retain=True), OLD: Record()})
    things = {} if found is None else {queue("old"): found}

    plan = planned(topology(ORDERS), things, known, prune=True)

    assert actions(plan) == {"orders": Action.KEEP, "old": Action.KEEP}
    assert "on_remove: retain" in step(plan, queue("old")).reason


def test_tombstones_go_like_leftovers_even_where_nothing_was_applied() -> None:
    dead = Absent(("gone",), ("old",), (OLD,))
    found = {exchange("gone"): PRESENT, queue("old"): PRESENT}

    held = planned(topology(ORDERS, absent=dead), found, links=[OLD])
    pruned = planned(topology(ORDERS, absent=dead), found, links=[OLD], prune=True)
    done = planned(topology(ORDERS, absent=dead), {exchange("gone"): ABSENT, queue("old"): ABSENT})

    named = ("orders", str(OLD), "old", "gone")
    assert tuple(actions(held).items())[1:] == tuple((name, Action.HELD) for name in named[1:])
    assert tuple(actions(pruned).items())[1:] == tuple((name, Action.REMOVE) for name in named[1:])
    assert all(step.reason == "under absent:" for step in pruned.steps[1:])
    assert (actions(done), done.notes) == ({"orders": Action.KEEP}, ())


@pytest.mark.parametrize("prune", [False, True])
def test_a_tombstone_of_a_binding_that_nobody_can_see_pends_nothing(prune: bool) -> None:
    wanted = topology(ORDERS, absent=Absent(links=(OLD,)))

    plan = planned(wanted, {queue("old"): PRESENT}, Section(), prune=prune)

    assert plan.pending == 0
    assert [each.action for each in plan.steps[1:]] == ([Action.CLEAR] if prune else [])
    assert len(plan.notes) == (0 if prune else 1)


def test_what_has_to_be_asked_for_beside_the_file() -> None:
    wanted = topology(ORDERS, absent=Absent(("gone",), ("tomb",), (BINDING,)))
    known = Section({
        queue("old"): Record(), exchange("orders"): Record(), OLD: Record(),
        queue("kept"): Record(retain=True), link("amq.topic", Kind.QUEUE, "q", "", {}): Record(),
    })  # fmt: skip

    assert set(planning.asked(wanted, known)) == {
        exchange("gone"), queue("tomb"), queue("work"), queue("old"), queue("kept"), queue("q"),
    }  # fmt: skip
    assert set(planning.asked(topology(ORDERS), None)) == set()


# -- destroy


def destroyed(
    *things: Exchange | Queue,
    found: dict[Id, Found] | None = None,
    section: Section | None = None,
    links: Iterable[Link] | None = None,
    force: bool = False,
    migrating: Iterable[str] = (),
) -> Plan:
    wanted = topology(*things)
    all_found = {
        **{exchange(name): SAME for name in wanted.exchanges},
        **{queue(name): SAME for name in wanted.queues},
        **(found or {}),
    }
    known = None if links is None else frozenset(links)
    snapshot = Snapshot(all_found, known, frozenset(migrating))
    return planning.removal(wanted, snapshot, section, with_messages=force)


FULL = Found(Status.SAME, type="classic", messages=5)
USED = Found(Status.SAME, type="classic", consumers=1)


def test_destroy_removes_what_the_file_owns_and_the_broker_has() -> None:
    plan = destroyed(
        ORDERS, Exchange("absent"), Exchange("theirs", owned=False), BOUND,
        found={exchange("absent"): ABSENT, queue("old"): PRESENT},
        section=recorded(queue("old"), queue("work"), exchange("absent")),
    )  # fmt: skip

    assert actions(plan) == dict.fromkeys((str(BINDING), "old", "work", "orders"), Action.REMOVE)
    assert [each.id.kind for each in plan.steps] == ["binding", "queue", "queue", "exchange"]
    assert plan.vanished == (exchange("absent"),)


@pytest.mark.parametrize(
    ("file", "found", "force", "action"),
    [
        (BOUND, FULL, False, Action.HELD),
        (BOUND, FULL, True, Action.REMOVE),
        (BOUND, USED, False, Action.HELD),
        (BOUND, USED, True, Action.REMOVE),
        (replace(BOUND, disposable=True), FULL, False, Action.REMOVE),
        (replace(BOUND, disposable=True), USED, False, Action.HELD),
        (replace(BOUND, retain=True), SAME, True, Action.KEEP),
        (BOUND, Found(Status.REFUSED), True, Action.UNKNOWN),
        (BOUND, differs(), True, Action.HELD),
    ],
)
def test_a_queue_that_stays_keeps_its_bindings_and_their_exchanges(
    file: Queue, found: Found, force: bool, action: Action
) -> None:
    plan = destroyed(ORDERS, file, found={queue("work"): found}, force=force)

    assert step(plan, queue("work")).action is action
    assert step(plan, queue("work")).force == (force and action is Action.REMOVE)
    if action is Action.REMOVE:
        assert set(actions(plan).values()) == {Action.REMOVE}
        assert step(plan, queue("work")).disposable == file.disposable
    else:
        assert step(plan, BINDING).action is Action.HELD
        assert step(plan, exchange("orders")).action is Action.HELD
        assert "still bound to it: work" in step(plan, exchange("orders")).reason


@pytest.mark.parametrize("found", [SAME, ABSENT, differs()])
def test_a_queue_amid_a_migration_is_neither_destroyed_nor_forgotten(found: Found) -> None:
    """Its messages are in the queue beside it, of which nothing else would speak again."""
    known = Section({queue("work"): Record("classic", begun=True), BINDING: Record()})
    there = {queue("work"): found}

    plans = [
        destroyed(ORDERS, BOUND, found=there, section=known, force=True, migrating=["work"]),
        planned(topology(ORDERS), there, known, migrating=["work"], prune=True),
    ]

    for plan in plans:
        assert step(plan, queue("work")).action is Action.HELD
        assert "migration" in step(plan, queue("work")).reason
        assert queue("work") not in plan.vanished


def test_a_namesake_that_was_not_made_from_here_is_not_destroyed() -> None:
    found = {queue("work"): differs(), exchange("orders"): differs()}

    foreign = destroyed(ORDERS, WORK, found=found, force=True)
    own = destroyed(ORDERS, WORK, found=found, section=recorded(queue("work"), exchange("orders")))

    assert set(actions(foreign).values()) == {Action.HELD}
    assert set(actions(own).values()) == {Action.REMOVE}


def test_an_exchange_with_bindings_of_others_is_not_destroyed() -> None:
    foreign = link("orders", Kind.QUEUE, "theirs", "k", {})

    plan = destroyed(ORDERS, BOUND, links=[foreign, BINDING])

    assert actions(plan) == {
        str(BINDING): Action.REMOVE, "work": Action.REMOVE, "orders": Action.HELD,
    }  # fmt: skip


def test_what_was_retained_is_retained_by_destroy_too() -> None:
    known = Section({queue("old"): Record("classic", retain=True), OLD: Record()})

    plan = destroyed(ORDERS, found={queue("old"): FULL}, section=known, force=True)

    assert step(plan, queue("old")).action is Action.KEEP
    assert step(plan, OLD).action is Action.HELD  # not declared anew by a command that removes
    assert step(plan, exchange("orders")).action is Action.HELD
