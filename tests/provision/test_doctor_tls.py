"""The doctor before a certificate: its days, and why it is not trusted.

TLS ends in the test here, before whichever broker there is.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from orquestador.provision.doctor import exit_code, trust
from orquestador.settings import parse
from orquestador.topology.model import Topology
from tests.broker_layer.conftest import pika_is_quiet as pika_is_quiet
from tests.broker_layer.looping import on_a_loop
from tests.conftest import AnyNode
from tests.provision.doctoring import amiss, examined, lines, topology
from tests.support import certificates as making
from tests.support.certificates import Certificates

rabbit = pytest.mark.broker


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return making.make(Path(tmp_path_factory.mktemp("certificates")))


@pytest.fixture
def asked(tmp_path: Path) -> Topology:
    return topology(tmp_path, "version: 1\nqueues: {work: {}}\n")


@asynccontextmanager
async def tls(port: int, certificates: Certificates) -> AsyncIterator[int]:
    """The port where TLS is spoken, before the broker at `port`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside, outside = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, outside), pump(inside, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


@rabbit
@on_a_loop
async def test_a_certificate_of_few_days_is_a_warning(
    node: AnyNode, vhost: str, asked: Topology, certificates: Certificates
) -> None:
    async with tls(node.port, certificates) as port:
        query = f"?cacertfile={certificates.authority}"
        found = await examined(f"amqps://guest:guest@localhost:{port}/{vhost}{query}", asked)

    assert amiss([*found.values()]) == ["tls"] and exit_code(found.values()) == 0
    assert found["tls"].text.endswith("certificate trusted for another 1 day")
    assert "renewed" in found["tls"].remedy


@pytest.mark.parametrize(
    ("host", "query", "said", "remedy"),
    [
        ("localhost", "", "is not trusted", "?cacertfile=/path/to/ca.pem"),
        ("localhost", "?cacertfile={certificate}", "is not trusted", "did the authority in"),
        ("127.0.0.1", "?cacertfile={authority}", "not for the name 127.0.0.1", "write the name"),
    ],
    ids=["unknown authority", "another authority", "another name"],
)
@on_a_loop
async def test_a_certificate_that_is_not_trusted_says_why(
    asked: Topology, certificates: Certificates, host: str, query: str, said: str, remedy: str
) -> None:
    files = {"authority": certificates.authority, "certificate": certificates.certificate}
    async with tls(1, certificates) as port:
        found = await lines(f"amqps://u:p@{host}:{port}/{query.format(**files)}", asked)

    assert amiss(found) == ["tls"] and exit_code(found) == 69
    assert said in found[-1].text and remedy in found[-1].remedy


@rabbit
@on_a_loop
async def test_a_port_without_tls_is_told_as_one(node: AnyNode, asked: Topology) -> None:
    found = await lines(f"amqps://guest:guest@localhost:{node.port}/", asked)

    assert amiss(found) == ["tls"] and exit_code(found) == 69
    assert "speaks no TLS" in found[-1].text and "amqp://" in found[-1].remedy


@rabbit
@on_a_loop
async def test_plain_amqp_to_a_port_of_tls_is_told_as_that(
    asked: Topology, certificates: Certificates
) -> None:
    async with tls(1, certificates) as port:
        found = await lines(f"amqp://guest:guest@localhost:{port}/", asked)

    assert amiss(found) == ["amqp"] and exit_code(found) == 69
    assert "amqps://" in found[-1].text


@on_a_loop
async def test_a_file_of_certificates_that_cannot_be_used_is_a_fault_of_the_address(
    asked: Topology, certificates: Certificates
) -> None:
    async with tls(1, certificates) as port:
        found = await lines(f"amqps://u:p@localhost:{port}/?cacertfile=/no/such.pem", asked)

    assert amiss(found) == ["tls"] and exit_code(found) == 78
    assert "cannot be used" in found[-1].text and "cacertfile" in found[-1].remedy


@pytest.mark.parametrize(
    ("code", "said", "remedy"),
    [
        (10, "has expired", "renewed"),
        (9, "not valid yet", "clock"),
        (18, "not trusted (of that sort)", "cacertfile="),
        (62, "not for the name broker.example", "write the name"),
        (24, "not trusted (of that sort)", "set right"),
    ],
)
def test_each_fault_of_a_certificate_has_its_remedy(code: int, said: str, remedy: str) -> None:
    fault = ssl.SSLCertVerificationError()
    fault.verify_code, fault.verify_message = code, "of that sort"
    text, what_to_do = trust.distrusted(fault, parse("amqps://u:p@broker.example/"))

    assert said in text and remedy in what_to_do


def test_days_are_whole_ones() -> None:
    certificate = {"notAfter": "Jan  3 12:00:00 2030 GMT"}
    noon = ssl.cert_time_to_seconds("Jan  1 12:00:00 2030 GMT")

    assert [trust.days(certificate, noon + seconds) for seconds in (0, 1)] == [2, 1]
