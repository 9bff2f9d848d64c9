"""The schema as editors use it: keys explained, examples that fit, the model's defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orquestador.schemas import schema
from orquestador.topology.arguments import DEAD_LETTER_KEY, OTHERS, TERMS
from tests.topology.conftest import Loading

SCHEMA = schema("topology")


def nodes(node: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema in the schema, and where it stands."""
    if isinstance(node, dict):
        yield place, node
        for key, held in node.items():
            if key not in ("default", "examples", "enum"):
                yield from nodes(held, f"{place}/{key}")
    elif isinstance(node, list):
        for position, held in enumerate(node):
            yield from nodes(held, f"{place}/{position}")


NODES = dict(nodes(SCHEMA))
KEYS = {
    f"{place}/properties/{key}": held
    for place, node in NODES.items()
    for key, held in node.get("properties", {}).items()
    if isinstance(node.get("properties"), dict) and isinstance(held, dict)
}


@pytest.mark.parametrize("place", KEYS)
def test_every_key_is_explained(place: str) -> None:
    node = KEYS[place]
    by_reference = NODES[node["$ref"].removeprefix("#")] if "$ref" in node else {}

    text = node.get("description") or by_reference.get("description", "")

    assert text.endswith(".") and text[0] != " "


@pytest.mark.parametrize("place", [place for place, node in NODES.items() if "enum" in node])
def test_every_choice_is_explained(place: str) -> None:
    node = NODES[place]

    assert len(node["enumDescriptions"]) == len(node["enum"])


@pytest.mark.parametrize("place", [place for place, node in NODES.items() if "examples" in node])
def test_every_example_fits(place: str) -> None:
    node = NODES[place]
    validator = Draft202012Validator({**node, "$defs": SCHEMA["$defs"]})

    for example in node["examples"]:
        validator.validate(example)


def test_defaults_are_the_model_s(topology_of: Loading) -> None:
    topology = topology_of("version: 1\nexchanges: {e: }\nqueues: {q: }\n")
    exchange, queue = topology.exchanges["e"], topology.queues["q"]

    assert defaults("exchange") == {key: getattr(exchange, key) for key in defaults("exchange")}
    said = defaults("queue")
    assert (said.pop("on_remove"), said.pop("single_active")) == ("delete", False)
    assert said == {key: getattr(queue, key) for key in said}
    assert (queue.retain, queue.arguments) == (False, {})


def defaults(name: str) -> dict[str, Any]:
    properties = SCHEMA["$defs"][name]["properties"]
    return {key: node["default"] for key, node in properties.items() if "default" in node}


def test_schema_and_tables_know_the_same_keys_and_arguments() -> None:
    queue = SCHEMA["$defs"]["queue"]["properties"]
    usual = SCHEMA["properties"]["defaults"]["properties"]["queues"]["properties"]

    assert SCHEMA["$defs"]["queue_arguments"]["properties"].keys() == OTHERS.keys()
    assert TERMS.keys() <= usual.keys() <= queue.keys()
    assert DEAD_LETTER_KEY not in OTHERS
