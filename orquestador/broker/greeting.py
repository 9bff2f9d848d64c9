"""What a broker says of itself when a connection opens, and what both sides agree on.

Knows pika's connection; what its figures are good for is the reader's.
"""

from __future__ import annotations

from dataclasses import dataclass

from pika.adapters.asyncio_connection import AsyncioConnection

MOST_CHANNELS = 65535  # AMQP writes "no limit" as 0


@dataclass(frozen=True, slots=True)
class Greeting:
    """server-properties and tune-ok.  What a broker keeps to itself is ''.

    `channels`: the most of one connection; `frame`: bytes; `heartbeat`: seconds, 0 for none.
    """

    product: str
    version: str
    capabilities: frozenset[str]
    channels: int
    frame: int
    heartbeat: int


def read(connection: AsyncioConnection) -> Greeting:
    """Of an open connection."""
    heartbeat = connection.params.heartbeat
    said = connection.server_properties or {}
    capabilities = said.get("capabilities") or {}
    return Greeting(
        str(said.get("product", "")),
        str(said.get("version", "")),
        frozenset(name for name, there in capabilities.items() if there),
        connection.params.channel_max or MOST_CHANNELS,
        connection.params.frame_max,
        heartbeat if isinstance(heartbeat, int) else 0,
    )
