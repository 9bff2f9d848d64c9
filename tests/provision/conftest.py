"""The command as a person runs it, on a topology of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.broker_layer.conftest import restricted, stranger, witness  # noqa: F401
from tests.support.programs import Program, run

Ran = tuple[int, str, str]
Provision = Callable[..., Ran]

SMALL = """\
version: 1
exchanges:
  orders: {type: topic}
  dead: {type: fanout}
queues:
  work:
    max_length: 100
    dead_letter: {exchange: dead}
    bindings:
      - {exchange: orders, key: "order.*"}
      - {exchange: orders, key: "refund.#"}
  morgue:
    bindings: [{exchange: dead}]
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def text(content: str) -> Path:
        (tmp_path / "topology.yaml").write_text(content)
        return tmp_path

    return text


@pytest.fixture
def provision(tmp_path: Path, write: Callable[[str], Path]) -> Provision:
    """Runs the command to its end in a folder with that topology: code, output, errors."""
    write(SMALL)

    def ran(*arguments: str, within: float = 40, **environ: str) -> Ran:
        command = ("-m", "orquestador.provision", *arguments)
        return run(*command, cwd=tmp_path, environ=environ, within=within)

    return ran


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts the command and leaves it running."""
    started: list[Program] = []

    def program(*arguments: str) -> Program:
        started.append(Program("-m", "orquestador.provision", *arguments, cwd=tmp_path))
        return started[-1]

    yield program
    for each in started:
        each.end()
