"""Time to live of messages and of queues."""

from __future__ import annotations

from ..player import Player
from . import case
from .delivering import fill


@case
def a_message_expires_by_its_own_time(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    channel.publish("", "q", "short", expiration="30")
    play.count("q", 0)
    channel.get("q")


@case
def a_queues_time_to_live_is_the_longest(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments={"x-message-ttl": 30})
    channel.publish("", "q", "one", expiration="100000")
    play.count("q", 0)
    channel.declare("r", arguments={"x-message-ttl": 100000})
    channel.publish("", "r", "one", expiration="30")
    play.count("r", 0)


@case
def messages_expire_at_the_head_only(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    channel.publish("", "q", "stays")
    channel.publish("", "q", "hidden", expiration="1")
    channel.publish("", "q", "stays too")
    channel.declare("clock", arguments={"x-message-ttl": 50})
    channel.publish("", "clock", "tick")
    play.count("clock", 0)
    channel.passive("q")
    channel.get("q", auto_ack=True)
    channel.passive("q")
    channel.get("q")


@case
def nothing_is_kept_for_no_time(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments={"x-message-ttl": 0})
    channel.publish("", "q", "one", mandatory=True)
    channel.passive("q")
    channel.get("q")
    channel.publish("", "q", "two", expiration="0")
    channel.passive("q")
    channel.consume("q", "c")
    channel.publish("", "q", "three")
    channel.deliveries(1)


@case
def a_message_of_no_time_that_comes_back_is_gone(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    channel.qos(1)
    channel.consume("q", "c")
    channel.publish("", "q", "one", expiration="0")
    channel.deliveries(1)
    channel.cancel("c")
    channel.nack(1)
    play.count("q", 0)


@case
def an_expired_message_that_is_held_stays_held(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    channel.publish("", "q", "one", expiration="250")
    channel.get("q")
    channel.declare("clock", arguments={"x-message-ttl": 400})
    channel.publish("", "clock", "tick")
    play.count("clock", 0)
    channel.ack(1)
    channel.passive("q")


@case
def an_unused_queue_expires(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments={"x-expires": 40})
    fill(channel, "q", "one")
    channel.declare("clock", arguments={"x-message-ttl": 150})
    channel.publish("", "clock", "tick")
    play.count("clock", 0)
    channel.passive("q")


@case
def a_consumer_keeps_a_queue_from_expiring(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", arguments={"x-expires": 300})
    channel.consume("q", "c")
    channel.declare("clock", arguments={"x-message-ttl": 700})
    channel.publish("", "clock", "tick")
    play.count("clock", 0)
    channel.passive("q")
    channel.cancel("c")
    channel.publish("", "clock", "tick")
    play.count("clock", 0)
    channel.passive("q")
