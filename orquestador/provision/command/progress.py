"""A bar on a terminal for what takes more than a second; nothing elsewhere, nothing before."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 1.0  # seconds


class Bar:
    """`bar.to(done, total)` as often as one likes, between `with Bar("asking"):` and its end.

    It stands on standard error, so that what is printed can be piped; it leaves no trace.
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._begun = time.monotonic()
        self._shown: tuple[Progress, TaskID] | None = None

    def to(self, done: int, total: int, doing: str = "") -> None:
        """`doing`: what it is at now, where that is not what it was made for."""
        if self._shown is None:
            if time.monotonic() - self._begun < PATIENCE or not sys.stderr.isatty():
                return
            self._shown = self._show()
        progress, task = self._shown
        # A queue may be called [b]: rich would take that for bold.
        description = _escaped(doing or self._doing)
        progress.update(task, completed=done, total=total, description=description)

    def _show(self) -> tuple[Progress, TaskID]:
        from rich.console import Console  # 60 ms that a short command does not need
        from rich.progress import Progress

        progress = Progress(
            console=Console(stderr=True),
            transient=True,
            # Lines for the same terminal go above the bar; those for a file stay out of its way.
            redirect_stdout=sys.stdout.isatty(),
        )
        progress.start()
        return progress, progress.add_task(self._doing, total=None)

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown is not None:
            self._shown[0].stop()


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
