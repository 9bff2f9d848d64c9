"""A look at a broker: all that a topology names, and what it has left behind there.

Asks over all channels of a crew at once, and changes nothing.  How one thing is asked is
`asking.py`'s, what follows from the answers `planning.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial

from orquestador.broker.crew import Crew, Hand, Question
from orquestador.errors import BrokerError, ConfigurationError, HungUp
from orquestador.events import fresh_word
from orquestador.provision import asking
from orquestador.provision.found import Found, Snapshot, Status
from orquestador.topology.model import Topology
from orquestador.topology.names import MARKER, MIGRATING
from orquestador.topology.things import Id, Kind

TRIAL = "orquestador.trial."
Questions = Mapping[Id, Question[Found]]
Asked = Callable[[int, int], None]


def _unheard(_done: int, _total: int) -> None:
    pass


async def look(
    crew: Crew,
    topology: Topology,
    leftovers: Iterable[Id] = (),
    *,
    asked: Asked = _unheard,
) -> Snapshot:
    """What the broker has of the topology, and whether `leftovers` are there.

    `asked(done, total)` after each answer.  Whatever befalls one question is that thing's own
    status.  Raises Lost, or what a reconnection raises, where the broker goes.
    """
    marker = Id(Kind.EXCHANGE, topology.prefix + MARKER)
    directly = await _direct(crew, topology)
    questions: dict[Id, Question[Found]] = {
        id: partial(asking.present, thing=id)
        for id in (marker, *leftovers)
        if id.kind is not Kind.BINDING
    }
    for exchange in topology.exchanges.values():
        wanted = partial(asking.exchange, wanted=exchange)
        questions[Id(Kind.EXCHANGE, exchange.name)] = wanted
    for queue in topology.lasting:
        way = partial(asking.queue, wanted=queue, directly=queue.type in directly)
        questions[Id(Kind.QUEUE, queue.name)] = way
    things = await _ask(crew, questions, asked)
    marked = things.pop(marker).status is not Status.ABSENT
    queues = [id.name for id in things if id.kind is Kind.QUEUE]
    return Snapshot(things, migrating=await _migrating(crew, queues) if marked else frozenset())


async def _direct(crew: Crew, topology: Topology) -> frozenset[str]:
    """The types of queue for which declares that can't succeed do succeed in creating nothing."""
    kinds = sorted({queue.type for queue in topology.lasting})
    trials = [
        partial(asking.explains, name=f"{topology.prefix}{TRIAL}{fresh_word()}", kind=kind)
        for kind in kinds
    ]
    direct = set()
    async with aclosing(crew.each(trials)) as answers:
        async for position, answer in answers:
            if answer is True or isinstance(answer, HungUp):
                direct.add(kinds[position])
    return frozenset(direct)


async def _migrating(crew: Crew, queues: Sequence[str]) -> frozenset[str]:
    """Those with a queue or an exchange beside them that a migration has made and not deleted."""
    beside: dict[Id, str] = {
        Id(kind, name + MIGRATING): name for name in queues for kind in (Kind.QUEUE, Kind.EXCHANGE)
    }
    found = await _ask(crew, {id: partial(asking.present, thing=id) for id in beside})
    return frozenset(beside[id] for id, each in found.items() if each.status is not Status.ABSENT)


async def _ask(crew: Crew, questions: Questions, asked: Asked = _unheard) -> dict[Id, Found]:
    """The answers, in the order of the questions."""
    ids = list(questions)
    found: dict[Id, Found] = {}
    async with aclosing(crew.each([_written(each) for each in questions.values()])) as answers:
        async for position, answer in answers:
            if isinstance(answer, BrokerError):
                answer = asking.shown(answer)
            found[ids[position]] = answer
            asked(len(found), len(ids))
    return {id: found[id] for id in ids}


def _written(question: Question[Found]) -> Question[Found]:
    """What AMQP cannot write (a float, a name too long) is no thing of this broker's."""

    async def ask(hand: Hand) -> Found:
        try:
            return await question(hand)
        except ConfigurationError as fault:
            return Found(Status.UNSUPPORTED, text=str(fault))

    return ask
