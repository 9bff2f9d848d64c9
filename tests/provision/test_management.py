"""RabbitMQ's management API: bindings as it lists them, and each way that it does not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from orquestador.errors import BrokerError, ConfigurationError, NotFound, Refused, Unreachable
from orquestador.provision import management
from orquestador.provision.management import links, parse
from orquestador.topology.things import Kind, link
from tests.broker_layer.conftest import Stranger
from tests.broker_layer.witness import Witness
from tests.support.rabbitmq import Node

rabbit = [pytest.mark.broker, pytest.mark.only_rabbitmq("only RabbitMQ has a management API")]


class TestOnRabbitMQ:
    pytestmark = rabbit

    def test_all_bindings_but_the_default_exchange_s_are_listed(
        self, node: Node, vhost: str, witness: Witness
    ) -> None:
        with witness.channel() as channel:
            channel.queue_declare("work", durable=True)
            channel.exchange_declare("a / b", "headers", durable=True)
            channel.exchange_declare("c", "topic", durable=True)
            terms = {"x-match": "any", "n": 7, "yes": True, "list": ["x", 1]}
            channel.queue_bind("work", "c", "order.*")
            channel.queue_bind("work", "a / b", "", terms)
            channel.exchange_bind("c", "a / b", "k")

        assert links(node.management(), vhost) == {
            link("c", Kind.QUEUE, "work", "order.*", {}),
            link("a / b", Kind.QUEUE, "work", "", terms),
            link("a / b", Kind.EXCHANGE, "c", "k", {}),
        }

    def test_a_vhost_may_have_any_name(self, node: Node) -> None:
        assert links(node.management(), "/") == frozenset()

    @pytest.mark.parametrize(
        ("account", "vhost", "fault", "said"),
        [
            ("guest:wrong", "/", Refused, "Login failed"),
            ("guest:guest", "nowhere", NotFound, "no vhost 'nowhere'"),
        ],
    )
    def test_what_it_refuses_is_said(
        self, node: Node, account: str, vhost: str, fault: type[BrokerError], said: str
    ) -> None:
        url = node.management().replace("guest:guest", account)
        with pytest.raises(fault) as raised:
            links(url, vhost)

        assert said in str(raised.value) and "wrong" not in str(raised.value)


# -- what is no management API


@pytest.fixture
def answering() -> Iterator[Callable[..., str]]:
    """A server that gives everyone the same answer; its URL."""
    started: list[HTTPServer] = []

    def begin(status: int, body: bytes = b"", **headers: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return f"http://me:hidden@127.0.0.1:{server.server_port}"

    yield begin
    for server in started:
        server.shutdown()
        server.server_close()


def refusal(url: str) -> BrokerError:
    with pytest.raises(BrokerError) as raised:
        links(url, "v")
    assert "hidden" not in str(raised.value) and "me:***@" in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>welcome</html>"),
        (200, b"\xff\xfe"),
        (200, b'{"source": "e"}'),
        (200, b'[{"source": "e", "destination": "q"}]'),
        (200, b'[{"source": "e", "destination": "q", "destination_type": "moon"}]'),
        (200, b"[1]"),
        (200, b"7"),
        (404, b"no such page"),
        (500, b""),
    ],
)
def test_what_answers_otherwise_is_no_management_api(
    answering: Callable[..., str], status: int, body: bytes
) -> None:
    fault = refusal(answering(status, body))

    assert isinstance(fault, Unreachable) and "is not RabbitMQ's management API" in str(fault)


def test_an_account_without_the_tag_is_told_what_it_lacks(answering: Callable[..., str]) -> None:
    body = b'{"error": "not_authorised", "reason": "Not management user"}'
    fault = refusal(answering(401, body))

    assert isinstance(fault, Refused)
    assert "Not management user" in str(fault) and "set_user_tags" in str(fault)


def test_a_password_is_not_carried_to_where_an_answer_points(
    answering: Callable[..., str],
) -> None:
    elsewhere = answering(200, b"[]")
    fault = refusal(answering(302, Location=elsewhere.replace("me:hidden@", "")))

    assert "HTTP 302" in str(fault)


def test_a_path_before_the_api_may_be_the_wrong_one(answering: Callable[..., str]) -> None:
    body = b'{"error": "Object Not Found", "reason": "Not Found"}'
    fault = refusal(answering(404, body) + "/rabbit/")

    assert isinstance(fault, NotFound) and "or no API under /rabbit" in str(fault)


@pytest.mark.parametrize(
    ("greeting", "said"), [(b"AMQP\x00\x00\x09\x01", "no HTTP is spoken there"), (b"", "no answer")]
)
def test_a_listener_that_speaks_no_http_is_told_as_one(
    stranger: Callable[[bytes], Stranger],
    monkeypatch: pytest.MonkeyPatch,
    greeting: bytes,
    said: str,
) -> None:
    monkeypatch.setattr(management, "TIMEOUT", 0.2)
    port = parse(stranger(greeting).url.replace("amqp", "http")).port

    assert said in str(refusal(f"http://me:hidden@127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://me:hidden@127.0.0.1:1", "connection refused"),
        ("http://me:hidden@no-such-host.invalid", "RabbitMQ's own port is 15672"),
    ],
)
def test_where_nobody_answers_the_reason_is_said(url: str, said: str) -> None:
    assert said in str(refusal(url))


def test_https_to_a_plain_port_is_told_as_that(answering: Callable[..., str]) -> None:
    assert "is it an http:// port?" in str(refusal(answering(200).replace("http", "https")))


# -- the address


def test_the_address_is_read_as_it_is_written() -> None:
    there = parse("https://me%40work:p%2Fw@[::1]:8443/rabbit/?cacertfile=ca.pem")

    assert (there.user, there.password, there.host, there.port) == ("me@work", "p/w", "::1", 8443)
    assert there.cacertfile == "ca.pem"
    assert there.api("bindings", "/") == "https://[::1]:8443/rabbit/api/bindings/%2F"
    assert str(there) == "https://me%40work:***@[::1]:8443/rabbit"
    assert "p/w" not in repr(there)


def test_who_names_nobody_is_guest_and_ports_are_those_of_the_scheme() -> None:
    plain, secure = parse("http://h"), parse("https://h")

    assert (plain.user, plain.password, plain.port, secure.port) == ("guest", "guest", 80, 443)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("amqp://me:hidden@h", "begin with http:// or https://"),
        ("h:15672", "begin with http:// or https://"),
        ("http://me:hidden@", "has no host"),
        ("http://me:hid/den@h:15672", "cannot be read"),
        ("http://me:hid#den@h:15672", "cannot be read"),
        ("http://me:hidden@h:99999", "cannot be read"),
        ("http://me:hidden@h:0", "port 0"),
        ("http://me:hidden@h?cafile=x", "unknown parameter 'cafile'"),
    ],
)
def test_an_address_that_cannot_be_read_says_why(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse(url)

    assert said in str(raised.value) and "hid" not in str(raised.value)


def test_a_file_of_certificates_that_cannot_be_used_is_named() -> None:
    with pytest.raises(ConfigurationError, match="cacertfile of https://guest"):
        links("https://h/?cacertfile=/no/such.pem", "v")
