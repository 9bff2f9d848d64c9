"""Both brokers, once for the session: the embedded one as a process, RabbitMQ as a private node."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from plugins.broker.harness import BrokerProcess
from tests.support import rabbitmq


@pytest.fixture(scope="session")
def embedded_url() -> Iterator[str]:
    broker = BrokerProcess()
    yield broker.url
    broker.stop()


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    if not rabbitmq.installed():
        reason = "needs RabbitMQ to compare with: apt install rabbitmq-server"
        if os.environ.get("ORQUESTADOR_REQUIRE_RABBITMQ") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    node = rabbitmq.Node("contract").start()
    yield node.url
    node.stop()
