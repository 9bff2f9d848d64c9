"""Requests that tell of a right and leave everything as it is; and which a broker takes so.

RabbitMQ looks for rights first (rabbit_channel.erl), then refuses what is wrong with the request:
403, or the other fault, is the answer.  Measured on 3.10.8:

- configure a queue: declare it with an argument that its type never takes (406);
- configure an exchange: declare it with a number for its alternate exchange (406);
- write to an exchange: publish to it with a number for the CC header (406);
- read a queue: consume it with a word for a priority (406);
- write to a queue, read an exchange: unbind what nobody bound, which is no fault.

A broker that checks less would act on the first four, so that each is tried on a name of our own
before any other is asked about.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from orquestador.broker.channel import Channel
from orquestador.broker.crew import Crew, Hand, Question
from orquestador.broker.message import Outgoing
from orquestador.errors import Conflict, HungUp, Locked, NotFound, Refused
from orquestador.events import fresh_word
from orquestador.topology.model import Binding, Exchange, Queue

Send = Callable[[Channel], Awaitable[object]]
ANYWHERE = "amq.direct"


class Answer(StrEnum):
    GRANTED = "granted"
    REFUSED = "refused"
    ACTED = "acted"  # the request went through


@dataclass(frozen=True, slots=True)
class Request:
    """`beyond`: words of a 403 that is about another right, looked for after this one."""

    send: Send
    beyond: tuple[str, ...] = ()


def configure_queue(name: str) -> Request:
    """Exclusive: what a broker made of it all the same would go with the connection."""
    queue = Queue(name, durable=False, exclusive=True, arguments={"x-delivery-limit": -1})
    return Request(lambda channel: channel.declare_queue(queue))


def configure_exchange(name: str) -> Request:
    arguments = {"alternate-exchange": 0}
    exchange = Exchange(name, durable=False, auto_delete=True, arguments=arguments)
    return Request(lambda channel: channel.declare_exchange(exchange))


def write_exchange(name: str, key: str | None = None) -> Request:
    """`key`: also, where there are topic permissions, under that routing key."""
    message = Outgoing(name, _nobodys() if key is None else key, b"", "", headers={"CC": 0})

    async def send(channel: Channel) -> None:
        channel.publish(message)
        await channel.prefetch(0)  # its answer comes after the refusal

    internal = "cannot publish to internal exchange"
    return Request(send, (internal, "access to topic") if key is None else (internal,))


def read_queue(name: str) -> Request:
    async def send(channel: Channel) -> None:
        arguments = {"x-priority": "none"}
        await channel.cancel(await channel.consume(name, _ignore, arguments=arguments))

    return Request(send)


def write_queue(name: str) -> Request:
    return Request(_unbind(name, ANYWHERE), ("access to exchange", "access to topic"))


def read_exchange(name: str, queue: str) -> Request:
    """`queue`: one that the account may write to."""
    return Request(_unbind(queue, name), ("access to topic",))


def _unbind(queue: str, exchange: str) -> Send:
    return lambda channel: channel.unbind(queue, Binding(exchange, _nobodys()))


def _nobodys() -> str:
    """A routing key that nothing is bound under."""
    return f"orquestador.nobody.{fresh_word()}"


def _ignore(_delivery: object) -> None:
    pass


def question(request: Request) -> Question[Answer]:
    async def ask(hand: Hand) -> Answer:
        return await answer(request, await hand.channel())

    return ask


async def answer(request: Request, channel: Channel) -> Answer:
    """Raises Lost where the connection went over it."""
    try:
        await request.send(channel)
    except Refused as fault:
        granted = any(words in str(fault) for words in request.beyond)
        return Answer.GRANTED if granted else Answer.REFUSED
    except (NotFound, Locked, Conflict):
        return Answer.GRANTED
    return Answer.ACTED


@dataclass(frozen=True, slots=True)
class Manners:
    """Which of the four this broker answers without acting on them."""

    configure_queue: bool
    configure_exchange: bool
    write_exchange: bool
    read_queue: bool


async def manners(crew: Crew, trial: str | None, *, known: bool) -> Manners:
    """Tried on a queue of our own, if the account may have one, and on names that nobody has.

    `known`: what is true where rights keep us from trying.
    """
    publishes = await polite(crew, write_exchange(""), known)
    if trial is None:
        return Manners(known, known, publishes, known)
    name = f"{trial}.nobody"
    return Manners(
        await polite(crew, configure_queue(name), known, lambda c: c.delete_queue(name)),
        await polite(crew, configure_exchange(name), known, lambda c: c.delete_exchange(name)),
        publishes,
        await polite(crew, read_queue(trial), known),
    )


async def polite(crew: Crew, request: Request, known: bool, undo: Send | None = None) -> bool:
    """Whether it is refused and nothing done; what was done is undone."""

    async def ask(hand: Hand) -> Answer:
        said = await answer(request, await hand.channel())
        if said is Answer.ACTED and undo is not None:
            await undo(await hand.channel())
        return said

    try:
        said = await crew.alone(ask)
    except HungUp:
        return False
    return known if said is Answer.REFUSED else said is Answer.GRANTED
