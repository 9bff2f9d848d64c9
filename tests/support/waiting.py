"""Waiting for what a test expects: by polling with a deadline, never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(what: Callable[[], T], within: float = 10.0, every: float = 0.01) -> T:
    """The first truthy value of `what()`; fails with the last one after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s; last seen: {value!r}")
        time.sleep(every)
