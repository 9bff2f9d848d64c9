"""`--all`: every service of the file as a child process, until Ctrl+C or until a display ends.

Where no broker address is given, a broker of a plugin's is started first.  What the children do is
their roles'.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from orquestador.errors import UsageError
from orquestador.hooks.registry import Registry
from orquestador.run import children
from orquestador.run.children import Child
from orquestador.run.exits import DONE, INTERRUPTED
from orquestador.settings import Settings
from orquestador.topology.model import Service, Topology

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ANY_FREE_PORT = "127.0.0.1:0"


def run_all(
    topology: Topology, settings: Settings, given: argparse.Namespace, registry: Registry
) -> int:
    """The exit code: 0, or what a display failed with before it was asked to end."""
    services = [each for each in topology.services.values() if each.role in registry.roles]
    if not topology.services:
        raise UsageError(f"{topology.path} has no services")
    if not services:
        raise UsageError(f"{topology.path}: no plugin provides the role of any service")
    return asyncio.run(_Everything(services, settings, given, registry).run())


class _Everything:
    def __init__(
        self,
        services: Sequence[Service],
        settings: Settings,
        given: argparse.Namespace,
        registry: Registry,
    ) -> None:
        self._given, self._roles = given, registry.roles
        # Those that show come last, so that what is said before them stays above a live table.
        self._services = sorted(services, key=self._shows)
        self._url: str | None = given.url
        self._needs_broker = not settings.given
        self._quiet = sys.stdout.isatty() or given.json
        self._stop = asyncio.Event()
        self._children: list[Child] = []
        self._relays: list[asyncio.Task[None]] = []
        self._hurried = False

    async def run(self) -> int:
        for number in ENDING:
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number)
        broker: list[Child] = []
        failed: list[Child] = []
        try:
            if self._needs_broker:
                broker = await self._broker()
            for service in self._services:
                await self._start(service)
            self._say_how_to_bring_back()
            return await self._watch_over()
        finally:
            failed = [child for child in self._children if (child.process.returncode or 0) > 0]
            await children.end(self._children)
            await children.end(broker)  # last: the others say goodbye through it
            await asyncio.gather(*self._relays)
            self._tell(failed)

    def _on_signal(self, number: signal.Signals) -> None:
        """The first asks everyone to leave; a second Ctrl+C waits for nobody."""
        if self._stop.is_set() and number is signal.SIGINT:
            children.kill(self._children)
            self._hurried = True
        self._stop.set()

    def _tell(self, failed: Sequence[Child]) -> None:
        """What those said last that failed by themselves: a live table had hidden it."""
        for child in failed if self._quiet else ():
            for line in child.lines:
                print(f"{child.name:<12} | {line}", file=sys.stderr)

    async def _broker(self) -> list[Child]:
        """The broker of a plugin, if there is one; its first line begins with its address."""
        role = next((role for role in self._roles.values() if role.serves_broker), None)
        if role is None:
            return []
        arguments = ["--role", role.name, "--listen", ANY_FREE_PORT]
        child = await children.start(role.name, arguments, children.environment(None))
        assert child.process.stdout is not None
        ready = (await child.process.stdout.readline()).decode()
        self._url = ready.partition(" ")[0]
        self._say(f"{role.name:<12} pid {child.process.pid}    {ready.strip()}")
        self._say_as_json(child, url=self._url)
        self._relay(child, raw=False)
        return [child]

    async def _start(self, service: Service) -> None:
        shows = self._shows(service)
        arguments = ["--role", service.role, "--name", service.name, *children.common(self._given)]
        arguments += ["--json"] if shows and self._given.json else []
        child = await children.start(
            service.name,
            arguments,
            children.environment(self._url),
            inherits=shows and self._quiet,
        )
        self._children.append(child)
        pid = child.process.pid
        self._say(
            f"{service.name:<12} pid {pid}{'' if shows else f'    to crash it: kill -9 {pid}'}"
        )
        self._say_as_json(child)
        self._relay(child, raw=shows)

    def _relay(self, child: Child, *, raw: bool) -> None:
        relay = children.relay(child, self._stop, quiet=self._quiet, raw=raw)
        self._relays.append(asyncio.create_task(relay))

    def _say_how_to_bring_back(self) -> None:
        """Only for a broker of our own making: its address is no secret."""
        last = next((each for each in reversed(self._services) if not self._shows(each)), None)
        if self._needs_broker and self._url and last:
            again = f"--role {last.role} --name {last.name} --url {self._url}"
            self._say(f"to bring one back, in another terminal: {_this_command()} {again}")

    def _say(self, text: str) -> None:
        if not self._given.json:
            print(text, flush=True)

    def _say_as_json(self, child: Child, **more: str) -> None:
        if self._given.json:
            said = {"event": "started", "service": child.name, "pid": child.process.pid, **more}
            print(json.dumps(said), flush=True)

    def _shows(self, service: Service) -> bool:
        return self._roles[service.role].display

    async def _watch_over(self) -> int:
        """Until the stop, or until one that shows has ended; a service that dies is the point."""
        shown = {service.name for service in self._services if self._shows(service)}
        shows = [child for child in self._children if child.name in shown]
        ends = {
            asyncio.ensure_future(child.process.wait()): child for child in shows or self._children
        }
        enough = asyncio.FIRST_COMPLETED if shows else asyncio.ALL_COMPLETED
        over = asyncio.ensure_future(asyncio.wait(ends, return_when=enough))
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([stopping, over], return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        stopping.cancel()
        if self._stop.is_set():
            return INTERRUPTED if self._hurried else DONE
        for ended, child in ends.items():
            if ended.done() and ended.result() < 0:
                name = signal.Signals(-ended.result()).name
                print(f"{child.name} was ended by {name}", file=sys.stderr)
        return max(abs(ended.result()) for ended in ends if ended.done())


def _this_command() -> str:
    """How the person can type it in a terminal where no environment is activated."""
    script = Path(sys.argv[0])
    if script.name == "__main__.py":
        return f"{sys.executable} -m orquestador"
    return f"{sys.executable} {script}" if script.suffix == ".py" else str(script)
