"""Carrying out a plan: each thing on its own, whoever else is at it, however often it is killed."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from orquestador.broker.crew import Hand
from orquestador.errors import ConfigurationError, Lost
from orquestador.provision.outcome import Outcome, Result, exit_code
from orquestador.provision.plan import Action, Plan, Step
from orquestador.provision.records import id_of
from orquestador.topology.model import Binding, Exchange, Queue, Topology
from orquestador.topology.things import Id, Kind
from tests.broker_layer.conftest import Restricted
from tests.broker_layer.looping import on_a_loop
from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.provision.carrying_out import Place, killed_at
from tests.provision.cases import topology
from tests.support.proxy import Proxy

pytestmark = pytest.mark.broker

ORDERS, DEAD = Exchange("orders", "topic"), Exchange("dead", "fanout")
WORK = Queue(
    "work",
    arguments={"x-max-length": 100, "x-dead-letter-exchange": "dead"},
    bindings=(Binding("orders", "order.*"), Binding("orders", "refund.#")),
)
MORGUE = Queue("morgue", bindings=(Binding("dead"),))
SMALL = topology(ORDERS, DEAD, WORK, MORGUE)


@pytest.fixture
def place(url: str, tmp_path: Path) -> Place:
    return Place(url, tmp_path)


def many(queues: int) -> Topology:
    """Each with a binding of its own name, to one of a few exchanges."""
    return topology(
        *(Exchange(f"x{number}") for number in range(5)),
        *(
            Queue(f"q{number:03}", bindings=(Binding(f"x{number % 5}", f"q{number:03}"),))
            for number in range(queues)
        ),
    )


def create(*things: Exchange | Queue) -> Plan:
    return Plan(tuple(Step(Action.CREATE, id_of(thing), thing) for thing in things))


def routes(witness: Witness, wanted: Topology) -> bool:
    """Whether each binding brings one message to its queue, and no more."""
    with witness.channel() as channel:
        for link in wanted.links:
            channel.basic_publish(link.source, link.key, b"")
        counts = {link.destination: 0 for link in wanted.links}
        for link in wanted.links:
            counts[link.destination] += 1
    with witness.channel() as channel:
        found = {
            name: channel.queue_declare(name, passive=True).method.message_count for name in counts
        }
    return found == counts


# -- the usual


@on_a_loop
async def test_the_first_run_makes_all_and_the_second_finds_it(
    place: Place, witness: Witness
) -> None:
    first = await place.apply(SMALL)
    second = await place.apply(SMALL)

    assert [outcome.kind for outcome in first] == [
        *["exchange"] * 2,
        *["queue"] * 2,
        *["binding"] * 3,
    ]
    assert set(first.results.values()) == {Result.CREATED}
    assert set(second.results.values()) == {Result.THERE}
    assert routes(witness, SMALL)


@on_a_loop
async def test_outcomes_come_in_the_plans_order(place: Place) -> None:
    wanted = many(50)
    outcomes = await place.apply(wanted)

    names = [outcome.name for outcome in outcomes if outcome.kind == "queue"]
    assert names == [queue.name for queue in wanted.lasting]


@on_a_loop
async def test_a_binding_that_somebody_undid_is_there_again(place: Place, witness: Witness) -> None:
    await place.apply(SMALL)
    with witness.channel() as channel:
        channel.queue_unbind("work", "orders", "order.*")

    await place.apply(SMALL)

    assert routes(witness, SMALL)


@on_a_loop
async def test_exchanges_are_bound_to_exchanges(place: Place, witness: Witness) -> None:
    inner = Exchange("inner", "fanout", bindings=(Binding("orders", "order.#"),))
    await place.apply(topology(ORDERS, inner, Queue("all", bindings=(Binding("inner"),))))

    witness.put("orders", "order.new", b"through both")
    assert witness.messages("all") == 1


# -- what does not fit


@on_a_loop
async def test_one_that_somebody_else_makes_otherwise_meanwhile_is_a_conflict_of_its_own(
    place: Place, witness: Witness
) -> None:
    async with await place.crew() as crew:
        plan = await place.plan(crew, SMALL)
        witness.declare("work", **{"x-max-length": 5, "x-dead-letter-exchange": "dead"})
        outcomes = await place.carry_out(crew, plan, SMALL)

    assert outcomes.of("work").result is Result.CONFLICT
    assert outcomes.of("work").text == "x-max-length: broker 5, file 100"
    assert outcomes.of("morgue").result is Result.CREATED
    assert exit_code(outcomes) == 4
    assert place.section is not None
    assert not place.section.known(id_of(WORK)) and place.section.known(id_of(MORGUE))


@on_a_loop
async def test_what_amqp_cannot_write_costs_the_others_nothing(
    place: Place, witness: Witness
) -> None:
    odd = Queue("odd", arguments={"x-some": 1.5}, bindings=(Binding("orders", "#"),))
    wanted = topology(ORDERS, odd, Queue("even"))
    plan = create(*wanted.exchanges.values(), *wanted.lasting)
    link = wanted.links[0]
    plan = Plan((*plan.steps, Step(Action.CREATE, link.id, link)))
    async with await place.crew() as crew:
        outcomes = await place.carry_out(crew, plan, wanted)

    assert outcomes.of("odd").result is Result.FAILED
    assert outcomes.of(str(link)).text == "odd could not be made"
    assert witness.exists("even")
    assert exit_code(outcomes) == 3


@pytest.mark.only_rabbitmq("it closes the connection over an exchange type that it does not know")
@on_a_loop
async def test_one_over_which_the_broker_hangs_up_costs_the_others_nothing(
    place: Place, witness: Witness
) -> None:
    queues = [Queue(f"q{number}") for number in range(30)]
    plan = create(ORDERS, Exchange("odd", "x-unheard-of"), DEAD, *queues)
    async with await place.crew() as crew:
        outcomes = await place.carry_out(crew, plan, topology(ORDERS, DEAD, *queues))

    assert [each.name for each in outcomes if each.result is not Result.CREATED] == ["odd"]
    assert "unknown exchange type" in outcomes.of("odd").text
    assert all(witness.exists(queue.name) for queue in queues[::10])


@pytest.mark.only_rabbitmq("the embedded broker has one user")
@on_a_loop
async def test_what_the_account_may_not_make_is_told_and_so_is_what_hangs_on_it(
    place: Place, restricted: Restricted, witness: Witness
) -> None:
    mine = Place(restricted("^(orders|dead|morgue)$", ".*", ".*"), place.folder)
    links = [Step(Action.CREATE, link.id, link) for link in SMALL.links]
    plan = Plan((*create(ORDERS, DEAD, WORK, MORGUE).steps, *links))
    async with await mine.crew() as crew:
        outcomes = await mine.carry_out(crew, plan, SMALL)

    assert outcomes.of("work").result is Result.REFUSED
    assert outcomes.of("orders -> work (order.*)").text == "work could not be made"
    assert outcomes.of("dead -> morgue (no key)").result is Result.CREATED
    assert exit_code(outcomes) == 3
    assert place.section is not None and not place.section.known(SMALL.links[0])


@on_a_loop
async def test_what_the_plan_does_not_do_is_said_with_its_reason(place: Place) -> None:
    def step(action: Action, name: str, reason: str) -> Step:
        return Step(action, Id(Kind.QUEUE, name), reason=reason)

    plan = Plan(
        (
            step(Action.CONFLICT, "one", "a migration of it was begun"),
            step(Action.HELD, "two", "no longer in the file"),
            step(Action.UNKNOWN, "three", "its node is down"),
            step(Action.KEEP, "four", "on_remove: retain"),
        )
    )
    async with await place.crew() as crew:
        outcomes = await place.carry_out(crew, plan, SMALL)

    assert [str(outcome).split(maxsplit=2)[1:] for outcome in outcomes] == [
        ["one", "conflict: a migration of it was begun"],
        ["three", "failed: its node is down"],
        ["four", "already there"],
        ["two", "left: no longer in the file"],
    ]


@on_a_loop
async def test_where_nothing_can_be_written_down_nothing_is_done(
    place: Place, witness: Witness
) -> None:
    nowhere = Place(place.url, place.folder / "nowhere")

    with pytest.raises(ConfigurationError, match="cannot be written"):
        await nowhere.apply(SMALL)

    assert not witness.exists("work")


# -- others at it, and the broker gone


@pytest.mark.parametrize("seed", range(3))
@on_a_loop
async def test_two_at_once_end_in_the_files_state(
    place: Place, witness: Witness, monkeypatch: pytest.MonkeyPatch, seed: int, tmp_path: Path
) -> None:
    wanted, chance = many(40), random.Random(seed)
    channel = Hand.channel

    async def hesitant(self: Hand) -> object:
        await asyncio.sleep(chance.random() / 500)
        return await channel(self)

    monkeypatch.setattr(Hand, "channel", hesitant)
    other = Place(place.url, tmp_path / "other")
    other.folder.mkdir()
    both = await asyncio.gather(place.apply(wanted), other.apply(wanted))

    assert [exit_code(outcomes) for outcomes in both] == [0, 0]
    assert routes(witness, wanted)


@on_a_loop
async def test_a_broker_that_goes_half_way_leaves_what_was_done_said_and_written_down(
    place: Place, node: AnyNode, vhost: str, proxy: Proxy
) -> None:
    wanted, said = many(300), list[Outcome]()
    cut = Place(node.address(vhost, port=proxy.port), place.folder)

    def after_some(outcome: Outcome) -> None:
        said.append(outcome)
        if len(said) == 50:
            proxy.cut(refuse=True)

    async with await cut.crew() as crew:
        plan = await cut.plan(crew, wanted)
        with pytest.raises(Lost):
            await cut.carry_out(crew, plan, wanted, told=after_some)

    assert 50 <= len(said) < 300
    section = cut.section
    assert section is not None
    assert all(section.known(Id(Kind(each.kind), each.name)) for each in said)
    assert all(id_of(queue) in section.records for queue in wanted.lasting)
    assert exit_code(await place.apply(wanted)) == 0


def test_killed_again_and_again_the_end_state_is_the_files(place: Place, witness: Witness) -> None:
    wanted, chance = many(200), random.Random(1)
    killed = [killed_at(chance.randrange(1, 620), lambda: place.apply(wanted)) for _ in range(8)]
    assert any(killed)

    outcomes = asyncio.run(place.apply(wanted))
    again = asyncio.run(place.apply(wanted))

    assert exit_code(outcomes) == 0
    assert set(again.results.values()) == {Result.THERE}
    assert routes(witness, wanted)
