"""amqps: certificates and host names are checked, always; a wrong port is told as what it is."""

from __future__ import annotations

import pytest

from orquestador.broker.connection import Connection
from orquestador.errors import Unreachable
from orquestador.settings import settle
from tests.broker_layer.looping import connected, on_a_loop
from tests.support import rabbitmq
from tests.support.certificates import Certificates

pytestmark = [
    pytest.mark.broker,
    pytest.mark.only_rabbitmq("the embedded broker speaks no TLS"),
]
TlsNode = tuple[rabbitmq.Node, int]


async def unreachable(url: str) -> str:
    with pytest.raises(Unreachable) as raised:
        await Connection.open(settle(url, {}), "a test", heartbeat=10)
    return str(raised.value)


@on_a_loop
async def test_the_authority_named_in_the_address_is_trusted(
    tls_node: TlsNode, certificates: Certificates
) -> None:
    _, port = tls_node
    trusted = f"amqps://guest:guest@localhost:{port}/%2F?cacertfile={certificates.authority}"

    async with connected(trusted) as connection:
        channel = await connection.channel()
        await channel.close()


@on_a_loop
async def test_an_unknown_authority_is_not_trusted(tls_node: TlsNode) -> None:
    said = await unreachable(f"amqps://guest:secret@localhost:{tls_node[1]}/%2F")

    assert "certificate is not trusted" in said and "secret" not in said


@on_a_loop
async def test_a_certificate_of_another_host_is_not_trusted(
    tls_node: TlsNode, certificates: Certificates
) -> None:
    query = f"?cacertfile={certificates.authority}"
    said = await unreachable(f"amqps://guest:guest@127.0.0.1:{tls_node[1]}/%2F{query}")

    assert "certificate is not trusted" in said and "127.0.0.1" in said


@on_a_loop
async def test_tls_to_a_plain_port_hints_at_amqp(tls_node: TlsNode) -> None:
    said = await unreachable(f"amqps://guest:guest@localhost:{tls_node[0].port}/%2F")

    assert "is it an amqp:// port?" in said


@on_a_loop
async def test_plain_to_a_tls_port_hints_at_amqps(tls_node: TlsNode) -> None:
    said = await unreachable(f"amqp://guest:guest@localhost:{tls_node[1]}/%2F")

    assert "amqps://" in said
