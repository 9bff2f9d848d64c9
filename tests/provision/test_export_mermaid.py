"""The drawing: every exchange, queue and service, and what goes between them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orquestador.hooks import loading
from orquestador.provision.exports.mermaid import mermaid
from orquestador.provision.exports.usage import Accesses
from orquestador.topology.load import load
from orquestador.topology.model import Binding, Exchange, Queue, Topology
from tests.support.programs import ROOT

SEED = (ROOT / "topology.yaml").read_text(encoding="utf-8")
NODE = re.compile(r'    ([eqs]\d+)(?:\{\{"(.*)"\}\}|\[\("(.*)"\)\]|\(\["(.*)"\]\))')
ARROW = re.compile(r'    ([eqs]\d+) (-->|-\.->)(?:\|"(.*)"\|)? ([eqs]\d+)')
Arrow = tuple[str, str, str, str]


def parsed(text: str) -> tuple[list[str], list[Arrow]]:
    """Titles; arrows by titles.  Fails on a line that is neither."""
    first, *lines = text.splitlines()
    assert first == "flowchart LR"
    nodes: dict[str, str] = {}
    arrows: list[Arrow] = []
    for line in lines:
        if node := NODE.fullmatch(line):
            nodes[node[1]] = node[2] or node[3] or node[4] or ""
            continue
        arrow = ARROW.fullmatch(line)
        assert arrow, line
        arrows.append((nodes[arrow[1]], arrow[2], arrow[3] or "", nodes[arrow[4]]))
    return list(nodes.values()), arrows


@pytest.fixture(scope="module")
def accesses() -> Accesses:
    roles = loading.load(ROOT).registry.roles.values()
    return {role.name: role.access for role in roles if role.access}


@pytest.fixture
def drawn(tmp_path: Path, accesses: Accesses) -> Callable[[str], tuple[list[str], list[Arrow]]]:
    def draw(text: str) -> tuple[list[str], list[Arrow]]:
        (tmp_path / "topology.yaml").write_text(text, encoding="utf-8")
        return parsed(mermaid(load(tmp_path / "topology.yaml"), accesses))

    return draw


def test_the_experiment_is_drawn_whole(
    drawn: Callable[[str], tuple[list[str], list[Arrow]]],
) -> None:
    titles, arrows = drawn(SEED)

    assert set(titles) == {
        "heartbeat", "events", "(default exchange)", "echoes.monitor.{unique}", "leader",
        "ping.mock1", "ping.mock2", "monitor", "mock1", "mock2",
    }  # fmt: skip
    assert ("monitor", "-->", "all, mock1, mock2, monitor", "heartbeat") in arrows
    assert ("heartbeat", "-->", "all, mock1", "ping.mock1") in arrows
    assert ("ping.mock1", "-->", "", "mock1") in arrows
    assert ("mock1", "-->", "echo.mock1", "events") in arrows


def test_two_hundred_services_that_are_alike_are_drawn_as_one(
    drawn: Callable[[str], tuple[list[str], list[Arrow]]],
) -> None:
    more = "".join(f"  mock{number}: {{role: mock}}\n" for number in range(3, 201))
    titles, arrows = drawn(SEED + more + "  other: {role: mock, publishes: [heartbeat]}\n")

    assert len(titles) == 10 and len(arrows) < 20
    assert "200 services of role mock: mock1 to mock200" in titles
    assert ("heartbeat", "-->", "all, {service}", "ping.{service}") in arrows
    assert {"other", "ping.other"} <= set(titles)  # not alike


def test_dead_letters_and_alternates_are_dashed(
    drawn: Callable[[str], tuple[list[str], list[Arrow]]],
) -> None:
    _, arrows = drawn("""\
version: 1
exchanges:
  orders: {alternate: dead}
  dead: {type: fanout}
  all: {type: topic, bindings: [{exchange: orders, key: k}]}
queues:
  work: {dead_letter: {exchange: dead, key: late}}
  again: {dead_letter: {exchange: "", key: work}}
  many: {bindings: [{exchange: all, key: a}, {exchange: all, key: b}, {exchange: all, key: c},
                    {exchange: all, key: d}, {exchange: all, key: e}]}
""")

    assert arrows == [
        ("orders", "-.->", "unrouted", "dead"),
        ("orders", "-->", "k", "all"),
        ("work", "-.->", "dead letters: late", "dead"),
        ("again", "-.->", "dead letters", "work"),
        ("all", "-->", "a, b, c, d and 1 more", "many"),
    ]


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5, unique=True))
def test_no_name_breaks_the_drawing(names: list[str]) -> None:
    topology = Topology(
        Path("t.yaml"),
        {name: Exchange(name, "headers") for name in names},
        {
            name: Queue(name, bindings=(Binding(name, name, {name: name}),), arguments={
                "x-dead-letter-exchange": name, "x-dead-letter-routing-key": name})
            for name in names
        },
        {},
    )  # fmt: skip
    titles, arrows = parsed(mermaid(topology, {}))

    assert len(titles) == 2 * len(names) and len(arrows) == 2 * len(names)
    assert not set('"<>|`&\\') & set("".join(titles))
