"""Dead letters: when, where to, and what their history says."""

from __future__ import annotations

from typing import Any

from ..player import Channel, Player
from . import case
from .delivering import fill


def graveyard(
    channel: Channel, play: Player, *, key: str = "", more: dict[str, Any] | None = None
) -> None:
    """A queue `q` whose dead letters reach the queue `dead` by a fanout exchange."""
    channel.exchange("graves", "fanout")
    channel.declare("dead")
    channel.bind("dead", "graves")
    arguments = {"x-dead-letter-exchange": play.name("graves", "exchange"), **(more or {})}
    if key:
        arguments["x-dead-letter-routing-key"] = key
    channel.declare("q", arguments=arguments)


@case
def a_rejected_message_is_buried(play: Player) -> None:
    channel = play.connect().channel()
    graveyard(channel, play)
    channel.publish("", "q", "one", headers={"own": 1}, content_type="text/plain")
    channel.get("q")
    channel.reject(1, requeue=False)
    play.count("dead", 1)
    channel.get("dead")
    channel.passive("q")


@case
def an_expired_message_is_buried_without_its_expiration(play: Player) -> None:
    channel = play.connect().channel()
    graveyard(channel, play, key="expired")
    channel.publish("", "q", "one", expiration="20")
    play.count("dead", 1)
    channel.get("dead")


@case
def a_dropped_head_is_buried(play: Player) -> None:
    channel = play.connect().channel()
    graveyard(channel, play, more={"x-max-length": 1})
    fill(channel, "q", "one", "two", "three")
    play.count("dead", 2)
    channel.drain("dead")
    channel.drain("q")


@case
def a_refused_message_is_buried_if_asked(play: Player) -> None:
    channel = play.connect().channel()
    graveyard(channel, play, more={"x-max-length": 1, "x-overflow": "reject-publish-dlx"})
    fill(channel, "q", "one", "two")
    play.count("dead", 1)
    channel.drain("dead")


@case
def acknowledged_purged_and_deleted_messages_are_not_buried(play: Player) -> None:
    channel = play.connect().channel()
    graveyard(channel, play)
    fill(channel, "q", "one", "two", "three", "four")
    channel.get("q", auto_ack=True)
    channel.get("q")
    channel.ack(2)
    channel.purge("q")
    fill(channel, "q", "five")
    channel.delete("q")
    channel.passive("dead")


@case
def a_missing_graveyard_loses_its_letters(play: Player) -> None:
    channel = play.connect().channel()
    missing = play.name("missing", "exchange")
    channel.declare("q", arguments={"x-dead-letter-exchange": missing})
    fill(channel, "q", "one")
    channel.get("q")
    channel.reject(1, requeue=False)
    channel.passive("q")


@case
def the_default_exchange_buries_by_key(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("dead")
    channel.declare(
        "q",
        arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": play.name("dead")},
    )
    channel.publish("", "q", "one")
    channel.get("q")
    channel.nack(1, requeue=False)
    play.count("dead", 1)
    channel.get("dead")


@case
def a_second_death_counts_up(play: Player) -> None:
    channel = play.connect().channel()
    graveyard(channel, play)
    fill(channel, "q", "one")
    for number in range(3):
        channel.get("q")
        channel.reject(2 * number + 1, requeue=False)
        play.count("dead", 1)
        channel.get("dead")
        channel.call(
            "publish again",
            lambda c: republish(c, play, "dead"),
        )
        channel.ack(2 * number + 2)
    channel.get("q")


def republish(channel: Any, play: Player, queue: str) -> None:
    """Put a copy of the message just got into `q`, headers and all."""
    channel.basic_recover(requeue=True)
    method, properties, body = channel.basic_get(play.name(queue))
    channel.basic_publish("", play.name("q"), body, properties)
    channel.basic_nack(method.delivery_tag)
    channel.basic_get(play.name(queue))


@case
def deaths_of_several_kinds_are_listed_newest_first(play: Player) -> None:
    channel = play.connect().channel()
    last = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": play.name("end")}
    channel.declare("end")
    channel.declare("middle", arguments={**last, "x-message-ttl": 20})
    channel.declare(
        "q",
        arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": play.name("middle")},
    )
    channel.publish("amq.fanout", "none", "lost")
    channel.bind("q", "amq.fanout")
    channel.publish("amq.fanout", "first.key", "one", headers={"CC": ["copy"]})
    channel.unbind("q", "amq.fanout")
    channel.get("q")
    channel.reject(1, requeue=False)
    play.count("end", 1)
    channel.get("end")


@case
def an_automatic_circle_ends(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare(
        "q",
        arguments={
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": play.name("q"),
            "x-message-ttl": 20,
        },
    )
    fill(channel, "q", "one")
    play.count("q", 0)


@case
def a_circle_by_rejection_goes_on(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare(
        "q",
        arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": play.name("q")},
    )
    fill(channel, "q", "one")
    for tag in (1, 2, 3):
        channel.get("q")
        channel.reject(tag, requeue=False)
        play.count("q", 1)
    channel.get("q")


@case
def expired_messages_are_buried_in_order(play: Player) -> None:
    channel = play.connect().channel()
    graveyard(channel, play, more={"x-message-ttl": 30})
    fill(channel, "q", "one", "two", "three")
    play.count("dead", 3)
    for _ in range(3):
        channel.get("dead")
