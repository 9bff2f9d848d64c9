"""Quorum queues and streams as far as a client of a single node sees them."""

from __future__ import annotations

from ..player import Player
from . import case
from .delivering import fill

QUORUM = {"x-queue-type": "quorum"}


@case
def a_quorum_queue_is_durable_shared_and_kept(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments=QUORUM)
    channel.declare("q", durable=True, auto_delete=True, arguments=QUORUM)
    channel.declare("q", durable=True, exclusive=True, arguments=QUORUM)
    channel.declare("", durable=True, arguments=QUORUM)
    channel.passive("q")


@case
def the_first_difference_of_a_quorum_queue_is_named(play: Player) -> None:
    channel = play.connect().channel()
    arguments = {**QUORUM, "x-delivery-limit": 3, "x-max-length": 5}
    channel.declare("q", durable=True, arguments=arguments)
    channel.declare("q", durable=True, arguments=arguments)
    channel.declare("q", durable=True)
    channel.declare("q", durable=True, arguments=QUORUM)
    channel.declare("q", durable=True, arguments={**arguments, "x-delivery-limit": 4})
    channel.declare("q", durable=True, arguments={**arguments, "x-max-priority": -1})
    channel.declare("q", durable=True, arguments={"x-delivery-limit": -1})


@case
def asking_by_an_argument_that_the_type_never_takes_creates_nothing(play: Player) -> None:
    channel = play.connect().channel()
    never = {"classic": "x-delivery-limit", "quorum": "x-max-priority", "stream": "x-max-priority"}
    for kind in never:
        arguments = {"x-queue-type": kind, "x-max-length-bytes": 1_000_000}
        channel.declare(f"a {kind}", durable=True, arguments=arguments)
    for kind, extra in never.items():
        for name in ("none", "a classic", "a quorum", "a stream"):
            for size in (1_000_000, 2_000_000):
                asked = {"x-queue-type": kind, "x-max-length-bytes": size, extra: -1}
                channel.declare(name, durable=True, arguments=asked)
        channel.declare("none", durable=True, arguments={"x-queue-type": kind, extra: -1})
        channel.passive("none")


@case
def a_quorum_queue_counts_deliveries_and_gives_up(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("dead")
    channel.declare(
        "q",
        durable=True,
        arguments={
            **QUORUM,
            "x-delivery-limit": 2,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": play.name("dead"),
        },
    )
    fill(channel, "q", "one")
    for tag in (1, 2, 3):
        play.count("q", 1)
        channel.get("q")
        channel.nack(tag)
    play.count("dead", 1)
    channel.get("dead")
    play.count("q", 0)


@case
def a_quorum_queue_tells_its_consumer_how_often_a_message_came_back(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", durable=True, arguments=QUORUM)
    fill(channel, "q", "one")
    channel.consume("q", "c")
    channel.deliveries(1)
    channel.nack(1)
    channel.deliveries(1)
    channel.ack(2)
    play.count("q", 0)


@case
def a_quorum_queue_is_not_deleted_on_a_condition(play: Player) -> None:
    for option in ("if_unused", "if_empty"):
        client = play.connect()
        channel = client.channel()
        channel.declare("q", durable=True, arguments=QUORUM)
        channel.delete("q", **{option: True})
        client.is_open()


@case
def a_single_active_quorum_queue_is_not_got_from(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", durable=True, arguments={**QUORUM, "x-single-active-consumer": True})
    channel.get("q")
