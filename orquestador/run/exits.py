"""Exit codes, after sysexits.h: whose turn it is when a command ends."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable

from orquestador.errors import (
    BrokerError,
    ConfigurationError,
    Conflict,
    Locked,
    Refused,
    UnknownName,
    Unreachable,
    UsageError,
)

DONE = 0
PARTLY = 3
CONFLICT = 4
USAGE = 64
UNAVAILABLE = 69
DEFECT = 70
REFUSED = 77
CONFIGURATION = 78
OUTPUT = 74
INTERRUPTED = 130

UNWRITABLE = (errno.ENOSPC, errno.EIO, errno.EBADF)


def ending(command: Callable[[], int]) -> int:
    """Run a command to its exit code; what a person can cause ends in a line, not a traceback."""
    try:
        return _flushed(command)
    except BrokenPipeError:
        # The reader has gone (`| head`): nothing is left to say, and nowhere to say it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as fault:
        return explain(fault)
    except KeyboardInterrupt as fault:
        return explain(fault)


def _flushed(command: Callable[[], int]) -> int:
    """What is still in the buffer meets a closed pipe here, not at the interpreter's end."""
    try:
        code = command()
    except SystemExit as left:  # argparse's after --help or a wrong option, or a plugin's
        if isinstance(left.code, str):
            return _say(left.code, 1)
        code = left.code or DONE
    print(end="", flush=True)
    return code


def explain(fault: BaseException) -> int:
    """Say it on standard error, in a line each; the exit code.  A defect keeps its traceback."""
    match fault:
        case UsageError() | UnknownName():
            return _say(fault, USAGE)
        case ConfigurationError():
            return _say(fault, CONFIGURATION)
        case Refused():
            hint = "check user, password and vhost in the address, and the user's permissions"
            return _say(fault, REFUSED, hint)
        case Conflict() | Locked():
            hint = "put the file's value back, or delete the queue and let it be made anew"
            return _say(fault, CONFLICT, hint)
        case Unreachable():
            hint = "start a broker there, or name another: --url URL or AMQP_URL, see --help"
            return _say(f"no broker: {fault}", UNAVAILABLE, hint)
        case BrokerError():
            return _say(fault, UNAVAILABLE)
        case KeyboardInterrupt():
            return INTERRUPTED
        case ModuleNotFoundError(name=str(name)) if not name.startswith("orquestador"):
            hint = "make setup, then . .venv/bin/activate"
            return _say(f"package {name!r} is missing in {sys.executable}", CONFIGURATION, hint)
        case OSError(errno=number) if number in UNWRITABLE:
            return _say(f"the output cannot be written: {fault.strerror}", OUTPUT)
        case _:
            traceback.print_exception(fault)
            print("This is a defect of orquestador; the lines above say where.", file=sys.stderr)
            return DEFECT


def _say(fault: object, code: int, hint: str = "") -> int:
    print(fault, file=sys.stderr)
    if hint:
        print(f"  try: {hint}", file=sys.stderr)
    return code
