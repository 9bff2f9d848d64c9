"""The services' ping queues: made sure of, consumed for bounces by who leads, asked for consumers.

What a bounce or a count means is `lease.py`'s.  Questions are passive declares on scratch channels,
several at once, for a 404 kills the channel that asked; protocol, section 6.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial

from orquestador import (
    BrokerError,
    Channel,
    Conflict,
    Connection,
    Delivery,
    Locked,
    Lost,
    NotFound,
    Queue,
    Refused,
    RoleContext,
    declare,
)
from orquestador.topology.model import ping_queue

from .parts import Parts
from .watch import Watch

AT_ONCE = 8  # channels that ask or declare side by side
PRIORITY = -10  # a ping comes to us only when nobody else takes it
BOUNCING = {"x-priority": PRIORITY}


class PingQueues:
    """Tells `watch` what the queues of one session say; `told(now)` is called after each piece.

    `warn(service, text)`: for people.  `barred`: services whose queue would not let us consume, and
    cost a session for it; kept from one session to the next.
    """

    def __init__(
        self,
        watching: Connection,
        context: RoleContext,
        watch: Watch,
        told: Callable[[float], None],
        warn: Callable[[str | None, str], None],
        barred: set[str],
    ) -> None:
        self.lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self._connection, self._watch = watching, watch
        self._told, self._warn = told, warn
        self._topology = context.topology
        self._declares = not context.arguments.no_provision
        self._names = [service.name for service in context.topology.watched]
        self._begun: set[str] = set()
        self._alive: set[str] = set()
        self._consuming: list[Channel] = []
        self._free: list[Channel] = []
        self._barred = barred
        self._places = asyncio.Semaphore(AT_ONCE)
        self._parts = Parts(self._fail)
        self._amiss: set[str] = set()

    async def make_sure(self) -> None:
        """Declare each, or look whether it is there; one bad queue costs the others nothing."""
        self._free += await _side_by_side(self._names, self._sure)
        if self._amiss and not self._declares:
            missing = ", ".join(name for name in self._names if name in self._amiss)
            hint = "provision the topology (python -m orquestador.provision)"
            self._warn(None, f"no ping queue for {missing}; {hint}")

    async def consume(self) -> None:
        """From now on what bounces is told; queues found amiss are told as that."""
        for _ in range(min(AT_ONCE, len(self._names))):
            channel = await self._connection.channel()
            channel.lost.add_done_callback(self._on_lost)
            self._consuming.append(channel)
        apart = self._amiss | self._barred
        for service in apart:  # as it was when the session began, or before: asked again
            self.count(service)
        await _side_by_side([name for name in self._names if name not in apart], self._begin)

    def count(self, service: str) -> None:
        """Ask for its consumers; where we do not consume it ourselves, begin to."""
        self._parts.start(self._count(service))

    def returned(self, service: str) -> None:
        """A probe came back unrouted: no verdict either, the queue is asked for."""
        self._parts.start(self._look_for_bindings(service))

    def suspected(self, service: str) -> None:
        """A round that its queue is not bound to is not returned, as our own queue takes it.

        Of many suspects at once the binding is not the reason.
        """
        if self._declares and len(self._parts) < AT_ONCE:
            self._parts.start(self._bind_again(service))

    def close(self) -> None:
        self._parts.close()

    # -- making sure

    async def _sure(self, service: str, channel: Channel | None) -> Channel:
        channel = channel or await self._connection.channel()
        queue = self._queue(service)
        try:
            if self._declares:
                await declare(channel, self._topology, [queue])
            else:
                await channel.declare_queue(queue, passive=True)
        except Conflict as fault:
            self._warn(service, f"the queue of {service} is used as it is: {fault}")
            channel = await self._connection.channel()
            await _bind(channel, queue)
        except (NotFound, Locked, Refused):
            self._amiss.add(service)
            channel = await self._connection.channel()
        return channel

    # -- bounces

    async def _begin(self, service: str, _channel: Channel | None) -> None:
        """Asked for passively first: a queue that is gone would take all consumers along."""
        try:
            await self._consumers(service)
            await self._consume(service)
        except BrokerError as fault:
            self._report(service, fault)

    async def _consume(self, service: str) -> None:
        """Once, whoever asks for it; a barred one on a channel of its own."""
        if service in self._begun:
            return
        self._begun.add(service)  # at once: two consumers of ours would be a count too many
        channel = self._consuming[len(self._begun) % len(self._consuming)]
        if service in self._barred:
            channel = await self._connection.channel()
        try:
            await channel.consume(
                self._queue(service).name,
                partial(self._on_bounce, service),
                on_cancelled=partial(self._on_cancelled, service),
                auto_ack=True,
                arguments=BOUNCING,
            )
        except BrokerError:
            self._begun.discard(service)
            self._barred.add(service)  # an exclusive consumer of somebody else's, say
            raise
        self._barred.discard(service)
        if service in self._begun:  # not cancelled again meanwhile
            self._alive.add(service)
            if channel not in self._consuming:
                channel.lost.add_done_callback(lambda _lost: self._on_cancelled(service))

    def _on_bounce(self, service: str, _ping: Delivery) -> None:
        if self._parts.closed:
            return
        now = time.monotonic()
        self._watch.bounced(service, now)
        self._told(now)

    def _on_cancelled(self, service: str) -> None:
        """By the broker: the queue was deleted, or its node is down."""
        self._begun.discard(service)
        self._alive.discard(service)
        self.count(service)

    def _on_lost(self, lost: asyncio.Future[Exception]) -> None:
        fault = lost.result()  # a 403, say, is nothing for a person here: as any loss
        self._fail(Lost(str(fault)) if isinstance(fault, BrokerError) else fault)

    # -- questions

    async def _count(self, service: str) -> None:
        try:
            consumers = await self._consumers(service)
            if service not in self._alive:
                await self._consume(service)
                consumers = await self._consumers(service)
            if service not in self._alive:
                raise Lost("our own consumer of its queue is not there (yet)")
        except BrokerError as fault:
            self._report(service, fault)
        else:
            now = time.monotonic()
            self._watch.counted(service, consumers, now)
            self._told(now)

    async def _look_for_bindings(self, service: str) -> None:
        try:
            await self._consumers(service)
            if self._declares:
                await self._bind(service)
                self._warn(service, f"the queue of {service} was not bound")
        except BrokerError as fault:
            self._report(service, fault)

    async def _bind_again(self, service: str) -> None:
        with suppress(BrokerError):  # its probes find out what is amiss
            await self._bind(service)

    async def _bind(self, service: str) -> None:
        async with self._places:
            channel = await self._connection.channel()
            await _bind(channel, self._queue(service))
            await channel.close()

    async def _consumers(self, service: str) -> int:
        async with self._places:
            channel = self._free.pop() if self._free else await self._connection.channel()
            declared = await channel.declare_queue(self._queue(service), passive=True)
            self._free.append(channel)
            return declared.consumers

    def _report(self, service: str, fault: BrokerError) -> None:
        """No queue is a verdict; anything else says that nobody can know."""
        if self._parts.closed or self._connection.lost.done():
            return
        now = time.monotonic()
        if isinstance(fault, NotFound) and "no queue" in str(fault):
            self._watch.no_queue(service, now)
        else:
            self._watch.unseen(service, str(fault), now)
        self._told(now)

    def _queue(self, service: str) -> Queue:
        return self._topology.queues[ping_queue(service)]

    def _fail(self, fault: Exception) -> None:
        if not self.lost.done():
            self.lost.set_result(fault)


async def _bind(channel: Channel, queue: Queue) -> None:
    for binding in queue.bindings:
        await channel.bind(queue.name, binding)


async def _side_by_side(
    names: Iterable[str], work: Callable[[str, Channel | None], Awaitable[Channel | None]]
) -> list[Channel]:
    """The work on each name, by a few workers, each on a channel that the work hands on.

    The channels that are left.
    """
    left = iter(names)

    async def worker() -> Channel | None:
        channel = None
        for name in left:
            channel = await work(name, channel)
        return channel

    channels = await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return [channel for channel in channels if channel is not None]
