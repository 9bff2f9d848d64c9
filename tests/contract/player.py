"""Plays operations against a broker and writes down all that a client sees.  Compares nothing.

Built on pika's blocking connection.  Names get a prefix on the way out and lose it in what is
noted, so that two records are equal where the behaviour of two brokers is.  Nothing sleeps: what
comes later is polled for with a deadline, or settled by round trips to the queue it comes from.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pika
from pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    ChannelClosed,
    ChannelClosedByBroker,
    ChannelWrongStateError,
    ConnectionClosedByBroker,
    NackError,
    UnroutableError,
)

WITHIN = 10.0
"""Seconds that anything may take before it counts as not happening."""

Step = tuple[str, Any]
_GENERATED = re.compile(r"amq\.(gen|ctag)-[A-Za-z0-9_-]{22}|ctag\d+\.[0-9a-f]{32}")
_PROPERTIES = (
    "content_type",
    "content_encoding",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
)


class Player:
    """One broker under observation.  `record` holds a step for everything done and seen."""

    def __init__(self, url: str, prefix: str) -> None:
        self.url = url
        self.prefix = prefix
        credentials: Any = self.parameters({}).credentials
        self.user: str = credentials.username
        """Who logs in; written down as `guest`, whoever it is."""
        self.record: list[Step] = []
        self._clients: list[Client] = []
        self._queues: set[str] = set()
        self._exchanges: set[str] = set()
        self._observer: pika.BlockingConnection | None = None

    def connect(self, **parameters: Any) -> Client:
        """A connection of its own; `parameters` are attributes of pika's, such as `heartbeat`."""
        client = Client(self, parameters)
        self._clients.append(client)
        return client

    def try_to_connect(self, **parameters: Any) -> None:
        """Write down how a connection is refused, or that it is not."""
        try:
            pika.BlockingConnection(self.parameters(parameters)).close()
        except AMQPConnectionError as error:
            cause = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
            self.note("connect", (type(cause).__name__, self.plain(_closed(cause))))
        else:
            self.note("connect", "opened")

    def parameters(self, given: dict[str, Any]) -> pika.URLParameters:
        parameters = pika.URLParameters(self.url)
        parameters.heartbeat = 0
        for name, value in given.items():
            setattr(parameters, name, value)
        return parameters

    def note(self, what: str, outcome: Any) -> Any:
        self.record.append((self.plain(what), outcome))
        return outcome

    def name(self, name: str, kind: str = "queue") -> str:
        """A name as it goes out, remembered so that it is cleaned up."""
        if not name or name.startswith("amq."):
            return name
        (self._queues if kind == "queue" else self._exchanges).add(self.prefix + name)
        return self.prefix + name

    def plain(self, value: Any) -> Any:
        """What was seen, without prefixes, generated names and the time of day."""
        if isinstance(value, str):
            plain = value.replace(self.prefix, "").replace(f"'{self.user}'", "'guest'")
            return _GENERATED.sub("<generated>", "guest" if plain == self.user else plain)
        if isinstance(value, bytes):
            return self.plain(value.decode("utf-8", "surrogateescape"))
        if isinstance(value, dict):
            return {key: self.plain(item) for key, item in sorted(value.items()) if key != "time"}
        if isinstance(value, (list, tuple)):
            return [self.plain(item) for item in value]
        return value

    def count(self, queue: str, messages: int) -> None:
        """Wait until a queue has so many messages ready."""
        self._until(queue, messages)

    def gone(self, queue: str) -> None:
        """Wait until a queue is not there any more."""
        self._until(queue, "gone")

    def _until(self, queue: str, expected: Any) -> None:
        deadline = time.monotonic() + WITHIN
        while (seen := self._look(queue)) != expected:
            if time.monotonic() > deadline:
                raise AssertionError(f"{queue}: {expected} expected, {seen} seen at last")
            time.sleep(0.005)
        self.note(f"{queue} in the end", seen)

    def _look(self, queue: str) -> Any:
        if self._observer is None:
            self._observer = pika.BlockingConnection(self.parameters({}))
        channel = self._observer.channel()
        try:
            answer = channel.queue_declare(self.name(queue), passive=True)
        except ChannelClosedByBroker as error:
            return "gone" if error.reply_code == 404 else error.reply_code
        channel.close()
        return answer.method.message_count

    def close(self) -> None:
        """End all connections and remove all that was declared."""
        for client in self._clients:
            client.close()
        if self._observer is not None and self._observer.is_open:
            self._observer.close()
        connection = pika.BlockingConnection(self.parameters({}))
        for names, delete in ((self._queues, "queue_delete"), (self._exchanges, "exchange_delete")):
            channel = connection.channel()
            for name in sorted(names):
                try:
                    getattr(channel, delete)(name)
                except ChannelClosed:
                    channel = connection.channel()
        connection.close()


