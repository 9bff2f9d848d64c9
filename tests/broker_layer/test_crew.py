"""A crew: many questions at once, each with its own answer, whatever befalls the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from orquestador.broker.crew import HANDS, Crew, Hand, Question
from orquestador.errors import BrokerError, HungUp, Lost, NotFound
from orquestador.settings import settle
from orquestador.topology.model import Exchange, Queue
from tests.broker_layer.looping import on_a_loop
from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.support.proxy import Proxy
from tests.support.rabbitmq import Node

pytestmark = pytest.mark.broker


@asynccontextmanager
async def crewed(url: str, hands: int = HANDS) -> AsyncIterator[Crew]:
    async with await Crew.open(settle(url, {}), "a test", hands=hands) as crew:
        yield crew


def passive(queue: str) -> Question[str]:
    async def ask(hand: Hand) -> str:
        return (await (await hand.channel()).declare_queue(Queue(queue), passive=True)).name

    return ask


def of_type(kind: str) -> Question[str]:
    """An unknown type of exchange makes the broker close the connection."""

    async def ask(hand: Hand) -> str:
        await (await hand.channel()).declare_exchange(Exchange(f"a {kind}", kind))
        return kind

    return ask


async def all_of(crew: Crew, questions: Sequence[Question[str]]) -> list[Any]:
    """The answers in the questions' order; each came once."""
    answers = [each async for each in crew.each(questions)]
    assert sorted(position for position, _ in answers) == list(range(len(questions)))
    return [answer for _, answer in sorted(answers, key=lambda each: each[0])]


@on_a_loop
async def test_each_question_gets_its_own_answer_or_fault(url: str, witness: Witness) -> None:
    witness.declare("there")
    names = ["there", "none", "there", "neither"] * 20
    async with crewed(url) as crew:
        answers = await all_of(crew, [passive(name) for name in names])
        assert await all_of(crew, []) == []

    for name, answer in zip(names, answers, strict=True):
        if name == "there":
            assert answer == "there"
        else:
            assert type(answer) is NotFound and f"no queue '{name}'" in str(answer)


@on_a_loop
async def test_who_makes_the_broker_hang_up_learns_it_and_the_others_are_answered(
    url: str, witness: Witness
) -> None:
    witness.declare("there")
    async with crewed(url) as crew:
        first = crew.connection
        questions = [passive("there") for _ in range(60)]
        culprits = {5: "odd", 6: "odder", 40: "oddest"}
        for position, kind in culprits.items():
            questions[position] = of_type(kind)
        answers = await all_of(crew, questions)

        assert first.lost.done() and not crew.connection.lost.done()
    for position, kind in culprits.items():
        fault = answers.pop(position - 60)
        assert type(fault) is HungUp and f"unknown exchange type '{kind}'" in str(fault)
    assert answers == ["there"] * 57


@on_a_loop
async def test_one_alone_may_make_the_broker_hang_up_and_the_next_is_answered(
    url: str, witness: Witness
) -> None:
    witness.declare("there")
    async with crewed(url) as crew:
        with pytest.raises(HungUp, match="unknown exchange type 'odd'"):
            await crew.alone(of_type("odd"))
        with pytest.raises(NotFound):
            await crew.alone(passive("none"))

        assert await crew.alone(passive("there")) == "there"


@on_a_loop
async def test_a_broker_that_goes_ends_it_all(node: AnyNode, vhost: str, proxy: Proxy) -> None:
    async with crewed(node.address(vhost, port=proxy.port)) as crew:
        answered = 0
        with pytest.raises(Lost) as raised:
            async for _ in crew.each([passive("none")] * 1000):
                answered += 1
                if answered == 100:
                    proxy.cut(refuse=True)
        assert not isinstance(raised.value, HungUp)
        assert 100 <= answered < 1000

        with pytest.raises(Lost):
            await crew.alone(passive("none"))
        with pytest.raises(Lost):
            await all_of(crew, [passive("none")])


@on_a_loop
async def test_a_defect_in_a_question_is_raised_and_no_fault_of_the_broker(
    url: str, witness: Witness
) -> None:
    async def defective(_hand: Hand) -> str:
        raise ZeroDivisionError("a bug of ours")

    witness.declare("there")
    async with crewed(url) as crew:
        with pytest.raises(ZeroDivisionError, match="a bug of ours"):
            await all_of(crew, [passive("none")] * 30 + [defective] + [passive("none")] * 30)

        assert await all_of(crew, [passive("there")] * 40) == ["there"] * 40


@on_a_loop
async def test_who_no_longer_listens_leaves_no_fault_to_the_next(
    url: str, witness: Witness
) -> None:
    """A forgotten question's refusal closes its channel: the next one must not be on it."""
    before = asyncio.all_tasks()
    witness.declare("there")
    async with crewed(url) as crew:
        async with aclosing(crew.each([passive("none")] * 100)) as answers:
            async for _ in answers:
                break
        assert await all_of(crew, [passive("there")] * 40) == ["there"] * 40

        asked = asyncio.create_task(crew.alone(passive("none")))
        await asyncio.sleep(0)  # it is on its way
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await crew.alone(passive("there")) == "there"
    assert asyncio.all_tasks() == before


@on_a_loop
async def test_no_more_questions_are_under_way_than_it_has_hands(url: str) -> None:
    under_way: set[Hand] = set()
    most = 0

    async def busy(hand: Hand) -> str:
        nonlocal most
        assert hand not in under_way  # a hand has one question at a time
        under_way.add(hand)
        most = max(most, len(under_way))
        await (await hand.channel()).prefetch(1)
        under_way.remove(hand)
        return "done"

    async with crewed(url, hands=3) as crew:
        await all_of(crew, [busy] * 30)

    assert most == 3


@pytest.mark.only_rabbitmq("the embedded broker has no limit to set")
@on_a_loop
async def test_a_crew_keeps_to_the_channels_that_the_broker_allows(
    url: str, node: AnyNode, witness: Witness
) -> None:
    assert isinstance(node, Node)
    witness.declare("there")
    node.control("eval", "application:set_env(rabbit, channel_max, 3).")
    try:
        async with crewed(url) as crew:
            assert await all_of(crew, [passive("there")] * 40) == ["there"] * 40
    finally:
        node.control("eval", "application:set_env(rabbit, channel_max, 2047).")


@on_a_loop
async def test_without_a_broker_there_is_no_crew() -> None:
    with pytest.raises(BrokerError, match="connection refused"):
        await Crew.open(settle("amqp://127.0.0.1:1", {}), "a test")
