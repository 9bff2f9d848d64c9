"""What a 406 to a declare says, read into data: RabbitMQ's words and other brokers'."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from orquestador.provision.found import Difference
from orquestador.provision.inequivalence import adopted, difference, refused
from orquestador.topology.model import Exchange, Queue

Thing = Exchange | Queue
LONGEST = 255


def text(name: str, thing: str, received: str, current: str) -> str:
    """As RabbitMQ 3.10 writes it."""
    return (
        f"PRECONDITION_FAILED - inequivalent arg '{name}' for {thing} in vhost 'v': "
        f"received {received} but current is {current}"
    )


def queue(**arguments: Any) -> Queue:
    return Queue("q", arguments={key.replace("_", "-"): value for key, value in arguments.items()})


TABLE: list[tuple[Thing, str, str, str, tuple[Any, Any]]] = [
    # asked, property, received, current: the broker's value and the file's
    (queue(x_max_length=6), "x-max-length", "'6'", "'5'", (5, 6)),
    (
        queue(),
        "x-message-ttl",
        "none",
        "the value '60000' of type 'signedint'",
        (60000, None),
    ),
    (
        queue(),
        "x-message-ttl",
        "none",
        "the value '5000000000' of type 'long'",
        (5_000_000_000, None),
    ),
    (
        queue(x_queue_mode="lazy"),
        "x-queue-mode",
        "the value 'lazy' of type 'longstr'",
        "none",
        (None, "lazy"),
    ),
    (
        queue(),
        "x-single-active-consumer",
        "none",
        "the value 'true' of type 'bool'",
        (True, None),
    ),
    (
        queue(x_single_active_consumer=True),
        "x-single-active-consumer",
        "'true'",
        "'false'",
        (False, True),
    ),
    (queue(x_overflow="drop-head"), "x-overflow", "'drop-head'", "'1'", ("1", "drop-head")),
    (queue(x_max_length=5), "x-max-length", "'5'", "'5'", ("5", 5)),  # text there, a number here
    (queue(x_max_length="5"), "x-max-length", "'5'", "'5'", (5, "5")),
    (queue(x_delivery_limit=3), "x-delivery-limit", "'3'", "'many'", ("many", 3)),
    (Queue("q"), "durable", "'true'", "'false'", (False, True)),
    (Queue("q"), "auto_delete", "'false'", "'true'", (True, False)),
    (
        queue(x_queue_type="quorum"),
        "x-queue-type",
        "the value 'quorum' of type 'longstr'",
        "none",
        ("classic", "quorum"),
    ),
    (
        queue(),
        "x-queue-type",
        "none",
        "the value 'stream' of type 'longstr'",
        ("stream", "classic"),
    ),
    (queue(x_queue_type="quorum"), "x-queue-type", "'quorum'", "'stream'", ("stream", "quorum")),
    (Exchange("q", "fanout"), "type", "'fanout'", "'topic'", ("topic", "fanout")),
    (Exchange("q"), "internal", "'false'", "'true'", (True, False)),
    (
        Exchange("q", arguments={"alternate-exchange": "a"}),
        "alternate-exchange",
        "'a'",
        "'it's: received 'x' but current is 'b''",
        ("it's: received 'x' but current is 'b'", "a"),
    ),
]


@pytest.mark.parametrize(("asked", "name", "received", "current", "values"), TABLE)
def test_a_difference_has_both_values_with_their_types(
    asked: Thing, name: str, received: str, current: str, values: tuple[Any, Any]
) -> None:
    kind = "exchange" if isinstance(asked, Exchange) else "queue"
    found = difference(text(name, f"{kind} 'q'", received, current), asked)

    assert found == Difference(name, *values)
    assert type(found.broker) is type(values[0])
    assert found.file == values[1]


@pytest.mark.parametrize("current", ["'5...", "the value '5' of t...", "non...", "..."])
def test_of_a_text_that_is_cut_the_property_is_known(current: str) -> None:
    asked = queue(x_max_length=6)

    assert difference(text("x-max-length", "queue 'q'", "'6'", current), asked) == Difference(
        "x-max-length", None, 6, known=False
    )


def test_a_text_may_be_cut_anywhere() -> None:
    asked = queue(x_max_length=6)
    whole = text("x-max-length", "queue 'q'", "'6'", "'5'")
    known = {difference(whole[:end] + "...", asked) for end in range(len(whole) - 1)}

    assert known == {None, Difference("x-max-length", None, 6, known=False)}


def test_a_flag_that_differs_is_the_other_even_where_the_text_is_cut() -> None:
    asked = Queue("n" * 200, durable=False)
    cut = text("durable", f"queue '{asked.name}'", "'false'", "'true'")[: LONGEST - 3] + "..."

    assert difference(cut, asked) == Difference("durable", True, False)


@pytest.mark.parametrize(
    ("printed", "kind"), [("5.5", "float"), ('[{<<"a">>,signedint,1}]', "table")]
)
def test_a_value_that_no_declare_can_have_is_shown_and_not_known(printed: str, kind: str) -> None:
    said = text("x-odd", "queue 'q'", "none", f"the value '{printed}' of type '{kind}'")

    assert difference(said, Queue("q")) == Difference("x-odd", printed, None, known=False)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "PRECONDITION_FAILED - Existing queue 'q' declared with other arguments",  # LavinMQ
        "PRECONDITION_FAILED - inequivalent arg 'x-max-le...",
        "PRECONDITION_FAILED - queue 'q' in vhost 'v' in use",
        "NOT_FOUND - no queue 'inequivalent arg 'x' for ' in vhost 'v'",
    ],
)
def test_other_words_name_no_difference(said: str) -> None:
    assert difference(said, Queue("q")) is None and refused(said) is None


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("invalid arg 'x-delivery-limit' for queue 'q' in vhost 'v' of queue type x", "x-delive"),
        ("invalid arg 'x-max-length' for queue 'q' in vhost 'v': {value_negative,-1}", "x-max-l"),
        ("invalid property 'non-durable' for queue 'q' in vhost 'v'", "non-durable"),
        ("invalid type 'signedint' for arg 'alternate-exchange' in exchange 'e'", "alternate-ex"),
    ],
)
def test_an_argument_that_is_refused_is_named(said: str, name: str) -> None:
    found = refused(f"PRECONDITION_FAILED - {said}")

    assert found is not None and found.startswith(name)
    assert difference(f"PRECONDITION_FAILED - {said}", Queue("q")) is None


def test_the_brokers_value_is_taken_over() -> None:
    asked = Queue("q", durable=True, arguments={"x-max-length": 6, "x-overflow": "drop-head"})
    for each in (
        Difference("durable", False, True),
        Difference("x-max-length", 5, 6),
        Difference("x-overflow", None, "drop-head"),
        Difference("x-expires", 1000, None),
    ):
        asked = adopted(asked, each)

    assert asked == Queue("q", durable=False, arguments={"x-max-length": 5, "x-expires": 1000})
    assert adopted(Exchange("e", "topic"), Difference("type", "fanout", "topic")).type == "fanout"


# -- whatever names and values hold


words = some.text(min_size=0, max_size=60) | some.sampled_from(
    ["' but current is '", "': received none but current is none", "in vhost '", "5", "true", "..."]
)
values = some.none() | some.booleans() | some.integers(-(2**63), 2**63 - 1) | words


def printed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_erlang(mine: Any, other: Any) -> str:
    """One side: bare where both sides have one, else with its type."""
    if mine is None:
        return "none"
    if other is not None:
        return f"'{printed(mine)}'"
    kind = {bool: "bool", int: "signedint", str: "longstr"}[type(mine)]
    return f"the value '{printed(mine)}' of type '{kind}'"


def unlike(broker: Any, file: Any) -> bool:
    return (type(broker), broker) != (type(file), file)


@given(name=words, file=values, broker=values)
def test_any_value_is_read_as_it_was_written_and_taken_over_is_no_difference(
    name: str, file: Any, broker: Any
) -> None:
    if not unlike(broker, file):
        return
    arguments = {} if file is None else {"x-a": file}
    asked = Queue(name, arguments=arguments)
    said = text("x-a", f"queue '{name}'", as_erlang(file, broker), as_erlang(broker, file))
    found = difference(said, asked)

    assert found is not None and found.known and found.file == file
    assert printed(found.broker) == printed(broker)
    if type(broker) is type(file) or file is None or broker is None:
        assert type(found.broker) is type(broker)
    assert adopted(asked, found).arguments.get("x-a") == found.broker


@given(said=words, end=some.integers(0, 300))
def test_no_text_is_too_odd(said: str, end: int) -> None:
    whole = text("x-a", "queue 'q'", f"'{said}'", said)

    difference(whole[:end], queue(x_a=said))
    refused(said)
