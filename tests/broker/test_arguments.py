"""Arguments: what each queue type takes, and how refusals read."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.broker.arguments import QueueOptions, check_consumer, compare_queue, queue_options
from plugins.broker.errors import Refused
from plugins.broker.tables import Field, Table

_KINDS = {bool: "bool", int: "signedint", str: "longstr"}


def table(arguments: dict[str, Any]) -> Table:
    return {name: Field(_KINDS[type(value)], value) for name, value in arguments.items()}


def refusal(arguments: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refused:
        queue_options("q", table(arguments))
    assert refused.value.code == 406
    return refused.value.text.removeprefix("PRECONDITION_FAILED - ")


def test_options_come_from_arguments() -> None:
    options = queue_options(
        "q",
        table(
            {
                "x-queue-type": "quorum",
                "x-delivery-limit": 3,
                "x-max-length": 5,
                "x-single-active-consumer": True,
                "x-dead-letter-exchange": "graves",
                "x-unknown": 1,
            }
        ),
    )

    assert options == QueueOptions(
        type="quorum",
        delivery_limit=3,
        max_length=5,
        single_active=True,
        dead_letter_exchange="graves",
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"x-message-ttl": -1}, "{value_negative,-1}"),
        ({"x-expires": 0}, "{value_zero,0}"),
        ({"x-max-length": "5"}, '"expected integer, got longstr"'),
        ({"x-overflow": "drop-tail"}, "invalid_overflow"),
        ({"x-dead-letter-routing-key": "k"}, "routing_key_but_no_dlx_defined"),
        ({"x-queue-type": "cubic"}, "\"unsupported queue type 'cubic'\""),
    ],
)
def test_a_faulty_value_is_named(arguments: dict[str, Any], text: str) -> None:
    name = next(iter(arguments))

    assert refusal(arguments) == f"invalid arg '{name}' for queue 'q' in vhost '/': {text}"


def test_an_argument_of_another_type_is_named_with_the_type() -> None:
    expected = "invalid arg 'x-max-priority' for queue 'q' in vhost '/' of queue type "

    assert refusal({"x-queue-type": "quorum", "x-max-priority": -1}) == expected + (
        "rabbit_quorum_queue"
    )
    assert refusal({"x-queue-type": "stream", "x-max-priority": -1}) == expected + (
        "rabbit_stream_queue"
    )


def test_the_first_difference_is_named_with_both_values() -> None:
    current = table({"x-message-ttl": 2, "x-max-length": 5})

    with pytest.raises(Refused) as refused:
        compare_queue("q", current, table({"x-max-length": 6, "x-message-ttl": 1}))
    assert refused.value.text == (
        "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': "
        "received '1' but current is '2'"
    )
    with pytest.raises(Refused, match="received none but current is the value '5' of type"):
        compare_queue("q", current, table({"x-message-ttl": 2}))


def test_no_type_is_classic_and_unknown_arguments_are_not_compared() -> None:
    compare_queue("q", {}, table({"x-queue-type": "classic", "x-unknown": 1}))
    compare_queue("q", table({"x-queue-type": "classic"}), {})


def test_consumer_arguments() -> None:
    check_consumer("q", "classic", table({"x-priority": 3, "x-consumer-timeout": 1}))

    with pytest.raises(Refused, match="x-priority"):
        check_consumer("q", "classic", table({"x-priority": "high"}))
    with pytest.raises(Refused, match="x-stream-offset"):
        check_consumer("q", "classic", table({"x-stream-offset": "first"}))
