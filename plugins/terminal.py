"""What a person sees of a watch: a live table on a terminal, one line a change in a pipe, or JSON.

Shows what observers are told; decides nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TextIO

from orquestador import RoleContext, hookimpl
from orquestador.board import Board, Notice
from orquestador.board import Row as BoardRow
from orquestador.events import State, Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

STYLES = {
    State.UNKNOWN: "dim",
    State.UP: "green",
    State.DEGRADED: "yellow",
    State.SUSPECT: "yellow",
    State.DOWN: "bold red",
    State.STOPPED: "magenta",
}
SYMBOLS = {
    State.UNKNOWN: "?",
    State.UP: "●",
    State.DEGRADED: "◐",
    State.SUSPECT: "◌",
    State.DOWN: "✖",
    State.STOPPED: "■",
}

NUMBERS = ("since", "round trip", "last echo")
# Services choose what `details` say: it must neither break a line nor command the terminal.
CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), " ")


class Display(Protocol):
    def change(self, status: Status) -> None: ...

    def notice(self, notice: Notice) -> None: ...

    def board(self, board: Board) -> None: ...

    def close(self) -> None: ...


class Lines:
    """One plain line a change."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def change(self, status: Status) -> None:
        arrow = f"{status.previous} → " if status.previous else ""
        self._say(f"{status.service}  {arrow}{status.state}  {status.text}")

    def notice(self, notice: Notice) -> None:
        self._say(f"{notice.kind}: {notice.text}")

    def board(self, board: Board) -> None:
        """Changes are told one by one."""

    def close(self) -> None:
        """Every line is out already."""

    def _say(self, text: str) -> None:
        moment = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
        print(f"{moment}  {text.translate(CONTROLS)}", file=self._out, flush=True)


class JsonLines:
    """One JSON object a line: `event: "status"` with the status' fields, or a notice."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def change(self, status: Status) -> None:
        import msgspec

        self._say({"event": "status", **msgspec.to_builtins(status)})

    def notice(self, notice: Notice) -> None:
        from orquestador.events import timestamp

        at = timestamp(notice.at)
        said = {"event": notice.kind, "text": notice.text, "service": notice.service, "at": at}
        self._say(said)

    def board(self, board: Board) -> None:
        """Changes are told one by one."""

    def close(self) -> None:
        """Every line is out already."""

    def _say(self, said: Mapping[str, object]) -> None:
        import json

        print(json.dumps(said, ensure_ascii=False), file=self._out, flush=True)


class LiveTable:
    """A table in place, drawn anew four times a second from the newest board."""

    def __init__(self, console: Console, address: str, *, once: bool) -> None:
        from rich.live import Live

        self._address, self._once, self._console = address, once, console
        self._newest: Board | None = None
        self._notices: list[str] = []
        self._live = Live(
            console=console, get_renderable=self._table, refresh_per_second=4, auto_refresh=not once
        )
        if not once:
            self._live.start()

    def change(self, status: Status) -> None:
        """The board that follows shows it."""

    def notice(self, notice: Notice) -> None:
        if notice.kind in ("undeclared", "rejected", "warning"):
            self._notices = [*self._notices, notice.text.translate(CONTROLS)][-3:]

    def board(self, board: Board) -> None:
        self._newest = board
        if self._once:
            self._console.print(self._table())
        else:
            self._live.refresh()

    def close(self) -> None:
        self._live.stop()

    def _table(self) -> Table:
        return table(self._newest, self._address, self._notices)


def table(board: Board | None, address: str, notices: list[str]) -> Table:
    """The whole screen; `stale` rows are dim, for nobody knows whether they still hold."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    title = escape(f"{board.watcher} on {address}" if board else f"connecting to {address}")
    drawn = Table(title=title, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD)
    for name in ("service", "state", "since", "reason", "round trip", "last echo"):
        drawn.add_column(
            name, no_wrap=name != "reason", justify="right" if name in NUMBERS else "left"
        )
    if board is None:
        return drawn
    now = datetime.now(UTC)
    for row in board.rows:
        drawn.add_row(*_cells(row, now), style="dim" if row.stale else None)
    for other in board.undeclared:
        last = _ago(now, other.last_echo)
        drawn.add_row(escape(other.service), "undeclared", "", "not in the topology", "", last)
    said = [f"[bold yellow]blind:[/] {escape(board.blind)}"] if board.blind else []
    said += [escape(text) for text in notices]
    rejected = f" · {board.rejected} message(s) rejected" if board.rejected else ""
    drawn.caption = "\n".join([*said, f"round {board.rounds}{rejected} · Ctrl+C ends"])
    return drawn


def _cells(row: BoardRow, now: datetime) -> tuple[str, ...]:
    from rich.markup import escape

    style = STYLES[row.state]
    trip = "" if row.round_trip is None else f"{row.round_trip * 1000:.1f} ms"
    count = f" ({row.live}/{row.expected})" if row.expected > 1 or row.live > 1 else ""
    return (
        escape(row.service),
        f"[{style}]{SYMBOLS[row.state]} {row.state}{count}[/]" + (" stale" if row.stale else ""),
        _ago(now, row.since),
        escape(row.text.translate(CONTROLS)),
        trip,
        "never" if row.last_echo is None else _ago(now, row.last_echo),
    )


def _ago(now: datetime, then: datetime) -> str:
    seconds = max(0.0, (now - then).total_seconds())
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class Screen:
    """The one display of this process, from the start of a role that has one to its end."""

    def __init__(self) -> None:
        self._display: Display | None = None
        self._context: RoleContext | None = None

    def open(self, context: RoleContext) -> None:
        if not context.registry.roles[context.service.role].display:
            return
        self._context = context
        out = context.out
        if context.arguments.json:
            self._display = JsonLines(out)
        elif out.isatty() and os.environ.get("TERM") != "dumb":
            from rich.console import Console

            console = Console(file=out)
            address = str(context.settings)
            self._display = LiveTable(console, address, once=context.arguments.once)
        else:
            self._display = Lines(out)

    def close(self) -> None:
        if self._display is not None:
            self._do(self._display.close)
        self._display = None

    def change(self, change: Status) -> None:
        if self._display is not None:
            self._do(self._display.change, change)

    def notice(self, notice: Notice) -> None:
        if self._display is not None:
            self._do(self._display.notice, notice)

    def board(self, board: Board) -> None:
        if self._display is not None:
            self._do(self._display.board, board)

    def _do(self, show: Callable[..., None], *what: object) -> None:
        """A reader that has gone (`| head`, a closed terminal) ends the watch without an error."""
        try:
            show(*what)
        except OSError:
            self._display = None
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if self._context is not None:
                self._context.request_stop()


screen = Screen()


@hookimpl
def service_started(context: RoleContext) -> None:
    screen.open(context)


@hookimpl
def service_stopping(context: RoleContext) -> None:
    screen.close()


@hookimpl
def state_changed(change: Status) -> None:
    screen.change(change)


@hookimpl
def noticed(notice: Notice) -> None:
    screen.notice(notice)


@hookimpl
def round_finished(board: Board) -> None:
    screen.board(board)
