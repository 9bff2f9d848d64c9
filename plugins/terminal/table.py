"""The live table of a terminal, drawn in place from the newest board."""

from __future__ import annotations

from datetime import UTC, datetime

from rich import box
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from orquestador.board import Board, Notice
from orquestador.board import Row as BoardRow
from orquestador.events import State, Status

from .words import printable

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


class LiveTable:
    """A table in place, drawn anew four times a second from the newest board."""

    def __init__(self, console: Console, address: str, *, once: bool) -> None:
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
            self._notices = [*self._notices, printable(notice.text)][-3:]

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
    style = STYLES[row.state]
    trip = "" if row.round_trip is None else f"{row.round_trip * 1000:.1f} ms"
    count = f" ({row.live}/{row.expected})" if row.expected > 1 or row.live > 1 else ""
    return (
        escape(row.service),
        f"[{style}]{SYMBOLS[row.state]} {row.state}{count}[/]" + (" stale" if row.stale else ""),
        _ago(now, row.since),
        escape(printable(row.text)),
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
