"""Serving on an address until told to stop: what the role, the command and the tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .options import address, explain
from .server import Broker


async def serve(
    listen: str,
    *,
    control: str | None,
    allow_remote: bool,
    stop: asyncio.Event,
    say: Callable[[str], None],
) -> None:
    """Run a broker at `listen`, and its faults at `control` if that is set, until `stop` is set.

    Says its address once clients can connect.  Raises UsageError, one line, for an address
    that cannot be had.
    """
    host, port = address(listen, "--listen", allow_remote=allow_remote)
    faults = address(control, "--control", allow_remote=False) if control else None
    broker = Broker()
    try:
        try:
            port = await broker.listen(host, port)
        except OSError as fault:
            raise explain(fault, "--listen", host, port) from fault
        # Before it is said to be ready: who waits for that line goes on at once.
        served = await _listen_for_faults(broker, *faults) if faults is not None else None
        shown = f"[{host}]" if ":" in host else host
        say(f"amqp://guest:guest@{shown}:{port}/ ready; in memory only, nothing is persisted")
        if served is not None:
            say(f"faults: {served}")
        await stop.wait()
    finally:
        await broker.close()


async def _listen_for_faults(broker: Broker, host: str, port: int) -> str:
    """Where they are taken."""
    from .control import Control

    try:
        port = await Control(broker).listen(host, port)
    except OSError as fault:
        raise explain(fault, "--control", host, port) from fault
    return f"http://{host}:{port}/"
