"""Child processes of `--all`: this same program with `--role`, started, listened to, ended.

Which ones, and for how long, is `everything.py`'s.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

LEASH = "ORQUESTADOR_ENDS_WITH_STDIN"
PATIENCE = 5.0  # seconds that children have to end in
KEPT_LINES = 20
LINE_MAX = 1 << 20  # bytes


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
        *(sys.executable, "-m", "orquestador", *arguments),
        env=environ,
        stdin=PIPE,  # never written: its end tells the child that the parent is gone
        stdout=None if inherits else PIPE,
        stderr=PIPE if inherits else STDOUT,
        process_group=0,
        limit=LINE_MAX,
    )
    return Child(name, process)


def common(given: argparse.Namespace) -> list[str]:
    """The options of the command line that every child gets, too."""
    arguments = ["--topology", given.topology]
    for folder in given.plugins:
        arguments += ["--plugins", folder]
    arguments += ["-v"] * given.verbose
    return arguments + (["--no-provision"] if given.no_provision else [])


def environment(url: str | None) -> dict[str, str]:
    """The broker's address goes by the environment: a password in a command line is for all to see.

    The children find the library where this process did: in a checkout, whatever the folder.
    """
    found = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, found)), LEASH: "1"}
    return {**environ, "AMQP_URL": url} if url else environ


async def relay(child: Child, stop: asyncio.Event, *, quiet: bool, raw: bool) -> None:
    """Pass its lines on, under its name unless `raw`; nobody there to read them ends it all."""
    for stream in (child.process.stdout, child.process.stderr):
        if stream is None:
            continue
        while line := await _line(stream):
            text = line.decode(errors="replace").rstrip("\n")
            child.lines.append(text)
            try:
                if not quiet:
                    print(text if raw else f"{child.name:<12} | {text}", flush=True)
            except OSError:
                quiet = True
                stop.set()
    code = await child.process.wait()
    if not quiet and not stop.is_set():
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        print(f"{child.name:<12} | ended: {how}", flush=True)


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line, or what of it fits; empty at the end."""
    try:
        return await stream.readline()
    except ValueError:  # longer than LINE_MAX: asyncio has dropped it
        return b"(a line too long to be shown)\n"


def kill(children: Iterable[Child]) -> None:
    """At once, without a goodbye."""
    for child in children:
        if child.process.returncode is None:
            with suppress(ProcessLookupError):
                child.process.kill()


async def end(children: Iterable[Child]) -> None:
    """Ask all at once, wait, then kill what is left."""
    ending = tuple(children)
    for child in ending:
        with suppress(ProcessLookupError):
            child.process.terminate()
    waits = [asyncio.ensure_future(child.process.wait()) for child in ending]
    if waits:
        await asyncio.wait(waits, timeout=PATIENCE)
    kill(ending)
    await asyncio.gather(*waits)
