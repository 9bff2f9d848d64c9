"""Loading a text as a topology file, in a folder of its own, with what plugins would provide."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from orquestador.errors import ConfigurationError
from orquestador.topology.load import load
from orquestador.topology.model import Topology
from tests.topology.vocabulary import VOCABULARY

Complaining = Callable[[str], list[str]]


class Loading(Protocol):
    def __call__(self, text: str, **environ: str) -> Topology: ...


@pytest.fixture
def topology_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loading:
    monkeypatch.chdir(tmp_path)

    def topology(text: str, **environ: str) -> Topology:
        Path("topology.yaml").write_text(text, encoding="utf-8")
        return load("topology.yaml", VOCABULARY, environ)

    return topology


@pytest.fixture
def complaints_about(topology_of: Loading) -> Complaining:
    """The lines that a person sees, without `topology.yaml:` before each; none for a sound file."""

    def complaints(text: str) -> list[str]:
        try:
            topology_of(text)
        except ConfigurationError as error:
            return [line.removeprefix("topology.yaml:") for line in str(error).splitlines()]
        return []

    return complaints
