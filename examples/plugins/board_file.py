"""An observer: writes the newest board as JSON to the file that BOARD_FILE names, for a web page.

BOARD_FILE=board.json python runner.py --role monitor --plugins examples/plugins
"""

import os
from pathlib import Path

import msgspec

from orquestador import hookimpl


@hookimpl
def round_finished(board):
    target = os.environ.get("BOARD_FILE")
    if target:
        draft = Path(f"{target}.new")
        draft.write_bytes(msgspec.json.encode(board))
        draft.replace(target)  # at once: a reader never sees half a board
