"""The embedded broker beside RabbitMQ: `python -m benchmarks.broker [--messages N] [--json FILE]`.

Both run on this machine, one after the other, with the same clients (pika's blocking connection,
and bare sockets where many are needed).  RabbitMQ is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pika
from pamqp import commands, frame

from plugins.broker.harness import BrokerProcess
from tests.support import rabbitmq

_BODY = b"x" * 100
_GREETING = b"AMQP\x00\x00\x09\x01"


@dataclass
class Target:
    """One broker while it is measured: its address, the process to weigh, how long it took."""

    name: str
    url: str
    pid: int
    ready: float
    figures: dict[str, float] = field(default_factory=dict)

    def connect(self) -> Any:
        parameters = pika.URLParameters(self.url)
        parameters.heartbeat = 0
        return pika.BlockingConnection(parameters)

    def memory(self) -> float:
        """MiB that the process has in memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def embedded() -> Iterator[Target]:
    start = time.perf_counter()
    broker = BrokerProcess()
    port = int(broker.url.rstrip("/").rpartition(":")[2])
    raw_connection(port).close()
    try:
        yield Target("embedded", broker.url, broker.pid, time.perf_counter() - start)
    finally:
        broker.stop()


@contextmanager
def real() -> Iterator[Target]:
    start = time.perf_counter()
    node = rabbitmq.Node("benchmark").start()
    try:
        pid = int(node.control("eval", "list_to_integer(os:getpid())."))
        yield Target("RabbitMQ", node.url, pid, time.perf_counter() - start)
    finally:
        node.stop()


