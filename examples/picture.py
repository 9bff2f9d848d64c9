"""`make picture`: the README's picture of the table, from a real run of five processes.

python -m examples.picture docs/table.svg
"""

from __future__ import annotations

import io
import re
import signal
import sys
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console

from examples.demo import RUNNER, TOPOLOGY, broker
from orquestador.board import Board
from orquestador.events import State
from orquestador.hooks import loading
from tests.support.programs import MonitorProgram, Program
from tests.support.waiting import eventually

MORE = """
  mock3: {role: mock, responder: slow, delay: 650ms}
  mock4: {role: mock}
"""
SHOWN = {
    "mock1": State.UP,
    "mock2": State.DOWN,
    "mock3": State.DEGRADED,
    "mock4": State.STOPPED,
}


def main(target: str) -> int:
    with tempfile.TemporaryDirectory() as folder, broker() as url:
        topology = Path(folder, "topology.yaml")
        topology.write_text(Path(TOPOLOGY).read_text() + MORE)
        drawn = draw(board_of(topology, Path(folder, "board.json"), url))
    Path(target).write_text(drawn)
    print(f"{target} written")
    return 0


def board_of(topology: Path, file: Path, url: str) -> Board:
    """The board once each service is in the state that the picture shows."""
    common = (RUNNER, "--topology", str(topology), "--url", url, "--role")
    plugins = str(Path(__file__).with_name("plugins"))
    monitor = MonitorProgram(
        *common, "monitor", "--json", "--plugins", plugins, environ={"BOARD_FILE": str(file)}
    )
    mocks = {name: Program(*common, "mock", "--name", name) for name in SHOWN}
    try:
        for name in SHOWN:
            monitor.eventually(name, "UP")
        mocks["mock2"].signal(signal.SIGKILL)
        mocks["mock4"].signal(signal.SIGINT)

        def shown() -> Board | None:
            board = msgspec.json.decode(file.read_bytes(), type=Board)
            return board if {row.service: row.state for row in board.rows} == SHOWN else None

        board = eventually(shown, within=30)
        assert board is not None
        return board
    finally:
        for program in (monitor, *mocks.values()):
            program.end()


def draw(board: Board) -> str:
    loading.load()
    from orquestador_plugins.terminal.table import table

    console = Console(record=True, width=92, file=io.StringIO(), force_terminal=True)
    console.print(table(board, "amqp://guest:***@localhost:5672/", []))
    drawn = console.export_svg(title="python runner.py --role monitor")
    # The fonts that it would fetch from elsewhere: the reader's own monospace one will do.
    return re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
