"""Make the broker match the topology: each thing on its own, one that fails costs no other.

A passive declare tells whether a thing was there.  AMQP cannot list bindings: they are declared
always, which changes nothing where they exist.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from orquestador.broker.channel import Channel
from orquestador.broker.connection import Connection
from orquestador.errors import BrokerError, Conflict, NotFound, Refused
from orquestador.provision.outcome import Outcome, Result
from orquestador.topology.model import Binding, Exchange, Queue, Topology

Ask = Callable[[Channel], Awaitable[object]]


async def apply(connection: Connection, topology: Topology) -> AsyncIterator[Outcome]:
    """Each thing's outcome, exchanges first, as it is known.  Raises Lost if the broker goes."""
    broker = _Broker(connection)
    for exchange in topology.exchanges.values():
        yield await _attempt(broker, "exchange", exchange.name, _exchange(broker, exchange))
    for queue in topology.queues.values():
        if queue.unique:
            continue
        yield await _attempt(broker, "queue", queue.name, _queue(broker, queue))
        for binding in queue.bindings:
            name = f"{binding.exchange} -> {queue.name} ({binding.key or 'no key'})"
            yield await _attempt(broker, "binding", name, _binding(broker, queue, binding))


class _Broker:
    """Holds the channel: a refusal closes it, and the next question gets a new one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channel: Channel | None = None

    @property
    def gone(self) -> bool:
        return self._connection.lost.done()

    async def ask(self, question: Ask) -> None:
        if self._channel is None or self._channel.lost.done():
            self._channel = await self._connection.channel()
        await question(self._channel)

    async def has(self, passive: Ask) -> bool:
        """Whether a passive declare finds it."""
        try:
            await self.ask(passive)
        except NotFound:
            return False
        return True


async def _attempt(
    broker: _Broker,
    kind: str,
    name: str,
    work: Awaitable[Result],
) -> Outcome:
    try:
        return Outcome(kind, name, await work)
    except BrokerError as fault:
        if broker.gone:
            raise
        return Outcome(kind, name, _result(fault), str(fault))


async def _exchange(broker: _Broker, exchange: Exchange) -> Result:
    def passive(channel: Channel) -> Awaitable[object]:
        return channel.declare_exchange(exchange, passive=True)

    if not exchange.owned:
        await broker.ask(passive)
        return Result.THERE
    there = await broker.has(passive)
    await broker.ask(lambda channel: channel.declare_exchange(exchange))
    return Result.THERE if there else Result.CREATED


async def _queue(broker: _Broker, queue: Queue) -> Result:
    there = await broker.has(lambda channel: channel.declare_queue(queue, passive=True))
    await broker.ask(lambda channel: channel.declare_queue(queue))
    return Result.THERE if there else Result.CREATED


async def _binding(broker: _Broker, queue: Queue, binding: Binding) -> Result:
    await broker.ask(lambda channel: channel.bind(queue.name, binding))
    return Result.BOUND


def _result(fault: BrokerError) -> Result:
    match fault:
        case Conflict():
            return Result.CONFLICT
        case Refused():
            return Result.REFUSED
        case _:
            return Result.FAILED
