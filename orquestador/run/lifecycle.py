"""One role from start to end on an event loop: signals, observers, the exit code.

Ctrl+C, SIGTERM and a closed terminal (SIGHUP) ask it to end; a second Ctrl+C ends it at once.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from contextlib import suppress

from orquestador.hooks.loading import Plugins
from orquestador.hooks.registry import Role, RoleContext
from orquestador.run.children import LEASH
from orquestador.run.exits import INTERRUPTED
from orquestador.settings import Settings
from orquestador.topology.model import Service, Topology

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run(
    role: Role,
    service: Service,
    topology: Topology,
    settings: Settings,
    arguments: argparse.Namespace,
    plugins: Plugins,
) -> int:
    """The role's exit code; raises what it raises."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    observers = plugins.observers()
    context = RoleContext(
        topology=topology,
        service=service,
        settings=settings,
        arguments=arguments,
        stop=stop,
        observers=observers,
        registry=plugins.registry,
        loop=loop,
        out=sys.stdout,
    )
    for number in ENDING:
        loop.add_signal_handler(number, _on_signal, number, stop)
    if os.environ.pop(LEASH, None):
        loop.add_reader(sys.stdin.fileno(), _on_parent_gone, loop, stop)
    observers.started(context)
    try:
        return await role.run(context)
    finally:
        observers.stopping(context)
        # On a worker: the observers' thread may itself ask this loop for something.
        await asyncio.to_thread(observers.close)


def _on_parent_gone(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Standard input is a pipe that the parent never writes: it ends when the parent does."""
    loop.remove_reader(sys.stdin.fileno())
    stop.set()


def _on_signal(number: signal.Signals, stop: asyncio.Event) -> None:
    if stop.is_set() and number is signal.SIGINT:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(INTERRUPTED)
    stop.set()
