"""What a monitor's process does on the broker beside consuming its own queues.

`wire.py`, `pinging.py`, `ping_queues.py`, `baton.py` and `telling.py` do it.
"""

from __future__ import annotations

from orquestador import Access, Service, Topology
from orquestador.topology.model import ALL, EVENTS, HEARTBEAT, ping_queue

DEFAULT_EXCHANGE = ""


def access(topology: Topology, service: Service) -> Access:
    """Pings to all, to each watched one and to itself; statuses and a hello; bounces; the baton."""
    watched = [each.name for each in topology.watched]
    if not watched:
        return Access()  # it does not run
    heartbeat, events = (topology.exchanges[name].name for name in (HEARTBEAT, EVENTS))
    keys = (
        *((heartbeat, key) for key in (ALL, service.name, *watched)),
        *((events, f"status.{name}") for name in watched),
        (events, f"echo.{service.name}"),
    )
    return Access(
        write=frozenset((heartbeat, events, DEFAULT_EXCHANGE)),
        read=frozenset(topology.queues[ping_queue(name)].name for name in watched),
        topics=frozenset(keys),
    )
