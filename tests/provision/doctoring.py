"""The doctor as a test asks for it: all its lines, or as many as it takes to get to one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from orquestador.provision import doctor
from orquestador.provision.doctor import Check, Verdict
from orquestador.settings import settle
from orquestador.topology.model import Topology

FILE = """\
version: 1
exchanges:
  orders: {type: topic}
  lost: {type: fanout, internal: true}
  theirs: {type: fanout, owned: false}
queues:
  work:
    bindings: [{exchange: orders, key: "order.*"}, {exchange: theirs}]
  safe: {type: quorum}
roles:
  clerk:
    queues:
      desk.{service}.{unique}:
        exclusive: true
        bindings: [{exchange: orders, key: "{service}"}]
services:
  ann: {role: clerk}
"""


def topology(folder: Path, text: str = FILE) -> Topology:
    path = folder / "topology.yaml"
    path.write_text(text)
    return Topology.load(path)


async def examined(url: str, asked: Topology) -> dict[str, Check]:
    """Every line, by its name; of several with one name the last."""
    return {check.name: check for check in await lines(url, asked)}


async def lines(url: str, asked: Topology) -> list[Check]:
    return [check async for check in doctor.examine(settle(url, {}), asked)]


@asynccontextmanager
async def up_to(name: str, url: str, asked: Topology) -> AsyncIterator[AsyncIterator[Check]]:
    """The doctor, its lines up to that one read."""
    async with aclosing(doctor.examine(settle(url, {}), asked)) as checks:
        async for check in checks:
            if check.name == name:
                break
        yield checks


def amiss(checks: Sequence[Check]) -> list[str]:
    """What is not well, without what was not asked."""
    return [check.name for check in checks if check.verdict in (Verdict.WARN, Verdict.FAIL)]
