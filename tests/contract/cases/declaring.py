"""Declaring what is new, what is there already, and what is only asked for."""

from __future__ import annotations

from ..player import Player
from . import case


@case
def a_queue_declared_twice_is_one_queue(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q", durable=True)
    channel.publish("", "q", "one")
    channel.declare("q", durable=True)
    channel.passive("q")


@case
def a_passive_declare_of_nothing_is_404_and_the_channel_number_is_free_again(play: Player) -> None:
    client = play.connect()
    channel = client.channel()
    channel.passive("q")
    channel.declare("q")
    channel.passive("q")
    client.is_open()


@case
def a_passive_declare_without_a_name_is_404(play: Player) -> None:
    channel = play.connect().channel()
    channel.passive("")


@case
def a_server_named_queue_gets_a_name_and_is_the_last_declared(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("", exclusive=True)
    channel.call("bind the last queue", lambda c: c.queue_bind("", "amq.fanout", "").method.NAME)
    channel.publish("amq.fanout", "k", "one", mandatory=True)
    channel.call("get the last queue", lambda c: c.basic_get("", True)[2])
    channel.call("purge the last queue", lambda c: c.queue_purge("").method.message_count)


@case
def no_last_queue_is_404(play: Player) -> None:
    channel = play.connect().channel()
    channel.call("get", lambda c: c.basic_get("", True)[2])
    channel.call("purge", lambda c: c.queue_purge("").method.message_count)
    channel.call("bind", lambda c: c.queue_bind("", "amq.fanout", "").method.NAME)


@case
def binding_without_a_key_and_a_queue_uses_the_last_queue_as_key(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    channel.call("bind", lambda c: c.queue_bind("", "amq.direct", "").method.NAME)
    channel.call(
        "publish",
        lambda c: c.basic_publish("amq.direct", play.name("q"), b"one", mandatory=True),
    )
    channel.get("q")


@case
def message_and_consumer_counts_are_told(play: Player) -> None:
    client = play.connect()
    channel, other = client.channel(), client.channel()
    channel.declare("q")
    for body in ("one", "two", "three"):
        channel.publish("", "q", body)
    channel.get("q")
    channel.passive("q")
    other.qos(1)
    other.consume("q", "c1")
    other.deliveries(1)
    other.consume("q", "c2")
    other.deliveries(1)
    channel.passive("q")
    other.cancel("c1")
    channel.passive("q")
    channel.purge("q")
    channel.passive("q")


@case
def deleting_a_queue_tells_how_many_messages_went(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    channel.publish("", "q", "one")
    channel.publish("", "q", "two")
    channel.get("q")
    channel.delete("q")
    channel.delete("q")
    channel.passive("q")
    channel.ack(1)


@case
def deleting_and_unbinding_what_is_not_there_is_fine(play: Player) -> None:
    channel = play.connect().channel()
    channel.delete("nothing")
    channel.delete_exchange("nothing")
    channel.declare("q")
    channel.exchange("x")
    channel.unbind("q", "x", "nothing")
    channel.unbind("nothing", "x", "k")
    channel.unbind("q", "nothing", "k")
    channel.purge("nothing")


@case
def deleting_only_if_empty_or_unused(play: Player) -> None:
    client = play.connect()
    channel, other = client.channel(), client.channel()
    channel.declare("q")
    channel.publish("", "q", "one")
    channel.delete("q", if_empty=True)
    other.consume("q", "c")
    other.deliveries(1)
    channel.delete("q", if_unused=True)
    channel.delete("q", if_empty=True)
    other.deliveries(1)


@case
def an_exchange_declared_twice_is_one_exchange(play: Player) -> None:
    channel = play.connect().channel()
    for kind in ("direct", "fanout", "topic", "headers"):
        channel.exchange(f"x-{kind}", kind, durable=True)
        channel.exchange(f"x-{kind}", kind, durable=True)
        channel.exchange(f"x-{kind}", "fanout", passive=True)


@case
def the_first_differing_property_of_an_exchange_is_named(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("x", "topic", durable=True)
    channel.exchange("x", "direct", durable=False)
    channel.exchange("x", "topic", durable=False, auto_delete=True)
    channel.exchange("x", "topic", durable=True, auto_delete=True, internal=True)
    channel.exchange("x", "topic", durable=True, internal=True)
    channel.exchange("x", "topic", durable=True, arguments={"alternate-exchange": "y"})
    channel.exchange("x", "topic", durable=True, arguments={"other": "y"})
    channel.exchange("y", "topic", arguments={"alternate-exchange": "x"})
    channel.exchange("y", "topic", arguments={"alternate-exchange": "z"})
    channel.exchange("z", "topic", arguments={"alternate-exchange": 1})


@case
def predeclared_exchanges_are_there_and_protected(play: Player) -> None:
    channel = play.connect().channel()
    for name in ("amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"):
        channel.exchange(name, "direct", passive=True)
    channel.exchange("amq.topic", "topic", durable=True)
    channel.exchange("amq.topic", "direct", durable=True)
    channel.exchange("amq.mine", "direct")
    channel.exchange("amq.mine", "direct", passive=True)
    channel.delete_exchange("amq.topic")
    channel.declare("amq.mine")
    channel.declare("amq.mine", passive=True)


@case
def the_default_exchange_is_nobodys(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("", "direct")
    channel.exchange("", "direct", passive=True)
    channel.delete_exchange("")
    channel.declare("q")
    channel.bind("q", "", "k")
    channel.unbind("q", "", "q")
    channel.bind_exchange("amq.topic", "", "k")


@case
def an_unknown_exchange_type_ends_the_connection(play: Player) -> None:
    client = play.connect()
    client.channel().exchange("x", "x-unknown")
    client.is_open()


@case
def a_passive_declare_of_a_missing_exchange_is_404(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("x", "direct", passive=True)


@case
def an_exchange_in_use_is_kept_if_asked(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("x")
    channel.declare("q")
    channel.bind("q", "x", "k")
    channel.delete_exchange("x", if_unused=True)
    channel.unbind("q", "x", "k")
    channel.delete_exchange("x", if_unused=True)
    channel.exchange("x", passive=True)


@case
def names_of_any_unicode_are_taken(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("cola ñandú ☃")
    channel.publish("", "cola ñandú ☃", "one", mandatory=True)
    channel.get("cola ñandú ☃")
    channel.passive("nada ☃")
