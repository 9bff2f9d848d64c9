"""A process makes sure of its own part of the topology before it uses it.

The whole file, told thing by thing, is `provision/`'s.
"""

from __future__ import annotations

from collections.abc import Iterable

from orquestador.broker.channel import Channel
from orquestador.topology.model import Queue, Topology


async def declare(
    channel: Channel,
    topology: Topology,
    queues: Iterable[Queue],
    exchanges: Iterable[str] = (),
    *,
    exchanges_passively: bool = False,
) -> None:
    """Declare these queues, the exchanges that they are bound to, and the bindings; all idempotent.

    `exchanges`: further ones, by their names in the file.  `exchanges_passively`: only ask for the
    exchanges (NotFound where one is missing), for accounts that may not configure them.

    Raises Conflict (406), Refused (403), NotFound (404) or Lost: then the channel is closed.
    """
    wanted = tuple(queues)
    bound = {binding.exchange for queue in wanted for binding in queue.bindings}
    further = set(exchanges)
    for name, exchange in topology.exchanges.items():
        if name in further or exchange.name in bound:
            await channel.declare_exchange(
                exchange, passive=exchanges_passively or not exchange.owned
            )
    for queue in wanted:
        await channel.declare_queue(queue)
        for binding in queue.bindings:
            await channel.bind(queue.name, binding)