class Client:
    """One connection of a player."""

    def __init__(self, player: Player, parameters: dict[str, Any]) -> None:
        self.player = player
        self._connection = pika.BlockingConnection(player.parameters(parameters))
        self._cut = False
        self._blocked: list[str] = []
        self._connection.add_on_connection_blocked_callback(
            lambda _, frame: self._blocked.append(f"blocked {frame.method.reason}")
        )

    def channel(self, *, confirms: bool = True) -> Channel:
        return Channel(self, confirms)

    def open(self, number: int | None) -> Any:
        return self._connection.channel(number)

    def cut(self) -> None:
        """End the connection without a word."""
        transport: Any = self._connection._impl._transport
        transport._sock.shutdown(socket.SHUT_RDWR)
        self._cut = True

    def close(self) -> None:
        if not self._cut:
            with suppress(AMQPError):
                self._connection.close()

    def is_open(self) -> None:
        """Write down whether the connection is still usable."""
        self._events(0)
        self.player.note("connection", "open" if self._connection.is_open else "closed")

    def wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WITHIN
        while not done() and self._connection.is_open and time.monotonic() < deadline:
            self._events(0.05)

    def _events(self, seconds: float) -> None:
        if self._connection.is_open:
            with suppress(AMQPError):
                self._connection.process_data_events(seconds)


