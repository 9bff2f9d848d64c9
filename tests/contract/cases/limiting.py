"""Queues that hold only so much."""

from __future__ import annotations

from ..player import Player
from . import case
from .delivering import fill


@case
def a_full_queue_drops_its_head(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments={"x-max-length": 2})
    fill(channel, "q", "one", "two", "three", "four")
    channel.passive("q")
    channel.drain("q")


@case
def what_is_held_does_not_count_for_the_limit(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments={"x-max-length": 1})
    fill(channel, "q", "one")
    channel.get("q")
    fill(channel, "q", "two")
    channel.passive("q")
    channel.get("q")
    fill(channel, "q", "three")
    channel.passive("q")


@case
def a_requeue_into_a_full_queue_drops_the_oldest(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments={"x-max-length": 1})
    fill(channel, "q", "one")
    channel.get("q")
    fill(channel, "q", "two")
    channel.nack(1)
    channel.passive("q")
    channel.drain("q")


@case
def a_requeue_of_several_into_a_small_queue(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments={"x-max-length": 3})
    fill(channel, "q", "one", "two", "three")
    channel.get("q")
    channel.get("q")
    channel.get("q")
    fill(channel, "q", "four", "five")
    channel.nack(3, multiple=True)
    channel.passive("q")
    channel.drain("q")


@case
def a_lease_in_a_queue_of_one_survives_its_holder(play: Player) -> None:
    client = play.connect()
    holder, other = client.channel(), play.connect().channel()
    holder.declare("q", arguments={"x-max-length": 1})
    holder.qos(1)
    holder.consume("q", "c")
    fill(holder, "q", "lease")
    holder.deliveries(1)
    client.cut()
    play.count("q", 1)
    other.get("q")
    other.nack(1)
    other.get("q")


@case
def pings_in_a_queue_of_ten_keep_the_newest(play: Player) -> None:
    client = play.connect()
    holder, other = client.channel(), play.connect().channel()
    holder.declare("q", arguments={"x-max-length": 10})
    holder.qos(3)
    holder.consume("q", "c")
    fill(other, "q", *(f"ping {number}" for number in range(15)))
    holder.deliveries(3)
    other.passive("q")
    client.cut()
    play.count("q", 10)
    other.drain("q")


@case
def a_full_queue_refuses_what_is_published(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments={"x-max-length": 2, "x-overflow": "reject-publish"})
    fill(channel, "q", "one", "two", "three")
    channel.passive("q")
    channel.get("q")
    fill(channel, "q", "four", "five")
    channel.nack(1)
    channel.passive("q")
    channel.drain("q")


@case
def a_queue_limited_in_bytes(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments={"x-max-length-bytes": 10})
    fill(channel, "q", "12345", "67890", "x", "a body longer than all", "y")
    channel.passive("q")
    channel.drain("q")
    channel.declare("r", arguments={"x-max-length-bytes": 10, "x-overflow": "reject-publish"})
    fill(channel, "r", "12345", "67890", "x", "")
    channel.drain("r")


@case
def a_queue_of_none_passes_on_to_consumers_only(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments={"x-max-length": 0})
    fill(channel, "q", "one")
    channel.passive("q")
    channel.consume("q", "c")
    fill(channel, "q", "two")
    channel.quiet("q")
    channel.declare("r", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    channel.consume("r", "d")
    fill(channel, "r", "three")
    channel.quiet("r")
