"""The command line, called as a function: its exit code and what it printed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

from orquestador.hooks import loading
from orquestador.run.cli import main

TOPOLOGY = """\
version: 1
exchanges: {heartbeat: {type: topic}, events: {type: topic}}
roles:
  mock:
    queues:
      ping.{service}:
        bindings: [{exchange: heartbeat, key: all}, {exchange: heartbeat, key: "{service}"}]
services:
  watcher: {role: monitor}
  payments: {role: mock}
  stock: {role: mock, responder: slow, delay: 10ms}
"""


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Runner = Callable[..., Ended]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the command runs in; no address of a broker in its environment."""
    monkeypatch.chdir(tmp_path)
    for source in ("AMQP_URL", "CLOUDAMQP_URL", "RABBITMQ_URL"):
        monkeypatch.delenv(source, raising=False)
    return tmp_path


@pytest.fixture
def topology(here: Path) -> Path:
    """A sound file, where the command looks for it."""
    file = here / "topology.yaml"
    file.write_text(TOPOLOGY, encoding="utf-8")
    return file


@pytest.fixture
def plugin(here: Path) -> Callable[[str, str], Path]:
    """Writes a plugin beside the topology file."""

    def write(name: str, text: str) -> Path:
        (here / "plugins").mkdir(exist_ok=True)
        file = here / "plugins" / f"{name}.py"
        file.write_text(dedent(text), encoding="utf-8")
        return file

    return write


@pytest.fixture
def runner(here: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Runner]:
    """`runner("--list")`: as `python runner.py --list` in that folder."""
    root, pika = logging.getLogger(), logging.getLogger("pika")
    handlers, levels = root.handlers[:], (root.level, pika.level)

    def run(*argv: str) -> Ended:
        code = main(argv)
        return Ended(code, *capsys.readouterr())

    yield run
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    pika.setLevel(levels[1])
    loading.load()
