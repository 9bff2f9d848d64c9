"""Opening and ending connections and channels, well and badly."""

from __future__ import annotations

import pika
from pamqp import commands, frame, header

from ..player import Player
from ..raw import GREETING, RawClient, start_ok
from . import case


@case
def wrong_credentials_are_refused(play: Player) -> None:
    play.try_to_connect(credentials=pika.PlainCredentials("guest", "wrong"))
    play.try_to_connect(credentials=pika.PlainCredentials("nobody", "guest"))
    play.try_to_connect()


@case
def a_missing_vhost_is_refused(play: Player) -> None:
    play.try_to_connect(virtual_host="missing")


@case
def limits_outside_what_is_offered_are_refused(play: Player) -> None:
    clients = []
    for channel_max, frame_max in ((0, 131_072), (4000, 131_072), (2047, 0), (2047, 10)):
        raw = RawClient(play, opened=False)
        raw.send_bytes(GREETING)
        raw.next()
        raw.log_in()
        raw.next()
        raw.send(commands.Connection.TuneOk(channel_max, frame_max, 0))
        clients.append(raw)
    for raw in clients:
        raw.until_closed()


@case
def another_protocol_is_told_ours(play: Player) -> None:
    for greeting in (b"GET / HTTP/1.1\r\n\r\n", b"AMQP\x00\x00\x08\x00", b"AMQP\x05\x00\x00\x00"):
        raw = RawClient(play, opened=False)
        raw.send_bytes(greeting)
        raw.read_bytes()


@case
def an_unknown_mechanism_ends_the_connection(play: Player) -> None:
    raw = RawClient(play, opened=False)
    raw.send_bytes(GREETING)
    raw.next()
    raw.send(start_ok("nobody", "nothing", mechanism="GSSAPI"))
    raw.until_closed()


@case
def a_client_without_the_capability_sees_a_plain_end(play: Player) -> None:
    raw = RawClient(play, opened=False)
    raw.send_bytes(GREETING)
    raw.next()
    raw.send(start_ok("guest", "wrong", known=False))
    raw.until_closed()


@case
def one_channels_fault_leaves_the_others(play: Player) -> None:
    client = play.connect()
    faulty, other = client.channel(), client.channel()
    other.declare("q")
    other.consume("q", "c")
    faulty.passive("missing")
    other.publish("", "q", "one")
    other.deliveries(1)
    client.is_open()


@case
def one_connections_fault_leaves_the_others(play: Player) -> None:
    faulty, good = play.connect(), play.connect()
    channel = good.channel()
    channel.declare("q")
    faulty.channel().exchange("x", "x-unknown")
    faulty.is_open()
    good.is_open()
    channel.publish("", "q", "one", mandatory=True)


@case
def a_channel_opened_twice_ends_the_connection(play: Player) -> None:
    raw = RawClient(play)
    raw.open_channel()
    raw.send(commands.Channel.Open(), 1)
    raw.until_closed()


@case
def a_channel_not_opened_ends_the_connection(play: Player) -> None:
    raw = RawClient(play)
    raw.send(commands.Queue.Declare(queue="q", passive=True), 3)
    raw.until_closed()


@case
def content_without_a_method_ends_the_connection(play: Player) -> None:
    raw = RawClient(play)
    raw.open_channel()
    raw.send_bytes(frame.marshal(header.ContentHeader(body_size=1), 1))
    raw.until_closed()


@case
def a_method_in_place_of_content_ends_the_connection(play: Player) -> None:
    raw = RawClient(play)
    raw.open_channel()
    raw.send(commands.Basic.Publish(routing_key="q"), 1)
    raw.send(commands.Basic.Publish(routing_key="q"), 1)
    raw.until_closed()


@case
def a_frame_that_is_too_large_ends_the_connection(play: Player) -> None:
    raw = RawClient(play)
    raw.open_channel()
    raw.send_bytes(b"\x03\x00\x01" + (200_000).to_bytes(4, "big") + b"x" * 1000)
    raw.until_closed()


@case
def a_frame_that_does_not_end_ends_the_connection(play: Player) -> None:
    raw = RawClient(play)
    raw.open_channel()
    raw.send_bytes(b"\x01\x00\x01\x00\x00\x00\x04\x00\x14\x00\x28\xcd")
    raw.until_closed()


@case
def after_a_channel_error_only_close_is_heard(play: Player) -> None:
    raw = RawClient(play)
    raw.open_channel()
    raw.call(commands.Queue.Declare(queue=play.name("q"), passive=True))
    raw.send(commands.Queue.Declare(queue=play.name("q")), 1)
    raw.send(commands.Channel.CloseOk(), 1)
    raw.open_channel()
    raw.call(commands.Queue.Declare(queue=play.name("q"), passive=True))


@case
def closes_may_cross(play: Player) -> None:
    raw = RawClient(play)
    raw.open_channel()
    raw.send(commands.Queue.Declare(queue=play.name("q"), passive=True), 1)
    raw.call(commands.Channel.Close(200, "bye", 0, 0))
    raw.next()
    raw.send(commands.Channel.CloseOk(), 1)
    raw.open_channel()
    raw.call(commands.Connection.Close(200, "bye", 0, 0), 0)


@case
def a_heartbeat_comes_unasked(play: Player) -> None:
    raw = RawClient(play, heartbeat=1)
    play.note("heartbeat", raw.hears(b"\x08\x00\x00\x00\x00\x00\x00\xce"))
    raw.close()


@case
def a_silent_client_is_dropped(play: Player) -> None:
    raw = RawClient(play, heartbeat=1)
    raw.until_closed()


@case
def nowait_methods_have_no_answer(play: Player) -> None:
    raw = RawClient(play)
    raw.open_channel()
    queue, exchange = play.name("q"), play.name("x", "exchange")
    for method in (
        commands.Exchange.Declare(exchange=exchange, nowait=True),
        commands.Queue.Declare(queue=queue, nowait=True),
        commands.Queue.Bind(queue=queue, exchange=exchange, routing_key="k", nowait=True),
        commands.Basic.Consume(queue=queue, consumer_tag="c", nowait=True),
        commands.Confirm.Select(nowait=True),
    ):
        raw.send(method, 1)
    raw.publish(commands.Basic.Publish(exchange=exchange, routing_key="k"), b"x")
    raw.confirms(1)
    raw.send(commands.Basic.Cancel(consumer_tag="c", nowait=True), 1)
    raw.send(commands.Queue.Purge(queue=queue, nowait=True), 1)
    raw.send(commands.Queue.Delete(queue=queue, nowait=True), 1)
    raw.send(commands.Exchange.Delete(exchange=exchange, nowait=True), 1)
    raw.call(commands.Queue.Declare(queue=queue, passive=True))
