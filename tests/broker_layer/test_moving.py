"""Moving messages from queue to queue: nothing of them changes, and none is lost by a refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pamqp.commands
import pamqp.header
import pytest

from orquestador.broker.connection import Connection
from orquestador.broker.moving import Ending, Room, move
from orquestador.broker.verbatim import Parcel, Verbatim
from orquestador.errors import BrokerError, NotConfirmed, Refused, Unroutable
from orquestador.settings import settle
from tests.broker_layer.conftest import Restricted
from tests.broker_layer.looping import connected, on_a_loop
from tests.broker_layer.witness import Witness

pytestmark = pytest.mark.broker


@asynccontextmanager
async def verbatim(url: str) -> AsyncIterator[Connection]:
    connection = await Connection.open(settle(url, {}), "a test", heartbeat=10, verbatim=True)
    yield connection
    await connection.close()


def stage(witness: Witness, messages: int = 0, **to: Any) -> None:
    """`from` and `to`, with a fanout `way` that leads to the latter."""
    witness.declare("from")
    witness.declare("to", **to)
    witness.declare_exchange("way", "fanout")
    witness.bind("to", "way", "")
    with witness.channel() as channel:
        for number in range(messages):
            channel.basic_publish("", "from", b"%d" % number)


@on_a_loop
async def test_all_are_moved_in_their_order(url: str, witness: Witness) -> None:
    stage(witness, 500)
    counts: list[int] = []

    async with verbatim(url) as connection:
        moved = await move(connection, "from", "way", told=counts.append)

    assert (moved.messages, moved.size, moved.ending) == (500, 1390, Ending.EMPTY)
    assert counts[-1] == 500
    assert (witness.messages("from"), witness.messages("to")) == (0, 500)
    assert [witness.wait_for("to").body for _ in range(3)] == [b"0", b"1", b"2"]


@on_a_loop
async def test_properties_stay_byte_for_byte(url: str, witness: Witness) -> None:
    """Doubles, too, and what is no text: pika, asked to read them, would write others."""
    stage(witness)
    properties = pamqp.commands.Basic.Properties(
        content_type="application/json",
        content_encoding="gzip",
        headers={
            "double": 1.5,
            "bytes": bytearray(b"\xff\x00"),
            "decimal": Decimal("3.14"),
            "when": datetime(2024, 2, 29, tzinfo=UTC),
            "small": 1,
            "large": 2**40,
            "nested": {"list": [1, "two", None, True]},
            "x-death": [{"count": 3, "reason": "rejected"}],
        },
        delivery_mode=2,
        priority=7,
        correlation_id="c",
        reply_to="r",
        expiration="3600000",
        message_id="m",
        timestamp=datetime(2024, 2, 29, tzinfo=UTC),
        message_type="t",
        user_id="guest",
        app_id="a",
        cluster_id="",
    )
    async with verbatim(url) as connection:
        seen: list[Any] = []
        sent = pamqp.header.ContentHeader(0, 0, properties).marshal()[12:]
        await put(connection, "from", sent)
        await move(connection, "from", "way")
        channel = await connection.channel()
        await channel.consume_verbatim("to", seen.append)
        await channel.prefetch(0)  # a round trip, after which the delivery is there
        while not seen:
            await channel.prefetch(0)

    assert seen[0].properties.encoded == sent
    assert (seen[0].routing_key, seen[0].body) == ("from", b"the body")


async def put(connection: Connection, queue: str, properties: bytes) -> None:
    channel = await connection.channel(confirms=True)
    await channel.forward("", Parcel(1, queue, Verbatim(properties), b"the body"))


@on_a_loop
async def test_it_ends_early_where_that_is_enough_or_there_is_no_room(
    url: str, witness: Witness
) -> None:
    stage(witness, 500)

    async with verbatim(url) as connection:
        enough = await move(connection, "from", "way", enough=150)
        full = await move(connection, "from", "way", room=Room(messages=7))
        heavy = await move(connection, "from", "way", room=Room(size=10))

    assert enough.ending is Ending.ENOUGH and 150 <= enough.messages < 500
    assert (full.ending, full.messages) == (Ending.FULL, 7)
    assert (heavy.ending, heavy.messages) == (Ending.FULL, 3)
    assert witness.messages("from") + witness.messages("to") == 500


@pytest.mark.parametrize(
    ("to", "unbound", "kind"),
    [
        ({"x-max-length": 5, "x-overflow": "reject-publish"}, False, NotConfirmed),
        ({}, True, Unroutable),
    ],
)
@on_a_loop
async def test_what_is_refused_or_returned_stays_where_it_was(
    url: str, witness: Witness, to: dict[str, Any], unbound: bool, kind: type[BrokerError]
) -> None:
    stage(witness, 50, **to)
    if unbound:
        with witness.channel() as channel:
            channel.queue_unbind("to", "way", "")

    async with verbatim(url) as connection:
        with pytest.raises(kind):
            await move(connection, "from", "way")

    assert witness.messages("from") + witness.messages("to") >= 50
    left = {witness.wait_for("from").body for _ in range(witness.messages("from"))}
    arrived = {witness.wait_for("to").body for _ in range(witness.messages("to"))}
    assert len(left | arrived) == 50


@pytest.mark.only_rabbitmq("the embedded broker has one user")
@on_a_loop
async def test_a_message_of_another_user_is_refused_and_stays(
    url: str, restricted: Restricted, witness: Witness
) -> None:
    stage(witness, 3)
    theirs = restricted(".*", ".*", ".*")
    user = settle(theirs, {}).addresses[0].user
    Witness(theirs).put("", "from", b"theirs", user_id=user)

    async with verbatim(url) as connection:
        with pytest.raises(Refused, match="user_id"):
            await move(connection, "from", "way")

    left = [witness.wait_for("from") for _ in range(witness.messages("from"))]
    assert left[-1].body == b"theirs" and left[-1].properties.user_id == user


@on_a_loop
async def test_a_connection_that_reads_properties_moves_nothing(url: str, witness: Witness) -> None:
    stage(witness, 1)

    async with connected(url) as connection:
        with pytest.raises(TypeError, match="has been read already"):
            await move(connection, "from", "way")
