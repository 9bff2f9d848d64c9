"""A plan as a person reads it, and as a program does."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orquestador.provision.found import Difference, Found, Status
from orquestador.provision.plan import Action, Plan
from orquestador.provision.printing import as_json, lines, summary
from orquestador.provision.records import Record, Section
from orquestador.schemas import schema
from orquestador.topology.model import Absent, Binding, Exchange, Queue, Topology
from orquestador.topology.things import Kind, link
from tests.provision.cases import (
    ABSENT,
    PRESENT,
    TTL,
    differs,
    exchange,
    planned,
    queue,
    recorded,
    topology,
)

WHERE = "amqp://guest:***@localhost:5672/"
ORDERS = Exchange("orders", "topic", arguments={"alternate-exchange": "spare"})
WORK = Queue(
    "work",
    arguments={
        "x-message-ttl": 30_000,
        "x-single-active-consumer": True,
        "x-dead-letter-exchange": "dead",
        "x-dead-letter-routing-key": "k",
    },
    bindings=(Binding("orders", "order.*"),),
    line=14,
)
BINDING = link("orders", Kind.QUEUE, "work", "order.*", {})
OLD = link("orders", Kind.QUEUE, "old", "k", {})
WANTED = topology(ORDERS, WORK)


def shown(plan: Plan, wanted: Topology = WANTED, *, all: bool = False) -> list[str]:
    return lines(plan, wanted, WHERE, colour=False, all=all)


def line_of(name: str, plan: Plan) -> str:
    """Of that queue, its columns drawn together."""
    (found,) = (line for line in shown(plan) if line[2:].startswith(f"queue    {name} "))
    return " ".join(found.split())


# -- for a person


def test_what_is_created_is_told_with_its_type_and_what_is_not_usual() -> None:
    plan = planned(WANTED, {exchange("orders"): ABSENT, queue("work"): ABSENT})

    assert shown(plan) == [
        "topology.yaml on amqp://guest:***@localhost:5672/",
        "",
        "+ exchange orders                    topic, alternate spare",
        "+ queue    work                      "
        "classic, message_ttl 30s, single_active, dead_letter dead (k)",
        "+ binding  orders -> work (order.*)",
        "",
        "3 to create",
    ]


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (Exchange("x", "fanout", durable=False, auto_delete=True, internal=True),
         "fanout, transient, auto_delete, internal"),
        (Exchange("x", "x-delayed-message", arguments={"x-delayed-type": "topic"}),
         "x-delayed-message, x-delayed-type topic"),
        (Queue("x", arguments={"x-queue-type": "quorum", "x-max-length": 5}),
         "quorum, max_length 5"),
        (Queue("x", auto_delete=True, arguments={"x-dead-letter-exchange": ""}),
         "classic, auto_delete, dead_letter the default exchange"),
    ],
)  # fmt: skip
def test_a_thing_is_described_by_the_files_own_words(thing: Exchange | Queue, words: str) -> None:
    id = (queue if isinstance(thing, Queue) else exchange)("x")

    assert shown(planned(topology(thing), {id: ABSENT}))[2].split(" x ")[1].strip() == words


def test_under_a_conflict_both_values_stand_side_by_side_in_both_languages() -> None:
    found = differs(
        5, 1, "classic", TTL, Difference("durable", False, True), Difference("x-mine", None, "a")
    )

    text = shown(planned(WANTED, {queue("work"): found}))

    start = text.index("! queue    work                      differs, 5 messages, 1 consumer")
    assert text[start + 1 : start + 4] == [
        "    message_ttl  broker 1m     file 30s   (x-message-ttl 60000 / 30000)",
        "    durable      broker false  file true",
        "    x-mine       broker none   file a",
    ]
    assert [line.split()[0] for line in text[start + 4 : start + 8]] == [
        "adopt", "rename", "migrate", "recreate",
    ]  # fmt: skip


def test_what_the_broker_did_not_tell_is_no_value() -> None:
    found = replace(
        differs(0, 0, "classic", Difference("x-max-length", None, 5, known=False)),
        complete=False,
        text="PRECONDITION_FAILED - inequivalent...",
    )

    text = shown(planned(WANTED, {queue("work"): found}))

    assert "    max_length  broker ?  file 5  (x-max-length none / 5)" in text
    assert "    this broker does not tell all that differs: PRECONDITION_FAILED" in "\n".join(text)


@pytest.mark.parametrize(
    ("found", "wishes", "line"),
    [
        (differs(5), {"migrate": True},
         "~ queue work made anew with its messages; moves 5 messages; 1 binding put back"),
        (differs(), {"recreate": True},
         "~ queue work deleted and made anew; 1 binding put back"),
        (Found(Status.REFUSED, text="ACCESS_REFUSED"), {}, "! queue work ACCESS_REFUSED"),
    ],
)  # fmt: skip
def test_what_will_be_done_and_what_cannot_is_told_on_the_line(
    found: Found, wishes: dict[str, bool], line: str
) -> None:
    plan = planned(
        WANTED,
        {queue("work"): found},
        recreate=wishes.get("recreate", False),
        migrate=wishes.get("migrate", False),
    )

    assert line_of("work", plan) == line


def test_what_is_left_over_says_how_it_goes() -> None:
    known = recorded(OLD, old=Record("classic"), full=Record("classic"))
    found = {
        queue("old"): PRESENT,
        queue("full"): Found(Status.PRESENT, messages=1_200, consumers=2),
    }

    plan = planned(topology(ORDERS), found, known)

    assert line_of("old", plan) == ("- queue old no longer in the file; apply --prune removes it")
    assert line_of("full", plan) == (
        "- queue full no longer in the file; it holds 1,200 messages and has 2 consumers; "
        "stop its 2 consumers, have its 1,200 messages consumed or purged; "
        "then apply --prune removes it"
    )


def test_what_is_in_step_is_shown_only_if_asked() -> None:
    plan = planned(WANTED, section=recorded(BINDING))

    assert shown(plan)[2:] == ["in step: 3 things"]
    assert [line.split()[:2] for line in shown(plan, all=True)[2:5]] == [
        ["exchange", "orders"], ["queue", "work"], ["binding", "orders"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "last"),
    [
        (planned(WANTED, section=recorded(BINDING)), "in step: 3 things"),
        (planned(WANTED), "in step: 2 things; 1 binding unseen"),
        (planned(topology(ORDERS)), "in step: 1 thing"),
        (planned(topology()), "in step: 0 things"),
        (planned(WANTED, {queue("work"): differs()}, Section()),
         "1 to create, 1 conflict, 1 in step"),
        (planned(topology(ORDERS, Queue("a"), Queue("b")),
                 {queue("a"): differs(), queue("b"): differs()}),
         "2 conflicts, 1 in step"),
        (planned(topology(ORDERS), {queue("old"): PRESENT}, recorded(queue("old")), prune=True),
         "1 to remove, 1 in step"),
        (planned(WANTED, {queue("work"): Found(Status.UNKNOWN)}), "2 unknown, 1 in step"),
    ],
)  # fmt: skip
def test_the_summary_counts_each_sort(plan: Plan, last: str) -> None:
    assert summary(plan) == last


def test_notes_come_last() -> None:
    text = shown(planned(WANTED))

    assert text[-2] == "in step: 2 things; 1 binding unseen"
    assert text[-1].startswith("note: 1 binding (?) may be there or not: AMQP lists none")


def test_a_long_plan_stays_a_table() -> None:
    things = [Queue(f"work.{number}") for number in range(1_000)]
    long = Queue("w" * 200)
    found = {queue(each.name): ABSENT for each in (*things, long)}

    text = shown(planned(topology(*things, long), found))

    rows = [line for line in text if line.startswith("+ queue    work")]
    assert len(rows) == 1_000
    assert {line.index("classic") for line in rows} == {len("+ queue    ") + 60 + 2}
    assert f"+ queue    {long.name}  classic" in text
    assert text[-1] == "1,001 to create"


def test_colour_is_there_only_if_asked_and_is_all_that_changes() -> None:
    plan = planned(WANTED, {exchange("orders"): ABSENT, queue("work"): differs(5, 1)})

    plain = lines(plan, WANTED, WHERE, colour=False, all=True)
    coloured = lines(plan, WANTED, WHERE, colour=True, all=True)

    assert "\033" not in "".join(plain)
    assert any(line.startswith("\033[32m+ exchange") for line in coloured)
    assert [re.sub(r"\033\[[0-9;]*m", "", line) for line in coloured] == plain


# -- for a program


def everything() -> tuple[Plan, Topology]:
    """Steps of nearly every kind."""
    full = replace(WORK, name="full", bindings=())
    again = replace(full, name="again")
    names = [replace(full, name=name) for name in ("new", "refused", "moved")]
    wanted = topology(
        ORDERS, WORK, full, again, *names,
        absent=Absent(("gone",), (), (link("orders", Kind.QUEUE, "x", "", {"h": 1}),)),
    )  # fmt: skip
    found = {
        exchange("gone"): PRESENT,
        queue("full"): differs(5, 1),
        queue("again"): differs(),
        queue("new"): ABSENT,
        queue("refused"): Found(Status.REFUSED, text="no"),
        queue("moved"): differs(3),
        queue("old"): Found(Status.PRESENT, messages=5),
        queue("lost"): ABSENT,
    }
    known = recorded(queue("old"), queue("lost"), OLD)
    return planned(wanted, found, known, recreate=True, migrate=True, prune=True), wanted


def test_the_json_is_what_its_schema_says_for_every_kind_of_step() -> None:
    plan, wanted = everything()
    unseen = planned(WANTED)

    for each, about in ((plan, wanted), (unseen, WANTED)):
        Draft202012Validator(schema("plan")).validate(as_json(each, about, WHERE))

    assert {step.action for step in (*plan.steps, *unseen.steps)} == set(Action)


def test_the_json_has_all_that_the_text_has() -> None:
    plan, wanted = everything()

    said = as_json(plan, wanted, WHERE)

    def of(name: str) -> dict[str, Any]:
        (found,) = (step for step in said["steps"] if step["name"] == name)
        return dict(found)

    assert (said["version"], said["topology"], said["broker"]) == (1, "topology.yaml", WHERE)
    assert (said["in_step"], said["pending"]) == (False, plan.pending)
    assert len(said["steps"]) == sum(said["counts"].values()) == len(plan.steps)
    assert of("full")["found"]["differences"] == [
        {"property": "x-message-ttl", "key": "message_ttl",
         "broker": 60_000, "file": 30_000, "known": True},
    ]  # fmt: skip
    assert (of("full")["line"], of("full")["wanted"]["arguments"]) == (14, WORK.arguments)
    assert {each["name"]: each["now"] for each in of("full")["remedies"]} == {
        "adopt": True, "rename": True, "migrate": False, "recreate": False,
    }  # fmt: skip
    assert of(str(OLD))["binding"] == {
        "source": "orders", "destination": "old", "destination_kind": "queue",
        "key": "k", "arguments": {},
    }  # fmt: skip
    assert said["vanished"] == [{"kind": "queue", "name": "lost"}]


def test_bindings_that_nobody_sees_do_not_put_it_out_of_step() -> None:
    said = as_json(planned(WANTED), WANTED, WHERE)

    assert (said["in_step"], said["pending"], said["counts"]["assure"]) == (True, 0, 1)
