"""The built-in responders: what a mock answers to a ping.  Yours work the same way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from orquestador import hookimpl

DELAY = {
    "type": "object",
    "properties": {
        "delay": {
            "type": "string",
            "format": "duration",
            "description": "Time to wait before each answer; 200ms unless said.",
        }
    },
}


def echo(ping: object, service: str) -> dict[str, Any]:
    """Answers at once."""
    return {}


class Slow:
    """Answers after `delay` seconds, on a worker: its connection stays alive meanwhile."""

    def __init__(self, delay: float = 0.2) -> None:
        self.delay = delay

    def respond(self, ping: object, service: str) -> dict[str, Any]:
        time.sleep(self.delay)
        return {}


@hookimpl
def register_responders(register: Callable[..., None]) -> None:
    register("echo", echo)
    register("slow", Slow, options=DELAY)