def raw_connection(port: int) -> socket.socket:
    """An open AMQP connection without a library, for when a thousand of them are needed."""
    sock = socket.create_connection(("127.0.0.1", port), 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(_GREETING)
    read_method(sock)
    start_ok = commands.Connection.StartOk({}, "PLAIN", "\0guest\0guest", "en_US")
    sock.sendall(frame.marshal(start_ok, 0))
    read_method(sock)
    sock.sendall(frame.marshal(commands.Connection.TuneOk(2047, 131_072, 0), 0))
    sock.sendall(frame.marshal(commands.Connection.Open("/"), 0))
    read_method(sock)
    return sock


def read_method(sock: socket.socket) -> bytes:
    head = sock.recv(7, socket.MSG_WAITALL)
    return sock.recv(struct.unpack(">BHI", head)[2] + 1, socket.MSG_WAITALL)


def raw_consumer(target: Target, queue: str, *, no_ack: bool) -> socket.socket:
    sock = raw_connection(pika.URLParameters(target.url).port)
    sock.sendall(frame.marshal(commands.Channel.Open(), 1))
    read_method(sock)
    sock.sendall(frame.marshal(commands.Basic.Consume(queue=queue, no_ack=no_ack), 1))
    read_method(sock)
    return sock


def publish(target: Target, count: int = 30_000) -> float:
    """Messages a second without confirms, until the broker has taken the last."""
    channel = target.connect().channel()
    channel.queue_declare("publish")
    start = time.perf_counter()
    for _ in range(count):
        channel.basic_publish("", "publish", _BODY)
    channel.queue_declare("publish", passive=True)
    took = time.perf_counter() - start
    channel.queue_delete("publish")
    channel.connection.close()
    return count / took


def consume(target: Target, count: int = 30_000) -> float:
    """Messages a second, delivered and acknowledged one by one, prefetch 100."""
    connection = target.connect()
    channel = connection.channel()
    channel.queue_declare("consume")
    for _ in range(count):
        channel.basic_publish("", "consume", _BODY)
    channel.queue_declare("consume", passive=True)
    left = count
    channel.basic_qos(prefetch_count=100)

    def take(_: Any, method: Any, __: Any, ___: bytes) -> None:
        nonlocal left
        channel.basic_ack(method.delivery_tag)
        left -= 1
        if not left:
            channel.stop_consuming()

    start = time.perf_counter()
    channel.basic_consume("consume", take)
    channel.start_consuming()
    took = time.perf_counter() - start
    channel.queue_delete("consume")
    connection.close()
    return count / took


def confirm(target: Target, count: int = 3000) -> float:
    """Messages a second, each published when the one before is confirmed."""
    connection = target.connect()
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare("confirm")
    start = time.perf_counter()
    for _ in range(count):
        channel.basic_publish("", "confirm", _BODY)
    took = time.perf_counter() - start
    channel.queue_delete("confirm")
    connection.close()
    return count / took


def _echo(url: str, ready: Any) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.queue_declare("ping")
    channel.basic_consume(
        "ping",
        lambda c, m, p, b: c.basic_publish("", p.reply_to, b),
        auto_ack=True,
    )
    ready.set()
    channel.start_consuming()


def echo(target: Target, count: int = 2000) -> float:
    """Microseconds from ping to echo through a responder in another process; the median."""
    spawn = get_context("spawn")
    ready = spawn.Event()
    responder = spawn.Process(target=_echo, args=(target.url, ready), daemon=True)
    responder.start()
    ready.wait(20)
    connection = target.connect()
    channel = connection.channel()
    answers = channel.queue_declare("", exclusive=True).method.queue
    times: list[float] = []
    properties = pika.BasicProperties(reply_to=answers)  # type: ignore[no-untyped-call]
    started = 0.0

    def ping() -> None:
        nonlocal started
        started = time.perf_counter()
        channel.basic_publish("", "ping", _BODY, properties)

    def answered(*_: Any) -> None:
        times.append(time.perf_counter() - started)
        if len(times) < count:
            ping()
        else:
            channel.stop_consuming()

    channel.basic_consume(answers, answered, auto_ack=True)
    ping()
    channel.start_consuming()
    responder.terminate()
    responder.join()
    channel.queue_delete("ping")
    connection.close()
    return statistics.median(times) * 1e6


def redelivery(target: Target, count: int = 50) -> float:
    """Milliseconds from the death of a message's holder to its delivery to the next; the median."""
    connection = target.connect()
    channel = connection.channel()
    channel.queue_declare("lease", arguments={"x-single-active-consumer": True})
    times = []
    for _ in range(count):
        holder = raw_consumer(target, "lease", no_ack=False)
        channel.basic_publish("", "lease", _BODY)
        read_method(holder)
        got: list[Any] = []
        tag = channel.basic_consume("lease", lambda *seen, got=got: got.append(seen[1]))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        start = time.perf_counter()
        holder.close()
        while not got:
            connection.process_data_events(1)
        times.append(time.perf_counter() - start)
        channel.basic_ack(got[0].delivery_tag)
        channel.basic_cancel(tag)
    channel.queue_delete("lease")
    connection.close()
    return statistics.median(times) * 1e3


def connections(target: Target, count: int = 1000) -> float:
    """Seconds to open a thousand connections one after the other; all are open at the end."""
    port = pika.URLParameters(target.url).port
    start = time.perf_counter()
    socks = [raw_connection(port) for _ in range(count)]
    took = time.perf_counter() - start
    for sock in (socks[0], socks[-1]):
        sock.sendall(frame.marshal(commands.Channel.Open(), 1))
        read_method(sock)
    for sock in socks:
        sock.close()
    return took


def queues(target: Target, count: int = 1000) -> float:
    """MiB of the process with a thousand empty queues."""
    connection = target.connect()
    channel = connection.channel()
    for number in range(count):
        channel.queue_declare(f"empty-{number}")
    weight = target.memory()
    for number in range(count):
        channel.queue_delete(f"empty-{number}")
    connection.close()
    return weight


def soak(target: Target, count: int) -> float:
    """MiB by which the process grew between a quarter of so many messages and the last."""
    connection = target.connect()
    channel = connection.channel()
    channel.queue_declare("soak")
    channel.basic_qos(prefetch_count=500)
    seen = 0

    def take(_: Any, method: Any, __: Any, ___: bytes) -> None:
        nonlocal seen
        seen += 1
        if not seen % 100:
            channel.basic_ack(method.delivery_tag, multiple=True)

    channel.basic_consume("soak", take)
    step, early = 1000, 0.0
    for sent in range(0, count, step):
        if sent >= count // 4 and not early:
            early = target.memory()
        for _ in range(step):
            channel.basic_publish("", "soak", _BODY)
        while seen < sent + step:
            connection.process_data_events(0.1)
    late = target.memory()
    channel.queue_delete("soak")
    connection.close()
    return late - early


def stalled(target: Target, count: int = 100_000) -> float:
    """MiB by which the process grew while a consumer that never reads was sent 100 MB."""
    connection = target.connect()
    channel = connection.channel()
    channel.queue_declare("stalled", arguments={"x-max-length": 100})
    stuck = raw_consumer(target, "stalled", no_ack=True)
    before = target.memory()
    body = b"x" * 1000
    for _ in range(count):
        channel.basic_publish("", "stalled", body)
    channel.queue_declare("stalled", passive=True)
    grown = target.memory() - before
    stuck.close()
    channel.queue_delete("stalled")
    connection.close()
    return grown


MEASURES: dict[str, tuple[str, Callable[[Target], float], int]] = {
    "publish": ("messages/s", publish, 5),
    "consume and ack": ("messages/s", consume, 5),
    "publish and confirm": ("messages/s", confirm, 5),
    "ping to echo": ("us", echo, 3),
    "crash to redelivery": ("ms", redelivery, 1),
    "1,000 connections": ("s", connections, 1),
    "memory, 1,000 empty queues": ("MiB", queues, 1),
    "growth, stalled consumer": ("MiB", stalled, 1),
}
"""Unit, how it is measured, and how often: the median counts, for a shared machine is restless."""


def measure(target: Target, messages: int) -> None:
    target.figures["ready"] = target.ready * 1e3
    for name, (_, act, rounds) in MEASURES.items():
        target.figures[name] = statistics.median(act(target) for _ in range(rounds))
        print(f"{target.name}: {name}: {target.figures[name]:.4g}", file=sys.stderr)
    if messages:
        target.figures["growth, soak"] = soak(target, messages)


def table(targets: list[Target]) -> str:
    units = {"ready": "ms", "growth, soak": "MiB", **{n: m[0] for n, m in MEASURES.items()}}
    lines = [f"{'':30}" + "".join(f"{target.name:>14}" for target in targets)]
    for name in targets[0].figures:
        values = "".join(f"{target.figures[name]:14,.1f}" for target in targets)
        lines.append(f"{name:30}{values} {units[name]}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.broker", description=__doc__)
    parser.add_argument("--messages", type=int, default=2_000_000, help="length of the soak")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--embedded-only", action="store_true")
    arguments = parser.parse_args()
    brokers = [embedded]
    if rabbitmq.installed() and not arguments.embedded_only:
        brokers.append(real)
    targets = []
    for broker in brokers:
        with broker() as target:
            measure(target, arguments.messages)
            targets.append(target)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"{machine}, pika {pika.__version__}\n\n{table(targets)}")
    if arguments.json:
        figures = {target.name: target.figures for target in targets}
        arguments.json.write_text(json.dumps({"machine": machine, **figures}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
