"""--recreate: what is empty and unused is made anew, bindings and all; nothing else is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from orquestador.provision import inspecting, planning
from orquestador.provision.outcome import Outcome, Result, exit_code
from orquestador.provision.plan import Wishes
from orquestador.provision.records import id_of
from orquestador.topology.model import Binding, Exchange, Queue, Topology
from orquestador.topology.things import Kind, link
from tests.broker_layer.looping import on_a_loop
from tests.broker_layer.witness import Witness
from tests.provision.carrying_out import Place, killed_at
from tests.provision.cases import topology
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker

ORDERS = Exchange("orders", "topic")
WORK = Queue("work", bindings=(Binding("orders", "order.*"), Binding("orders", "refund.#")))
TYPES = pytest.mark.parametrize("kind", ["classic", "quorum"])


@pytest.fixture
def place(url: str, tmp_path: Path) -> Place:
    return Place(url, tmp_path)


def limited(queue: Queue, limit: int) -> Queue:
    return replace(queue, arguments={**queue.arguments, "x-max-length": limit})


def of(kind: str) -> tuple[Topology, Topology]:
    """As the broker has it, and as the file wants it."""
    had = replace(WORK, arguments={"x-queue-type": kind} if kind != "classic" else {})
    return topology(ORDERS, had), topology(ORDERS, limited(had, 100))


async def recreate(
    place: Place, wanted: Topology, meanwhile: Callable[[], object] = lambda: None
) -> Outcome:
    """What became of `work`, where something happens between plan and apply."""
    async with await place.crew() as crew:
        plan = await place.plan(crew, wanted, recreate=True)
        meanwhile()
        return (await place.carry_out(crew, plan, wanted)).of("work")


async def in_step(place: Place, wanted: Topology) -> bool:
    return set((await place.apply(wanted)).results.values()) == {Result.THERE}


@TYPES
@on_a_loop
async def test_an_empty_queue_is_made_anew_and_its_bindings_come_back(
    place: Place, witness: Witness, kind: str
) -> None:
    had, wanted = of(kind)
    await place.apply(had)

    outcome = await recreate(place, wanted)

    assert (outcome.result, outcome.text) == (Result.RECREATED, "")
    witness.put("orders", "order.new", b"")
    witness.put("orders", "refund.of.two", b"")
    eventually(lambda: witness.messages("work") == 2)
    assert await in_step(place, wanted)


@TYPES
@on_a_loop
async def test_one_that_gets_a_message_after_the_plan_stays_as_it_is(
    place: Place, witness: Witness, kind: str
) -> None:
    had, wanted = of(kind)
    await place.apply(had)

    outcome = await recreate(place, wanted, lambda: witness.put("", "work", b"late"))

    assert outcome.result is Result.CONFLICT
    assert outcome.text.startswith("it holds 1 message; nothing was changed")
    assert witness.wait_for("work").body == b"late"
    assert await in_step(place, had)


@TYPES
@on_a_loop
async def test_one_that_gets_a_consumer_after_the_plan_stays_as_it_is(
    place: Place, witness: Witness, kind: str
) -> None:
    had, wanted = of(kind)
    await place.apply(had)

    with witness.channel() as channel:
        outcome = await recreate(
            place, wanted, lambda: channel.basic_consume("work", lambda *_: None)
        )

    assert outcome.result is Result.CONFLICT and "has 1 consumer" in outcome.text


@pytest.mark.only_rabbitmq("the embedded broker's streams are classic queues")
@on_a_loop
async def test_a_stream_that_seems_empty_is_read_before_it_goes(
    place: Place, witness: Witness
) -> None:
    had = replace(WORK, arguments={"x-queue-type": "stream"})
    sized = replace(had, arguments={**had.arguments, "x-max-length-bytes": 10_000_000})
    wanted = topology(ORDERS, sized)
    await place.apply(topology(ORDERS, had))

    # RabbitMQ counts a stream's messages only every few seconds.
    outcome = await recreate(place, wanted, lambda: witness.put("", "work", b"late"))

    assert outcome.result is Result.CONFLICT and "it holds 1 message" in outcome.text


@on_a_loop
async def test_messages_of_a_disposable_queue_go_with_it_and_are_counted(
    place: Place, witness: Witness
) -> None:
    had, wanted = (topology(ORDERS, replace(queue, disposable=True)) for queue in _works())
    await place.apply(had)
    for _ in range(3):
        witness.put("", "work", b"nobody's loss")

    outcome = await recreate(place, wanted)

    assert outcome.result is Result.RECREATED
    assert outcome.text == "3 messages went with it, all disposable"
    assert witness.messages("work") == 0


def _works() -> tuple[Queue, Queue]:
    return WORK, limited(WORK, 100)


@on_a_loop
async def test_the_second_of_two_machines_finds_it_done(place: Place, witness: Witness) -> None:
    had, wanted = of("classic")
    await place.apply(had)

    def other_machine() -> None:
        witness.delete("work")
        witness.declare("work", **{"x-max-length": 100})
        witness.put("", "work", b"into the new one")

    outcome = await recreate(place, wanted, other_machine)

    assert outcome.result is Result.THERE
    assert witness.wait_for("work").body == b"into the new one"
    witness.put("orders", "order.new", b"")
    assert witness.messages("work") == 1


def test_killed_at_any_moment_it_is_made_and_bound_by_the_next_run(
    place: Place, witness: Witness
) -> None:
    killed, call, shapes = True, 5, of("classic")
    now(place.apply(shapes[0]))
    while killed:
        anew = partial(place.apply, shapes[call % 2], recreate=True)
        call += 1
        killed = killed_at(call, anew)
        now(anew())

        witness.put("orders", "order.new", b"")
        witness.put("orders", "refund.x", b"")
        assert [witness.take("work") is not None for _ in range(3)] == [True, True, False]


def now(work: Awaitable[object]) -> None:
    async def done() -> None:
        await work

    on_a_loop(done)()


# -- exchanges


def exchanges(kind: str) -> Topology:
    inner = Exchange("inner", "fanout", bindings=(Binding("orders", "order.new"),))
    own = replace(ORDERS, type=kind, bindings=(Binding("outer", ""),))
    work = Queue("work", bindings=(Binding("orders", "order.new"), Binding("inner", "")))
    return topology(Exchange("outer", "fanout"), own, inner, work)


@on_a_loop
async def test_an_exchange_is_made_anew_with_all_that_it_was_bound_to(
    place: Place, witness: Witness
) -> None:
    await place.apply(exchanges("topic"))

    outcomes = await place.apply(exchanges("direct"), recreate=True)

    assert outcomes.of("orders").result is Result.RECREATED
    witness.put("outer", "order.new", b"")
    assert witness.messages("work") == 1  # one, though two ways lead there
    with witness.channel() as channel:
        channel.queue_unbind("work", "orders", "order.new")
    witness.put("outer", "order.new", b"")
    assert witness.messages("work") == 2
    assert await in_step(place, exchanges("direct"))


@on_a_loop
async def test_an_exchange_with_somebody_elses_bindings_stays_and_keeps_ours(
    place: Place, witness: Witness
) -> None:
    await place.apply(exchanges("topic"))
    witness.declare("theirs")
    witness.bind("theirs", "orders", "order.*")

    outcomes = await place.apply(exchanges("direct"), recreate=True)

    assert outcomes.of("orders").result is Result.CONFLICT
    assert "bindings that this file does not know" in outcomes.of("orders").text
    assert exit_code(outcomes) == 4
    witness.put("orders", "order.new", b"")
    assert (witness.messages("work"), witness.messages("theirs")) == (1, 1)
    section = place.section
    assert section is not None and section.known(id_of(ORDERS))


@on_a_loop
async def test_bindings_of_somebody_else_come_back_and_are_not_recorded_as_ours(
    place: Place, witness: Witness
) -> None:
    had, wanted = of("classic")
    await place.apply(had)
    theirs = link("amq.topic", Kind.QUEUE, "work", "theirs", {})
    with witness.channel() as channel:
        channel.queue_bind("work", "amq.topic", "theirs")

    async with await place.crew() as crew:
        asked = planning.asked(wanted, place.section)
        snapshot = await inspecting.look(crew, wanted, asked)
        listed = replace(snapshot, links=frozenset([*wanted.links, theirs]))
        plan = planning.make(wanted, listed, place.section, Wishes(recreate=True))
        outcome = (await place.carry_out(crew, plan, wanted)).of("work")

    assert outcome.result is Result.RECREATED
    witness.put("amq.topic", "theirs", b"")
    eventually(lambda: witness.messages("work") == 1)
    assert place.section is not None and theirs not in place.section.records
