"""What a person is told to do about what differs: where to write what, what applies now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orquestador.provision.found import Difference, Found, Status
from orquestador.provision.plan import Plan, Remedy
from orquestador.topology.model import Exchange, Queue, Service
from orquestador.topology.things import Id
from tests.provision.cases import (
    TTL,
    differs,
    exchange,
    planned,
    queue,
    step,
    topology,
)

ORDERS = Exchange("orders", "topic", line=3)
WORK = Queue("work", arguments={"x-message-ttl": 30_000}, line=14)
QUORUM = Queue("work", arguments={"x-queue-type": "quorum", "x-message-ttl": 30_000}, line=14)


def remedies(plan: Plan, thing: Id) -> dict[str, Remedy]:
    return {each.name: each for each in step(plan, thing).remedies}


def conflict(file: Exchange | Queue, found: Found) -> dict[str, Remedy]:
    id = (queue if isinstance(file, Queue) else exchange)(file.name)
    return remedies(planned(topology(file), {id: found}), id)


@pytest.mark.parametrize(
    ("difference", "change"),
    [
        (TTL, "write message_ttl: 1m"),
        (Difference("x-message-ttl", 1_500, 30_000), "write message_ttl: 1.5s"),
        (Difference("x-expires", 7_200_000, None), "write expires: 2h"),
        (Difference("x-message-ttl", None, 30_000), "remove message_ttl (there, or in defaults)"),
        (Difference("x-max-length", 10, 5), "write max_length: 10"),
        (Difference("x-overflow", "reject-publish", None), "write overflow: reject-publish"),
        (Difference("x-single-active-consumer", True, None), "write single_active: true"),
        (Difference("x-single-active-consumer", False, None), "no file can say single_active: fa"),
        (Difference("x-queue-type", "quorum", None), "write type: quorum"),
        (Difference("x-queue-type", None, "quorum"), "write type: classic"),
        (Difference("auto_delete", True, False), "write auto_delete: true"),
        (Difference("durable", False, True), "no file can say durable: false"),
        (Difference("x-queue-mode", "lazy", None), "write arguments: {x-queue-mode: lazy}"),
        (Difference("x-queue-mode", None, "lazy"), "remove x-queue-mode from arguments"),
        (Difference("x-dead-letter-exchange", "dlx", None), "write dead_letter: {exchange: dlx}, "
         "declare exchange dlx"),
        (Difference("x-dead-letter-exchange", "amq.fanout", None), "write dead_letter: {exchange: "
         "amq.fanout}"),
        (Difference("x-dead-letter-exchange", "", None), "write dead_letter: {exchange: ''}"),
        (Difference("x-dead-letter-exchange", None, "dlx"), "remove dead_letter"),
        (Difference("x-dead-letter-routing-key", "k", None), "without an exchange"),
        (Difference("x-queue-type", "classic", "quorum"), "write type: classic"),
        (Difference("x-max-length", None, 5, known=False), "write max_length as the broker has it"),
    ],
)  # fmt: skip
def test_to_adopt_what_the_broker_has_the_line_is_named_and_what_to_write_there(
    difference: Difference, change: str
) -> None:
    adopt = conflict(WORK, differs(0, 0, "classic", difference))["adopt"]

    assert change in adopt.text
    assert adopt.text.startswith("topology.yaml:14: ") == adopt.now


def test_all_that_differs_is_written_at_once() -> None:
    letter = {"x-dead-letter-exchange": "dead", "x-dead-letter-routing-key": "k"}
    file = replace(WORK, arguments=letter)
    found = differs(0, 0, "classic", TTL, Difference("x-dead-letter-routing-key", "other", "k"))

    assert conflict(file, found)["adopt"].text == (
        "topology.yaml:14: write message_ttl: 1m and dead_letter: {exchange: dead, key: other}, "
        "declare exchange dead"
    )


def test_names_in_the_file_have_no_prefix_and_what_lacks_it_cannot_be_named() -> None:
    work = replace(WORK, name="dev.work")

    def adopt(name: str) -> str:
        found = differs(0, 0, "classic", Difference("x-dead-letter-exchange", name, None))
        plan = planned(topology(work, prefix="dev."), {queue("dev.work"): found})
        return remedies(plan, queue("dev.work"))["adopt"].text

    assert "write dead_letter: {exchange: dead}, declare exchange dead" in adopt("dev.dead")
    assert adopt("dead").startswith("no file can say dead_letter.exchange: dead, which lacks the")


def test_an_exchange_is_adopted_by_its_own_keys() -> None:
    found = differs(
        0, 0, "classic",
        Difference("type", "fanout", "topic"),
        Difference("alternate-exchange", "spare", None),
        Difference("internal", True, False),
    )  # fmt: skip

    assert conflict(ORDERS, found)["adopt"].text == (
        "topology.yaml:3: write type: fanout and internal: true and alternate: spare, "
        "declare exchange spare"
    )


def test_of_a_roles_queue_is_said_which_others_that_line_makes() -> None:
    others = [replace(WORK, name=f"work.{letter}") for letter in "abcde"]
    plan = planned(topology(WORK, *others), {queue("work"): differs()})

    assert remedies(plan, queue("work"))["adopt"].text.endswith(
        "write message_ttl: 1m (that entry makes work.a, work.b, work.c and 2 more, too)"
    )


@pytest.mark.parametrize("differences", [(), (TTL,)])
def test_where_a_broker_tells_less_the_remedy_says_so(differences: tuple[Difference, ...]) -> None:
    found = Found(Status.DIFFERS, differences, complete=False)

    said = conflict(WORK, found)["adopt"]

    assert ("may not have told all" in said.text) == bool(differences)
    assert ("does not say what differs" in said.text) != bool(differences)


@pytest.mark.parametrize(
    ("file", "found", "now", "text"),
    [
        (WORK, differs(), {"migrate", "recreate"}, "apply --recreate: it is empty and unused"),
        (WORK, differs(5), {"migrate"}, "apply --migrate moves its 5 messages: some may be there"),
        (WORK, differs(5), {"migrate"}, "apply --recreate, but it holds 5 messages"),
        (WORK, differs(5, 2), set(), "apply --migrate, but stop its 2 consumers first"),
        (replace(WORK, disposable=True), differs(5), {"migrate", "recreate"},
         "apply --recreate: drops 5 messages, all disposable"),
        (QUORUM, differs(type="quorum"), {"migrate", "recreate"}, "unused; not atomic on a quorum"),
    ],
)  # fmt: skip
def test_each_remedy_says_whether_it_applies_now(
    file: Queue, found: Found, now: set[str], text: str
) -> None:
    offered = conflict(file, found)

    assert list(offered) == ["adopt", "rename", "migrate", "recreate"]
    assert {name for name, each in offered.items() if each.now} == {"adopt", "rename", *now}
    assert any(text in each.text for each in offered.values())


def test_a_name_that_the_protocol_fixes_is_not_to_be_changed() -> None:
    ping, events = Queue("ping.a"), Exchange("events", "topic")
    found = {queue("ping.a"): differs(), exchange("events"): differs()}
    services = {"a": Service("a", "mock", ("ping.a",))}
    plan = planned(topology(ping, events, services=services), found)

    assert "rename" not in remedies(plan, queue("ping.a"))
    assert "rename" not in remedies(plan, exchange("events"))


def test_to_rename_says_what_becomes_of_the_old_one() -> None:
    plan = planned(
        topology(replace(WORK, name="dev.work"), prefix="dev."), {queue("dev.work"): differs()}
    )

    assert remedies(plan, queue("dev.work"))["rename"].text == (
        "topology.yaml:14: give it another name, bindings and all; "
        "once consumers have drained work, list that under absent:"
    )
