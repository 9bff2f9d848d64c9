"""What a publisher learns: confirms, returns, refusals."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pamqp import commands

from ..player import Player
from ..raw import RawClient
from . import case

ALL: dict[str, Any] = {
    "content_type": "text/plain",
    "content_encoding": "utf-8",
    "delivery_mode": 2,
    "priority": 3,
    "correlation_id": "c1",
    "reply_to": "r",
    "message_id": "m1",
    "timestamp": 1_700_000_000,
    "type": "t",
    "app_id": "app",
}


@case
def properties_and_headers_travel_unchanged(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    headers = {
        "text": "ñ",
        "empty": "",
        "number": 1,
        "long": 5_000_000_000,
        "negative": -3,
        "truth": True,
        "nothing": None,
        "list": [1, "two", [3], {"four": 4}],
        "table": {"inner": {"deep": "x"}},
        "bytes": b"\xff\x00",
    }
    channel.publish("", "q", "body", headers=headers, expiration="100000", user_id=play.user, **ALL)
    channel.publish("", "q", "bare")
    channel.publish("", "q", "", headers={})
    channel.drain("q")


@case
def header_values_of_every_wire_type_travel_unchanged(play: Player) -> None:
    raw = RawClient(play)
    raw.open_channel()
    raw.call(commands.Queue.Declare(queue=play.name("q")))
    headers: dict[str, Any] = {
        "double": 1.5,
        "byte": 5,
        "short": 200,
        "int": 70_000,
        "long": 5_000_000_000,
        "decimal": Decimal("3.14"),
        "bytes": bytearray(b"\xff\x00"),
        "time": datetime.fromtimestamp(1_700_000_000, UTC),
        "empty": "",
        "truth": False,
        "nothing": None,
        "list": [1, 2.5, "x", [], {}],
    }
    properties = commands.Basic.Properties(headers=headers, delivery_mode=1, priority=0)
    raw.publish(commands.Basic.Publish(routing_key=play.name("q")), b"x", properties=properties)
    raw.call_for_content(commands.Basic.Get(queue=play.name("q")))


@case
def a_returned_message_comes_back_whole(play: Player) -> None:
    channel = play.connect().channel(confirms=False)
    channel.publish("amq.direct", "nowhere", "body", mandatory=True, headers={"a": 1}, **ALL)
    channel.publish("amq.direct", "nowhere", "not asked for")
    channel.publish("amq.direct", "nowhere", "", mandatory=True)
    channel.returns(2)


@case
def publishing_to_a_missing_exchange_is_404(play: Player) -> None:
    channel = play.connect().channel()
    channel.publish("missing", "k", "lost")
    channel.declare("q")
    channel.publish("", "q", "fine", mandatory=True)
    channel.get("q")


@case
def a_claimed_user_must_be_the_own(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    channel.publish("", "q", "mine", user_id=play.user)
    channel.publish("", "q", "someone else's", user_id="admin")
    channel.drain("q")


@case
def a_faulty_expiration_is_406(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    for expiration in ("", "soon", "5s", "-1", "1.5", "315360000001", "+5", " 5", "5 "):
        channel.publish("", "q", "one", expiration=expiration)
    channel.passive("q")


@case
def immediate_is_not_implemented(play: Player) -> None:
    raw = RawClient(play)
    raw.open_channel()
    raw.publish(commands.Basic.Publish(exchange="", routing_key="q", immediate=True), b"x")
    raw.until_closed()


@case
def large_bodies_are_cut_into_frames_and_whole_again(play: Player) -> None:
    sizes = (1, 4087, 4088, 4089, 131_063, 131_064, 131_065, 500_000)
    for frame_max in (131_072, 4096):
        channel = play.connect(frame_max=frame_max).channel()
        channel.declare("q")
        for size in sizes:
            channel.publish("", "q", "b" * size)
        for _ in sizes:
            channel.call("length", lambda c: len(c.basic_get(play.name("q"), True)[2]))


@case
def confirms_are_numbered_from_one_on_each_channel(play: Player) -> None:
    raw = RawClient(play)
    raw.open_channel()
    raw.call(commands.Queue.Declare(queue=play.name("q")))
    raw.call(commands.Confirm.Select())
    raw.publish(commands.Basic.Publish(routing_key=play.name("q")), b"x")
    raw.confirms(1)
    raw.publish(commands.Basic.Publish(routing_key="nowhere"), b"x")
    raw.confirms(2)
    raw.publish(commands.Basic.Publish(routing_key="nowhere", mandatory=True), b"x")
    raw.confirms(3)


@case
def confirms_and_returns_and_rejections_together(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    channel.declare("free")
    channel.exchange("x", "fanout")
    channel.publish("", "full", "one", mandatory=True)
    channel.publish("", "full", "two", mandatory=True)
    channel.publish("", "nowhere", "three", mandatory=True)
    channel.publish("", "free", "four", mandatory=True)
    channel.bind("full", "x")
    channel.bind("free", "x")
    channel.publish("x", "k", "five", mandatory=True)
    channel.drain("full")
    channel.publish("x", "k", "six", mandatory=True)
    channel.drain("full")
    channel.drain("free")
