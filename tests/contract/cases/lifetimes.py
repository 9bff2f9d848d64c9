"""What goes by itself: exclusive and auto-delete things, and who may touch them before."""

from __future__ import annotations

from ..player import Player
from . import case
from .delivering import fill


@case
def an_exclusive_queue_is_its_connections_alone(play: Player) -> None:
    owner, stranger = play.connect(), play.connect()
    mine, same, theirs = owner.channel(), owner.channel(), stranger.channel()
    mine.declare("q", exclusive=True)
    same.passive("q")
    same.declare("q", exclusive=True)
    same.declare("q")
    theirs.passive("q")
    theirs.declare("q", exclusive=True)
    theirs.declare("q")
    theirs.bind("q", "amq.fanout")
    theirs.unbind("q", "amq.fanout")
    theirs.get("q")
    theirs.consume("q", "c")
    theirs.purge("q")
    theirs.delete("q")
    theirs.publish("", "q", "from a stranger", mandatory=True)
    mine.get("q")
    owner.close()
    play.gone("q")
    theirs.declare("q", exclusive=True)


@case
def a_shared_queue_cannot_be_had_exclusively(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    channel.declare("q", exclusive=True)


@case
def an_exclusive_queue_is_never_durable(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", exclusive=True, durable=True)
    channel.declare("q", exclusive=True)
    channel.declare("q", exclusive=True, durable=True)


@case
def an_exclusive_queue_goes_with_a_cut_connection(play: Player) -> None:
    owner = play.connect()
    channel, other = owner.channel(), play.connect().channel()
    channel.declare("q", exclusive=True)
    channel.bind("q", "amq.direct", f"{play.prefix}k")
    other.publish("amq.direct", f"{play.prefix}k", "one", mandatory=True)
    owner.cut()
    play.gone("q")
    other.publish("amq.direct", f"{play.prefix}k", "two", mandatory=True)


@case
def an_auto_delete_queue_goes_with_its_last_consumer(play: Player) -> None:
    client = play.connect()
    channel, other = client.channel(), client.channel()
    channel.declare("q", auto_delete=True)
    fill(channel, "q", "one")
    channel.passive("q")
    channel.consume("q", "c1")
    channel.deliveries(1)
    other.consume("q", "c2")
    channel.cancel("c1")
    channel.passive("q")
    other.close()
    play.gone("q")


@case
def an_auto_delete_queue_stays_without_ever_a_consumer(play: Player) -> None:
    client = play.connect()
    channel, other = client.channel(), client.channel()
    channel.declare("q", auto_delete=True)
    fill(channel, "q", "one")
    channel.get("q")
    channel.close()
    other.passive("q")
    play.count("q", 1)


@case
def an_auto_delete_queue_goes_with_a_cut_connection(play: Player) -> None:
    client, second = play.connect(), play.connect()
    channel, other = client.channel(), second.channel()
    channel.declare("q", auto_delete=True)
    channel.consume("q", "c")
    fill(other, "q", "one")
    channel.deliveries(1)
    client.cut()
    play.gone("q")


@case
def an_auto_delete_exchange_goes_with_its_last_binding(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("x", auto_delete=True)
    channel.exchange("y", auto_delete=True)
    channel.declare("q")
    channel.exchange("x", passive=True)
    channel.bind("q", "x", "a")
    channel.bind("q", "x", "b")
    channel.unbind("q", "x", "a")
    channel.exchange("x", passive=True)
    channel.bind_exchange("x", "y", "k")
    channel.delete("q")
    channel.exchange("x", passive=True)
    channel.exchange("y", passive=True)


@case
def deleting_an_exchange_frees_its_bindings(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("x", "direct")
    channel.declare("q")
    channel.bind("q", "x", "k")
    channel.delete_exchange("x")
    channel.publish("x", "k", "lost")
    channel.exchange("x", "direct")
    channel.publish("x", "k", "nowhere", mandatory=True)


@case
def deleting_a_queue_frees_its_bindings(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("x", "direct")
    channel.declare("q")
    channel.bind("q", "x", "k")
    channel.delete("q")
    channel.declare("q")
    channel.publish("x", "k", "nowhere", mandatory=True)
