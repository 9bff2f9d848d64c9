"""Changes for a pipe: one plain line each, or one JSON object a line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TextIO

import msgspec

from orquestador.board import Board, Notice
from orquestador.events import Status, timestamp

from .words import printable


class Lines:
    """One plain line a change."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def change(self, status: Status) -> None:
        arrow = f"{status.previous} → " if status.previous else ""
        at = datetime.fromisoformat(status.at)
        self._say(at, f"{status.service}  {arrow}{status.state}  {status.text}")

    def notice(self, notice: Notice) -> None:
        self._say(notice.at, f"{notice.kind}: {notice.text}")

    def board(self, board: Board) -> None:
        """Changes are told one by one."""

    def close(self) -> None:
        """Every line is out already."""

    def _say(self, at: datetime, text: str) -> None:
        moment = at.astimezone().strftime("%H:%M:%S.%f")[:-3]
        print(f"{moment}  {printable(text)}", file=self._out, flush=True)


class JsonLines:
    """One JSON object a line: `event: "status"` with the status' fields, or a notice."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def change(self, status: Status) -> None:
        self._say({"event": "status", **msgspec.structs.asdict(status)})

    def notice(self, notice: Notice) -> None:
        at = timestamp(notice.at)
        said = {"event": notice.kind, "text": notice.text, "service": notice.service, "at": at}
        self._say(said)

    def board(self, board: Board) -> None:
        """Changes are told one by one."""

    def close(self) -> None:
        """Every line is out already."""

    def _say(self, said: Mapping[str, object]) -> None:
        self._out.write(msgspec.json.encode(said).decode() + "\n")
        self._out.flush()
