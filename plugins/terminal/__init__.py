"""What a person sees of a watch: a live table on a terminal, one line a change in a pipe, or JSON.

Shows what observers are told; decides nothing.  Loads what it shows with only when it shows.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from orquestador import RoleContext, hookimpl

if TYPE_CHECKING:
    from orquestador.board import Board, Notice
    from orquestador.events import Status


class Display(Protocol):
    def change(self, status: Status) -> None: ...

    def notice(self, notice: Notice) -> None: ...

    def board(self, board: Board) -> None: ...

    def close(self) -> None: ...


def _display(context: RoleContext) -> Display:
    from .lines import JsonLines, Lines

    out = context.out
    if context.arguments.json:
        return JsonLines(out)
    if not out.isatty() or os.environ.get("TERM") == "dumb":
        return Lines(out)
    from rich.console import Console

    from .table import LiveTable

    return LiveTable(Console(file=out), str(context.settings), once=context.arguments.once)


class Screen:
    """The one display of this process, from the start of a role that has one to its end."""

    def __init__(self) -> None:
        self._display: Display | None = None
        self._context: RoleContext | None = None

    def open(self, context: RoleContext) -> None:
        if not context.registry.roles[context.service.role].display:
            return
        self._context = context
        self._display = _display(context)

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
