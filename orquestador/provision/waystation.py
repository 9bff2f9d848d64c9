"""What stands beside a queue while it is migrated: a queue, an exchange, a mark, a lock.

`<queue>.migrating` the queue takes the messages, `<queue>.migrating` the exchange gives them their
way (a fanout, so that routing keys stay), the mark says that there are any such on this broker, and
the lock is an exclusive queue: it goes with the connection of who holds it.  What is moved, and
when, is `migrating.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from orquestador.broker.crew import Hand
from orquestador.errors import BrokerError, Locked, NotFound
from orquestador.provision import making
from orquestador.topology.arguments import CLASSIC, DEAD_LETTER_KEY, QUORUM, TERMS
from orquestador.topology.model import Binding, Exchange, Queue
from orquestador.topology.names import LOCK, MARKER, MIGRATING

LONGEST = 255  # bytes, AMQP's short string
LOCKED = 2.0  # seconds: a run that was killed a moment ago still seems to hold it
ATTEMPTS = 5
"""The last of another queue's migration takes the mark away, maybe between declare and bind."""


def temporary(queue: str) -> str:
    """Of the queue and of the exchange."""
    return queue + MIGRATING


def lock(queue: str) -> str:
    return queue + LOCK


def mark(prefix: str) -> Exchange:
    """Each temporary queue is bound to it with its queue's name for a key, and the last ends it."""
    return Exchange(prefix + MARKER, "direct", auto_delete=True)


class Busy(BrokerError):
    """Another run is migrating that queue."""


@asynccontextmanager
async def locked(hand: Hand, queue: str) -> AsyncIterator[None]:
    """Only one run at a time.  Raises Busy."""
    only = Queue(lock(queue), durable=False, exclusive=True)
    deadline = asyncio.get_running_loop().time() + LOCKED
    while True:
        try:
            await making.declare(hand, only)
            break
        except Locked:
            if asyncio.get_running_loop().time() > deadline:
                raise Busy("another run is migrating it") from None
            await asyncio.sleep(0.1)
    try:
        yield
    finally:
        with suppress(BrokerError):  # else it goes with the connection
            await (await hand.channel()).delete_queue(only.name)


class Waystation:
    """Beside one queue.  `old_type`: the queue's on the broker."""

    def __init__(self, hand: Hand, queue: Queue, prefix: str) -> None:
        self._hand, self._of, self._mark = hand, queue, mark(prefix)
        self.name = temporary(queue.name)
        self._exchange = Exchange(self.name, "fanout")

    async def messages(self) -> int | None:
        """How many wait in it; None where there is none."""
        try:
            found = await (await self._hand.channel()).declare_queue(Queue(self.name), passive=True)
        except NotFound:
            return None
        return found.messages

    async def build(self, old_type: str | None) -> None:
        """What of it is missing.  One of an earlier run is taken as it is."""
        there = await self.messages() is not None
        for attempt in range(1, ATTEMPTS + 1):
            await making.declare(self._hand, self._mark)
            if not there:
                await making.declare(self._hand, self._queue(old_type))
            try:
                channel = await self._hand.channel()
                await channel.bind(self.name, Binding(self._mark.name, self._of.name))
                break
            except NotFound:
                if attempt == ATTEMPTS:
                    raise
        await making.declare(self._hand, self._exchange)

    async def lead(self, to: str) -> None:
        """What is published to its exchange goes to `to` from now on, and to nothing else."""
        channel = await self._hand.channel()
        await making.declare(self._hand, self._exchange)
        for queue in {self.name, self._of.name} - {to}:
            await channel.unbind(queue, Binding(self.name))
        await channel.bind(to, Binding(self.name))

    async def clear(self) -> None:
        """Take away what is there of it.  Raises InUse where the queue is not empty."""
        channel = await self._hand.channel()
        await channel.delete_exchange(self.name)
        if await self.messages() is not None:
            found = await making.look(self._hand, self._queue(None))
            await making.delete(self._hand, self.name, found.type, empty=True, unused=True)

    def _queue(self, old_type: str | None) -> Queue:
        """Without limits.  What expires in it goes where the wanted queue sends it."""
        kind = QUORUM if QUORUM in (old_type, self._of.type) else CLASSIC
        letters = (TERMS["dead_letter"].argument, DEAD_LETTER_KEY)
        kept = {key: self._of.arguments[key] for key in letters if key in self._of.arguments}
        return Queue(self.name, arguments={"x-queue-type": kind, **kept})
