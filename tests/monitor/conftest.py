"""The monitor's own modules are plugins: loading puts their package together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orquestador.hooks import loading

loading.load()

if TYPE_CHECKING:
    from .driving import Watched


@pytest.fixture
def up() -> Watched:
    """A service that has answered the first round, at second 0."""
    from .driving import UP, answering

    watched = answering()
    assert watched.state == UP
    return watched


@pytest.fixture
def down(up: Watched) -> Watched:
    """Silent since the round of second 1, which was the second one; DOWN at second 2."""
    from .driving import SILENT, ping

    up(1.0, ping(2))
    up.run(1.0, 2.0)
    assert up.state == SILENT
    return up


@pytest.fixture
def pair() -> Watched:
    """Two of two instances that answer."""
    from .driving import answering_pair

    return answering_pair()
