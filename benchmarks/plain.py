"""The usual heartbeat monitor, to compare with: a ping each 2 s, DOWN after 6 s without an echo.

It pings `all` on the same exchange (with epoch 0, which deposes nobody), so that the same processes
answer it and the same faults strike it; it counts only echoes of its own pings.  It knows no lease,
no goodbye and no replica.  Prints one JSON object for each change, as the monitor does.

    python -m benchmarks.plain --url amqp://... --services a,b,c
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import pika

from orquestador.events import Echo, Ping, Sender, decode, encode, fresh_word, timestamp

PING_EVERY, TIMEOUT = 2.0, 6.0
LOOK_EVERY = 0.01
NAME = "plain"


class Plain:
    def __init__(self, url: str, services: list[str]) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        self._sender = Sender(service=NAME, instance=fresh_word())
        self._pings: set[str] = set()
        self._heard: dict[str, float] = {}
        self._states = dict.fromkeys(services, "UNKNOWN")
        self._sequence = 0
        queue = self._channel.queue_declare("", exclusive=True).method.queue
        for service in services:
            self._channel.queue_bind(queue, "events", f"echo.{service}")
        self._channel.basic_consume(queue, self._on_echo, auto_ack=True)

    def run(self) -> None:
        due = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= due:
                self._ping()
                due += PING_EVERY
            for service, heard in self._heard.items():
                if now - heard > TIMEOUT:
                    self._say(service, "DOWN")
            self._connection.process_data_events(LOOK_EVERY)

    def _ping(self) -> None:
        self._sequence += 1
        ping = Ping(
            id=fresh_word(),
            sequence=self._sequence,
            sender=self._sender,
            epoch=0,
            sent_at=timestamp(),
            every=PING_EVERY,
        )
        self._pings.add(ping.id)
        properties = pika.BasicProperties(content_type="application/json", type="ping", app_id=NAME)  # type: ignore[no-untyped-call]
        self._channel.basic_publish("heartbeat", "all", encode(ping), properties)

    def _on_echo(self, _: Any, __: Any, ___: Any, body: bytes) -> None:
        echo = decode(Echo, body)
        if echo.ping in self._pings:
            self._heard[echo.service] = time.monotonic()
            self._say(echo.service, "UP")

    def _say(self, service: str, state: str) -> None:
        if self._states[service] != state:
            self._states[service] = state
            print(json.dumps({"event": "status", "service": service, "state": state}), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plain", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--services", required=True, help="names, with commas between")
    arguments = parser.parse_args()
    Plain(arguments.url, arguments.services.split(",")).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
