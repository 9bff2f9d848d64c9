"""`Responder`: a service answers its pings, whatever its code, its queue or its broker do."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orquestador import Conflict, Refused, Responder, Topology, UnknownName
from orquestador.events import Health, Ping, encode
from tests.broker_layer.conftest import Restricted
from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.responder.conftest import SERVICE, Outside
from tests.support.proxy import Proxy
from tests.support.waiting import eventually

rabbit = pytest.mark.broker


# -- hello, alive, goodbye


@rabbit
def test_a_service_says_hello_answers_and_says_goodbye(
    topology: Topology, url: str, outside: Outside
) -> None:
    with Responder(SERVICE, topology, url=url) as responder:
        hello = outside.hears("hello")
        ping = outside.ping()
        echo = outside.echo_of(ping)
    goodbye = outside.hears("goodbye")

    assert {e.instance for e in (hello, echo, goodbye)} == {responder.instance}
    assert {e.service for e in (hello, echo, goodbye)} == {SERVICE}
    assert {e.started_at for e in (hello, echo, goodbye)} == {hello.started_at}
    assert (echo.ping, echo.sequence) == (ping.id, ping.sequence)
    assert (hello.ping, hello.sequence, goodbye.ping) == (None, None, None)
    assert (echo.health, echo.redelivered, echo.details) == (Health.OK, False, None)


@rabbit
def test_an_echo_travels_as_the_protocol_says(
    topology: Topology, url: str, outside: Outside
) -> None:
    with Responder(SERVICE, topology, url=url):
        outside.hears("hello")
        ping = outside.ping("all")
        outside.echo_of(ping)

    message = outside.messages[1]
    assert message.routing_key == "echo.mock1"
    assert (message.properties.type, message.properties.app_id) == ("echo", SERVICE)
    assert message.properties.correlation_id == ping.id
    assert message.properties.content_type == "application/json"
    assert message.properties.delivery_mode == 1


@rabbit
def test_each_start_is_a_new_instance(topology: Topology, url: str, outside: Outside) -> None:
    with Responder(SERVICE, topology, url=url) as first:
        pass
    with Responder(SERVICE, topology, url=url) as second:
        assert first.instance != second.instance


@rabbit
def test_a_ping_that_comes_again_is_marked(topology: Topology, url: str, outside: Outside) -> None:
    with Responder(SERVICE, topology, url=url):
        outside.hears("hello")
    ping = outside.ping()
    with outside.witness.channel() as channel:
        channel.basic_get(f"ping.{SERVICE}")  # never acknowledged: given back

    with Responder(SERVICE, topology, url=url):
        assert outside.echo_of(ping).redelivered


# -- health


@rabbit
def test_checks_make_the_health(topology: Topology, url: str, outside: Outside) -> None:
    well = threading.Event()

    def database_answers() -> bool:
        return well.is_set()

    with Responder(SERVICE, topology, url=url, checks=[database_answers]):
        outside.hears("hello")
        ill = outside.echo_of(outside.ping())
        well.set()
        good = outside.echo_of(outside.ping())

    assert (ill.health, ill.details) == (
        Health.FAILING,
        {"failed": {"database_answers": "returned False"}},
    )
    assert (good.health, good.details) == (Health.OK, None)


@rabbit
def test_a_responder_of_ones_own_is_asked_with_the_ping(
    topology: Topology, url: str, outside: Outside
) -> None:
    def respond(ping: Ping, service: str) -> dict[str, object]:
        return {"health": "degraded", "asked": f"{service} {ping.sequence}"}

    with Responder(SERVICE, topology, url=url, respond=respond):
        outside.hears("hello")
        echo = outside.echo_of(outside.ping())

    assert (echo.health, echo.details) == (Health.DEGRADED, {"asked": "mock1 1"})


@rabbit
def test_a_responder_that_returns_none_is_silent(
    topology: Topology, url: str, outside: Outside
) -> None:
    def respond(ping: Ping, _service: str) -> dict[str, object] | None:
        return None if ping.sequence == 1 else {}

    with Responder(SERVICE, topology, url=url, respond=respond) as responder:
        outside.hears("hello")
        silent, answered = outside.ping(), outside.ping()
        outside.echo_of(answered)

    assert silent.id not in {echo.ping for echo in outside.heard}
    assert responder.counts["silent"] == 1


@rabbit
@pytest.mark.parametrize(
    "raised",
    [SystemExit("enough"), StopIteration(), OSError("caf\udce9.db"), KeyboardInterrupt()],
)
def test_a_responder_that_raises_anything_answers_failing_and_goes_on(
    topology: Topology, url: str, outside: Outside, raised: BaseException
) -> None:
    def respond(_ping: Ping, _service: str) -> None:
        raise raised

    with Responder(SERVICE, topology, url=url, respond=respond):
        outside.hears("hello")
        for _ in range(3):  # more than there are workers
            echo = outside.echo_of(outside.ping())

    assert echo.health is Health.FAILING
    assert echo.details is not None and type(raised).__name__ in echo.details["error"]


@rabbit
def test_a_hung_answer_costs_itself_only_and_the_newest_ping_that_waits_is_kept(
    topology: Topology, url: str, outside: Outside, release: threading.Event
) -> None:
    def respond(ping: Ping, _service: str) -> dict[str, object]:
        if ping.sequence in (1, 3, 4):
            release.wait(30)
        return {}

    with Responder(SERVICE, topology, url=url, respond=respond) as responder:
        outside.hears("hello")
        hung, quick = outside.ping(), outside.ping()
        outside.echo_of(quick)  # beside the hung one
        also_hung, waits, newest = outside.ping(), outside.ping(), outside.ping()
        eventually(lambda: responder.counts["dropped"] == 1)
        release.set()
        outside.echo_of(newest)
        outside.echo_of(also_hung)

    answered = {echo.ping for echo in outside.heard}
    assert waits.id not in answered and hung.id in answered


@rabbit
def test_a_slow_answer_costs_no_heartbeat(
    topology: Topology, url: str, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orquestador.responder.serving.HEARTBEAT", 1)

    def respond(_ping: Ping, _service: str) -> dict[str, object]:
        time.sleep(3.5)
        return {}

    with Responder(SERVICE, topology, url=url, respond=respond):
        outside.hears("hello")
        echo = outside.echo_of(outside.ping())

    assert not echo.redelivered
    assert [e.phase for e in outside.heard] == ["hello", "alive"]  # no second hello


# -- messages that are none


@rabbit
@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"id": 7}'])
def test_a_bad_ping_is_counted_and_nothing_else(
    topology: Topology, url: str, outside: Outside, body: bytes
) -> None:
    with Responder(SERVICE, topology, url=url) as responder:
        outside.hears("hello")
        outside.witness.put("heartbeat", SERVICE, body)
        outside.echo_of(outside.ping())

    assert responder.counts["rejected"] == 1


@rabbit
def test_many_bad_pings_are_one_line_in_the_log(
    topology: Topology, url: str, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    with Responder(SERVICE, topology, url=url) as responder:
        outside.hears("hello")
        for _ in range(5):
            outside.witness.put("heartbeat", SERVICE, b"{oops")
        eventually(lambda: responder.counts["rejected"] == 5)

    assert len(caplog.messages) == 1 and "a message is rejected" in caplog.messages[0]


# -- names


def test_a_service_that_the_topology_does_not_declare_fails_at_once(topology: Topology) -> None:
    with pytest.raises(UnknownName, match=r"topology.yaml: 'mock11' is no service.*'mock1'"):
        Responder("mock11", topology)
    with pytest.raises(UnknownName, match=r"'monitor' is no service with a queue 'ping.monitor'"):
        Responder("monitor", topology)


@rabbit
def test_a_topology_may_be_given_as_its_file(url: str, outside: Outside) -> None:
    with Responder(SERVICE, "topology.yaml", url=url):
        outside.hears("hello")


@rabbit
def test_without_a_topology_a_missing_queue_is_one_line_and_waited_for(
    url: str, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    with Responder("payments", url=url):
        eventually(lambda: caplog.messages)
        outside.witness.declare("ping.payments")
        outside.witness.bind("ping.payments", "heartbeat", "payments")
        outside.hears("hello", service="payments")
        outside.echo_of(outside.ping("payments"))

    assert len(caplog.messages) == 1
    assert "queue 'ping.payments' is missing; provision the topology first" in caplog.messages[0]


@rabbit
def test_without_provision_nothing_is_declared(
    topology: Topology, url: str, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    with Responder(SERVICE, topology, url=url, provision=False):
        eventually(lambda: caplog.messages)

    assert not outside.witness.exists(f"ping.{SERVICE}")
    assert "is missing" in caplog.messages[0]


@pytest.mark.only_rabbitmq("the embedded broker has one vhost")
@rabbit
def test_prefix_and_vhost_of_the_file_are_used(
    tmp_path: Path, node: AnyNode, vhost: str, outside: Outside
) -> None:
    text = Path("topology.yaml").read_text().replace("version: 1", f"version: 1\nvhost: {vhost}")
    (tmp_path / "topology.yaml").write_text(text + "\nprefix: shop.\n")
    outside.witness.declare_exchange("shop.events")
    outside.witness.bind("ear", "shop.events")

    with Responder(SERVICE, tmp_path / "topology.yaml", url=node.address("%2F")):
        outside.hears("hello")
        assert outside.witness.exists("shop.ping.mock1")


# -- connections and rights


@rabbit
def test_after_each_cut_the_same_instance_says_hello_and_answers_again(
    topology: Topology, node: AnyNode, vhost: str, proxy: Proxy, outside: Outside
) -> None:
    with Responder(SERVICE, topology, url=node.address(vhost, port=proxy.port)) as responder:
        outside.hears("hello")
        for _ in range(3):
            before = len(outside.heard)
            proxy.cut()
            outside.hears("hello", after=before, instance=responder.instance)
            outside.echo_of(outside.ping())

    assert responder.failed is None


@rabbit
def test_a_deleted_queue_comes_back_by_itself(
    topology: Topology, url: str, outside: Outside
) -> None:
    with Responder(SERVICE, topology, url=url):
        outside.hears("hello")
        before = len(outside.heard)
        outside.witness.delete(f"ping.{SERVICE}")
        outside.hears("hello", after=before)

        outside.echo_of(outside.ping())


@rabbit
def test_a_wrong_password_is_said_and_kept(
    topology: Topology, node: AnyNode, vhost: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = f"amqp://guest:letmein@127.0.0.1:{node.port}/{vhost}"
    with Responder(SERVICE, topology, url=wrong) as responder:
        fault = eventually(lambda: responder.failed)

    assert isinstance(fault, Refused)
    assert len(caplog.messages) == 1
    assert "mock1 no longer answers pings" in caplog.messages[0]
    assert "letmein" not in caplog.text


@rabbit
def test_a_queue_of_other_properties_is_a_conflict_for_a_person(
    topology: Topology, url: str, outside: Outside
) -> None:
    outside.witness.declare(f"ping.{SERVICE}")
    with Responder(SERVICE, topology, url=url) as responder:
        assert isinstance(eventually(lambda: responder.failed), Conflict)


@pytest.fixture
def with_user(topology: Topology, tmp_path: Path) -> Callable[[str], Topology]:
    def of(user: str) -> Topology:
        text = Path("topology.yaml").read_text()
        text = text.replace("mock1: {role: mock}", f"mock1: {{role: mock, user: {user}}}")
        (tmp_path / "topology.yaml").write_text(text)
        return Topology.load(tmp_path / "topology.yaml")

    return of


@rabbit
def test_a_service_with_a_user_signs_its_echoes(
    with_user: Callable[[str], Topology], url: str, outside: Outside
) -> None:
    with Responder(SERVICE, with_user("guest"), url=url):
        outside.hears("hello")
        outside.echo_of(outside.ping())

    assert {message.properties.user_id for message in outside.messages} == {"guest"}


@rabbit
def test_a_service_under_another_user_than_its_own_is_refused_once(
    with_user: Callable[[str], Topology], url: str, outside: Outside
) -> None:
    with Responder(SERVICE, with_user("alice"), url=url) as responder:
        fault = eventually(lambda: responder.failed)

    assert isinstance(fault, Refused) and "alice" in str(fault)


@rabbit
def test_a_missing_events_exchange_is_waited_for_and_said_once(
    url: str, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    outside.witness.declare("ping.payments")
    with outside.witness.channel() as channel:
        channel.exchange_delete("events")
    with Responder("payments", url=url):
        eventually(lambda: caplog.messages)
        outside.witness.declare_exchange("events")
        outside.witness.bind("ear", "events")  # a hello may have gone before it: then an echo tells
        ping = encode(outside.ping())

        def answers() -> bool:
            outside.witness.put("", "ping.payments", ping)
            with outside.witness.channel() as channel:
                outside.listen(channel)
            return any(echo.phase == "alive" for echo in outside.heard)

        eventually(answers, within=20.0, every=0.2)

    assert len(caplog.messages) == 1 and "no exchange 'events'" in caplog.messages[0]


@pytest.mark.only_rabbitmq("the embedded broker has one user")
@rabbit
def test_a_service_that_may_not_publish_is_refused(
    restricted: Restricted, outside: Outside
) -> None:
    outside.witness.declare("ping.payments")
    with Responder("payments", url=restricted("^$", "^$", ".*")) as responder:
        assert isinstance(eventually(lambda: responder.failed), Refused)


# -- closing


def test_closing_without_a_broker_is_quick(topology: Topology) -> None:
    started = time.monotonic()
    with Responder(SERVICE, topology, url="amqp://127.0.0.1:1/"):
        pass

    assert time.monotonic() - started < 5


@rabbit
def test_closing_with_a_hung_answer_still_says_goodbye(
    topology: Topology, url: str, outside: Outside, release: threading.Event
) -> None:
    asked = threading.Event()

    def respond(_ping: Ping, _service: str) -> None:
        asked.set()
        release.wait(30)

    with Responder(SERVICE, topology, url=url, respond=respond):
        outside.hears("hello")
        outside.ping()
        assert asked.wait(10)
        started = time.monotonic()

    assert time.monotonic() - started < 6  # of one; the answer hangs for 30
    outside.hears("goodbye")


@rabbit
@pytest.mark.slow
def test_closing_is_bounded_though_the_broker_is_frozen(
    topology: Topology, own_node: AnyNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orquestador")
    with Responder(SERVICE, topology, url=own_node.url):
        eventually(lambda: "mock1 answers on" in caplog.text)
        own_node.freeze()
        started = time.monotonic()

    assert time.monotonic() - started < 6  # of two
    assert caplog.messages[-1] == "mock1: no goodbye: the broker is slow"


@rabbit
def test_a_service_that_starts_first_makes_what_it_needs(
    topology: Topology, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orquestador")
    with Responder(SERVICE, topology, url=url):
        eventually(lambda: caplog.messages)
        witness = Witness(url)

        assert witness.consumers(f"ping.{SERVICE}") == 1
        assert witness.has_exchange("heartbeat") and witness.has_exchange("events")
    assert len(caplog.messages) == 1 and "mock1 answers on" in caplog.messages[0]
