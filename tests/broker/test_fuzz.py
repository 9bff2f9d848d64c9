"""A short run of the fuzzer; `python -m tests.broker.fuzz` runs longer."""

from __future__ import annotations

import asyncio

from .fuzz import fuzz


def test_bytes_that_are_almost_right_harm_nobody_else() -> None:
    assert asyncio.run(fuzz(seconds=2, seed=1)) > 50
