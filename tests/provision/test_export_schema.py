"""The JSON Schema for editors: takes what is valid, refuses what is misspelt, explains the rest."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from orquestador import durations
from orquestador.errors import ConfigurationError
from orquestador.hooks import loading
from orquestador.provision.exports.schema import DURATION, editor_schema
from orquestador.topology.load import load
from orquestador.topology.vocabulary import RoleTerms, Vocabulary
from tests.provision.conftest import SMALL
from tests.provision.test_export_definitions import EVERYTHING
from tests.provision.test_export_permissions import FILE
from tests.support.programs import ROOT

SEED = (ROOT / "topology.yaml").read_text(encoding="utf-8")
VOCABULARY = Vocabulary(
    roles={
        "plain": RoleTerms(
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["size"],
                "properties": {"size": {"$ref": "#/$defs/size"}, "every": {"format": "duration"}},
                "$defs": {"size": {"type": "integer", "minimum": 1}},
            }
        ),
        "polite": RoleTerms(takes_responder=True),
    },
    responders={"quick": {}, "odd/one": {"properties": {"delay": {"format": "duration"}}}},
)


@cache
def shipped() -> Vocabulary:
    return loading.load(ROOT).registry.vocabulary()


def complaints(text: str, vocabulary: Vocabulary) -> list[str]:
    validator = Draft202012Validator(editor_schema(vocabulary))
    return [error.message for error in validator.iter_errors(yaml.safe_load(text))]


def documented() -> list[str]:
    """The whole files that the documentation shows."""
    texts = [page.read_text(encoding="utf-8") for page in sorted(ROOT.glob("docs/*.md"))]
    blocks = [block for text in texts for block in re.findall(r"```yaml\n(.*?)```", text, re.S)]
    return [block for block in blocks if block.startswith("version: 1")]


@pytest.mark.parametrize("text", [SEED, SMALL, EVERYTHING, FILE, *documented()])
def test_it_takes_every_valid_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "topology.yaml").write_text(text, encoding="utf-8")
    try:
        load(tmp_path / "topology.yaml", shipped())
    except ConfigurationError:
        pytest.skip("not valid by itself")

    assert complaints(text, shipped()) == []


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("ping_every: 1s", "ping_evry: 1s"),
        ("ping_every: 1s", "ping_every: 1"),
        ("ping_every: 1s", "ping_every: 1 second"),
        ("delay: 200ms", "dealy: 200ms"),
        ("responder: slow, delay", "delay"),  # an option of another responder
        ("responder: slow", "responder: slwo"),
        ("max_length: 10", "max_lenght: 10"),
        ("max_length: 10", "max_length: ten"),
        ("mock1: {role: mock}", "mock1: {role: nobodys, ping_every: 1s}"),
    ],
)
def test_what_is_misspelt_is_refused(written: str, instead: str) -> None:
    assert written in SEED

    assert complaints(SEED.replace(written, instead, 1), shipped()) != []


@pytest.mark.parametrize(
    "instead", ["max_length: ${MOST:-10}", "max_length: $${", 'max_length: "${MOST}"']
)
def test_a_variable_may_stand_for_any_value(instead: str) -> None:
    assert complaints(SEED.replace("max_length: 10", instead, 1), shipped()) == []


def test_a_role_of_the_file_s_own_has_what_all_have() -> None:
    text = SEED.replace("mock1: {role: mock}", "mock1: {role: own, replicas: 2, user: me}")

    assert complaints(text, shipped()) == []


@pytest.mark.parametrize(
    ("entry", "fits"),
    [
        ("{role: plain, size: 3, every: 5s}", True),
        ("{role: plain, size: 3, queues: {}, publishes: []}", True),
        ("{role: plain, size: 0}", False),
        ("{role: plain}", False),
        ("{role: plain, size: 3, responder: quick}", False),
        ("{role: polite}", True),
        ("{role: polite, responder: quick}", True),
        ("{role: polite, responder: odd/one, delay: 1s}", True),
        ("{role: polite, responder: odd/one, delay: soon}", False),
        ("{role: polite, responder: quick, delay: 1s}", False),
        ("{role: polite, delay: 1s}", False),
    ],
)
def test_options_are_those_of_the_role_and_of_its_responder(entry: str, fits: bool) -> None:
    found = complaints(f"version: 1\nservices: {{one: {entry}}}\n", VOCABULARY)

    assert (found == []) == fits


def test_it_is_plain_json_schema_in_which_everything_is_explained() -> None:
    made = editor_schema(shipped())

    Draft202012Validator.check_schema(made)
    options = [option for name, each in made["$defs"].items() if name.startswith(("role ", "resp"))
               for option in each.get("properties", {}).values()]  # fmt: skip
    assert len(options) > 8
    for schema in walked(made):
        assert not {"shortest", "longest"} & set(schema) and schema.get("format") != "duration"
    assert all(option.get("description") for option in options)
    every = made["$defs"]["role monitor"]["properties"]["ping_every"]
    assert every["description"].endswith("(from 10ms to 8m)")


def walked(value: Any) -> Any:
    if isinstance(value, list):
        for each in value:
            yield from walked(each)
    elif isinstance(value, dict):
        yield value
        for each in value.values():
            yield from walked(each)


def test_making_it_leaves_the_loader_s_own_schema_as_it_is() -> None:
    from orquestador.schemas import schema

    before = repr(schema("topology"))
    editor_schema(shipped())

    assert repr(schema("topology")) == before


@pytest.mark.parametrize("text", ["500ms", "1.5s", "2m", "1h", "1", "5 s", "-1s", "1d", "", "1s\n"])
def test_the_pattern_of_durations_says_what_the_parser_does(text: str) -> None:
    try:
        durations.parse(text)
        fits = True
    except ValueError:
        fits = False

    assert bool(re.fullmatch(DURATION, text)) == fits
