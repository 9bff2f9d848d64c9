"""What a laptop may lack and the gate may not: missing, it skips the one and fails the other."""

from __future__ import annotations

import os

import pytest

REQUIRED = "ORQUESTADOR_REQUIRE_ALL"


def absent(what: str) -> None:
    """Skip the test, or fail it where everything is required."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{REQUIRED} is set, but there is no {what} on this machine")
    pytest.skip(f"needs {what}")
