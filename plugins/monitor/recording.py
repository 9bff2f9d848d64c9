"""A watch's inputs as lines of JSON (`--record FILE`), and the same judged again (`--replay FILE`).

For bug reports: the state is a function of the evidence, so that a replay says what the run said.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import msgspec

from orquestador import ConfigurationError, RoleContext, UsageError
from orquestador.board import Notice
from orquestador.events import Echo, Status

from .evidence import Changed
from .outputs import Said, Told
from .reports import By, board, changed_status, first_status
from .row import Rules
from .watch import Record, Watch

log = logging.getLogger("orquestador.monitor")
VERSION = 1
# What each input carries beside its moment; the names are those of `Watch`'s methods.
INPUTS: dict[str, tuple[Any, ...]] = {
    "opened": (),
    "lost": (str,),
    "lead": (int,),
    "publishers_blocked": (str | None,),
    "refused": (),
    "loop_late": (float,),
    "own_back": (str,),
    "next_round": (),
    "sent_round": (str,),
    "sent_probe": (str, str),
    "sent_own": (str,),
    "other_round": (str,),
    "nobody_leads": (float,),
    "echo": (Echo,),
    "bounced": (str,),
    "counted": (str, int),
    "no_queue": (str,),
    "unseen": (str, str),
    "status": (Status, float),
    "rejects": (str,),
    "tick": (),
}


# What the session says itself when it tells the watch so; {} is the monitor's name.
SAID = {"lead": ("leader", "{} leads"), "lost": ("blind", "the session was lost")}


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: how the watch was made.  `at`: `now` in UTC."""

    recording: int = VERSION
    monitor: str
    within: float
    settle: float
    now: float
    at: datetime
    monitors: tuple[str, ...]
    rules: dict[str, Rules]


def watch_of(header: Header, record: Record | None) -> Watch:
    return Watch(
        header.rules,
        within=header.within,
        settle=header.settle,
        now=header.now,
        monitors=header.monitors,
        record=record,
    )


def recorder(out: TextIO, header: Header) -> Record:
    """What writes each input as one line; a line is whole or missing."""
    encode = msgspec.json.Encoder().encode

    broken = False

    def write(said: object) -> None:
        nonlocal broken
        if broken:
            return
        try:
            out.write(encode(said).decode() + "\n")
        except OSError as fault:  # watching goes on
            broken = True
            log.warning("%s is no longer written: %s", out.name, fault.strerror)

    write(header)
    return lambda kind, now, said: write((kind, now, *said))


def open_record(path: str) -> TextIO:
    """Raises UsageError where it cannot be written."""
    try:
        return Path(path).open("w", encoding="utf-8", buffering=1)
    except OSError as fault:
        raise UsageError(f"--record {path}: {fault.strerror}") from None


def replay(path: str, context: RoleContext) -> int:
    """Judge a recorded run again and tell the observers; raises ConfigurationError."""
    lines = _lines(path)
    header: Header = _decode(path, *next(lines, (1, b"")), Header)
    if header.recording != VERSION:
        raise ConfigurationError(f"{path}: recording {header.recording}, this program reads 1")
    watch = watch_of(header, None)
    now = header.now

    def wall(moment: float) -> datetime:
        return header.at + timedelta(seconds=moment - header.now)

    for service, row in watch.rows.items():
        rules = header.rules[service]
        context.observers.changed(first_status(row, rules, By(header.monitor, 0, now, wall)))
    for number, line in lines:
        kind, now = _apply(path, number, line, watch)
        if kind in SAID:
            notice, text = SAID[kind]
            context.observers.noticed(Notice(notice, text.format(header.monitor), wall(now)))
        _tell(watch, header, By(header.monitor, watch.epoch, now, wall), context)
    context.observers.board(board(watch, By(header.monitor, 0, now, wall)))
    return 0


def _apply(path: str, number: int, line: bytes, watch: Watch) -> tuple[str, float]:
    """The kind of input and its moment; raises ConfigurationError."""
    match _decode(path, number, line, list[Any]):
        case [str(kind), float() | int() as now, *said] if len(said) == len(INPUTS.get(kind, "-")):
            pass
        case _:
            raise ConfigurationError(f"{path}:{number}: no input of a watch")
    try:
        given = [msgspec.convert(v, t) for v, t in zip(said, INPUTS[kind], strict=True)]
        method: Callable[..., None] = getattr(watch, kind)
        method(*given, now)
    except (msgspec.ValidationError, KeyError) as fault:
        raise ConfigurationError(f"{path}:{number}: {kind}: {fault}") from None
    return kind, now


def _tell(watch: Watch, header: Header, by: By, context: RoleContext) -> None:
    for output in watch.drain():
        match output:
            case Changed():
                rules = header.rules[output.row.service]
                status = changed_status(output, rules, by)
                context.observers.changed(status)
            case Told():
                context.observers.changed(output.status)
            case Said():
                notice = Notice(output.kind, output.text, by.wall(by.now), output.service)
                context.observers.noticed(notice)
            case _:
                pass  # what it would have sent


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    try:
        with Path(path).open("rb") as file:
            yield from ((n, line) for n, line in enumerate(file, 1) if line.endswith(b"\n"))
    except OSError as fault:
        raise ConfigurationError(f"{path}: {fault.strerror}") from None


def _decode(path: str, number: int, line: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(line, type=kind)
    except msgspec.MsgspecError as fault:
        raise ConfigurationError(f"{path}:{number}: not a recorded line: {fault}") from None
