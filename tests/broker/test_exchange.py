"""Routing, as pure data."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.broker.errors import Refused
from plugins.broker.exchange import Binding, Exchange, headers_match, topic_matches, words
from plugins.broker.tables import Field, Table

Q1, Q2 = ("queue", "q1"), ("queue", "q2")


def exchange(kind: str, *bindings: tuple[tuple[str, str], str]) -> Exchange:
    made = Exchange("x", kind)
    for destination, key in bindings:
        made.bind(Binding.make(destination, key, {}))
    return made


def test_direct_routes_by_equal_keys() -> None:
    direct = exchange("direct", (Q1, "a"), (Q2, "a"), (Q2, "b"))

    assert direct.route(["a"], {}) == [Q1, Q2]
    assert direct.route(["b"], {}) == [Q2]
    assert direct.route(["c"], {}) == []


def test_fanout_ignores_keys() -> None:
    assert exchange("fanout", (Q1, "a"), (Q2, "")).route(["x"], {}) == [Q1, Q2]


def test_a_topic_exchange_forgets_what_it_remembered_when_bindings_change() -> None:
    topic = exchange("topic", (Q1, "a.*"))
    assert topic.route(["a.b"], {}) == [Q1]

    topic.bind(Binding.make(Q2, "#", {}))
    assert topic.route(["a.b"], {}) == [Q1, Q2]
    topic.unbind(Binding.make(Q1, "a.*", {}))
    assert topic.route(["a.b"], {}) == [Q2]


def test_a_topic_exchange_remembers_only_so_many_keys() -> None:
    topic = exchange("topic", (Q1, "#"))

    for number in range(2500):
        assert topic.route([f"key.{number}"], {}) == [Q1]

    assert len(topic._remembered) <= 1000


@pytest.mark.parametrize(
    ("pattern", "key", "fits"),
    [
        ("", "", True),
        ("#", "", True),
        ("*", "", False),
        ("*", "a", True),
        ("a.#", "a", True),
        ("a.#.b", "a.b", True),
        ("#.#", "", True),
        ("*.#", "", False),
        ("a..b", "a..b", True),
        ("a.*.b", "a..b", True),
        ("a.*", "a.", True),
        ("a", "a.", False),
        ("#.b.#", "a.c", False),
    ],
)
def test_topic_words(pattern: str, key: str, fits: bool) -> None:
    assert topic_matches(words(pattern), words(key)) is fits


_WORDS = st.lists(st.sampled_from(["a", "b", ""]), max_size=5)


@given(st.lists(st.sampled_from(["a", "b", "", "*", "#"]), max_size=5), _WORDS)
def test_topics_match_as_a_regular_expression_does(pattern: list[str], key: list[str]) -> None:
    parts = {"*": "(/[^/]*)", "#": "(/[^/]*)*"}
    expression = "".join(parts.get(word, f"/{word}") for word in pattern)

    expected = re.fullmatch(expression, "".join(f"/{word}" for word in key)) is not None

    assert topic_matches(pattern, key) is expected


def table(**fields: object) -> Table:
    kinds = {bool: "bool", int: "signedint", str: "longstr", type(None): "void"}
    names = {name.replace("_", "-"): value for name, value in fields.items()}
    return {name: Field(kinds[type(value)], value) for name, value in names.items()}


@pytest.mark.parametrize(
    ("wanted", "headers", "fits"),
    [
        (table(), table(), True),
        (table(x_match="any"), table(a=1), False),
        (table(a=1, b=2), table(a=1), False),
        (table(a=1, b=2), table(a=1, b=2, c=3), True),
        (table(x_match="any", a=1, b=2), table(b=2), True),
        (table(a=None), table(a="x"), True),
        (table(a=None), table(b="x"), False),
        (table(a=True), table(a=1), False),
        (table(x_c=1), table(), True),
        (table(x_match="all-with-x", x_c=1), table(), False),
        (table(x_match="any-with-x", x_c=1, a=2), table(x_c=1), True),
    ],
)
def test_headers(wanted: Table, headers: Table, fits: bool) -> None:
    assert headers_match(wanted, headers) is fits


def test_a_headers_binding_says_how_it_matches_or_is_refused() -> None:
    headers = Exchange("x", "headers")

    with pytest.raises(Refused, match="Invalid x-match field value"):
        headers.check(Binding.make(Q1, "", table(x_match="some")))
    with pytest.raises(Refused, match="Invalid x-match field type signedint"):
        headers.check(Binding.make(Q1, "", table(x_match=1)))


def test_bindings_with_other_arguments_are_others() -> None:
    made = exchange("direct", (Q1, "k"))
    made.bind(Binding.make(Q1, "k", table(n=1)))
    made.unbind(Binding.make(Q1, "k", {}))

    assert made.route(["k"], {}) == [Q1]
    assert made.drop(Q1)
    assert not made.bindings
    assert not made.drop(Q1)
