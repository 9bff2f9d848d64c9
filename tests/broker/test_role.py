"""The broker as a plugin: cheap to load, and a role that serves until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pika
import pytest

from orquestador.errors import ConfigurationError
from plugins import broker
from plugins.broker.options import add_arguments


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(given)


def context(stop: asyncio.Event, say: Callable[[str], None], *given: str) -> Any:
    return SimpleNamespace(stop=stop, arguments=arguments(*given), say=say)


def test_loading_the_plugin_loads_no_server() -> None:
    code = "import plugins.broker, sys; print('pamqp' in sys.modules)"

    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.strip() == "False"


def test_it_registers_the_role() -> None:
    roles: list[Any] = []

    broker.register_roles(roles.append)

    assert [(role.name, role.standalone) for role in roles] == [("broker", True)]


def test_the_role_serves_until_told_to_stop() -> None:
    async def serve() -> int:
        stop, said = asyncio.Event(), asyncio.Queue[str]()
        given = context(stop, said.put_nowait, "--listen", "127.0.0.1:0")
        role = asyncio.create_task(broker.run(given))
        url = pika.URLParameters((await said.get()).partition(" ")[0])
        await asyncio.to_thread(lambda: pika.BlockingConnection(url).close())
        stop.set()
        return await role

    assert asyncio.run(asyncio.wait_for(serve(), 20)) == 0


def test_an_address_that_cannot_be_had_is_the_persons_fault() -> None:
    async def serve() -> None:
        await broker.run(context(asyncio.Event(), print, "--listen", "0.0.0.0:5672"))

    with pytest.raises(ConfigurationError, match="--allow-remote"):
        asyncio.run(serve())
