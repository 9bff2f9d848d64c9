"""Messages that go back: order, the `redelivered` flag, and every way a holder can end."""

from __future__ import annotations

from pamqp import commands

from ..player import Player
from ..raw import RawClient
from . import case
from .delivering import fill

BODIES = ("one", "two", "three", "four")


@case
def nacked_messages_go_back_to_their_places(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    fill(channel, "q", *BODIES)
    for _ in BODIES[:3]:
        channel.get("q")
    channel.nack(2)
    channel.get("q")
    channel.nack(4)
    channel.nack(3, multiple=True)
    channel.drain("q")


@case
def rejected_messages_are_gone_or_back(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    fill(channel, "q", *BODIES)
    for _ in BODIES:
        channel.get("q")
    channel.reject(3, requeue=False)
    channel.reject(2)
    channel.nack(1, requeue=False)
    channel.reject(4)
    channel.drain("q")


@case
def a_closed_channel_gives_back_in_order(play: Player) -> None:
    client = play.connect()
    channel, other = client.channel(), client.channel()
    channel.declare("q")
    fill(channel, "q", *BODIES)
    channel.get("q")
    channel.get("q")
    channel.get("q")
    channel.ack(2)
    channel.close()
    play.count("q", 3)
    other.drain("q")


@case
def a_channel_error_gives_back_in_order(play: Player) -> None:
    client = play.connect()
    channel, other = client.channel(), client.channel()
    channel.declare("q")
    fill(channel, "q", *BODIES)
    channel.qos(3)
    channel.consume("q", "c")
    channel.deliveries(3)
    channel.passive("missing")
    play.count("q", 4)
    other.drain("q")


@case
def a_cut_connection_gives_back_in_order(play: Player) -> None:
    client = play.connect()
    channel, other = client.channel(), play.connect().channel()
    channel.declare("q")
    fill(channel, "q", *BODIES)
    channel.consume("q", "c")
    channel.deliveries(4)
    channel.ack(1)
    client.cut()
    play.count("q", 3)
    fill(other, "q", "five")
    other.drain("q")


@case
def a_reset_connection_gives_back_at_once(play: Player) -> None:
    other = play.connect().channel()
    other.declare("q")
    raw = RawClient(play)
    raw.open_channel()
    raw.call(commands.Basic.Consume(queue=play.name("q"), consumer_tag="c"))
    fill(other, "q", "one", "two")
    raw.next()
    raw.next()
    other.consume("q", "heir")
    other.quiet("q")
    raw.reset()
    other.deliveries(2)


@case
def what_goes_back_reaches_whoever_waits(play: Player) -> None:
    client = play.connect()
    channel, heir = client.channel(), client.channel()
    channel.declare("q")
    channel.consume("q", "holder")
    fill(channel, "q", "one", "two")
    channel.deliveries(2)
    heir.consume("q", "heir")
    heir.quiet("q")
    channel.close()
    heir.deliveries(2)
    fill(heir, "q", "three")
    heir.deliveries(1)


@case
def recover_gives_back_everything_of_the_channel(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    channel.declare("r")
    fill(channel, "q", "one", "two")
    fill(channel, "r", "three")
    channel.get("q")
    channel.get("r")
    channel.get("q")
    channel.recover()
    channel.drain("q")
    channel.drain("r")
    channel.ack(1)


@case
def recover_with_a_consumer_delivers_again(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    fill(channel, "q", "one", "two")
    channel.consume("q", "c")
    channel.deliveries(2)
    channel.recover()
    channel.deliveries(2)
    channel.ack(4, multiple=True)
    channel.passive("q")


@case
def redelivered_stays_set(play: Player) -> None:
    client = play.connect()
    channel = client.channel()
    channel.declare("q")
    fill(channel, "q", "one")
    for tag in (1, 2, 3):
        channel.get("q")
        channel.nack(tag)
    channel.close()
    client.channel().drain("q")


@case
def a_requeue_between_other_messages_keeps_order(play: Player) -> None:
    client = play.connect()
    channel, other = client.channel(), client.channel()
    channel.declare("q")
    fill(channel, "q", *BODIES)
    channel.get("q")
    other.get("q")
    channel.get("q")
    other.get("q")
    other.nack(2, multiple=True)
    channel.nack(2)
    channel.drain("q")
    channel.nack(1)
    channel.drain("q")


@case
def messages_of_a_deleted_queue_do_not_come_back(play: Player) -> None:
    client = play.connect()
    channel, other = client.channel(), client.channel()
    channel.declare("q")
    fill(channel, "q", "one", "two")
    channel.get("q")
    other.delete("q")
    other.declare("q")
    channel.nack(1)
    channel.passive("q")
