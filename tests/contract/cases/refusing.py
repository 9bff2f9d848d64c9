"""406 and its kin: which argument is named, how values are printed, what is not created."""

from __future__ import annotations

import decimal
from itertools import count
from typing import Any

from pamqp import commands

from ..player import Player
from ..raw import RawClient
from . import case


@case
def the_first_differing_property_of_a_queue_is_named(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", durable=True, arguments={"x-message-ttl": 2, "x-max-length": 5})
    channel.declare("q", durable=False, auto_delete=True)
    channel.declare("q", durable=True, auto_delete=True)
    channel.declare("q", durable=True, arguments={"x-message-ttl": 1, "x-max-length": 6})
    channel.declare("q", durable=True, arguments={"x-max-length": 6})
    channel.declare("q", durable=True)
    channel.declare("q", durable=True, arguments={"x-message-ttl": 2})
    channel.declare("q", durable=True, arguments={"x-message-ttl": 2, "x-max-length": 5})
    for extra in (
        {"x-expires": 100000},
        {"x-dead-letter-exchange": "d"},
        {"x-overflow": "reject-publish"},
        {"x-single-active-consumer": True},
        {"x-queue-type": "quorum"},
        {"x-queue-type": "classic"},
        {"x-max-length-bytes": 10},
        {"x-max-priority": 3},
        {"x-queue-mode": "lazy"},
        {"x-queue-version": 2},
        {"x-queue-master-locator": "min-masters"},
        {"x-unknown": 1},
    ):
        arguments = {"x-message-ttl": 2, "x-max-length": 5, **extra}
        channel.declare("q", durable=True, arguments=arguments)


@case
def differing_arguments_are_named_in_a_fixed_order(play: Player) -> None:
    channel = play.connect().channel()
    arguments = {
        "x-expires": 100000,
        "x-message-ttl": 60000,
        "x-dead-letter-exchange": "d",
        "x-dead-letter-routing-key": "k",
        "x-max-length": 5,
        "x-max-length-bytes": 500,
        "x-overflow": "reject-publish",
        "x-single-active-consumer": True,
    }
    channel.declare("q", arguments=arguments)
    for name in list(arguments):
        del arguments[name]
        channel.declare("q", arguments={**arguments, "x-unknown": 1})


@case
def a_differing_value_is_named_with_what_is_there(play: Player) -> None:
    channel = play.connect().channel()
    values = {
        "x-expires": (100000, 200000),
        "x-message-ttl": (60000, 5_000_000_000),
        "x-dead-letter-exchange": ("d", "e"),
        "x-max-length": (5, 6),
        "x-overflow": ("reject-publish", "drop-head"),
        "x-single-active-consumer": (True, False),
        "x-queue-type": ("classic", "stream"),
    }
    for number, (name, (first, second)) in enumerate(values.items()):
        channel.declare(f"q{number}", arguments={name: first})
        channel.declare(f"q{number}", arguments={name: second})
        channel.declare(f"q{number}")


@case
def an_argument_of_another_integer_type_is_the_same(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments={"x-max-length": 5})
    channel.declare("q", arguments={"x-max-length": 5_000_000_000})
    channel.declare("r", arguments={"x-max-length": 5_000_000_000})
    channel.declare("r", arguments={"x-max-length": 5})


@case
def asking_with_one_argument_more_creates_nothing(play: Player) -> None:
    channel = play.connect().channel()
    probe = {"x-delivery-limit": -1}
    channel.declare("q", arguments=probe)
    channel.passive("q")
    channel.declare("q", arguments={"x-message-ttl": 60000})
    channel.declare("q", arguments={**probe, "x-message-ttl": 60000})
    channel.declare("q", arguments={**probe, "x-message-ttl": 30000})
    channel.declare("q", arguments=probe)
    channel.declare("q", durable=True, arguments=probe)


@case
def a_queue_type_refuses_what_it_does_not_take(play: Player) -> None:
    channel = play.connect().channel()
    for kind, arguments in (
        ("classic", {"x-delivery-limit": 3}),
        ("classic", {"x-quorum-initial-group-size": 3}),
        ("classic", {"x-max-age": "1h"}),
        ("classic", {"x-dead-letter-strategy": "at-least-once"}),
        ("classic", {"x-queue-leader-locator": "balanced"}),
        ("quorum", {"x-max-priority": 3}),
        ("quorum", {"x-max-priority": -1}),
        ("quorum", {"x-queue-mode": "lazy"}),
        ("quorum", {"x-max-age": "1h"}),
        ("stream", {"x-max-priority": -1}),
        ("stream", {"x-message-ttl": 5}),
        ("stream", {"x-expires": 5}),
        ("stream", {"x-single-active-consumer": True}),
        ("stream", {"x-dead-letter-exchange": "x"}),
    ):
        channel.declare("q", durable=True, arguments={"x-queue-type": kind, **arguments})
        channel.passive("q")


@case
def a_faulty_value_is_named_with_its_fault(play: Player) -> None:
    channel = play.connect().channel()
    for name, value in (
        ("x-message-ttl", -1),
        ("x-message-ttl", "5"),
        ("x-message-ttl", True),
        ("x-message-ttl", 315_360_000_001),
        ("x-message-ttl", None),
        ("x-message-ttl", decimal.Decimal("1.5")),
        ("x-message-ttl", [1]),
        ("x-message-ttl", {"a": 1}),
        ("x-expires", 0),
        ("x-expires", -1),
        ("x-expires", "soon"),
        ("x-max-length", -1),
        ("x-max-length", "5"),
        ("x-max-length-bytes", -5),
        ("x-max-length-bytes", False),
        ("x-overflow", "drop-tail"),
        ("x-overflow", 1),
        ("x-dead-letter-exchange", 1),
        ("x-dead-letter-routing-key", "k"),
        ("x-dead-letter-routing-key", 1),
        ("x-single-active-consumer", "true"),
        ("x-single-active-consumer", 1),
        ("x-max-priority", 256),
        ("x-max-priority", -1),
        ("x-queue-mode", "busy"),
        ("x-queue-mode", 1),
        ("x-queue-version", 3),
        ("x-queue-version", -1),
        ("x-queue-version", "two"),
        ("x-queue-type", "cubic"),
        ("x-queue-type", 1),
    ):
        channel.declare("q", arguments={name: value})
    channel.passive("q")


@case
def values_of_every_wire_type_are_named(play: Player) -> None:
    raw = RawClient(play)
    numbers = count(1)

    def declare(queue: str, arguments: dict[str, Any]) -> None:
        number = next(numbers)
        raw.open_channel(number)
        raw.call(commands.Queue.Declare(queue=play.name(queue), arguments=arguments), number)

    declare("without", {})
    declare("with", {"x-message-ttl": 7})
    for value in (1, 200, 40_000, 70_000, 3_000_000_000, 5_000_000_000, 5.5, bytearray(b"raw")):
        declare("without", {"x-message-ttl": value})
        declare("with", {"x-message-ttl": value})
        declare("new", {"x-dead-letter-exchange": value})
        declare("new", {"x-overflow": value})


@case
def the_first_faulty_argument_is_named(play: Player) -> None:
    channel = play.connect().channel()
    faulty = {
        "x-max-length": -1,
        "x-overflow": "drop-tail",
        "x-message-ttl": -1,
        "x-expires": 0,
        "x-delivery-limit": -1,
    }
    for name in ("x-expires", "x-message-ttl", "x-max-length", "x-overflow", "x-delivery-limit"):
        channel.declare("q", arguments=faulty)
        del faulty[name]
    channel.declare("q", arguments={"x-max-age": "1h", "x-delivery-limit": 1})
    channel.declare("q", arguments={"x-delivery-limit": 1, "x-max-age": "1h"})


@case
def a_long_refusal_is_cut(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments={"x-dead-letter-exchange": "e" * 100})
    channel.declare("q", arguments={"x-dead-letter-exchange": "f" * 200})
    channel.passive("n" * 180)


@case
def a_missing_exchange_or_queue_is_named_when_binding(play: Player) -> None:
    channel = play.connect().channel()
    channel.bind("nothing", "missing", "k")
    channel.bind("nothing", "amq.topic", "k")
    channel.declare("q")
    channel.bind("q", "missing", "k")
    channel.bind_exchange("missing", "amq.topic", "k")
    channel.bind_exchange("amq.topic", "missing", "k")


@case
def what_is_not_implemented_ends_the_connection(play: Player) -> None:
    for what, act in (
        ("prefetch size", lambda c: c.basic_qos(prefetch_size=1)),
        ("recover without requeue", lambda c: c.basic_recover(requeue=False)),
        ("flow off", lambda c: c.flow(False)),
    ):
        client = play.connect()
        client.channel(confirms=False).call(what, act)
        client.is_open()


@case
def an_unknown_delivery_tag_is_406(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    channel.ack(1)
    channel.nack(1)
    channel.reject(7)
    channel.ack(1, multiple=True)
    channel.ack(0, multiple=True)
    channel.nack(0, multiple=True)
    channel.publish("", "q", "one")
    channel.get("q")
    channel.ack(1)
    channel.ack(1)


@case
def consuming_what_cannot_be_consumed(play: Player) -> None:
    client = play.connect()
    channel = client.channel()
    channel.consume("nothing", "c")
    channel.declare("q")
    channel.consume("q", "c", arguments={"x-priority": "high"})
    channel.consume("q", "c", arguments={"x-stream-offset": "first"})
    channel.consume("q", "c", arguments={"x-cancel-on-ha-failover": 1})
    channel.consume("q", "c", arguments={"x-consumer-timeout": 60000, "x-unknown": 1})
    channel.passive("q")
