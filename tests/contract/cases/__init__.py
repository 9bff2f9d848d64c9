"""The contract: named cases, each a few operations whose outcome every broker should share."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from ..player import Player

Case = Callable[[Player], None]
CASES: dict[str, Case] = {}

_SUBJECTS = (
    "declaring",
    "refusing",
    "routing",
    "publishing",
    "delivering",
    "returning",
    "expiring",
    "limiting",
    "burying",
    "lifetimes",
    "replicated",
    "connecting",
)


def case(function: Case) -> Case:
    """Register a case under its own name, which says what is true."""
    name = function.__name__
    assert name not in CASES, f"two cases are called {name}"
    CASES[name] = function
    return function


def load() -> dict[str, Case]:
    """All cases, by name, in the order of their subjects."""
    for subject in _SUBJECTS:
        import_module(f"{__name__}.{subject}")
    return CASES
