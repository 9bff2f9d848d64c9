"""The broker as a process of its own, without the rest of the product: `python -m plugins.broker`.

Tests start it so.  Interrupt or terminate it to end it.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from orquestador import UsageError

from .options import add_arguments
from .serve import serve


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _main(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(
        arguments.listen,
        control=arguments.control,
        allow_remote=arguments.allow_remote,
        stop=stop,
        say=_say,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m plugins.broker")
    add_arguments(parser)
    try:
        asyncio.run(_main(parser.parse_args()))
    except UsageError as fault:
        sys.stderr.write(f"{fault}\n")
        return 64
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
