"""Which queues a message reaches."""

from __future__ import annotations

from typing import Any

from ..player import Player
from . import case


@case
def the_default_exchange_routes_by_queue_name(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    channel.publish("", "q", "one", mandatory=True)
    channel.publish("", "nothing", "two", mandatory=True)
    channel.publish("", "nothing", "three")
    channel.drain("q")


@case
def a_direct_exchange_routes_by_equal_keys(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("x", "direct")
    for queue, key in (("q1", "a"), ("q1", "b"), ("q2", "a"), ("q1", "a"), ("q3", "")):
        channel.declare(queue)
        channel.bind(queue, "x", key)
    for key in ("a", "b", "c", ""):
        channel.publish("x", key, f"to {key}", mandatory=True)
    for queue in ("q1", "q2", "q3"):
        channel.drain(queue)


@case
def a_fanout_exchange_ignores_keys_and_delivers_once(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("x", "fanout")
    channel.publish("x", "k", "nobody", mandatory=True)
    for queue in ("q1", "q2"):
        channel.declare(queue)
        channel.bind(queue, "x", "a")
        channel.bind(queue, "x", "b")
    channel.publish("x", "k", "all", mandatory=True)
    channel.drain("q1")
    channel.drain("q2")


@case
def a_topic_exchange_matches_words(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("x", "topic")
    patterns = (
        "#", "*", "a", "a.b", "a.*", "*.b", "a.#", "#.b", "a.#.b", "*.*", "#.#", "*.#", "#.*",
        "a..b", "a.", ".a", "", ".", "a.*.b", "#.a.#", "*.*.*", "a.#.*", "a.*.#.b",
    )  # fmt: skip
    for number, pattern in enumerate(patterns):
        channel.declare(f"q{number}")
        channel.bind(f"q{number}", "x", pattern)
    keys = ("", "a", "b", "a.b", "a.c", "a.b.c", "a.c.b", "a..b", "a.", ".a", ".", "..", "a.c.d.b")
    for key in keys:
        channel.publish("x", key, f"key {key}", mandatory=True)
    for number in range(len(patterns)):
        channel.drain(f"q{number}")


@case
def a_headers_exchange_matches_headers(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("x", "headers")
    bindings: tuple[dict[str, Any] | None, ...] = (
        {"x-match": "all", "a": 1, "b": "two"},
        {"x-match": "any", "a": 1, "b": "two"},
        {"a": 1},
        {},
        None,
        {"x-match": "any"},
        {"x-match": "all", "a": None},
        {"x-match": "all", "a": True},
        {"x-match": "all", "x-c": 3, "a": 1},
        {"x-match": "all-with-x", "x-c": 3, "a": 1},
        {"x-match": "any-with-x", "x-c": 3, "a": 7},
        {"x-match": "any", "x-c": 3, "a": 7},
    )
    for number, arguments in enumerate(bindings):
        channel.declare(f"q{number}")
        channel.bind(f"q{number}", "x", "", arguments)
    messages: tuple[dict[str, Any] | None, ...] = (
        None,
        {},
        {"a": 1},
        {"a": 1, "b": "two"},
        {"a": 1, "b": "two", "c": 3},
        {"a": "1"},
        {"a": True},
        {"a": 5_000_000_000},
        {"b": "two"},
        {"x-c": 3, "a": 1},
        {"x-c": 3},
    )
    for number, headers in enumerate(messages):
        channel.publish("x", "k", f"message {number}", mandatory=True, headers=headers)
    for number in range(len(bindings)):
        channel.drain(f"q{number}")


@case
def a_headers_binding_with_a_wrong_match_is_406(play: Player) -> None:
    channel = play.connect().channel()
    channel.declare("q")
    channel.bind("q", "amq.headers", "", {"x-match": "some"})
    channel.bind("q", "amq.headers", "", {"x-match": 1})


@case
def bindings_differ_by_key_and_arguments(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("x", "topic")
    channel.declare("q")
    channel.bind("q", "x", "a")
    channel.bind("q", "x", "a", {"n": 1})
    channel.bind("q", "x", "a", {"n": 1})
    channel.publish("x", "a", "once", mandatory=True)
    channel.unbind("q", "x", "a")
    channel.publish("x", "a", "still", mandatory=True)
    channel.unbind("q", "x", "a", {"n": 2})
    channel.publish("x", "a", "and still", mandatory=True)
    channel.unbind("q", "x", "a", {"n": 1})
    channel.publish("x", "a", "gone", mandatory=True)
    channel.drain("q")


@case
def exchanges_bound_to_exchanges_pass_messages_on_once(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("x", "topic")
    channel.exchange("y", "fanout")
    channel.exchange("z", "direct")
    channel.bind_exchange("y", "x", "a.#")
    channel.bind_exchange("z", "y", "")
    channel.bind_exchange("x", "z", "a.b")
    channel.declare("q")
    channel.bind("q", "z", "a.b")
    channel.bind("q", "x", "a.b")
    channel.publish("x", "a.b", "through all", mandatory=True)
    channel.publish("x", "a.c", "lost", mandatory=True)
    channel.unbind_exchange("y", "x", "a.#")
    channel.publish("y", "a.b", "into the circle", mandatory=True)
    channel.publish("x", "c", "nowhere", mandatory=True)
    channel.drain("q")


@case
def an_alternate_exchange_takes_what_nobody_wants(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("rest", "fanout")
    channel.exchange("x", "direct", arguments={"alternate-exchange": "rest"})
    channel.declare("q")
    channel.declare("others")
    channel.bind("q", "x", "k")
    channel.publish("x", "lost", "no rest yet", mandatory=True)
    channel.bind("others", "rest")
    channel.publish("x", "k", "wanted", mandatory=True)
    channel.publish("x", "lost", "unwanted", mandatory=True)
    channel.delete_exchange("rest")
    channel.publish("x", "lost", "no rest any more", mandatory=True)
    channel.drain("q")
    channel.drain("others")


@case
def an_internal_exchange_takes_from_exchanges_only(play: Player) -> None:
    channel = play.connect().channel()
    channel.exchange("inner", "fanout", internal=True)
    channel.exchange("outer", "fanout")
    channel.bind_exchange("inner", "outer")
    channel.declare("q")
    channel.bind("q", "inner")
    channel.publish("outer", "k", "through", mandatory=True)
    channel.publish("inner", "k", "straight", mandatory=True)
    channel.drain("q")


@case
def copies_go_to_further_keys(play: Player) -> None:
    channel = play.connect().channel()
    for queue in ("q1", "q2", "q3"):
        channel.declare(queue)
        channel.bind(queue, "amq.direct", f"{play.prefix}{queue}")
    keys = [f"{play.prefix}q{number}" for number in (1, 2, 3)]
    headers = {"CC": [keys[1]], "BCC": [keys[2]]}
    channel.publish("amq.direct", keys[0], "three", mandatory=True, headers=headers)
    channel.publish("", "q1", "and by name", mandatory=True, headers=headers)
    channel.publish("", "q1", "no list", headers={"CC": "q2"})
    for queue in ("q1", "q2", "q3"):
        channel.drain(queue)
