"""One session's consumer of a ping queue: holds a ping as lease, doubts silence, consumes again.

When that is due is `lease.py`'s; what is answered and said of it is `serving.py`'s.  Protocol,
sections 2 and 6.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from random import Random

from orquestador.backoff import delays
from orquestador.broker.channel import Channel
from orquestador.broker.connection import Connection, ended
from orquestador.broker.message import Delivery
from orquestador.errors import EventError, Lost, NotFound
from orquestador.events import Ping, decode
from orquestador.responder.lease import Lease, Settled
from orquestador.topology.model import Queue

PREFETCH = 2  # the ping that is held, and the next one, which releases it
ARGUMENTS = {
    "x-priority": 10,  # a monitor consumes with -10: it gets what no service takes
    "x-consumer-timeout": 86_400_000,  # ms; pings are held for longer than most consumers may
}


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a Consuming tells; each is called on the loop and must return at once."""

    received: Callable[[Ping, bool], None]  # the ping, and whether it is redelivered
    rejected: Callable[[EventError], None]
    silent: Callable[[str], None]  # why it consumes again; each time it tries
    resumed: Callable[[], None]  # it consumes again, after the broker had cancelled it


class Consuming:
    """`start`, then `attend` until stopped or lost, `cancel`, and always `release` at the end."""

    def __init__(
        self, connection: Connection, channel: Channel, queue: str, lease: Lease, owner: Owner
    ) -> None:
        self.lease = lease
        self._connection, self._channel, self._queue = connection, channel, queue
        self._owner = owner
        self._tag = ""
        self._cancelled = False
        self._stirred = asyncio.Event()
        self._random = Random()
        self._doubts: Iterator[float] | None = None
        self._pauses = delays(random=self._random)

    async def start(self) -> None:
        self.lease = self.lease.begun(_now())
        self._tag = await self._consume()

    async def attend(self, stop: asyncio.Event) -> None:
        """Release, doubt and consume again as it is due; raises what ends the session."""
        while not stop.is_set():
            await self._idle(stop)
            self._stirred.clear()
            if self._cancelled or _now() >= self.lease.due:
                await _unless(stop, self._see_to_it())

    async def cancel(self) -> None:
        await self._channel.cancel(self._tag)

    def release(self) -> None:
        """Acknowledge what is held: a channel closed with it would make the ping bounce."""
        self._settle(self.lease.released())

    async def _consume(self) -> str:
        return await self._channel.consume(
            self._queue, self._on_delivery, on_cancelled=self._on_cancelled, arguments=ARGUMENTS
        )

    def _on_delivery(self, delivery: Delivery) -> None:
        try:
            ping = decode(Ping, delivery.body)
        except EventError as fault:
            self._channel.ack(delivery.tag)  # neither a lease, nor a reason to give up the one held
            self._owner.rejected(fault)
            return
        # Epoch 0 is a single look at the services: nobody promises a next ping.
        promised = ping.epoch > 0
        self._settle(self.lease.arrived(delivery.tag, _now(), ping.every, promised=promised))
        self._doubts, self._pauses = None, delays(random=self._random)
        self._stirred.set()
        self._owner.received(ping, delivery.redelivered)

    def _on_cancelled(self) -> None:
        self._cancelled = True
        self._stirred.set()

    def _settle(self, change: tuple[Lease, Settled]) -> None:
        self.lease, tags = change
        for tag in tags:
            self._channel.ack(tag)

    async def _idle(self, stop: asyncio.Event) -> None:
        """Until something came, something is due, or the session is to end."""
        try:
            async with asyncio.timeout_at(self.lease.due):
                await ended(self._connection.lost, self._channel.lost, until=(stop, self._stirred))
        except TimeoutError:
            pass

    async def _see_to_it(self) -> None:
        if self._cancelled:
            await self._resume()
        if _now() >= self.lease.release_at:
            self.release()
        if _now() >= self.lease.doubt_at:
            await self._doubt()

    async def _doubt(self) -> None:
        """A consumer that looks alive and gets nothing is the silent fault of AMQP clients."""
        patience = self.lease.patience
        if self._doubts is None:
            self._doubts = delays(patience, self.lease.terms.apart, random=self._random)
        self.lease = self.lease.doubted(_now(), next(self._doubts))
        self._owner.silent(
            f"no ping for {patience:g} s, though one was due each {self.lease.every:g} s"
        )
        await self._again()

    async def _resume(self) -> None:
        """The broker cancelled the consumer."""
        self._cancelled = False
        await self._look()
        self._owner.silent("the broker cancelled its consumer")
        # It was given back or is gone, yet a queue may wait for its acknowledgement all the same.
        self.release()
        await asyncio.sleep(next(self._pauses))
        await self._again()
        self._owner.resumed()

    async def _again(self) -> None:
        """The new consumer first: a queue seen without any makes the service DOWN."""
        before = self._tag
        self._tag = await self._consume()
        await self._channel.cancel(before)

    async def _look(self) -> None:
        """Raises Lost if the queue is gone; asked on a channel of its own, for a 404 closes it."""
        scratch = await self._connection.channel()
        try:
            await scratch.declare_queue(Queue(self._queue), passive=True)
        except NotFound as fault:
            raise Lost(f"the broker cancelled its consumer: {fault}") from None
        await scratch.close()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do the work, or leave it when stop comes: a broker may take a minute to answer."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        stopping.cancel()
        working.cancel()
