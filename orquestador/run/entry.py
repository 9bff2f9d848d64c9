"""The commands' outermost shell: a Ctrl+C while Python still imports, or ends, is no traceback.

Imports nothing of ours before that is settled; what the commands do is `cli.py`'s and
`provision/command.py`'s.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

NOT_INSTALLED = 78


def runner() -> int:
    """`runner.py` and the console script `orquestador`; the exit code."""

    def command() -> Callable[[], int]:
        from orquestador.run.cli import main

        return main

    return _quietly(command)


def provision() -> int:
    """`python -m orquestador.provision` and the console script `orquestador-provision`."""

    def command() -> Callable[[], int]:
        from orquestador.provision.command import main

        return main

    return _quietly(command)


def _quietly(command: Callable[[], Callable[[], int]]) -> int:
    """By the system's default an interrupt ends the process at once, silently (130 in a shell)."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.stdout is None:  # closed by whoever started us: nobody reads what is said
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - as long as the process
    try:
        main = command()
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("orquestador"):
            raise
        print(f"package {missing.name!r} is missing in {sys.executable}", file=sys.stderr)
        print("  try: make setup, then . .venv/bin/activate", file=sys.stderr)
        return NOT_INSTALLED
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return main()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
