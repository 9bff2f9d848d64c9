"""`--all`: every service of the file as a child process, until Ctrl+C or until one display ends.

The children are this same program with `--role` and `--name`; what they do is their roles'.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from orquestador.errors import UsageError
from orquestador.hooks.registry import Registry
from orquestador.run.exits import DONE
from orquestador.settings import Settings
from orquestador.topology.model import Service, Topology

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 5.0  # seconds that children have to end in
KEPT_LINES = 20


@dataclass(slots=True)
class Child:
    """One service's process.  `lines`: its last ones, shown if it fails behind a live table."""

    service: Service
    process: Process
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))


def run_all(
    topology: Topology, settings: Settings, given: argparse.Namespace, registry: Registry
) -> int:
    """The exit code: 0, or the first that a child failed with before it was asked to end."""
    services = [each for each in topology.services.values() if each.role in registry.roles]
    if not services:
        raise UsageError(f"{topology.path}: no plugin provides the role of any service")
    return asyncio.run(_run_all(services, settings, given, registry))


async def _run_all(
    services: list[Service], settings: Settings, given: argparse.Namespace, registry: Registry
) -> int:
    stop = asyncio.Event()
    for number in ENDING:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    quiet = sys.stdout.isatty() or given.json
    children: list[Child] = []
    relays: list[asyncio.Task[None]] = []
    try:
        # Those that show come last, so that what is said before them stays above a live table.
        for service in sorted(services, key=lambda s: registry.roles[s.role].display):
            shows = registry.roles[service.role].display
            child = await _start(service, settings, given, shows=shows)
            children.append(child)
            if not given.json:
                pid = child.process.pid
                hint = "" if shows else f"    to crash it: kill -9 {pid}"
                print(f"{service.name:<12} pid {pid}{hint}", flush=True)
            relays.append(asyncio.create_task(_relay(child, quiet=quiet, raw=shows)))
        return await _watch_over(children, registry, stop)
    finally:
        await _end(children)
        await asyncio.gather(*relays)


async def _start(
    service: Service, settings: Settings, given: argparse.Namespace, *, shows: bool
) -> Child:
    """In a process group of its own: a Ctrl+C reaches the parent alone, which passes it on once."""
    command = [sys.executable, "-m", "orquestador.run"]
    command += ["--role", service.role, "--name", service.name, "--topology", given.topology]
    for folder in given.plugins:
        command += ["--plugins", folder]
    command += ["--json"] if given.json else []
    command += ["--no-provision"] if given.no_provision else []
    inherits = shows and (sys.stdout.isatty() or given.json)
    process = await asyncio.create_subprocess_exec(
        *command,
        env=_environment(given),
        stdin=DEVNULL,
        stdout=None if inherits else PIPE,
        stderr=asyncio.subprocess.STDOUT if not inherits else PIPE,
        process_group=0,
    )
    return Child(service, process)


def _environment(given: argparse.Namespace) -> dict[str, str]:
    """By the environment, not by --url: a password on a command line is there for all to see.

    The children find the library where this process did: in a checkout, whatever the folder.
    """
    found = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, found))}
    return {**environ, "AMQP_URL": given.url} if given.url else environ


async def _relay(child: Child, *, quiet: bool, raw: bool) -> None:
    for stream in (child.process.stdout, child.process.stderr):
        if stream is None:
            continue
        async for line in stream:
            text = line.decode(errors="replace").rstrip("\n")
            child.lines.append(text)
            if not quiet:
                print(text if raw else f"{child.service.name:<12} | {text}", flush=True)


async def _watch_over(children: list[Child], registry: Registry, stop: asyncio.Event) -> int:
    """Until the stop, or until a child that shows has ended; a service that dies is the point."""
    stopping = asyncio.create_task(stop.wait())
    shows = [c for c in children if registry.roles[c.service.role].display]
    ends = {asyncio.create_task(child.process.wait()): child for child in shows or children}
    enough = asyncio.FIRST_COMPLETED if shows else asyncio.ALL_COMPLETED
    over = asyncio.ensure_future(asyncio.wait(ends, return_when=enough))
    await asyncio.wait([stopping, over], return_when=asyncio.FIRST_COMPLETED)
    over.cancel()
    if stop.is_set():
        return DONE
    stopping.cancel()
    for end, child in ends.items():
        if end.done() and end.result() != 0:
            print("\n".join(child.lines), file=sys.stderr)
            return max(end.result(), 1)
    return DONE


async def _end(children: list[Child]) -> None:
    """Ask all at once, wait, then kill what is left."""
    for child in children:
        with suppress(ProcessLookupError):
            child.process.send_signal(signal.SIGINT)
    waits = [asyncio.create_task(child.process.wait()) for child in children]
    if waits:
        await asyncio.wait(waits, timeout=PATIENCE)
    for child in children:
        if child.process.returncode is None:
            with suppress(ProcessLookupError):
                child.process.kill()
    if waits:
        await asyncio.wait(waits)
