"""Who gets which message, in which order, how many at once."""

from __future__ import annotations

from pamqp import commands

from ..player import Channel, Player
from ..raw import RawClient
from . import case


def fill(channel: Channel, queue: str, *bodies: str) -> None:
    for body in bodies:
        channel.publish("", queue, body)


@case
def get_tells_what_is_left(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    channel.get("q")
    fill(channel, "q", "one", "two", "three")
    channel.get("q")
    channel.get("q", auto_ack=True)
    channel.get("q")
    channel.get("q")
    channel.nack(1)
    channel.get("q")


@case
def deliveries_come_in_order_with_rising_tags(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    fill(channel, "q", "one", "two", "three")
    channel.consume("q", "c")
    channel.deliveries(3)
    fill(channel, "q", "four")
    channel.deliveries(1)
    channel.ack(2)
    channel.ack(4, multiple=True)
    channel.ack(3)
    channel.passive("q")


@case
def prefetch_counts_for_each_consumer(play: Player) -> None:
    client = play.connect()
    channel, publisher = client.channel(), client.channel()
    channel.declare("q")
    channel.qos(2)
    channel.consume("q", "c1")
    channel.qos(1)
    channel.consume("q", "c2")
    fill(publisher, "q", "one", "two", "three", "four", "five")
    channel.quiet("q")
    channel.ack(1)
    channel.quiet("q")
    channel.ack(0, multiple=True)
    channel.quiet("q")
    publisher.passive("q")


@case
def prefetch_for_the_whole_channel(play: Player) -> None:
    client = play.connect()
    channel, publisher = client.channel(), client.channel()
    channel.declare("q")
    channel.qos(2, global_qos=True)
    channel.consume("q", "c1")
    fill(publisher, "q", "one", "two", "three", "four")
    channel.quiet("q")
    channel.ack(1)
    channel.quiet("q")
    channel.qos(0, global_qos=True)
    channel.quiet("q")


@case
def no_ack_consumers_have_no_prefetch(play: Player) -> None:
    client = play.connect()
    channel, publisher = client.channel(), client.channel()
    channel.declare("q")
    channel.qos(1)
    channel.consume("q", "c", auto_ack=True)
    fill(publisher, "q", "one", "two", "three")
    channel.deliveries(3)
    channel.ack(1)
    publisher.passive("q")


@case
def consumers_take_turns(play: Player) -> None:
    client = play.connect()
    channel, publisher = client.channel(), client.channel()
    channel.declare("q")
    for tag in ("c1", "c2", "c3"):
        channel.consume("q", tag)
    fill(publisher, "q", "one", "two", "three", "four", "five")
    channel.deliveries(5)
    channel.cancel("c1")
    fill(publisher, "q", "six", "seven", "eight")
    channel.deliveries(3)


@case
def the_highest_priority_is_served_while_it_can_take(play: Player) -> None:
    client = play.connect()
    channel, publisher = client.channel(), client.channel()
    channel.declare("q")
    channel.qos(1)
    channel.consume("q", "low", arguments={"x-priority": -1})
    channel.consume("q", "high", arguments={"x-priority": 10})
    channel.consume("q", "middle")
    channel.consume("q", "high too", arguments={"x-priority": 10})
    fill(publisher, "q", "one", "two", "three", "four", "five", "six")
    channel.quiet("q")
    channel.ack(2)
    channel.quiet("q")
    channel.ack(3)
    channel.ack(1)
    channel.quiet("q")


@case
def who_gives_back_and_has_priority_gets_it_again(play: Player) -> None:
    client = play.connect()
    channel, publisher = client.channel(), client.channel()
    channel.declare("q")
    channel.qos(1)
    channel.consume("q", "low")
    channel.consume("q", "high", arguments={"x-priority": 1})
    fill(publisher, "q", "one")
    channel.deliveries(1)
    channel.nack(1)
    channel.deliveries(1)
    channel.nack(2, requeue=False)
    publisher.passive("q")


@case
def who_was_full_and_gives_back_gets_it_again_before_others(play: Player) -> None:
    client = play.connect()
    channel, publisher = client.channel(), client.channel()
    channel.declare("q")
    channel.qos(5)
    channel.consume("q", "low")
    channel.qos(1)
    channel.consume("q", "high", arguments={"x-priority": 1})
    fill(publisher, "q", "one", "two")
    channel.deliveries(2)
    channel.nack(1)
    channel.quiet("q")


@case
def consumers_that_waited_come_back_behind_the_others(play: Player) -> None:
    client = play.connect()
    channel, publisher = client.channel(), client.channel()
    channel.declare("q")
    channel.qos(1)
    channel.consume("q", "c1")
    channel.consume("q", "c2")
    channel.consume("q", "c3")
    fill(publisher, "q", "one", "two", "three", "four")
    channel.quiet("q")
    channel.ack(2)
    channel.quiet("q")
    channel.ack(3)
    channel.ack(1)
    fill(publisher, "q", "five", "six", "seven")
    channel.quiet("q")


@case
def a_single_active_consumer_has_the_queue_until_it_goes(play: Player) -> None:
    client = play.connect()
    channel, second, publisher = client.channel(), client.channel(), client.channel()
    channel.declare("q", arguments={"x-single-active-consumer": True})
    channel.consume("q", "c1")
    channel.consume("q", "c2", arguments={"x-priority": 5})
    second.consume("q", "c3", arguments={"x-priority": 9})
    fill(publisher, "q", "one", "two")
    channel.quiet("q")
    second.quiet("q")
    publisher.passive("q")
    channel.cancel("c1")
    fill(publisher, "q", "three")
    second.quiet("q")
    channel.quiet("q")
    second.close()
    fill(publisher, "q", "four")
    channel.quiet("q")


@case
def the_next_active_consumer_gets_what_the_dead_one_held(play: Player) -> None:
    first, second = play.connect(), play.connect()
    holder, heir = first.channel(), second.channel()
    holder.declare("q", arguments={"x-single-active-consumer": True, "x-max-length": 1})
    holder.qos(1)
    heir.qos(1)
    holder.consume("q", "holder")
    heir.consume("q", "heir")
    fill(heir, "q", "lease")
    holder.deliveries(1)
    heir.quiet("q")
    first.cut()
    heir.deliveries(1)
    heir.passive("q")
    heir.ack(1)
    fill(heir, "q", "again")
    heir.deliveries(1)


@case
def an_active_consumer_that_is_full_keeps_the_others_waiting(play: Player) -> None:
    client = play.connect()
    channel, publisher = client.channel(), client.channel()
    channel.declare("q", arguments={"x-single-active-consumer": True})
    channel.qos(1)
    channel.consume("q", "c1")
    channel.consume("q", "c2")
    fill(publisher, "q", "one", "two", "three")
    channel.quiet("q")
    channel.ack(1)
    channel.quiet("q")
    channel.cancel("c1")
    channel.ack(2)
    channel.quiet("q")


@case
def a_tag_in_use_ends_the_connection(play: Player) -> None:
    raw = RawClient(play)
    raw.open_channel()
    raw.call(commands.Queue.Declare(queue=play.name("q")))
    raw.call(commands.Basic.Consume(queue=play.name("q"), consumer_tag="c"))
    raw.call(commands.Basic.Consume(queue=play.name("q"), consumer_tag="c"))
    raw.until_closed()


@case
def an_exclusive_consumer_keeps_others_out(play: Player) -> None:
    first, second = play.connect(), play.connect()
    channel, other = first.channel(), second.channel()
    channel.declare("q")
    channel.consume("q", "c", exclusive=True)
    other.consume("q", "d")
    other.consume("q", "d", exclusive=True)
    other.publish("", "q", "one")
    channel.deliveries(1)
    channel.cancel("c")
    other.consume("q", "d")
    channel.consume("q", "c", exclusive=True)
    other.passive("q")
    other.declare("single", arguments={"x-single-active-consumer": True})
    other.consume("single", "s", exclusive=True)


@case
def no_local_is_not_heeded(play: Player) -> None:
    raw = RawClient(play)
    raw.open_channel()
    raw.call(commands.Queue.Declare(queue=play.name("q")))
    raw.call(commands.Basic.Consume(queue=play.name("q"), consumer_tag="c", no_local=True))
    raw.publish(commands.Basic.Publish(routing_key=play.name("q")), b"x")
    raw.next()


@case
def cancelling_what_is_not_there_is_fine_and_keeps_what_is_held(play: Player) -> None:
    client = play.connect()
    raw = RawClient(play)
    raw.open_channel()
    raw.call(commands.Basic.Cancel(consumer_tag="nobody"))
    channel = client.channel()
    channel.declare("q")
    fill(channel, "q", "one", "two")
    raw.call(commands.Basic.Consume(queue=play.name("q"), consumer_tag="c"))
    raw.next()
    raw.next()
    raw.call(commands.Basic.Cancel(consumer_tag="c"))
    channel.passive("q")
    raw.send(commands.Basic.Ack(1), 1)
    raw.call(commands.Channel.Close(200, "done", 0, 0))
    play.count("q", 1)
    channel.get("q")


@case
def a_cancel_notice_comes_when_the_queue_goes(play: Player) -> None:
    first, second = play.connect(), play.connect()
    channel, other = first.channel(), second.channel()
    channel.declare("q")
    channel.consume("q", "c1")
    channel.consume("q", "c2")
    fill(other, "q", "one")
    channel.deliveries(1)
    other.delete("q")
    channel.deliveries(2)
    channel.ack(1)
    channel.declare("q")
    channel.consume("q", "c1")
