"""Both brokers, once for the session: the embedded one as a process, RabbitMQ as a private node."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plugins.broker.harness import BrokerProcess
from tests.support import rabbitmq
from tests.support.required import absent


@pytest.fixture(scope="session")
def embedded_url() -> Iterator[str]:
    broker = BrokerProcess()
    yield broker.url
    broker.stop()


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    if not rabbitmq.installed():
        absent("rabbitmq-server to compare with")
    node = rabbitmq.Node("contract").start()
    yield node.url
    node.stop()
