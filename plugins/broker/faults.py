"""Faults on purpose, for tests and experiments: what a broker or a network does on a bad day.

The Python side; `control` offers the same over HTTP, `harness` from another thread or process.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from .connection import Connection
from .server import Broker


class Faults:
    """Faults of one running broker; call it on the broker's loop.

    `connection` picks by the name a client gave or by its address, `queue` by name; both take `*`.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._delays: dict[str, float] = {}
        self._drops: dict[str, int | None] = {}
        self._late: dict[Connection, float] = {}

    def connections(self) -> list[str]:
        """The names of all open connections: address, and what the client calls itself."""
        return sorted(connection.name for connection in self._broker.connections)

    def _chosen(self, pattern: str) -> list[Connection]:
        return [
            one
            for one in self._broker.connections
            if any(fnmatchcase(name, pattern) for name in (one.name, *one.name.split(" ", 1)))
        ]

    def cut(self, connection: str = "*") -> int:
        """End connections as a broken cable does; how many."""
        chosen = self._chosen(connection)
        for one in chosen:
            one.cut()
        self._broker.settle()
        return len(chosen)

    def stop_reading(self, connection: str = "*") -> int:
        """Take nothing more from these clients, whose connections stay open; how many."""
        chosen = self._chosen(connection)
        for one in chosen:
            one.stop_reading("fault")
        return len(chosen)

    def read_again(self, connection: str = "*") -> int:
        chosen = self._chosen(connection)
        for one in chosen:
            one.read_again("fault")
        return len(chosen)

    def delay_deliveries(self, seconds: float, queue: str = "*") -> None:
        """Send what these queues deliver so much later, in the same order; 0 ends it.

        A fault on `*` takes the place of every one on queues by name.
        """
        _forget(self._delays, queue)
        if seconds > 0:
            self._delays[queue] = seconds
        self._set_gate()

    def drop_deliveries(self, count: int | None = None, queue: str = "*") -> None:
        """Lose the next deliveries of these queues on the way, all of them for None; 0 ends it.

        The broker has sent them and waits for their acknowledgement, as after a loss on the wire.
        """
        _forget(self._drops, queue)
        if count is None or count > 0:
            self._drops[queue] = count
        self._set_gate()

    def _set_gate(self) -> None:
        self._broker.gate = self._gate if self._delays or self._drops else None

    def _gate(self, connection: Connection, queue: str, frames: bytes) -> None:
        if self._is_dropped(queue):
            return
        delay = max(
            (wait for name, wait in self._delays.items() if fnmatchcase(queue, name)), default=0.0
        )
        loop = self._broker.loop
        due = max(loop.time() + delay, self._late.get(connection, 0.0))
        if due <= loop.time():
            connection.send(frames)
            return
        self._late[connection] = due

        def send() -> None:
            if self._late.get(connection) == due:
                del self._late[connection]
            if not connection.closing:
                connection.send(frames)
                self._broker.settle()

        loop.call_at(due, send)

    def _is_dropped(self, queue: str) -> bool:
        for name, left in self._drops.items():
            if fnmatchcase(queue, name):
                if left is not None:
                    self.drop_deliveries(left - 1, name)
                return True
        return False

    def block_publishers(self, reason: str = "low on memory") -> None:
        """Hold all that publish, as RabbitMQ does under a memory or disk alarm."""
        self._broker.block_publishers(reason)

    def unblock_publishers(self) -> None:
        self._broker.unblock_publishers()

    async def restart(self, *, keep_queues: bool = True, down_for: float = 0.0) -> None:
        """Cut everyone, be away for so many seconds, come back on the same port.

        Durable queues, their messages and durable exchanges are there again, or nothing is.
        """
        await self._broker.restart(keep_queues=keep_queues, down_for=down_for)


Method = Callable[..., object]


def methods(faults: Faults) -> dict[str, Method]:
    """The faults by the names that `control` takes; what each returns is its answer."""
    return {
        "connections": faults.connections,
        "cut": faults.cut,
        "stop-reading": faults.stop_reading,
        "read-again": faults.read_again,
        "delay-deliveries": faults.delay_deliveries,
        "drop-deliveries": faults.drop_deliveries,
        "block-publishers": faults.block_publishers,
        "unblock-publishers": faults.unblock_publishers,
        "restart": faults.restart,
    }


def _forget(faults: dict[str, float] | dict[str, int | None], queue: str) -> None:
    """The fault on these queues is replaced or over; `*` are all of them."""
    if queue == "*":
        faults.clear()
    faults.pop(queue, None)
