"""A fresh embedded broker for every test that asks, in a thread, so that its log can be read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pika
import pytest

from plugins.broker.harness import BrokerThread

logging.getLogger("pika").setLevel(logging.CRITICAL)


@pytest.fixture
def broker() -> Iterator[BrokerThread]:
    running = BrokerThread()
    yield running
    running.stop()


class Connections:
    """Opens pika connections and closes them at the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: list[Any] = []

    def __call__(self, name: str = "", **parameters: Any) -> Any:
        given = pika.URLParameters(self._url)
        given.heartbeat = 0
        given.client_properties = {"connection_name": name}
        for key, value in parameters.items():
            setattr(given, key, value)
        connection = pika.BlockingConnection(given)
        self._open.append(connection)
        return connection

    def close(self) -> None:
        for connection in self._open:
            if connection.is_open:
                connection.close()


@pytest.fixture
def connect(broker: BrokerThread) -> Iterator[Connections]:
    connections = Connections(broker.url)
    yield connections
    connections.close()
