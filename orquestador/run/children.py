"""Child processes of `--all`: this same program with `--role`, started, listened to, ended.

Which ones, and for how long, is `everything.py`'s.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 5.0  # seconds that children have to end in
KEPT_LINES = 20


@dataclass(slots=True)
class Child:
    """One process.  `lines`: its last ones, shown if it fails behind a live table."""

    name: str
    process: Process
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))


async def start(
    name: str, arguments: Sequence[str], environ: Mapping[str, str], *, inherits: bool = False
) -> Child:
    """In a process group of its own: a Ctrl+C reaches the parent alone, which passes it on once.

    `inherits`: its output is the parent's, else it can be read.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orquestador.run", *arguments),
        env=environ,
        stdin=DEVNULL,
        stdout=None if inherits else PIPE,
        stderr=PIPE if inherits else STDOUT,
        process_group=0,
    )
    return Child(name, process)


def common(given: argparse.Namespace) -> list[str]:
    """The options of the command line that every child gets, too."""
    arguments = ["--topology", given.topology]
    for folder in given.plugins:
        arguments += ["--plugins", folder]
    arguments += ["--json"] if given.json else []
    return arguments + (["--no-provision"] if given.no_provision else [])


def environment(url: str | None) -> dict[str, str]:
    """The broker's address goes by the environment: a password in a command line is for all to see.

    The children find the library where this process did: in a checkout, whatever the folder.
    """
    found = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, found))}
    return {**environ, "AMQP_URL": url} if url else environ


async def relay(child: Child, stop: asyncio.Event, *, quiet: bool, raw: bool) -> None:
    """Pass its lines on, under its name unless `raw`; nobody there to read them ends it all."""
    for stream in (child.process.stdout, child.process.stderr):
        if stream is None:
            continue
        async for line in stream:
            text = line.decode(errors="replace").rstrip("\n")
            child.lines.append(text)
            try:
                if not quiet:
                    print(text if raw else f"{child.name:<12} | {text}", flush=True)
            except OSError:
                quiet = True
                stop.set()


async def end(children: Iterable[Child]) -> None:
    """Ask all at once, wait, then kill what is left."""
    ending = tuple(children)
    for child in ending:
        with suppress(ProcessLookupError):
            child.process.send_signal(signal.SIGINT)
    waits = [asyncio.ensure_future(child.process.wait()) for child in ending]
    if waits:
        await asyncio.wait(waits, timeout=PATIENCE)
    for child in ending:
        if child.process.returncode is None:
            with suppress(ProcessLookupError):
                child.process.kill()
    await asyncio.gather(*waits)
