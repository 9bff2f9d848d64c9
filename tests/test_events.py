"""Events: their types and their JSON Schemas accept the same documents, and say what is wrong."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from orquestador.errors import EventError
from orquestador.events import (
    DETAILS_MAX,
    Echo,
    Event,
    Ping,
    Status,
    decode,
    encode,
    fitting,
    fresh_word,
    kind_of,
    timestamp,
)
from orquestador.schemas import schema

KINDS: dict[str, type[Ping] | type[Echo] | type[Status]] = {
    "ping": Ping,
    "echo": Echo,
    "status": Status,
}
MISSING = object()

# In JSON Schema 1.0 is a whole number, on our wire it is not: "written without a fraction".
WHOLE = Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
)
VALIDATORS = {
    name: extend(Draft202012Validator, type_checker=WHOLE)(schema(name)) for name in KINDS
}


def by_schema(kind: str, document: Any) -> bool:
    return bool(VALIDATORS[kind].is_valid(document))


def by_type(kind: str, document: Any) -> bool:
    try:
        decode(KINDS[kind], json.dumps(document).encode())
    except EventError:
        return False
    return True


# -- documents that are right

numbers = st.integers(1, 2**53 - 1)
words = st.text(min_size=1, max_size=128)
names = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True).filter(lambda name: name != "all")
moments = st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1)).map(
    lambda moment: timestamp(moment.replace(tzinfo=UTC))
)
states = st.sampled_from(["UNKNOWN", "UP", "DEGRADED", "SUSPECT", "DOWN", "STOPPED"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)
mappings = st.dictionaries(st.text(max_size=8), anything, max_size=3)

DOCUMENTS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "ping": st.fixed_dictionaries(
        {
            "version": st.just(1),
            "id": words,
            "sequence": numbers,
            "sender": st.fixed_dictionaries({"service": names, "instance": words}),
            "epoch": st.just(0) | numbers,
            "sent_at": moments,
            "every": st.floats(0, 86_400, exclude_min=True) | st.integers(1, 86_400),
        }
    ),
    "echo": st.fixed_dictionaries(
        {
            "version": st.just(1),
            "phase": st.sampled_from(["hello", "alive", "goodbye"]),
            "ping": st.none() | words,
            "sequence": st.none() | numbers,
            "service": names,
            "instance": words,
            "started_at": moments,
            "redelivered": st.booleans(),
            "health": st.sampled_from(["ok", "degraded", "failing"]),
        },
        optional={"details": st.none() | mappings},
    ),
    "status": st.fixed_dictionaries(
        {
            "version": st.just(1),
            "service": names,
            "state": states,
            "previous": st.none() | states,
            "reason": st.text(max_size=20),
            "text": st.text(max_size=20),
            "since": moments,
            "at": moments,
            "detected_by": st.text(max_size=20),
            "evidence": mappings,
            "instances": st.fixed_dictionaries(
                {"live": st.just(0) | numbers, "expected": numbers, "lost": st.none() | words}
            ),
            "incident": st.none() | words,
            "epoch": numbers,
            "not_before": st.none() | moments,
            "not_after": st.none() | moments,
        }
    ),
}
documents = st.sampled_from(list(KINDS)).flatmap(
    lambda kind: st.tuples(st.just(kind), DOCUMENTS[kind])
)

# -- and what may be wrong with them

WRONG_TYPES = [None, True, False, 0, 1, 2, -1, 1.5, 1.0, "", "1", "x", [], ["x"], {}, {"x": 1}]
WRONG_NUMBERS = [0, -1, -0.0, 1e-300, 2**53 - 1, 2**53, 2**63, 2**64, 2**70, -(2**70), 86_401, 1e20]
WRONG_TIMES = [
    "2026-05-04T09:30:00Z",
    "2026-05-04T09:30:00.25Z",
    "2026-05-04T09:30:00.250000Z",
    "2026-05-04T09:30:00.250+00:00",
    "2026-05-04 09:30:00.250Z",
    "2026-05-04t09:30:00.250z",
    "2026-13-04T09:30:00.250Z",
    "2026-05-32T09:30:00.250Z",
    "2026-05-04T24:30:00.250Z",
    "2026-05-04T09:60:00.250Z",
    "2026-05-04T09:30:60.250Z",
    "2026-05-04T09:30:61.250Z",
    "2026-05-04T09:30:00.250Z\n",
    "\n2026-05-04T09:30:00.250Z",
    "٢٠٢٦-05-04T09:30:00.250Z",
    "yesterday",
]
WRONG_NAMES = [
    "all",
    "all\n",
    "payments\n",
    "a.b",
    "a b",
    "*",
    "#",
    "é",
    "x" * 64,
    "x" * 65,
    "x" * 129,
    "é" * 128,
    "é" * 129,
    "UP",
    "up",
    "alive",
    "ok",
]
wrong = (
    st.sampled_from([MISSING, *WRONG_TYPES, *WRONG_NUMBERS, *WRONG_TIMES, *WRONG_NAMES]) | anything
)


def places(document: dict[str, Any]) -> list[tuple[str, ...]]:
    """Every key of the document, and those of the mappings in it whose keys are fixed."""
    inner = [(outer, key) for outer in ("sender", "instances") for key in document.get(outer, ())]
    return [(key,) for key in document] + inner


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, Any]:
    """A right document with one or two of its values replaced or dropped, or one key too many."""
    kind, document = draw(documents)
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 2))):
        *outer, key = draw(st.sampled_from([*places(document), ("unknown",)]))
        held: Any = document
        for each in outer:
            held = held[each]
        value = draw(wrong)
        if value is MISSING:
            held.pop(key, None)
        else:
            held[key] = value
        if not isinstance(document.get("sender", {}), dict) or not isinstance(
            document.get("instances", {}), dict
        ):
            break
    return kind, document


@given(documents)
@settings(max_examples=150, deadline=None)
def test_an_event_on_the_wire_is_what_its_schema_says(of: tuple[str, dict[str, Any]]) -> None:
    kind, document = of

    event = decode(KINDS[kind], json.dumps(document).encode())

    sent = json.loads(encode(event))
    VALIDATORS[kind].validate(sent)
    assert decode(KINDS[kind], encode(event)) == event
    assert sent == {**({"details": None} if kind == "echo" else {}), **document}


@given(mutated())
@settings(max_examples=500, deadline=None)
def test_types_accept_exactly_what_the_schema_accepts(of: tuple[str, Any]) -> None:
    kind, document = of

    assert by_type(kind, document) == by_schema(kind, document), document


def single_faults() -> Iterator[tuple[str, tuple[str, ...], Any]]:
    for kind in KINDS:
        for place in places(schema(kind)["examples"][0]):
            for value in [MISSING, *WRONG_TYPES, *WRONG_NUMBERS, *WRONG_TIMES, *WRONG_NAMES]:
                yield kind, place, value


def test_every_single_fault_is_one_for_both_and_its_text_names_the_field() -> None:
    judged = refused = 0
    for kind, place, value in single_faults():
        document = copy.deepcopy(schema(kind)["examples"][0])
        held = document[place[0]] if len(place) == 2 else document
        if value is MISSING:
            del held[place[-1]]
        else:
            held[place[-1]] = value

        try:
            decode(KINDS[kind], json.dumps(document).encode())
            said = None
        except EventError as fault:
            said = str(fault)

        judged += 1
        assert (said is None) == by_schema(kind, document), (kind, place, value)
        if said is not None:
            refused += 1
            assert said.startswith(f"not valid as {kind}: ")
            assert place[-1] in said, said
    assert refused > 1000 and judged - refused > 100


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        (Ping, b"", "Input data was truncated"),
        (Ping, b"[]", "Expected `object`, got `array`"),
        (Ping, b"{}", "Object missing required field `version`"),
        (Echo, b'{"version": 2}', "Invalid enum value 2 - at `$.version`"),
        (Echo, b'{"version": 1}', "Object missing required field `phase`"),
        (Status, b'{"version": NaN}', "JSON is malformed: invalid character (byte 12)"),
        (Ping, b"\xff\xfe", "JSON is malformed: invalid character (byte 0)"),
        (Ping, b'{"version": 1, "id": "\xff"}', "UnicodeDecodeError"),
        (Ping, b'{"x": ' + b"[" * 100_000, "RecursionError"),
    ],
)
def test_a_body_that_is_no_event_is_one_fault_and_one_line(
    kind: type[Ping], body: bytes, text: str
) -> None:
    with pytest.raises(EventError) as raised:
        decode(kind, body)

    said = str(raised.value)
    assert said == f"not valid as {kind.__name__.lower()}: {text}" and "\n" not in said


def test_a_version_of_the_future_is_said_before_what_it_changed() -> None:
    body = json.dumps({**schema("echo")["examples"][0], "version": 2, "health": {"new": 1}})

    with pytest.raises(EventError, match=r"Invalid enum value 2 - at `\$\.version`"):
        decode(Echo, body.encode())


def test_unknown_fields_are_ignored() -> None:
    body = json.dumps({**schema("echo")["examples"][0], "colour": "red"}).encode()

    assert decode(Echo, body).service == "payments"


@pytest.mark.parametrize("kind", KINDS)
def test_each_schema_is_valid_and_explains_every_property(kind: str) -> None:
    rules = schema(kind)
    Draft202012Validator.check_schema(rules)

    def unexplained(part: Any, path: str) -> Iterator[str]:
        if not isinstance(part, dict):
            return
        for key, held in part.get("properties", {}).items():
            if not held.get("description"):
                yield f"{path}.{key}"
            yield from unexplained(held, f"{path}.{key}")

    assert list(unexplained(rules, kind)) == []
    assert all(each["description"] for each in rules["$defs"].values())
    assert [by_schema(kind, example) for example in rules["examples"]] == [True]


@pytest.mark.parametrize("kind", KINDS)
def test_schema_and_type_have_the_same_fields(kind: str) -> None:
    fields = msgspec.structs.fields(KINDS[kind])
    optional = {field.name for field in fields if not field.required} - {"version"}

    assert [field.name for field in fields] == list(schema(kind)["properties"])
    assert set(schema(kind)["properties"]) - set(schema(kind)["required"]) == optional
    event: Event = decode(KINDS[kind], json.dumps(schema(kind)["examples"][0]).encode())
    assert kind_of(event) == kind


def test_the_bodies_in_the_documentation_are_right() -> None:
    text = (Path(__file__).parents[1] / "docs" / "protocol.md").read_text(encoding="utf-8")
    bodies = re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)

    ping, alive, hello, status = map(json.loads, bodies)

    VALIDATORS["ping"].validate(ping)
    VALIDATORS["echo"].validate(alive)
    VALIDATORS["echo"].validate(hello)
    VALIDATORS["status"].validate(status)
    assert (alive["ping"], alive["sequence"]) == (ping["id"], ping["sequence"])
    assert (hello["phase"], hello["ping"], hello["sequence"]) == ("hello", None, None)


# -- the helpers


@given(st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1)), st.integers(-14, 14))
def test_timestamps_are_rfc_3339_in_utc_with_milliseconds(moment: datetime, hours: int) -> None:
    local = moment.replace(tzinfo=timezone(timedelta(hours=hours)))

    text = timestamp(local)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text, re.ASCII)
    assert timedelta() <= local - datetime.fromisoformat(text) < timedelta(milliseconds=1)


def test_now_is_the_moment_where_none_is_told() -> None:
    before = datetime.now(UTC)

    said = datetime.fromisoformat(timestamp())

    assert before - timedelta(milliseconds=1) <= said <= datetime.now(UTC)


@given(mappings | st.dictionaries(st.text(), st.text(min_size=300, max_size=1500), max_size=5))
def test_details_travel_whole_or_as_a_note_of_what_was_cut(details: dict[str, Any]) -> None:
    size = len(json.dumps(details, ensure_ascii=False, separators=(",", ":")).encode())

    fits = fitting(details)

    if not details:
        assert fits is None
    elif fits != details:
        assert fits == {
            "cut": f"details had {len(msgspec.json.encode(details))} bytes, 1024 may travel"
        }
    assert size > DETAILS_MAX or fits == (details or None)
    assert len(msgspec.json.encode(fits)) <= DETAILS_MAX


@pytest.mark.parametrize("length", [1015, 1016])
def test_details_are_cut_over_one_kibibyte_exactly(length: int) -> None:
    details = {"a": "x" * length}
    size = len(json.dumps(details, separators=(",", ":")))

    assert (fitting(details) == details) == (size <= 1024)


def test_details_that_are_no_json_are_said_to_be_unreadable() -> None:
    loop: dict[str, Any] = {}
    loop["loop"] = loop

    assert fitting({"socket": object()}) == {"unreadable": "details are not JSON"}
    assert fitting(loop) == {"unreadable": "details are not JSON"}
    assert fitting(None) is None and fitting({}) is None


def test_words_are_fresh() -> None:
    assert len({fresh_word() for _ in range(1000)}) == 1000
    assert re.fullmatch("[0-9a-f]{16}", fresh_word())