class Channel:
    """One channel.  Every method writes down what came back; a refusal is an outcome as any other.

    A channel that a refusal closed is opened anew by the next method, under the same number.
    """

    def __init__(self, client: Client, confirms: bool) -> None:
        self._client = client
        self._player = client.player
        self._confirms = confirms
        self._inbox: list[tuple[Any, ...]] = []
        self._shown = 0
        self._returned: list[Any] = []
        self._tags: list[int] = []
        self._open(None)

    def _open(self, number: int | None) -> None:
        self._channel = self._client.open(number)
        self._inbox, self._shown, self._tags = [], 0, []
        self._channel.add_on_return_callback(lambda *seen: self._returned.append(seen[1:]))
        self._channel.add_on_cancel_callback(
            lambda frame: self._inbox.append(("cancelled", self._plain(frame.method.consumer_tag)))
        )
        if self._confirms:
            self._channel.confirm_delivery()

    def _plain(self, value: Any) -> Any:
        return self._player.plain(value)

    def _do(self, what: str, act: Callable[[], Any]) -> Any:
        """Do one thing and write down what came of it."""
        try:
            if not self._channel.is_open:
                self._open(self._channel.channel_number)
            outcome = act()
        except (ChannelClosedByBroker, ConnectionClosedByBroker) as error:
            outcome = (_scope(error), error.reply_code, self._plain(error.reply_text))
        except (ChannelWrongStateError, ChannelClosed, AMQPConnectionError) as error:
            outcome = type(error).__name__
        return self._player.note(what, outcome)

    # Queues

    def declare(self, queue: str = "", **options: Any) -> Any:
        arguments = options.pop("arguments", None)
        name = self._player.name(queue)

        def act() -> Any:
            answer = self._channel.queue_declare(name, arguments=arguments, **options).method
            return (self._plain(answer.queue), answer.message_count, answer.consumer_count)

        return self._do(f"declare {queue} {options} {arguments or ''}", act)

    def passive(self, queue: str) -> Any:
        return self.declare(queue, passive=True)

    def delete(self, queue: str, **options: bool) -> Any:
        name = self._player.name(queue)
        return self._do(
            f"delete {queue} {options}",
            lambda: self._channel.queue_delete(name, **options).method.message_count,
        )

    def purge(self, queue: str) -> Any:
        name = self._player.name(queue)
        return self._do(
            f"purge {queue}", lambda: self._channel.queue_purge(name).method.message_count
        )

    def bind(self, queue: str, exchange: str, key: str = "", arguments: Any = None) -> Any:
        names = self._player.name(queue), self._player.name(exchange, "exchange")
        return self._do(
            f"bind {queue} {exchange} {key} {arguments or ''}",
            lambda: self._channel.queue_bind(*names, key, arguments).method.NAME,
        )

    def unbind(self, queue: str, exchange: str, key: str = "", arguments: Any = None) -> Any:
        names = self._player.name(queue), self._player.name(exchange, "exchange")
        return self._do(
            f"unbind {queue} {exchange} {key} {arguments or ''}",
            lambda: self._channel.queue_unbind(*names, key, arguments).method.NAME,
        )

    # Exchanges

    def exchange(self, name: str, kind: str = "direct", **options: Any) -> Any:
        out = self._player.name(name, "exchange")
        if isinstance(arguments := options.get("arguments"), dict):
            options["arguments"] = {
                key: self._player.name(value, "exchange")
                if key == "alternate-exchange" and isinstance(value, str)
                else value
                for key, value in arguments.items()
            }
        return self._do(
            f"exchange {name} {kind} {self._plain(options)}",
            lambda: self._channel.exchange_declare(out, kind, **options).method.NAME,
        )

    def delete_exchange(self, name: str, **options: bool) -> Any:
        out = self._player.name(name, "exchange")
        return self._do(
            f"delete exchange {name} {options}",
            lambda: self._channel.exchange_delete(out, **options).method.NAME,
        )

    def bind_exchange(self, destination: str, source: str, key: str = "") -> Any:
        names = [self._player.name(name, "exchange") for name in (destination, source)]
        return self._do(
            f"bind exchange {destination} {source} {key}",
            lambda: self._channel.exchange_bind(*names, key).method.NAME,
        )

    def unbind_exchange(self, destination: str, source: str, key: str = "") -> Any:
        names = [self._player.name(name, "exchange") for name in (destination, source)]
        return self._do(
            f"unbind exchange {destination} {source} {key}",
            lambda: self._channel.exchange_unbind(*names, key).method.NAME,
        )

    # Messages

    def publish(
        self,
        exchange: str,
        key: str,
        body: str = "",
        *,
        mandatory: bool = False,
        **properties: Any,
    ) -> Any:
        """Publish, on a confirming channel until the answer; to the default exchange, by queue."""
        out = self._player.name(exchange, "exchange")
        key_out = self._player.name(key) if not exchange else key

        def act() -> Any:
            try:
                self._channel.basic_publish(
                    out,
                    key_out,
                    body.encode(),
                    _properties(properties),
                    mandatory,
                )
            except UnroutableError as error:
                return [
                    self._return(one.method, one.properties, one.body) for one in error.messages
                ]
            except NackError as error:
                return [
                    "nacked",
                    *(self._return(m.method, m.properties, m.body) for m in error.messages),
                ]
            return "confirmed" if self._confirms else "sent"

        return self._do(f"publish {exchange} {key} {body} {properties or ''}", act)

    def returns(self, count: int) -> None:
        """What came back on a channel that does not confirm."""
        self._client.wait(lambda: len(self._returned) >= count)
        self._player.note("returns", [self._return(*one) for one in self._returned])
        self._returned.clear()

    def _return(self, method: Any, properties: Any, body: bytes) -> Any:
        return (
            "returned",
            method.reply_code,
            method.reply_text,
            self._plain(method.exchange),
            self._plain(method.routing_key),
            self._show(properties),
            self._plain(body),
        )

    def _show(self, properties: Any) -> Any:
        seen = {name: getattr(properties, name) for name in _PROPERTIES}
        shown = {name: self._plain(value) for name, value in seen.items() if value is not None}
        if properties.headers is not None:
            shown["headers"] = self._plain(properties.headers)
        return shown

    def get(self, queue: str, *, auto_ack: bool = False) -> Any:
        name = self._player.name(queue)

        def act() -> Any:
            method, properties, body = self._channel.basic_get(name, auto_ack)
            if method is None:
                return "empty"
            return (
                self._plain(body),
                method.delivery_tag,
                method.redelivered,
                self._plain(method.exchange),
                self._plain(method.routing_key),
                method.message_count,
                self._show(properties),
            )

        return self._do(f"get {queue}", act)

    def drain(self, queue: str) -> None:
        """Get all there is, acknowledged."""
        while self.get(queue, auto_ack=True) not in ("empty", None) and self._channel.is_open:
            pass

    def consume(self, queue: str, tag: str = "", **options: Any) -> Any:
        name = self._player.name(queue)
        auto_ack = options.pop("auto_ack", False)

        def arrived(_: Any, method: Any, properties: Any, body: bytes) -> None:
            self._tags.append(method.delivery_tag)
            seen = (
                self._plain(method.consumer_tag),
                self._plain(body),
                method.delivery_tag,
                method.redelivered,
                self._plain(method.exchange),
                self._plain(method.routing_key),
                self._show(properties),
            )
            self._inbox.append(seen)

        def act() -> Any:
            given = self._channel.basic_consume(
                name, arrived, auto_ack, consumer_tag=tag or None, **options
            )
            return self._plain(given)

        return self._do(f"consume {queue} {tag} {options}", act)

    def cancel(self, tag: str) -> Any:
        def act() -> Any:
            # pika keeps back what it has and the consumer has not seen; RabbitMQ has sent it.
            self._channel.basic_cancel(tag)
            return "cancelled"

        return self._do(f"cancel {tag}", act)

    def deliveries(self, count: int) -> None:
        """Wait for so many more deliveries and cancel notices; write them down."""
        self._client.wait(lambda: len(self._inbox) - self._shown >= count)
        self._note_inbox("deliveries")

    def quiet(self, *queues: str) -> None:
        """Write down all that has arrived, once these queues have had every chance to send it."""
        for _ in range(2):
            for queue in queues:
                self._settle(queue)
        self._client.wait(lambda: True)
        self._client._events(0)
        self._note_inbox("quiet")

    def look(self, queue: str) -> Any:
        """A queue's messages and consumers, not written down."""
        try:
            if not self._channel.is_open:
                self._open(self._channel.channel_number)
            answer = self._channel.queue_declare(self._player.name(queue), passive=True).method
        except AMQPError as error:
            return type(error).__name__
        return answer.message_count, answer.consumer_count

    def round_trip(self) -> None:
        """Ask something harmless, so that all that was sent before the answer is here."""
        if not self._channel.is_open:
            self._open(self._channel.channel_number)
        self._channel.exchange_declare("amq.direct", passive=True)

    def arrivals(self) -> None:
        """Write down what has come since the last time, without waiting for more."""
        self._client._events(0)
        self._note_inbox("arrivals")

    def new_tags(self) -> list[int]:
        """The delivery tags that have come since the last time."""
        new, self._tags = self._tags, []
        return new

    def _settle(self, queue: str) -> None:
        with suppress(AMQPError):
            self._channel.queue_declare(self._player.name(queue), passive=True)

    def _note_inbox(self, what: str) -> None:
        self._player.note(what, self._inbox[self._shown :])
        self._shown = len(self._inbox)

    def qos(self, count: int, **options: bool) -> Any:
        return self._do(
            f"qos {count} {options}",
            lambda: self._channel.basic_qos(prefetch_count=count, **options) or "ok",
        )

    def ack(self, tag: int, *, multiple: bool = False) -> Any:
        return self._sent(f"ack {tag} {multiple}", lambda: self._channel.basic_ack(tag, multiple))

    def nack(self, tag: int, *, multiple: bool = False, requeue: bool = True) -> Any:
        return self._sent(
            f"nack {tag} {multiple} {requeue}",
            lambda: self._channel.basic_nack(tag, multiple, requeue),
        )

    def reject(self, tag: int, *, requeue: bool = True) -> Any:
        return self._sent(
            f"reject {tag} {requeue}", lambda: self._channel.basic_reject(tag, requeue)
        )

    def _sent(self, what: str, act: Callable[[], Any]) -> Any:
        """Something without an answer: a round trip on the channel shows whether it was refused."""

        def settled() -> Any:
            act()
            self._channel.exchange_declare("amq.direct", passive=True)
            return "ok"

        return self._do(what, settled)

    def recover(self) -> Any:
        return self._do("recover", lambda: self._channel.basic_recover(requeue=True) or "ok")

    def call(self, what: str, act: Callable[[Any], Any]) -> Any:
        """Anything else that pika's channel can do."""
        return self._do(what, lambda: self._plain(act(self._channel)))

    def close(self) -> Any:
        return self._do("close channel", lambda: self._channel.close() or "ok")


def _properties(given: dict[str, Any]) -> pika.BasicProperties:
    return pika.BasicProperties(**given)  # type: ignore[no-untyped-call]


def _scope(error: Exception) -> str:
    return "channel" if isinstance(error, ChannelClosedByBroker) else "connection"


def _closed(error: Exception) -> str:
    code, text = getattr(error, "reply_code", None), getattr(error, "reply_text", None)
    return f"{code} {text}" if code else ""


def differences(expected: Iterable[Step], seen: Iterable[Step]) -> list[str]:
    """One line for every step in which two records differ; the first argument is the reference."""
    lines = []
    mine, theirs = list(expected), list(seen)
    for number in range(max(len(mine), len(theirs))):
        left = mine[number] if number < len(mine) else ("nothing", "")
        right = theirs[number] if number < len(theirs) else ("nothing", "")
        if left != right:
            what = left[0] if left[0] == right[0] else f"{left[0]} / {right[0]}"
            lines.append(f"step {number + 1}, {what}:\n    {left[1]!r}\n    {right[1]!r}")
    return lines
