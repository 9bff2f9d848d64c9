"""The broker as one process has it: a listening socket, all connections, what they share.

Frames are the connections', names and messages the virtual host's.
Source: rabbitmq.com/docs/alarms, /docs/memory (publishers are blocked, consumers are not).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from .connection import Connection
from .vhost import VirtualHost


@dataclass(frozen=True, slots=True)
class Limits:
    """What this broker offers and bears.  Sizes in bytes, heartbeat in seconds.

    `memory` is what messages may take together before publishers are blocked.
    """

    channel_max: int = 2047
    frame_max: int = 131_072
    heartbeat: int = 60
    message_max: int = 134_217_728
    memory: int = 256 * 1024 * 1024


Gate = Callable[[Connection, str, bytes], None]
"""Gets a delivery instead of the socket: connection, queue, frames."""

_RELIEF = 0.8
"""Publishers go on once messages take this share of the memory limit."""


def say(line: str) -> None:
    """One line for the person who runs the broker."""
    sys.stderr.write(f"broker: {line}\n")
    sys.stderr.flush()


class Broker:
    """A broker on one address.  Everything in it runs on the loop that started it."""

    def __init__(self, limits: Limits | None = None, *, log: Callable[[str], None] = say) -> None:
        self.loop = asyncio.get_running_loop()
        self.limits = limits or Limits()
        self.log = log
        self.connections: set[Connection] = set()
        self.written: list[Connection] = []
        """Connections with something to write at the end of this turn."""
        self.alarm = ""
        """Why publishers are blocked; empty while they are not."""
        self.gate: Gate | None = None
        self._asked_to_block = False
        self._server: asyncio.Server | None = None
        self._address = ("", 0)
        self.vhost = VirtualHost(clock=self.loop.time, later=self._later, today=time.time, warn=log)

    def _later(self, delay: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        def run() -> None:
            act()
            self.settle()

        return self.loop.call_later(delay, run)

    async def listen(self, host: str, port: int) -> int:
        """Take connections from now on; the port, chosen by the system for 0.  Raises OSError."""
        self._server = await self.loop.create_server(
            lambda: Connection(self), host, port, backlog=1024, reuse_address=True
        )
        self._address = (host, int(self._server.sockets[0].getsockname()[1]))
        return self._address[1]

    async def close(self) -> None:
        """Take no more connections and end those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections):
            connection.cut()
        await asyncio.sleep(0)

    async def restart(self, *, keep_queues: bool, down_for: float) -> None:
        """Go away and come back: without connections, and without what is not durable or, where
        `keep_queues` is false, without anything."""
        await self.close()
        self.vhost.forget(durable_too=not keep_queues)
        await asyncio.sleep(down_for)
        await self.listen(*self._address)

    def settle(self) -> None:
        """The end of a turn: bury the dead, mind the memory, write what was said."""
        self.vhost.bury_all()
        if self.vhost.weight > self.limits.memory:
            if not self.alarm:
                self._block("low on memory")
        elif self.alarm and not self._asked_to_block:
            self._relieve()
        while self.written:
            written, self.written = self.written, []
            for connection in written:
                connection.flush()

    def _relieve(self) -> None:
        if self.vhost.weight <= self.limits.memory * _RELIEF:
            self._unblock()

    def block_publishers(self, reason: str) -> None:
        """Hold every connection that publishes, until `unblock_publishers`."""
        self._asked_to_block = True
        self._block(reason)
        self.settle()

    def unblock_publishers(self) -> None:
        self._asked_to_block = False
        self._unblock()
        self.settle()

    def _block(self, reason: str) -> None:
        self.alarm = reason
        self.log(f"publishers are blocked: {reason}")
        for connection in self.connections:
            if connection.publishes:
                connection.block(reason)

    def _unblock(self) -> None:
        self.alarm = ""
        self.log("publishers go on")
        for connection in self.connections:
            connection.unblock()
