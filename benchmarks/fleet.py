"""Simulated services, many in one process, that speak the real protocol over bare sockets.

Each consumes its `ping.<name>` with x-priority 10 and prefetch 2, says hello, answers every ping
with the echo that the library would send, and acknowledges ping k when k + 1 arrives
(docs/protocol.md).  What is not as in life: up to --per-connection of them share one connection and
one channel (the first --lone ones have one each), AMQP heartbeats are off, nobody reconnects.

    python -m benchmarks.fleet --url amqp://... --first 0 --count 1000 [--lone 20]

Prints `{"event": "ready"}` when all have said hello.  Commands on standard input, one at a time,
each answered by a line: `count` (echoes so far), `cut NAME` and `back NAME` (a lone one's).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from pamqp import commands, frame, header

from benchmarks.bare import BODY, CHANNEL, HEAD, Bare, ack
from orquestador.events import Echo, Ping, decode, encode, fresh_word, timestamp

PRIORITY, PREFETCH = 10, 2
ARGUMENTS: dict[str, Any] = {"x-priority": PRIORITY, "x-consumer-timeout": 86_400_000}
# Words that stand in the templates where each echo has its own.
_PING, _MESSAGE = "p" * 16, "m" * 16
_SEQUENCE, _SIZE = 2**53 - 2, 0x5349_5A45_5349_5A45
_numbers = count()


def name_of(number: int) -> str:
    return f"svc{number:05}"


def _slots(frames: bytes, *words: bytes) -> bytes:
    """A bytes template: `%b` for each of the words."""
    frames = frames.replace(b"%", b"%%")
    for word in words:
        frames = frames.replace(word, b"%b")
    return frames


@dataclass(slots=True)
class Member:
    """One service: its echoes' templates, and the delivery tag of the ping that it holds."""

    name: str
    held: int = 0
    _publish: bytes = b""
    _header: bytes = b""
    _bodies: tuple[bytes, bytes] = (b"", b"")
    hello: bytes = b""

    def __post_init__(self) -> None:
        instance, started = fresh_word(), timestamp()

        def body(phase: Any, redelivered: bool) -> bytes:
            alive = phase == "alive"
            return encode(
                Echo(
                    phase=phase,
                    ping=_PING if alive else None,
                    sequence=_SEQUENCE if alive else None,
                    service=self.name,
                    instance=instance,
                    started_at=started,
                    redelivered=redelivered,
                    health="ok",  # type: ignore[arg-type]
                )
            )

        def head(size: int, correlation: str | None) -> bytes:
            properties = commands.Basic.Properties(
                content_type="application/json",
                delivery_mode=1,
                correlation_id=correlation,
                message_id=_MESSAGE,
                timestamp=datetime.now(UTC),
                message_type="echo",
                app_id=self.name,
            )
            return frame.marshal(header.ContentHeader(0, size, properties), CHANNEL)

        publish = commands.Basic.Publish(exchange="events", routing_key=f"echo.{self.name}")
        self._publish = frame.marshal(publish, CHANNEL)
        words = _SIZE.to_bytes(8, "big"), _PING.encode(), _MESSAGE.encode()
        self._header = _slots(head(_SIZE, _PING), *words)
        self._bodies = tuple(  # type: ignore[assignment]
            _slots(body("alive", again), _PING.encode(), str(_SEQUENCE).encode())
            for again in (False, True)
        )
        said = body("hello", False)
        self.hello = self._publish + head(len(said), None) + _body(said)

    def echo(self, ping: bytes, sequence: bytes, redelivered: bool) -> bytes:
        body = self._bodies[redelivered] % (ping, sequence)
        size, word = len(body).to_bytes(8, "big"), b"%016x" % next(_numbers)
        return b"".join((self._publish, self._header % (size, ping, word), _body(body)))


def _body(body: bytes) -> bytes:
    return HEAD.pack(BODY, CHANNEL, len(body)) + body + b"\xce"


@dataclass(slots=True)
class Party:
    """The services of one connection."""

    connection: Bare
    members: dict[bytes, Member]
    _last: tuple[bytes, bytes, bytes] = (b"", b"", b"")

    @classmethod
    def join(cls, url: str, names: list[str]) -> Party:
        """Connect, consume all their queues, say hello; a missing queue shows at the first read."""
        connection = Bare(url)
        connection.call(commands.Basic.Qos(prefetch_count=PREFETCH))
        members = {str(at).encode(): Member(name) for at, name in enumerate(names)}
        connection.send(
            *(
                commands.Basic.Consume(
                    queue=f"ping.{member.name}",
                    consumer_tag=tag.decode(),
                    nowait=True,
                    arguments=ARGUMENTS,
                )
                for tag, member in members.items()
            )
        )
        connection.socket.sendall(b"".join(member.hello for member in members.values()))
        return cls(connection, members)

    def answer(self) -> int:
        """Read once and answer what came; how many echoes went out."""
        out: list[bytes] = []
        echoes = 0
        for tag, delivery, redelivered, body in self.connection.deliveries():
            member = self.members[tag]
            if member.held:
                out.append(ack(member.held))
            member.held = delivery
            ping, sequence = self._read(body)
            out.append(member.echo(ping, sequence, redelivered))
            echoes += 1
        if out:
            self.connection.socket.sendall(b"".join(out))
        return echoes

    def _read(self, body: bytes) -> tuple[bytes, bytes]:
        """Id and sequence; the same ping comes to all of them one after the other."""
        if body != self._last[0]:
            ping = decode(Ping, body)
            if len(ping.id) != len(_PING):
                raise ValueError(f"a ping's id of {len(ping.id)} characters fits no template")
            self._last = body, ping.id.encode(), str(ping.sequence).encode()
        return self._last[1:]


@dataclass(slots=True)
class Fleet:
    """All parties of this process, on one selector."""

    url: str
    lone: dict[str, Party] = field(default_factory=dict)
    echoes: int = 0
    _selector: DefaultSelector = field(default_factory=DefaultSelector)

    def join(self, names: list[str]) -> Party:
        party = Party.join(self.url, names)
        self._selector.register(party.connection.socket, EVENT_READ, party)
        return party

    def run(self) -> None:
        """Answer until standard input ends."""
        self._selector.register(sys.stdin, EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self.echoes += key.data.answer()
                elif words := sys.stdin.readline().split():
                    self._obey(*words)
                else:
                    return

    def _obey(self, word: str, name: str = "") -> None:
        if word == "cut":
            connection = self.lone.pop(name).connection
            self._selector.unregister(connection.socket)
            at = time.monotonic()
            connection.close()
            say("cut", service=name, at=at)
        elif word == "back":
            self.lone[name] = self.join([name])
            say("back", service=name)
        elif word == "count":
            say("count", echoes=self.echoes)


def say(event: str, **what: object) -> None:
    print(json.dumps({"event": event, **what}), flush=True)


def _chunks(numbers: range, size: int) -> Iterator[list[str]]:
    for start in range(0, len(numbers), size):
        yield [name_of(number) for number in numbers[start : start + size]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--first", type=int, default=0, help="number of the first service")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--lone", type=int, default=0, help="so many have their own connection")
    parser.add_argument("--per-connection", type=int, default=250)
    arguments = parser.parse_args()
    fleet = Fleet(arguments.url)
    numbers = range(arguments.first, arguments.first + arguments.count)
    for names in _chunks(numbers[: arguments.lone], 1):
        fleet.lone[names[0]] = fleet.join(names)
    for names in _chunks(numbers[arguments.lone :], arguments.per_connection):
        fleet.join(names)
    say("ready")
    fleet.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
