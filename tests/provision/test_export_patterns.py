"""Names and routing keys as the patterns of permissions.

What RabbitMQ makes of them is `test_permissions.py`'s.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orquestador.errors import ConfigurationError
from orquestador.provision.exports import patterns
from plugins.broker.exchange import Binding, Exchange


def matches(pattern: str, text: str) -> bool:
    """As Erlang's re:run: anywhere, unless it is anchored."""
    return re.search(pattern, text) is not None


# Line feeds, before which $ would match too, RabbitMQ strips from names.
NAMES = st.text(alphabet="ab.*+?|()[]{}^$\\#- ", min_size=1, max_size=4)


@given(st.sets(NAMES, max_size=3), NAMES)
def test_a_pattern_matches_its_names_and_no_other(names: set[str], other: str) -> None:
    pattern = patterns.of_names(names)

    assert all(matches(pattern, name) for name in names)
    assert matches(pattern, other) == (other in names)


def test_nothing_everything_and_the_default_exchange_have_patterns_of_their_own() -> None:
    assert patterns.of_names([]) == "^$"
    assert patterns.of_keys(["#", "echo.a"]) == ".*"
    assert patterns.of_names([""]) == r"^amq\.default$"


WORDS = st.lists(st.sampled_from(["a", "b", "", "*", "#"]), min_size=1, max_size=5).map(".".join)
KEYS = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=5).map(".".join)


@given(WORDS, KEYS)
@example(".#", "")
@example("*", "")
@example("#.*", "")
@example("#", "")
@example("", "")
def test_a_key_with_wildcards_matches_what_a_topic_exchange_routes_by_it(
    key: str, message: str
) -> None:
    exchange = Exchange("e", "topic")
    exchange.bind(Binding.make(("queue", "q"), key, {}))

    routed = bool(list(exchange.route([message], {})))
    assert matches(patterns.of_keys([key]), message) == routed


def test_the_keys_of_bindings_are_no_wildcards() -> None:
    pattern = patterns.of_literal_keys(["echo.*"])

    assert matches(pattern, "echo.*") and not matches(pattern, "echo.a")


def test_variables_of_topic_permissions_stay_as_they_are_written() -> None:
    assert "{username}" not in patterns.of_literal_keys(["{username}.a"])


def test_too_many_names_of_one_stem_give_way_to_any_word() -> None:
    names = [f"ping.service-number-{number}" for number in range(3000)]
    pattern = patterns.of_names([*names, "leader"])

    assert pattern == r"^(leader|ping\.[^.]+)$" and patterns.broad(pattern)
    assert not patterns.broad(patterns.of_names(names[:500]))
    assert patterns.of_keys(each.removeprefix("ping.") for each in names) == "^[^.]+$"


def test_names_that_have_nothing_in_common_are_not_opened_to_all() -> None:
    with pytest.raises(ConfigurationError, match="different accounts"):
        patterns.of_names(f"queue-number-{number}" for number in range(3000))
