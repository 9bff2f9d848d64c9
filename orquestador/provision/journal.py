"""Keeps `topology.state.json` true while a run works: what it is about to make, made, took away.

A killed run loses track of nothing: what it creates is on the disk before it is on the broker.
Two runs on one checkout lose nothing: each writes its own changes into what the file says then,
one after another, under a lock.  Its text is `state.py`'s.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from orquestador.errors import ConfigurationError
from orquestador.provision.records import Record, Recorded, Section, record, recorded
from orquestador.provision.state import State, render
from orquestador.topology.model import Exchange, Queue
from orquestador.topology.things import Id, Link

FLUSH_EVERY = 1.0  # seconds


class Journal:
    """Made by `Journal.open`; a context that flushes at its end.

    Whatever writes raises ConfigurationError where the file cannot be written or read any more.
    """

    def __init__(self, path: Path, broker: str, state: State) -> None:
        self._path, self._broker, self._state = path.resolve(), broker, state
        self._changes: dict[Recorded, Record | None] = {}
        self._flushed = time.monotonic()

    @classmethod
    def open(cls, path: Path, broker: str) -> Journal:
        """`broker`: its `broker_key`.  Raises ConfigurationError as `State.load` does."""
        return cls(path, broker, State.load(path))

    @property
    def section(self) -> Section:
        """As it is now, this run's changes in it; an empty one before anything was applied."""
        held = self._state.section(self._broker) or Section()
        return held.changed(self._changes)

    def intend(self, things: Iterable[Exchange | Queue | Link]) -> None:
        """These are about to be made: on the disk when this returns.

        Call it before the first change to the broker, even for nothing: a file that cannot be
        written is told here.  A binding that comes back with its queue or exchange (Step.links) is
        intended too: until it is done, it counts as unknown.
        """
        for thing in things:
            if _ours(thing):
                self._changes[recorded(thing)] = replace(record(thing), begun=True)
        self.flush()
        self._try_writing()

    def done(self, thing: Exchange | Queue | Link) -> None:
        """It is there, made or seen in step.  An exchange that is not owned is not recorded, and
        forgotten if it was: it is somebody else's now, and no business of --prune."""
        self._change(recorded(thing), record(thing) if _ours(thing) else None)

    def gone(self, thing: Exchange | Queue | Id | Link) -> None:
        """It is not there any more."""
        self._change(recorded(thing), None)

    def failed(self, thing: Exchange | Queue | Link) -> None:
        """It was intended, and is not there: the broker said no."""
        self._change(recorded(thing), None)

    def flush(self) -> None:
        """Write what has changed; nothing, where the file says it all already."""
        self._flushed = time.monotonic()
        if all(self._says(thing, held) for thing, held in self._changes.items()):
            self._changes.clear()
            return
        with _writing(self._path), _locked(self._path.parent):
            now = State.load(self._path)
            self._state = _merged(now, self._broker, self._changes)
            if self._state != now:
                _replace(self._path, render(self._state))
        self._changes.clear()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()

    def _change(self, thing: Recorded, held: Record | None) -> None:
        self._changes[thing] = held
        if time.monotonic() - self._flushed >= FLUSH_EVERY:
            self.flush()

    def _says(self, thing: Recorded, held: Record | None) -> bool:
        section = self._state.section(self._broker) or Section()
        return section.records.get(thing) == held

    def _try_writing(self) -> None:
        with _writing(self._path), _locked(self._path.parent):
            _draft(self._path).touch()
            _draft(self._path).unlink()


def _ours(thing: Exchange | Queue | Link) -> bool:
    return not isinstance(thing, Exchange) or thing.owned


def _merged(state: State, broker: str, changes: dict[Recorded, Record | None]) -> State:
    section = state.section(broker) or Section()
    return state.changed(broker, section.changed(changes))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        text = f"{path}: cannot be written: {fault.strerror}; nothing can be applied without it"
        raise ConfigurationError(text) from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The folder itself is locked, so that nothing is left behind.

    Some network file systems lock no folder: there two runs at once may lose a record.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _replace(path: Path, text: str) -> None:
    """As a whole or not at all, also where the machine stops: written beside it, then renamed."""
    draft = _draft(path)
    with draft.open("w", encoding="utf-8") as out:
        if path.exists():
            os.fchmod(out.fileno(), path.stat().st_mode & 0o777)
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
