"""Schemas: what does not fit is said in sentences, with the nearest thing that would."""

import json
import subprocess
import sys
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orquestador import documents, schemas


def said(text: str, rules: dict[str, Any], at: tuple[str | int, ...] = ()) -> list[str]:
    document = documents.parse(text, "some.yaml", {})
    return [str(fault).removeprefix("some.yaml:") for fault in schemas.faults(document, rules, at)]


def about(value: str, **rules: Any) -> str:
    """What is said of one value under the key `a`."""
    (line,) = said(f"a: {value}\n", {"properties": {"a": rules}})
    return line.removeprefix("1: a: ")


def test_an_unknown_key_is_said_with_the_nearest_known_one() -> None:
    rules = {"properties": {"durable": {}, "type": {}}, "additionalProperties": False}

    assert said("durble: true\nqqq: 1\n", rules) == [
        "1: durble: unknown key; did you mean 'durable'?",
        "2: qqq: unknown key; known here: durable, type",
    ]


def test_a_misspelt_key_is_not_said_to_be_missing_too() -> None:
    rules = {"properties": {"role": {}}, "required": ["role"]}

    assert said("rol: x\n", {**rules, "additionalProperties": False}) == [
        "1: rol: unknown key; did you mean 'role'?"
    ]
    assert said("rol: x\n", rules) == ["1: 'role' is missing; is it meant by 'rol'?"]
    assert said("x: y\n", rules) == ["1: 'role' is missing"]


@pytest.mark.parametrize(
    ("value", "rules", "sentence"),
    [
        ("[]", {"type": "object"}, "is a list where a mapping belongs"),
        ("x", {"type": ["object", "null"]}, "is the string 'x' where a mapping belongs"),
        (
            "x",
            {"type": "object", "examples": [{"type": "topic", "on": [True, 1]}]},
            "is the string 'x' where a mapping belongs, such as {type: topic, on: [true, 1]}",
        ),
        ("{}", {"type": ["string", "array"]}, "is a mapping where a string or a list belongs"),
        ("", {"type": "string"}, "is empty where a string belongs"),
        ("1.0", {"type": "integer"}, "is the number 1.0 where a whole number belongs"),
        (
            "'true'",
            {"type": "boolean"},
            "is the string 'true' where true or false belongs; write it without quotes",
        ),
        (
            "topc",
            {"enum": ["topic", "direct"]},
            "is 'topc', not one of topic, direct; did you mean 'topic'?",
        ),
        ("2", {"const": 1}, "is 2; only 1 is known here"),
        ("-1", {"minimum": 0}, "is -1; the least is 0"),
        ("9", {"maximum": 5}, "is 9; the most is 5"),
        ("0", {"exclusiveMinimum": 0}, "is 0; it must be more than 0"),
        ("9", {"exclusiveMaximum": 9}, "is 9; it must be less than 9"),
        ("''", {"minLength": 1}, "is empty"),
        ("abc", {"maxLength": 2}, "is 'abc', longer than 2 characters"),
        ("[]", {"minItems": 1}, "has 0 entries; the fewest is 1"),
        (
            "a-b",
            {"pattern": "^[a-z]+$", "description": "one word"},
            "is 'a-b', which is not allowed: one word",
        ),
        ("x", {"format": "ipv4"}, "is 'x', which is not of the format ipv4"),
        (
            "[]",
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "is a list where a string or a whole number belongs",
        ),
        ("3", {"multipleOf": 2}, "does not fit: 3 is not a multiple of 2"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_said_in_words(
    value: str, rules: dict[str, Any], sentence: str
) -> None:
    assert about(value, **rules) == sentence


@pytest.mark.parametrize(
    ("value", "kind", "sentence"),
    [
        ("on", "string", 'on without quotes is read as true; the string is "on"'),
        ("No", "string", 'No without quotes is read as false; the string is "No"'),
        ("~", "string", '~ without quotes is read as empty; the string is "~"'),
        ("12:30", "string", '12:30 without quotes is read as a number; the string is "12:30"'),
        ("1.0", "string", '1.0 without quotes is read as a number; the string is "1.0"'),
        ("010", "string", '010 without quotes is read as a number; the string is "010"'),
        ("#x", "string", 'is empty, as # without quotes begins a comment; the string is "#x"'),
        ("{x}", "string", '{x} without quotes is read as a mapping; write "{x}"'),
        ("1e3", "number", "1e3 is read as a string, not as a number, by YAML 1.1; write 1000"),
        ("'5'", "integer", "is the string '5' where a number belongs; write 5 without quotes"),
    ],
)
def test_what_yaml_misreads_is_named_with_the_way_to_write_it(
    value: str, kind: str, sentence: str
) -> None:
    assert about(value, type=kind) == sentence


def test_durations_are_ours_and_have_bounds() -> None:
    duration = {"type": "string", "format": "duration", "shortest": "10ms", "longest": "8m"}

    assert "is not a duration; write a number and its unit" in about("soon", **duration)
    assert "is the number 5 where a duration such as 500ms" in about("5", **duration)
    assert about("9m", **duration) == "is '9m'; the longest is 8m"
    assert about("1ms", **duration) == "is '1ms'; the shortest is 10ms"
    assert said("a: 8m\n", {"properties": {"a": duration}}) == []


def test_one_value_gets_one_sentence_and_all_values_are_looked_at() -> None:
    rules = {"properties": {"a": {"type": "string", "enum": ["x"]}, "b": {"type": "string"}}}

    assert len(said("a: 5\nb: 5\n", rules)) == 2


def test_a_schema_may_speak_of_a_part_of_the_document() -> None:
    rules = {"properties": {"c": {"type": "string"}}}

    assert said("a:\n  b:\n    c: []\n", rules, ("a", "b")) == [
        "3: a.b.c: is a list where a string belongs"
    ]


def test_the_nearest_word_is_found_whatever_its_case() -> None:
    assert schemas.nearest("ECHO", ["slow", "echo"]) == "echo"
    assert schemas.nearest("teapot", ["slow", "echo"]) is None
    assert schemas.did_you_mean("slwo", ["slow"]) == "; did you mean 'slow'?"
    assert schemas.did_you_mean("teapot", ["slow"]) == ""


def test_the_topology_schema_is_valid_and_explains_every_key_to_an_editor() -> None:
    topology = schemas.schema("topology")
    Draft202012Validator.check_schema(topology)

    unexplained = [
        f"{path}.{key}"
        for path, part in objects(topology)
        for key, rules in part.get("properties", {}).items()
        if not ("description" in rules or rules.get("$ref", "").count("properties"))
    ]

    assert unexplained == []


def objects(part: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(part, dict):
        return []
    inner = [found for key, held in part.items() for found in objects(held, f"{path}.{key}")]
    return [(path, part), *inner]


def test_schemas_are_found_beside_the_package_or_in_it() -> None:
    assert json.loads((schemas.folder() / "topology.schema.json").read_text())["title"]


@pytest.mark.parametrize("module", ["orquestador.schemas", "orquestador.topology.load"])
def test_jsonschema_is_not_imported_before_it_is_needed(module: str) -> None:
    program = f"import {module}, sys; sys.exit('jsonschema' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
