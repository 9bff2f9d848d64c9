"""The private nodes are what the tests that use them take them for."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pika import BlockingConnection, URLParameters
from pika.exceptions import ChannelClosedByBroker

from tests.support import rabbitmq
from tests.support.cluster import Cluster
from tests.support.rabbitmq import PATIENCE, Node
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.broker,
    pytest.mark.slow,
    pytest.mark.only_rabbitmq("it is about RabbitMQ's own nodes"),
]
needs_it = pytest.mark.skipif(not rabbitmq.installed(), reason="needs rabbitmq-server")


def test_an_impatient_node_strikes_who_holds_a_message(impatient_node: Node) -> None:
    connection = BlockingConnection(URLParameters(impatient_node.url))
    try:
        channel = connection.channel()
        channel.queue_declare("held", durable=True)
        channel.basic_publish("", "held", b"mine")
        began = time.monotonic()
        with pytest.raises(ChannelClosedByBroker) as struck:
            for _held in channel.consume("held", inactivity_timeout=3 * PATIENCE):
                pass
    finally:
        connection.close()

    assert PATIENCE <= time.monotonic() - began < PATIENCE + 4
    assert struck.value.reply_code == 406
    assert "delivery acknowledgement on channel 1 timed out" in struck.value.reply_text


@needs_it
def test_a_cluster_that_does_not_start_says_why_and_leaves_nothing() -> None:
    cluster = Cluster()
    cluster.nodes[1].configure("no_such_key = 1\n")  # when the first one runs

    with pytest.raises(RuntimeError, match="no_such_key"):
        cluster.start()

    assert not any(node.running for node in cluster.nodes)
    # Erlang's own helpers end once they read that their parent has: a moment later.
    eventually(lambda: _using(cluster.folder) == [])
    assert not cluster.folder.exists()


def _using(folder: Path) -> list[str]:
    """Processes that have the folder in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"HOME={folder}\0".encode() in (process / "environ").read_bytes():
                found.append((process / "comm").read_text().strip())
        except OSError:
            continue
    return found
