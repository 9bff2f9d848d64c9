"""Broken topology files and the exact lines that a person gets to see for each."""

from pathlib import Path

import pytest

from orquestador.errors import ConfigurationError
from orquestador.topology.load import load
from tests.topology.conftest import Complaining

TABLE = Path(__file__).with_name("broken_files.txt").read_text(encoding="utf-8")


def cases() -> dict[str, tuple[str, list[str]]]:
    """Name -> the file, and what is said about it."""
    found = {}
    for case in TABLE.split("\n=== ")[1:]:
        name, rest = case.split("\n", 1)
        text, _, lines = ("\n" + rest).partition("\n>>>\n")
        found[name] = (text[1:] + "\n" if text else "", lines.split("\n"))
    watched = found["the ten lines"][0]
    return {
        name: (text.replace("<ten lines>\n", watched), [line for line in lines if line])
        for name, (text, lines) in found.items()
    }


CASES = cases()
WATCHED = CASES["the ten lines"][0]


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_one_line_that_says_where_what_and_what_would_be_right(
    complaints_about: Complaining, name: str
) -> None:
    text, expected = CASES[name]

    assert complaints_about(text) == expected


def test_a_name_is_measured_in_bytes_and_with_its_prefix(complaints_about: Complaining) -> None:
    name = "ñ" * 124

    assert complaints_about(f"version: 1\nqueues: {{{name}: {{}}}}\n") == []
    assert complaints_about(f"version: 1\nprefix: staging.\nqueues: {{{name}: {{}}}}\n") == [
        f"3: queues.{name}: is 256 bytes long on the broker; the most is 255"
    ]


def test_faults_of_every_kind_come_at_once_and_in_the_order_of_the_file(
    complaints_about: Complaining,
) -> None:
    assert complaints_about(MANY_FAULTS) == [
        "2: vhost: the environment has no VHOST; set it, or write ${VHOST:-a default}",
        "4: exchanges.heartbeat.type: is 'topc', not one of direct, fanout, topic, headers; "
        "did you mean 'topic'?",
        "8: queues.work.durble: unknown key; did you mean 'durable'?",
        "9: queues.work.bindings[1].exchange: 'evens' is not declared; did you mean 'events'?",
        "10: queues.work.durble: duplicate key; it stands on line 8 already",
        "12: services.mock1.role: 'mok' is not declared under roles, and no plugin in plugins, "
        "my/plugins provides it; did you mean 'mock'?",
        "13: services.mock2.delay: '2 s' is not a duration; write a number and its unit, such as "
        "500ms, 1.5s, 2m or 1h",
    ]


MANY_FAULTS = """\
version: 1
vhost: ${VHOST}
exchanges:
  heartbeat: {type: topc}
  events: {type: topic}
queues:
  work:
    durble: true
    bindings: [{exchange: heartbeat, key: all}, {exchange: evens}]
    durble: false
services:
  mock1: {role: mok}
  mock2: {role: mock, responder: slow, delay: 2 s}
"""


def test_a_broken_section_is_not_blamed_on_those_who_refer_to_it(
    complaints_about: Complaining,
) -> None:
    broken = WATCHED.replace("exchanges:", "exchangs:") + "  mock1: {role: mock}\n"

    assert complaints_about(broken) == ["2: exchangs: unknown key; did you mean 'exchanges'?"]


def test_a_missing_file_is_named_as_it_was_given(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "nowhere.yaml")

    (fault,) = caught.value.faults
    assert str(fault).startswith(f"{tmp_path}/nowhere.yaml:1: there is no such file")
