"""Declares and binds, deletes and unbinds one thing, each by what its kind asks for.

When that is done is `applying.py`'s, `recreating.py`'s, `migrating.py`'s and `removing.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from orquestador.broker.crew import Hand
from orquestador.errors import BrokerError, Conflict, NotFound, Refused
from orquestador.provision import asking
from orquestador.provision.found import Found, Status
from orquestador.provision.remedies import UNTYPED, holding, weighed
from orquestador.topology.arguments import CLASSIC, STREAM
from orquestador.topology.model import Binding, Exchange, Queue
from orquestador.topology.things import Kind, Link

ATTEMPTS = 3
"""Somebody else who makes the same anew may take it away between its declare and its bindings."""
SETTLES = 1.0  # seconds after which a consumer that has just gone is no longer counted
STREAM_SPEAKS = 2.0  # seconds in which a stream hands out its first message, if it has any


class InUse(BrokerError):
    """It was not deleted: the text tells what it holds, or who has it."""


async def look(hand: Hand, thing: Exchange | Queue) -> Found:
    """What it is on the broker just now.

    The passive way suits any broker; deleted by another within it, it is made, which is meant.
    """
    if isinstance(thing, Exchange):
        return await asking.exchange(hand, thing)
    return await asking.queue(hand, thing, directly=False)


async def declare(hand: Hand, thing: Exchange | Queue) -> None:
    channel = await hand.channel()
    if isinstance(thing, Exchange):
        await channel.declare_exchange(thing)
    else:
        await channel.declare_queue(thing)


async def bind(hand: Hand, link: Link) -> None:
    channel = await hand.channel()
    bind = channel.bind_exchange if link.kind is Kind.EXCHANGE else channel.bind
    await bind(link.destination, _binding(link))


async def bind_together(hand: Hand, links: Iterable[Link]) -> None:
    """Queues' bindings, in one round trip.  One that fails fails for all of them."""
    channel = await hand.channel()
    await channel.bind_together((link.destination, _binding(link)) for link in links)


async def unbind(hand: Hand, link: Link) -> None:
    """No fault where there is none."""
    channel = await hand.channel()
    unbind = channel.unbind_exchange if link.kind is Kind.EXCHANGE else channel.unbind
    await unbind(link.destination, _binding(link))


@dataclass(frozen=True, slots=True)
class Unbound:
    """A binding that could not be made, and why."""

    link: Link
    fault: BrokerError

    def __str__(self) -> str:
        return f"not bound: {self.link}: {self.fault}"


async def make(hand: Hand, thing: Exchange | Queue, links: Sequence[Link]) -> list[Unbound]:
    """Declare it and bind it; what could not be bound.  Raises what the declare raises."""
    unbound: list[Unbound] = []
    for _ in range(ATTEMPTS):
        await declare(hand, thing)
        unbound = await bind_all(hand, links)
        if not any(f"'{thing.name}'" in str(each.fault) for each in unbound):
            break
    return unbound


async def bind_all(hand: Hand, links: Iterable[Link]) -> list[Unbound]:
    """What could not be bound."""
    unbound: list[Unbound] = []
    for link in links:
        try:
            await bind(hand, link)
        except (NotFound, Refused) as fault:
            unbound.append(Unbound(link, fault))
    return unbound


async def delete(hand: Hand, queue: str, kind: str | None, *, empty: bool, unused: bool) -> int:
    """How many messages went with it.  `kind`: its type; `empty`, `unused`: only if it is.

    Both are atomic on a classic queue; on others the counts are read just before.  Raises InUse,
    also where the type is not known: a full stream would go as an empty one.
    """
    if kind is None and (empty or unused):
        raise InUse(UNTYPED)
    channel = await hand.channel()
    if kind == CLASSIC:
        try:
            return await channel.delete_queue(queue, if_empty=empty, if_unused=unused)
        except Conflict:
            raise InUse(await _said(hand, queue, empty=empty)) from None
    held = await counted(hand, queue, kind)
    if (empty and held.messages) or (unused and held.consumers):
        raise InUse(_words(held, empty=empty))
    return await (await hand.channel()).delete_queue(queue)


async def settled(hand: Hand, queue: str, delete: Callable[[], Awaitable[object]]) -> bool:
    """Whether it was deleted; not where messages have come.  InUse where it has consumers."""
    deadline = asyncio.get_running_loop().time() + SETTLES
    while True:
        try:
            await delete()
            return True
        except InUse:
            if not (await counted(hand, queue, None)).consumers:
                return False
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.05)


async def counted(hand: Hand, queue: str, kind: str | None) -> Found:
    """Its ready messages and its consumers; Status.ABSENT where it is not there.

    RabbitMQ counts a stream's messages with seconds of delay, and none of its consumers
    (rabbit_stream_queue:stat, 3.10): whether there is any message is asked by reading.
    """
    try:
        declared = await (await hand.channel()).declare_queue(Queue(queue), passive=True)
    except NotFound:
        return Found(Status.ABSENT)
    messages = declared.messages
    if kind == STREAM and not messages:
        messages = int(await _has_any(hand, queue))
    return Found(Status.PRESENT, (), kind, messages, declared.consumers)


async def _has_any(hand: Hand, stream: str) -> bool:
    channel = await hand.channel()
    await channel.prefetch(1)
    came = asyncio.Event()
    tag = await channel.consume(
        stream, lambda _message: came.set(), arguments={"x-stream-offset": "first"}
    )
    with suppress(TimeoutError):
        await asyncio.wait_for(came.wait(), STREAM_SPEAKS)
    await channel.cancel(tag)
    await channel.close()
    return came.is_set()


async def _said(hand: Hand, queue: str, *, empty: bool) -> str:
    return _words(await counted(hand, queue, CLASSIC), empty=empty)


def _words(held: Found, *, empty: bool) -> str:
    # Between the refusal and the count it may have been emptied, or left.
    return f"it {holding(weighed(held, disposable=not empty)) or 'was in use a moment ago'}"


def _binding(link: Link) -> Binding:
    return Binding(link.source, link.key, link.arguments)
