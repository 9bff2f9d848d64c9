"""Which names an account has to configure, write and read for all of a topology to work.  Pure.

The least for one service alone is `export permissions`'s.  Which method needs which right:
https://www.rabbitmq.com/docs/access-control#authorisation.
"""

from __future__ import annotations

from functools import reduce

from orquestador.provision.exports.permissions import Rights, rights
from orquestador.provision.exports.usage import Accesses, usages
from orquestador.topology.model import Topology


def needs(topology: Topology, accesses: Accesses) -> Rights:
    """Of one account that provisions it and runs every service of it."""
    exchanges, queues = topology.exchanges.values(), topology.queues.values()
    sources = {binding.exchange for queue in queues for binding in queue.bindings}
    sources |= {binding.exchange for exchange in exchanges for binding in exchange.bindings}
    every = {exchange.name for exchange in exchanges}
    file = Rights(
        configure=frozenset(
            {exchange.name for exchange in exchanges if exchange.owned}
            | {queue.name for queue in queues}
        ),
        write=frozenset(every | {queue.name for queue in queues if queue.bindings}),
        read=frozenset(sources | {queue.name for queue in queues}),
    )
    of_services = (rights(topology, usage) for usage in usages(topology, accesses))
    return reduce(Rights.__or__, of_services, file)
