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

NOTICE_SHOWN = 60.0  # seconds
# Each column and the least width of the terminal at which it is shown.
COLUMNS = {"service": 0, "state": 0, "since": 36, "reason": 50, "round trip": 66, "last echo": 90}
NUMBERS = ("since", "round trip", "last echo")


class LiveTable:
    """A table in place, drawn anew four times a second from the newest board."""

    def __init__(self, console: Console, address: str, *, once: bool) -> None:
        self._address, self._once, self._console = address, once, console
        self._newest: Board | None = None
        self._notices: list[Notice] = []
        self._live = Live(
            console=console, get_renderable=self._table, refresh_per_second=4, auto_refresh=not once
        )
        if not once:
            self._live.start()

    def change(self, status: Status) -> None:
        """The board that follows shows it."""

    def notice(self, notice: Notice) -> None:
        if notice.kind in ("undeclared", "rejected", "warning"):
            self._notices = [*self._notices, notice][-3:]

    def board(self, board: Board) -> None:
        self._newest = board
        if self._once:
            self._console.print(self._table())
        else:
            self._live.refresh()

    def close(self) -> None:
        self._live.stop()

    def _table(self) -> Table:
        now = datetime.now(UTC)
        fresh = [n.text for n in self._notices if (now - n.at).total_seconds() < NOTICE_SHOWN]
        return table(self._newest, self._address, fresh, width=self._console.width)


def table(board: Board | None, address: str, notices: list[str], *, width: int = 100) -> Table:
    """The whole screen, `width` characters wide: a narrow one leaves out what matters least.

    `stale` rows are dim, for nobody knows whether they still hold.
    """
    title = escape(f"{board.watcher} on {address}" if board else f"connecting to {address}")
    drawn = Table(title=title, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD)
    names = [name for name, least in COLUMNS.items() if width >= least]
    for name in names:
        right = name in NUMBERS
        drawn.add_column(name, no_wrap=True, justify="right" if right else "left")
    if board is None:
        return drawn
    now = datetime.now(UTC)
    for row in board.rows:
        cells = _cells(row, now)
        drawn.add_row(*(cells[name] for name in names), style="dim" if row.stale else None)
    for other in board.undeclared:
        cells = {
            "service": escape(other.service),
            "state": "undeclared",
            "reason": "not in the topology",
            "last echo": _ago(now, other.last_echo),
        }
        drawn.add_row(*(cells.get(name, "") for name in names))
    said = [f"[bold yellow]blind:[/] {escape(board.blind)}"] if board.blind else []
    if not board.leads and not board.blind:
        said.append("standing by: another monitor leads, and this shows what it says")
    said += [escape(printable(text)) for text in notices]
    rejected = f" · {board.rejected} message(s) rejected" if board.rejected else ""
    drawn.caption = "\n".join([*said, f"round {board.rounds}{rejected} · Ctrl+C ends"])
    return drawn


def _cells(row: BoardRow, now: datetime) -> dict[str, str]:
    style = STYLES[row.state]
    trip = "" if row.round_trip is None else f"{row.round_trip * 1000:.1f} ms"
    count = f" ({row.live}/{row.expected})" if row.expected > 1 or row.live > 1 else ""
    stale = "stale: " if row.stale else ""
    return {
        "service": escape(row.service),
        "state": f"[{style}]{SYMBOLS[row.state]} {row.state}{count}[/]",
        "since": _ago(now, row.since),
        "reason": stale + escape(printable(row.text)),
        "round trip": trip,
        "last echo": "never" if row.last_echo is None else _ago(now, row.last_echo),
    }


def _ago(now: datetime, then: datetime) -> str:
    seconds = max(0.0, (now - then).total_seconds())
    if seconds < 60:
        return f"{int(seconds)} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
