"""Unmodified clients of other makes publish, consume and confirm: aio-pika, amqplib for Node."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import aio_pika
import pytest

from plugins.broker.harness import BrokerThread
from tests.support.required import absent

HERE = Path(__file__).parent


def test_aio_pika_publishes_consumes_and_confirms(broker: BrokerThread) -> None:
    async def talk() -> list[bytes]:
        connection = await aio_pika.connect_robust(broker.url)
        got: list[bytes] = []
        async with connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            await channel.set_qos(prefetch_count=10)
            exchange = await channel.declare_exchange("events", aio_pika.ExchangeType.TOPIC)
            queue = await channel.declare_queue("q", durable=True)
            await queue.bind(exchange, "echo.*")
            for number in range(3):
                message = aio_pika.Message(
                    str(number).encode(),
                    headers={"n": number},
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                )
                await exchange.publish(message, routing_key="echo.x")
            with pytest.raises(aio_pika.exceptions.DeliveryError):
                await exchange.publish(aio_pika.Message(b"lost"), routing_key="nobody")
            async with queue.iterator() as messages:
                async for message in messages:
                    async with message.process():
                        got.append(message.body)
                    if len(got) == 3:
                        break
        return got

    assert asyncio.run(asyncio.wait_for(talk(), 20)) == [b"0", b"1", b"2"]


@pytest.fixture(scope="session")
def amqplib(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds amqplib, fetched where npm is there to fetch it."""
    if not shutil.which("node") or not shutil.which("npm"):
        absent("node and npm")
    folder = tmp_path_factory.mktemp("amqplib")
    ran = subprocess.run(
        ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "amqplib@0.10.9"],
        capture_output=True,
        text=True,
        timeout=100,
    )
    if ran.returncode:
        absent(f"amqplib that npm would give ({ran.stderr.strip()[-200:]})")
    return folder


def test_amqplib_publishes_consumes_and_confirms(broker: BrokerThread, amqplib: Path) -> None:
    ran = subprocess.run(
        ["node", str(HERE / "amqplib_smoke.js"), broker.url],
        env={**os.environ, "NODE_PATH": str(amqplib / "node_modules")},
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.split() == [
        "confirmed",
        "got:0",
        "got:1",
        "got:2",
        "returned:312",
        "refused:406",
        "done",
    ]
