"""Unmodified clients of other makes publish, consume and confirm: aio-pika, amqplib for Node."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from plugins.broker.harness import BrokerThread

HERE = Path(__file__).parent


def test_aio_pika_publishes_consumes_and_confirms(broker: BrokerThread) -> None:
    aio_pika = pytest.importorskip("aio_pika", reason="needs aio-pika: pip install aio-pika")

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
def amqplib() -> Path:
    """The folder that holds amqplib, fetched once where npm is there to fetch it."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("needs node and npm")
    folder = Path(tempfile.gettempdir()) / "orquestador-amqplib"
    if not (folder / "node_modules" / "amqplib").exists():
        folder.mkdir(parents=True, exist_ok=True)
        ran = subprocess.run(
            ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "amqplib@0.10"],
            capture_output=True,
            text=True,
            timeout=100,
        )
        if ran.returncode:
            pytest.skip(f"npm has no amqplib to give: {ran.stderr.strip()[-200:]}")
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
