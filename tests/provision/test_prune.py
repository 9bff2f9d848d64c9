"""What has to go goes, unless somebody has something on it; no message goes without a word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orquestador.provision.outcome import Outcome, Result, exit_code
from orquestador.provision.plan import Action, Plan, Step
from orquestador.topology.model import Absent, Binding, Exchange, Queue
from orquestador.topology.things import Id, Kind, link
from tests.broker_layer.looping import on_a_loop
from tests.broker_layer.witness import Witness
from tests.provision.carrying_out import Place
from tests.provision.cases import topology

pytestmark = pytest.mark.broker

ORDERS = Exchange("orders", "topic")
WORK = Queue("work", bindings=(Binding("orders", "order.*"),))
FULL, EMPTY = topology(ORDERS, WORK), topology(Exchange("rest"))
TYPES = pytest.mark.parametrize("kind", ["classic", "quorum"])


@pytest.fixture
def place(url: str, tmp_path: Path) -> Place:
    return Place(url, tmp_path)


async def pruned(place: Place, meanwhile: Callable[[], object]) -> Outcome:
    """What became of `work`, where something happens between plan and apply."""
    async with await place.crew() as crew:
        plan = await place.plan(crew, EMPTY, prune=True)
        meanwhile()
        outcomes = await place.carry_out(crew, plan, EMPTY)
    assert (exit_code(outcomes) == 0) is (outcomes.of("work").result is Result.REMOVED)
    return outcomes.of("work")


def of(kind: str) -> Queue:
    return replace(WORK, arguments={"x-queue-type": kind} if kind != "classic" else {})


@TYPES
@on_a_loop
async def test_what_the_file_has_dropped_goes_and_is_forgotten(
    place: Place, witness: Witness, kind: str
) -> None:
    await place.apply(topology(ORDERS, of(kind)))

    outcomes = await place.apply(EMPTY, prune=True)

    removed = [each.name for each in outcomes if each.result is Result.REMOVED]
    assert removed == ["orders -> work (order.*)", "work", "orders"]
    assert not witness.exists("work") and not witness.has_exchange("orders")
    assert place.section is not None
    assert [str(thing) for thing in place.section.records] == [str(Id(Kind.EXCHANGE, "rest"))]


@on_a_loop
async def test_without_the_wish_it_is_left(place: Place, witness: Witness) -> None:
    await place.apply(FULL)

    outcomes = await place.apply(EMPTY)

    assert outcomes.of("work").result is Result.LEFT
    assert witness.exists("work") and exit_code(outcomes) == 0


@TYPES
@on_a_loop
async def test_a_queue_that_gets_a_message_after_the_plan_is_not_removed(
    place: Place, witness: Witness, kind: str
) -> None:
    await place.apply(topology(ORDERS, of(kind)))

    outcome = await pruned(place, lambda: witness.put("", "work", b"late"))

    assert (outcome.result, outcome.text) == (Result.NOT_REMOVED, "it holds 1 message")
    assert witness.wait_for("work").body == b"late"


@TYPES
@on_a_loop
async def test_a_queue_that_gets_a_consumer_after_the_plan_is_not_removed(
    place: Place, witness: Witness, kind: str
) -> None:
    await place.apply(topology(ORDERS, of(kind)))

    with witness.channel() as channel:
        outcome = await pruned(place, lambda: channel.basic_consume("work", lambda *_: None))

    assert (outcome.result, outcome.text) == (Result.NOT_REMOVED, "it has 1 consumer")


@pytest.mark.only_rabbitmq("the embedded broker's streams are classic queues")
@on_a_loop
async def test_a_stream_put_in_its_place_does_not_go_for_the_classic_queue_it_was(
    place: Place, witness: Witness
) -> None:
    await place.apply(FULL)

    def change() -> None:
        witness.delete("work")
        witness.declare("work", **{"x-queue-type": "stream"})
        witness.put("", "work", b"late")

    outcome = await pruned(place, change)

    assert (outcome.result, outcome.text) == (Result.NOT_REMOVED, "it holds 1 message")


@on_a_loop
async def test_messages_of_a_disposable_queue_go_with_it_and_are_counted(
    place: Place, witness: Witness
) -> None:
    await place.apply(topology(ORDERS, replace(WORK, disposable=True)))

    outcome = await pruned(place, lambda: witness.put("", "work", b"nobody's loss"))

    assert (outcome.result, outcome.text) == (Result.REMOVED, "1 message went with it")


@on_a_loop
async def test_one_that_somebody_else_removed_is_forgotten(place: Place, witness: Witness) -> None:
    await place.apply(FULL)

    outcome = await pruned(place, lambda: witness.delete("work"))

    assert (outcome.result, outcome.text) == (Result.REMOVED, "it was gone already")


@on_a_loop
async def test_an_exchange_with_somebody_elses_bindings_is_not_removed(
    place: Place, witness: Witness
) -> None:
    await place.apply(FULL)
    witness.declare("theirs")
    witness.bind("theirs", "orders")

    outcomes = await place.apply(EMPTY, prune=True)

    assert outcomes.of("orders").result is Result.NOT_REMOVED
    assert "not this file's" in outcomes.of("orders").text
    assert outcomes.of("work").result is Result.REMOVED
    assert exit_code(outcomes) == 3


@TYPES
@on_a_loop
async def test_by_force_it_goes_whatever_is_on_it_and_that_is_counted(
    place: Place, witness: Witness, kind: str
) -> None:
    await place.apply(topology(ORDERS, of(kind)))
    witness.put("", "work", b"one")
    steps = (Id(Kind.QUEUE, "work"), Id(Kind.EXCHANGE, "orders"))
    plan = Plan(tuple(Step(Action.REMOVE, id, force=True) for id in steps))

    with witness.channel() as channel:
        channel.basic_qos(prefetch_count=1)
        channel.queue_declare("theirs", exclusive=True)
        channel.queue_bind("theirs", "orders", "#")
        channel.basic_consume("theirs", lambda *_: None)
        async with await place.crew() as crew:
            outcomes = await place.carry_out(crew, plan, EMPTY)

    assert [each.result for each in outcomes] == [Result.REMOVED, Result.REMOVED]
    assert outcomes.of("work").text == "1 message went with it"


@on_a_loop
async def test_a_binding_that_must_be_absent_is_undone(place: Place, witness: Witness) -> None:
    await place.apply(topology(ORDERS, replace(WORK, bindings=())))
    witness.bind("work", "orders", "rumour")
    gone = Absent(links=(link("orders", Kind.QUEUE, "work", "rumour", {}),))

    outcomes = await place.apply(
        replace(topology(ORDERS, replace(WORK, bindings=())), absent=gone), prune=True
    )

    assert outcomes.of("orders -> work (rumour)").result is Result.UNBOUND
    witness.put("orders", "rumour", b"")
    assert witness.messages("work") == 0
