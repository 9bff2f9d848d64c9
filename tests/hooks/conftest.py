"""Plugins written by the test: modules in folders of its own, loaded as a user's are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from orquestador.hooks import loading

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _only_the_shipped_plugins_remain() -> Iterator[None]:
    yield
    loading.load()


@pytest.fixture
def plugin(tmp_path: Path) -> Write:
    """`plugin(name, text, folder="plugins")` writes one module; the folder that it is in."""

    def write(name: str, text: str, folder: str = "plugins") -> Path:
        there = tmp_path / folder
        there.mkdir(parents=True, exist_ok=True)
        (there / f"{name}.py").write_text(dedent(text), encoding="utf-8")
        return there

    return write
