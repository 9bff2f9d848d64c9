"""The commands' outermost shell: a Ctrl+C while Python still imports, or ends, is no traceback.

Imports nothing of ours before that is settled; what the commands do is `cli.py`'s and
`provision/command.py`'s.
"""

from __future__ import annotations

import signal
from collections.abc import Callable


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
    main = command()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return main()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
