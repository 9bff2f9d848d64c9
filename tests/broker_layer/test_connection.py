"""Opening and closing: what is said where there is no broker, no right to it, or the wrong one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from orquestador.broker import connection as opening
from orquestador.broker.connection import Connection, ended
from orquestador.errors import ConfigurationError, Lost, Refused, Unreachable
from orquestador.settings import settle
from tests.broker_layer.conftest import Stranger
from tests.broker_layer.looping import InOrder, connected, on_a_loop
from tests.conftest import AnyNode
from tests.support.proxy import Proxy
from tests.support.waiting import eventually

rabbit = pytest.mark.broker
NOBODY = "amqp://guest:hidden@127.0.0.1:1/"


async def refusal(url: str) -> str:
    """What opening it says; it must fail."""
    with pytest.raises((Refused, Unreachable)) as raised:
        await Connection.open(settle(url, {}), "a test", heartbeat=10)
    return f"{raised.type.__name__}: {raised.value}"


@pytest.mark.only_rabbitmq("asks with rabbitmqctl")
@rabbit
@on_a_loop
async def test_an_open_connection_is_shown_by_name(node: AnyNode, url: str) -> None:
    async with connected(url, "billing publishing") as connection:
        listed = node.control("list_connections", "vhost", "client_properties")

        assert url.rpartition("/")[2] in str(connection.address)
        assert "billing publishing" in listed


@rabbit
@on_a_loop
async def test_wrong_credentials_are_refused_and_never_printed(node: AnyNode, vhost: str) -> None:
    said = await refusal(f"amqp://guest:letmein@127.0.0.1:{node.port}/{vhost}")

    assert said.startswith("Refused:") and "user or password refused" in said
    assert "guest:***@" in said and "letmein" not in said


@rabbit
@on_a_loop
async def test_an_unknown_vhost_is_refused_and_named(node: AnyNode) -> None:
    said = await refusal(node.address("nowhere"))

    assert said.startswith("Refused:") and "nowhere" in said


@on_a_loop
async def test_where_nothing_listens_the_address_is_named_without_its_password() -> None:
    said = await refusal(NOBODY)

    assert said == "Unreachable: amqp://guest:***@127.0.0.1:1/: connection refused"


@on_a_loop
async def test_a_host_without_an_address_is_unreachable() -> None:
    assert (await refusal("amqp://guest:x@no.such.host.invalid/")).startswith("Unreachable:")


@on_a_loop
async def test_a_web_server_is_no_broker(stranger: Callable[[bytes], Stranger]) -> None:
    started = time.monotonic()
    said = await refusal(stranger(b"HTTP/1.1 400 Bad Request\r\n\r\n").url)

    assert said.startswith("Unreachable:")
    assert time.monotonic() - started < 3


@on_a_loop
async def test_a_listener_that_says_nothing_costs_its_patience_and_no_more(
    stranger: Callable[[], Stranger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "OPENING", 0.3)
    started = time.monotonic()
    said = await refusal(stranger().url)

    assert said.startswith("Unreachable:") and said.endswith("no answer in time")
    assert time.monotonic() - started < 4.5  # well below the 5 s of an address that is the only one


@rabbit
@on_a_loop
async def test_of_several_addresses_the_first_that_answers_is_used(node: AnyNode, url: str) -> None:
    async with connected(f"{NOBODY},{url}", random=InOrder()) as connection:
        assert connection.address.port == node.port


@on_a_loop
async def test_where_no_address_answers_each_is_named() -> None:
    said = await refusal(f"{NOBODY},amqp://guest:x@127.0.0.1:2/")

    assert "127.0.0.1:1/" in said and "127.0.0.1:2/" in said


@rabbit
@on_a_loop
async def test_addresses_are_tried_in_a_random_order(url: str) -> None:
    class Reversed(InOrder):
        def shuffle(self, x: list[object]) -> None:
            x.reverse()

    async with connected(f"{url},{NOBODY}", random=Reversed()) as connection:
        assert connection.address.port != 1


@rabbit
@on_a_loop
async def test_closing_twice_or_after_a_loss_is_no_fault(url: str) -> None:
    async with connected(url) as connection:
        await connection.close()
        await connection.close()

        assert isinstance(connection.lost.result(), Lost)
        with pytest.raises(Lost):
            await connection.channel()


@rabbit
@on_a_loop
async def test_an_abandoned_connection_is_lost_with_the_reason_given(
    node: AnyNode, vhost: str, proxy: Proxy
) -> None:
    async with connected(node.address(vhost, port=proxy.port)) as connection:
        channel = await connection.channel()
        connection.abandon(Lost("no longer wanted"))

        with pytest.raises(Lost, match="no longer wanted"):
            await ended(connection.lost, until=())
        with pytest.raises(Lost, match="no longer wanted"):
            await ended(channel.lost, until=())
        await asyncio.to_thread(eventually, lambda: not proxy.connections)


@rabbit
@on_a_loop
async def test_a_cut_connection_is_lost_with_its_channels(
    node: AnyNode, vhost: str, proxy: Proxy
) -> None:
    async with connected(node.address(vhost, port=proxy.port)) as connection:
        channel = await connection.channel()
        assert proxy.cut() == 1

        with pytest.raises(Lost):
            await ended(connection.lost, until=())
        with pytest.raises(Lost):
            await ended(channel.lost, until=())


@on_a_loop
async def test_an_opening_that_is_cancelled_leaves_no_socket(
    stranger: Callable[[], Stranger],
) -> None:
    opened = asyncio.create_task(
        Connection.open(settle(stranger().url, {}), "a test", heartbeat=10)
    )
    await asyncio.sleep(0)
    opened.cancel()

    async with asyncio.timeout(0.5):
        with pytest.raises(asyncio.CancelledError):
            await opened


@on_a_loop
async def test_the_wait_for_an_end_returns_at_an_event_and_raises_a_loss() -> None:
    lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    stop.set()
    await ended(lost, until=(stop,))

    lost.set_result(Lost("gone"))
    stop.clear()
    with pytest.raises(Lost, match="gone"):
        await ended(lost, until=(stop,))


@on_a_loop
async def test_a_file_of_certificates_that_is_not_there_is_a_fault_of_the_address() -> None:
    with pytest.raises(ConfigurationError, match="TLS file"):
        await Connection.open(
            settle("amqps://guest:x@127.0.0.1:1/?cacertfile=/no/such.pem", {}), "x", heartbeat=10
        )
