"""Names, bindings and dead letters without a socket."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.broker.errors import Refused
from plugins.broker.message import Message
from plugins.broker.queue import Queue
from plugins.broker.tables import Field, longstr
from plugins.broker.vhost import VirtualHost

from .clock import World


class House:
    """A virtual host in the hands of a test."""

    def __init__(self) -> None:
        self.world = World()
        self.warnings: list[str] = []
        self.vhost = VirtualHost(
            clock=lambda: self.world.now,
            later=self.world.later,
            today=lambda: 1_700_000_000.5,
            warn=self.warnings.append,
        )

    def queue(self, name: str, owner: object = None, **arguments: Any) -> Queue:
        kinds = {int: "signedint", str: "longstr"}
        return self.vhost.declare_queue(
            name,
            owner=owner,
            durable=False,
            exclusive=owner is not None,
            auto_delete=False,
            arguments={
                f"x-{key.replace('_', '-')}": Field(kinds[type(value)], value)
                for key, value in arguments.items()
            },
        )

    def exchange(self, name: str, kind: str = "fanout", *, alternate: str | None = None) -> None:
        self.vhost.declare_exchange(
            name,
            kind,
            durable=False,
            auto_delete=False,
            internal=False,
            arguments={"alternate-exchange": longstr(alternate)} if alternate else {},
        )

    def reached(self, exchange: str, key: str) -> list[str]:
        message = Message(exchange, (key,), b"\0\0", b"")
        return [queue.name for queue in self.vhost.route(self.vhost.exchange(exchange), message)]


def test_a_message_reaches_each_queue_once_through_a_circle_of_exchanges() -> None:
    house = House()
    house.exchange("x")
    house.exchange("y")
    house.queue("q")
    for source, target in (("x", "y"), ("y", "x")):
        house.vhost.bind(source, ("exchange", target), "", {}, None)
    for source in ("x", "y"):
        house.vhost.bind(source, ("queue", "q"), "", {}, None)

    assert house.reached("x", "k") == ["q"]


def test_an_alternate_exchange_is_asked_last() -> None:
    house = House()
    house.exchange("rest")
    house.exchange("x", "direct", alternate="rest")
    for name in ("q", "others"):
        house.queue(name)
    house.vhost.bind("x", ("queue", "q"), "k", {}, None)
    house.vhost.bind("rest", ("queue", "others"), "", {}, None)

    assert house.reached("x", "k") == ["q"]
    assert house.reached("x", "z") == ["others"]


def test_a_dead_letter_tells_its_history() -> None:
    house = House()
    house.queue("dead")
    queue = house.queue("q", dead_letter_exchange="", dead_letter_routing_key="dead")
    queue.publish(Message("x", ("key", "copy"), b"\0\0", b"body"))
    entry = queue.get()
    assert entry is not None

    queue.discard([entry])
    house.vhost.bury_all()

    letter = house.vhost.queues["dead"].get()
    assert letter is not None
    headers = letter.message.headers
    [death] = headers["x-death"].value
    assert death.value == {
        "count": Field("long", 1),
        "reason": longstr("rejected"),
        "queue": longstr("q"),
        "time": Field("timestamp", 1_700_000_000),
        "exchange": longstr("x"),
        "routing-keys": Field("array", [longstr("key")]),
    }
    assert headers["x-first-death-queue"] == longstr("q")
    assert (letter.message.exchange, letter.message.key) == ("", "dead")


def test_an_automatic_circle_of_dead_letters_ends_with_a_warning() -> None:
    house = House()
    queue = house.queue("q", dead_letter_exchange="", dead_letter_routing_key="q", message_ttl=10)
    queue.publish(Message("", ("q",), b"\0\0", b"body"))

    house.world.advance(1)
    house.vhost.bury_all()

    assert len(queue) == 0
    assert house.warnings == ["a dead letter went in a circle to queue 'q' in vhost '/'"]


def test_an_exclusive_queue_is_its_owners() -> None:
    house = House()
    house.queue("q", owner="me")

    assert house.vhost.queue("q", "me").name == "q"
    with pytest.raises(Refused, match="RESOURCE_LOCKED"):
        house.vhost.queue("q", "you")
    house.vhost.delete_owned("me")
    with pytest.raises(Refused, match="NOT_FOUND"):
        house.vhost.queue("q", "me")


def test_what_has_no_effect_is_warned_about() -> None:
    house = House()

    house.queue("q", max_priority=3)

    assert house.warnings == [
        "x-max-priority of queue 'q' in vhost '/' is accepted and has no effect here"
    ]


def test_a_restart_loses_what_is_not_durable() -> None:
    house = House()
    house.queue("q")
    house.exchange("x")
    house.vhost.declare_queue(
        "kept", owner=None, durable=True, exclusive=False, auto_delete=False, arguments={}
    )

    house.vhost.forget(durable_too=False)
    assert list(house.vhost.queues) == ["kept"]
    assert "x" not in house.vhost.exchanges

    house.vhost.forget(durable_too=True)
    assert not house.vhost.queues
    assert "amq.topic" in house.vhost.exchanges
