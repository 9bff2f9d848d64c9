"""A service whose responder hangs for good from SIGUSR1 on, while its connection stays well.

python -m benchmarks.hanging --topology FILE --url amqp://... --name NAME
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from typing import Any

from orquestador import Responder


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hanging", description=__doc__)
    for option in ("--topology", "--url", "--name"):
        parser.add_argument(option, required=True)
    arguments = parser.parse_args()
    hangs, never = threading.Event(), threading.Event()

    def respond(_ping: Any, _service: str) -> dict[str, Any]:
        if hangs.is_set():
            never.wait()
        return {}

    signal.signal(signal.SIGUSR1, lambda *_: hangs.set())
    with Responder(arguments.name, arguments.topology, respond=respond, url=arguments.url):
        sys.stdin.read()  # its end: whoever started it is gone
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
