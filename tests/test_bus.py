"""`Bus`: what a program that publishes and subscribes can rely on."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orquestador import (
    Bus,
    ConfigurationError,
    Conflict,
    EventError,
    NotConfirmed,
    Received,
    Refused,
    Topology,
    UnknownName,
    Unroutable,
)
from orquestador.broker import bus_session
from tests.broker_layer.conftest import Restricted, pika_is_quiet, restricted  # noqa: F401
from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.support.programs import Program
from tests.support.proxy import Proxy
from tests.support.waiting import eventually

rabbit = pytest.mark.broker
Start = Callable[..., Program]

TOPOLOGY = """\
version: 1
exchanges:
  invoices: {type: topic}
  buried: {type: fanout}
queues:
  everything:
    bindings: [{exchange: invoices, key: "#"}]
  full: {max_length: 1, overflow: reject-publish}
services:
  billing:
    role: shop
    queues:
      invoice-mailer:
        bindings: [{exchange: invoices, key: invoice.*}]
        dead_letter: {exchange: buried}
      dead-invoices:
        bindings: [{exchange: buried}]
      news.{unique}:
        exclusive: true
        bindings: [{exchange: invoices, key: news}]
"""

PROGRAM = """\
from orquestador import Bus, Topology

topology = Topology.load("topology.yaml")
with Bus(topology, service="billing") as bus:
    bus.publish("invoices", "invoice.paid", {"id": 7})

    @bus.subscribe("invoice-mailer", prefetch=20)
    def mail(event):
        print(event.routing_key, event.data["id"], flush=True)

    bus.run()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "topology.yaml"
    path.write_text(TOPOLOGY)
    return path


@pytest.fixture
def topology(file: Path) -> Topology:
    return Topology.load(file)


@pytest.fixture
def witness(url: str) -> Witness:
    return Witness(url)


@pytest.fixture
def program(start: Start, file: Path, url: str) -> Callable[[str], Program]:
    def begin(text: str) -> Program:
        (file.parent / "program.py").write_text(text)
        return start("program.py", environ={"AMQP_URL": url}, cwd=file.parent)

    return begin


class Handler:
    """A handler that remembers what it got, and does `work` with each."""

    def __init__(self, work: Callable[[Received], object] = lambda _event: None) -> None:
        self.got: list[Received] = []
        self._work = work

    def __call__(self, event: Received) -> None:
        self.got.append(event)
        self._work(event)

    @property
    def data(self) -> list[Any]:
        return [event.data for event in self.got]

    def gets(self, count: int, within: float = 15.0) -> list[Any]:
        eventually(lambda: len(self.got) >= count, within)
        return self.data


def raising(_event: Received) -> None:
    raise ValueError("the printer is on fire")


# -- the program of ten lines


@rabbit
def test_ten_lines_publish_and_subscribe(program: Callable[[str], Program]) -> None:
    running = program(PROGRAM)

    assert running.says("invoice.paid") == "invoice.paid 7"
    assert running.running


@rabbit
def test_ctrl_c_ends_the_program_without_a_traceback(program: Callable[[str], Program]) -> None:
    running = program(PROGRAM)
    running.says("invoice.paid")
    running.signal(signal.SIGINT)

    assert running.wait(5) == 0
    assert running.errors == []


# -- publishing


@rabbit
def test_a_publish_returns_when_the_broker_has_the_message(
    topology: Topology, url: str, witness: Witness
) -> None:
    with Bus(topology, "billing", url=url) as bus:
        word = bus.publish("invoices", "invoice.paid", {"id": 7}, headers={"tries": 1})

        got = witness.take("invoice-mailer")
    assert got is not None
    assert json.loads(got.body) == {"id": 7}
    assert got.properties.message_id == word
    assert got.properties.content_type == "application/json"
    assert (got.properties.app_id, got.properties.delivery_mode) == ("billing", 2)
    assert got.properties.headers == {"tries": 1}


@rabbit
def test_bytes_travel_as_they_are(topology: Topology, url: str) -> None:
    handler = Handler()
    with Bus(topology, "billing", url=url) as bus:
        bus.subscribe("invoice-mailer")(handler)
        bus.publish("invoices", "invoice.scan", b"\x89PNG")

        assert handler.gets(1) == [b"\x89PNG"]


@rabbit
def test_a_message_that_no_queue_takes_is_an_error_unless_that_is_meant(
    topology: Topology, url: str
) -> None:
    with Bus(topology, "billing", url=url) as bus:
        with pytest.raises(Unroutable, match="routing key 'receipt'"):
            bus.publish("invoices", "receipt", {})
        bus.publish("invoices", "receipt", {}, mandatory=False)


@rabbit
def test_a_queue_that_is_full_refuses_the_message(
    topology: Topology, url: str, witness: Witness
) -> None:
    def fill() -> None:
        for _ in range(20):
            bus.publish("", "full", {})

    with Bus(topology, url=url) as bus:
        bus.publish("invoices", "invoice.x", {}, mandatory=False)  # connected
        witness.declare("full", **{"x-max-length": 1, "x-overflow": "reject-publish"})
        with pytest.raises(NotConfirmed, match="refused"):
            fill()


@rabbit
def test_an_undeclared_name_fails_at_once_with_the_nearest(topology: Topology, url: str) -> None:
    with Bus(topology, "billing", url=url) as bus:
        with pytest.raises(UnknownName, match=r"'invoces' is not declared.*'invoices'"):
            bus.publish("invoces", "invoice.paid", {})
        with pytest.raises(UnknownName, match=r"'invoice-mailr'.*'invoice-mailer'"):
            bus.subscribe("invoice-mailr")
        with pytest.raises(UnknownName, match=r"'fulll'.*'full'"):
            bus.publish("", "fulll", {})


@rabbit
def test_what_is_no_json_never_leaves(topology: Topology, url: str) -> None:
    with Bus(topology, "billing", url=url) as bus, pytest.raises(EventError, match="JSON"):
        bus.publish("invoices", "invoice.paid", {"id": object()})


@rabbit
@pytest.mark.parametrize(
    ("key", "headers"), [("k" * 300, None), ("invoice.x", {"x": {1, 2}}), ("caf\udce9", None)]
)
def test_what_amqp_cannot_carry_is_told_to_its_publisher_and_costs_no_other(
    topology: Topology, url: str, key: str, headers: dict[str, Any] | None
) -> None:
    with Bus(topology, "billing", url=url) as bus:
        with pytest.raises(EventError, match="cannot be written"):
            bus.publish("invoices", key, {}, headers=headers)

        bus.publish("invoices", "invoice.x", {})


@rabbit
def test_a_message_larger_than_the_broker_takes_is_refused_and_costs_no_other(
    topology: Topology, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    too_large = bytes(128 * 1024 * 1024 + 1)
    with Bus(topology, "billing", url=url) as bus:
        bus.publish("invoices", "invoice.x", 0)
        done: list[str] = []
        steady = threading.Thread(
            target=lambda: done.extend(bus.publish("invoices", "invoice.x", n) for n in range(100))
        )
        steady.start()
        with pytest.raises(NotConfirmed, match="larger than"):
            bus.publish("invoices", "invoice.x", too_large)
        steady.join(20)

    assert len(done) == 100
    assert len(caplog.messages) == 1  # the one reconnect that it has cost


@rabbit
def test_a_queue_is_published_to_by_its_name_in_the_file_whatever_the_prefix(
    file: Path, url: str, witness: Witness
) -> None:
    file.write_text(TOPOLOGY + "prefix: shop.\n")
    with Bus(file, "billing", url=url) as bus:
        bus.publish("", "invoice-mailer", {})
        with pytest.raises(UnknownName, match="'invoice-mailer'"):
            bus.publish("", "shop.invoice-mailer", {})

    assert witness.messages("shop.invoice-mailer") == 1


@rabbit
def test_many_threads_may_publish_at_once(topology: Topology, url: str, witness: Witness) -> None:
    with Bus(topology, "billing", url=url) as bus:
        threads = [
            threading.Thread(
                target=lambda: [bus.publish("invoices", "invoice.x", n) for n in range(25)]
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

    assert witness.messages("invoice-mailer") == 200


@rabbit
def test_one_refused_publish_costs_no_other(topology: Topology, url: str, witness: Witness) -> None:
    with Bus(topology, "billing", url=url) as bus:
        bus.publish("invoices", "invoice.x", "first")
        with witness.channel() as channel:
            channel.exchange_delete("buried")
        done: list[str] = []
        steady = threading.Thread(
            target=lambda: done.extend(bus.publish("invoices", "invoice.x", n) for n in range(100))
        )
        steady.start()
        # Not there any more, which costs the channel; the next session declares it again.
        with pytest.raises(Exception, match="buried"):
            bus.publish("buried", "", {})
        steady.join(20)

    assert len(done) == 100


# -- no broker, or none that lets us in


def test_without_a_broker_a_publish_gives_up_when_its_patience_is_over(topology: Topology) -> None:
    started = time.monotonic()
    with (
        Bus(topology, url="amqp://guest:hidden@127.0.0.1:1/", patience=0.3) as bus,
        pytest.raises(NotConfirmed) as raised,
    ):
        bus.publish("invoices", "invoice.paid", {})

    assert str(raised.value) == "no confirm from amqp://guest:***@127.0.0.1:1/ in 0.3 s"
    assert time.monotonic() - started < 3


@rabbit
def test_a_wrong_password_is_told_at_once_and_to_every_caller(
    topology: Topology, node: AnyNode, vhost: str
) -> None:
    wrong = f"amqp://guest:letmein@127.0.0.1:{node.port}/{vhost}"
    started = time.monotonic()
    with Bus(topology, "billing", url=wrong) as bus:
        with pytest.raises(Refused, match="user or password refused"):
            bus.publish("invoices", "invoice.paid", {})
        with pytest.raises(Refused):
            bus.publish("invoices", "invoice.paid", {})
        with pytest.raises(Refused):
            bus.run()

    assert time.monotonic() - started < 5


def test_a_bus_outside_of_with_says_how_it_is_used(topology: Topology) -> None:
    with pytest.raises(RuntimeError, match="with Bus"):
        Bus(topology).publish("invoices", "invoice.paid", {})


@rabbit
def test_a_closed_bus_says_that_it_is_closed(topology: Topology, url: str) -> None:
    with Bus(topology, "billing", url=url) as bus:
        bus.publish("invoices", "invoice.paid", {})

    with pytest.raises(NotConfirmed, match="closed"):
        bus.publish("invoices", "invoice.paid", {})


def test_a_publish_that_waits_ends_when_the_bus_is_closed(topology: Topology) -> None:
    said: list[str] = []

    def publish() -> None:
        try:
            bus.publish("invoices", "invoice.paid", {})
        except NotConfirmed as fault:
            said.append(str(fault))

    with Bus(topology, url="amqp://127.0.0.1:1/") as bus:
        waiting = threading.Thread(target=publish)
        waiting.start()
    waiting.join(5)

    assert said == ["the bus is closed"]


# -- subscribing


@rabbit
def test_a_handler_that_raises_gets_the_message_once_more_then_it_is_dead_lettered(
    topology: Topology, url: str, witness: Witness
) -> None:
    handler = Handler(raising)
    with Bus(topology, "billing", url=url) as bus:
        bus.subscribe("dead-invoices")(dead := Handler())
        bus.subscribe("invoice-mailer")(handler)
        bus.publish("invoices", "invoice.paid", {"id": 7})

        assert dead.gets(1) == [{"id": 7}]
    assert [event.redelivered for event in handler.got] == [False, True]
    assert dead.got[0].headers["x-death"][0]["queue"] == "invoice-mailer"
    assert witness.messages("invoice-mailer") == 0


@rabbit
@pytest.mark.parametrize("raised", [SystemExit("enough"), StopIteration()])
def test_a_handler_that_raises_more_than_an_exception_is_no_different(
    topology: Topology, url: str, raised: BaseException
) -> None:
    def work(event: Received) -> None:
        if event.data == "bad":
            raise raised

    with Bus(topology, "billing", url=url) as bus:
        bus.subscribe("dead-invoices")(dead := Handler())
        bus.subscribe("invoice-mailer")(handler := Handler(work))
        bus.publish("invoices", "invoice.paid", "bad")
        bus.publish("invoices", "invoice.paid", "good")

        assert dead.gets(1) == ["bad"]
        eventually(lambda: "good" in handler.data)


@rabbit
def test_a_body_that_claims_to_be_json_and_is_not_is_dead_lettered_unseen(
    topology: Topology, url: str, witness: Witness
) -> None:
    with Bus(topology, "billing", url=url) as bus:
        bus.subscribe("invoice-mailer")(handler := Handler())
        bus.publish("invoices", "invoice.paid", "good")
        witness.put("", "invoice-mailer", b"{oops", content_type="application/json")

        assert witness.wait_for("dead-invoices").body == b"{oops"
    assert handler.data == ["good"]


@rabbit
def test_a_message_is_acknowledged_after_its_handler_and_not_before(
    topology: Topology, url: str, witness: Witness
) -> None:
    go_on = threading.Event()
    with Bus(topology, "billing", url=url) as bus:
        bus.subscribe("invoice-mailer")(handler := Handler(lambda _event: go_on.wait(20)))
        bus.publish("invoices", "invoice.paid", 1)
        bus.publish("invoices", "invoice.paid", 2)
        handler.gets(1)
        assert witness.messages("invoice-mailer") == 1  # the other one is in hand

        go_on.set()
        handler.gets(2)
    assert witness.messages("invoice-mailer") == 0
    assert handler.data == [1, 2]


@rabbit
def test_a_message_in_the_hands_of_a_killed_program_goes_to_the_next(
    program: Callable[[str], Program], witness: Witness
) -> None:
    hangs = PROGRAM.replace(
        "print(", "print('has it', flush=True); threading.Event().wait(); print("
    )
    first = program(f"import threading\n{hangs}")
    first.says("has it")
    first.signal(signal.SIGKILL)
    first.wait()

    again = witness.wait_for("invoice-mailer")
    assert again.redelivered and json.loads(again.body) == {"id": 7}


@rabbit
def test_as_many_messages_are_in_work_as_prefetch_says(
    topology: Topology, url: str, witness: Witness
) -> None:
    go_on = threading.Event()
    with Bus(topology, "billing", url=url) as bus:
        bus.subscribe("invoice-mailer", prefetch=2)(
            handler := Handler(lambda _event: go_on.wait(20))
        )
        for number in range(5):
            bus.publish("invoices", "invoice.paid", number)

        handler.gets(2)
        assert witness.messages("invoice-mailer") == 3
        assert len(handler.got) == 2

        go_on.set()
        assert sorted(handler.gets(5)) == [0, 1, 2, 3, 4]


@rabbit
def test_a_subscription_made_later_is_consumed_too_its_queue_made_sure_of(
    topology: Topology, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Bus(topology, "billing", url=url) as bus:
        bus.publish("invoices", "invoice.paid", 1)  # by now it is connected
        bus.subscribe("everything")(handler := Handler())

        eventually(lambda: _published(bus, 2) and handler.got)
    assert caplog.messages == []


@rabbit
@pytest.mark.parametrize("at_once", [True, False])
def test_a_later_subscription_that_conflicts_ends_the_bus_with_the_broker_s_reason(
    topology: Topology,
    url: str,
    witness: Witness,
    caplog: pytest.LogCaptureFixture,
    at_once: bool,
) -> None:
    witness.declare("everything", **{"x-max-length": 7})
    with Bus(topology, "billing", url=url, patience=5) as bus:
        if not at_once:
            bus.publish("invoices", "invoice.paid", 1)  # by now it has worked
        bus.subscribe("everything")(Handler())

        for _ in range(2):
            with pytest.raises(Conflict, match="x-max-length"):
                bus.publish("invoices", "invoice.paid", 2)
        with pytest.raises(Conflict, match="x-max-length"):
            bus.run()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "x-max-length" in caplog.messages[0]


class Counting(Proxy):
    """A proxy that knows how often somebody has come."""

    guests = 0

    def _accept(self) -> None:
        self.guests += self._accepting
        super()._accept()


@rabbit
def test_a_subscription_that_has_worked_waits_out_a_conflict(
    topology: Topology, node: AnyNode, vhost: str, witness: Witness
) -> None:
    with (
        Counting(node.port) as proxy,
        Bus(topology, "billing", url=node.address(vhost, port=proxy.port)) as bus,
    ):
        bus.subscribe("everything")(handler := Handler())
        bus.publish("invoices", "invoice.paid", 1)
        handler.gets(1)
        proxy.cut(refuse=True)
        eventually(lambda: witness.consumers("everything") == 0)
        witness.delete("everything")
        witness.declare("everything", **{"x-max-length": 7})
        before = proxy.guests
        proxy.accept_again()
        eventually(lambda: proxy.guests > before + 2)  # two connections a session: it was tried
        witness.delete("everything")

        eventually(lambda: _published(bus, 2) and len(handler.got) > 1)


@pytest.mark.parametrize("prefetch", [0, -1, 65536])
def test_a_prefetch_that_amqp_does_not_have_is_told_at_once(
    topology: Topology, prefetch: int
) -> None:
    with pytest.raises(ConfigurationError, match=f"prefetch is 1 to 65535, not {prefetch}"):
        Bus(topology).subscribe("everything", prefetch=prefetch)


def _published(bus: Bus, data: object) -> str:
    return bus.publish("invoices", "invoice.paid", data)


@rabbit
def test_a_queue_with_a_fresh_name_is_made_for_this_connection_alone(
    topology: Topology, url: str
) -> None:
    with Bus(topology, url=url) as one, Bus(topology, url=url) as other:
        first, second = Handler(), Handler()
        one.subscribe("news.{unique}")(first)
        other.subscribe("news.{unique}")(second)

        eventually(lambda: _news(one) and first.got and second.got)


def _news(bus: Bus) -> str:
    return bus.publish("invoices", "news", "hear", mandatory=False)


@rabbit
def test_a_handler_may_publish(topology: Topology, url: str) -> None:
    with Bus(topology, "billing", url=url) as bus:

        @bus.subscribe("invoice-mailer")
        def mail(event: Received) -> None:
            bus.publish("invoices", "mailed", event.data)

        bus.subscribe("everything")(everything := Handler())
        bus.publish("invoices", "invoice.paid", 7)

        everything.gets(2)
    assert [event.routing_key for event in everything.got] == ["invoice.paid", "mailed"]


@rabbit
def test_a_handler_slower_than_two_heartbeats_does_not_cost_the_connection(
    topology: Topology,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(bus_session, "HEARTBEAT", 1)
    with Bus(topology, "billing", url=url) as bus:
        bus.subscribe("invoice-mailer")(handler := Handler(lambda _event: time.sleep(3.5)))
        bus.publish("invoices", "invoice.paid", 1)
        bus.publish("invoices", "invoice.paid", 2)

        handler.gets(2)
    assert handler.data == [1, 2] and not handler.got[1].redelivered
    assert caplog.messages == []


# -- connections that come back


@rabbit
def test_while_the_connection_is_cut_publishes_wait_and_consumption_goes_on(
    topology: Topology, node: AnyNode, vhost: str, proxy: Proxy
) -> None:
    with Bus(topology, "billing", url=node.address(vhost, port=proxy.port)) as bus:
        bus.subscribe("invoice-mailer", prefetch=5)(handler := Handler())
        for number in range(60):
            if number % 20 == 10:
                assert proxy.cut(refuse=True)
                threading.Timer(0.2, proxy.accept_again).start()
            bus.publish("invoices", "invoice.paid", number)

        eventually(lambda: set(handler.data) == set(range(60)))


@rabbit
def test_an_outage_is_logged_once(
    topology: Topology,
    node: AnyNode,
    vhost: str,
    proxy: Proxy,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Bus(topology, "billing", url=node.address(vhost, port=proxy.port)) as bus:
        bus.publish("invoices", "invoice.paid", 1)
        proxy.cut(refuse=True)
        threading.Timer(1.0, proxy.accept_again).start()
        bus.publish("invoices", "invoice.paid", 2)

    assert len(caplog.messages) == 1 and caplog.messages[0].endswith("; trying again")


@rabbit
def test_a_deleted_queue_is_declared_and_consumed_again(
    topology: Topology, url: str, witness: Witness
) -> None:
    with Bus(topology, "billing", url=url) as bus:
        bus.subscribe("invoice-mailer")(handler := Handler())
        bus.publish("invoices", "invoice.paid", 1)
        handler.gets(1)
        witness.delete("invoice-mailer")
        eventually(lambda: witness.consumers("invoice-mailer") == 1)

        bus.publish("invoices", "invoice.paid", 2)
        assert handler.gets(2) == [1, 2]


@rabbit
def test_without_provision_nothing_is_declared_and_a_missing_queue_is_waited_for(
    topology: Topology, url: str, witness: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    with Bus(topology, "billing", url=url, provision=False) as bus:
        bus.subscribe("invoice-mailer")(handler := Handler())
        eventually(lambda: caplog.messages)
        witness.declare("invoice-mailer")
        witness.put("", "invoice-mailer", b"plain")

        assert handler.gets(1) == [b"plain"]
    assert not witness.has_exchange("invoices")
    assert len(caplog.messages) == 1 and "no queue 'invoice-mailer'" in caplog.messages[0]


@rabbit
def test_without_provision_a_queue_of_its_own_waits_for_the_exchange_that_it_is_bound_to(
    topology: Topology, url: str, witness: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    with Bus(topology, "billing", url=url, provision=False) as bus:
        bus.subscribe("news.{unique}")(handler := Handler())
        eventually(lambda: caplog.messages)
        assert not witness.has_exchange("invoices")
        witness.declare_exchange("invoices")

        eventually(lambda: _news(bus) and handler.got)
    assert len(caplog.messages) == 1 and "no exchange 'invoices'" in caplog.messages[0]


@pytest.mark.only_rabbitmq("the embedded broker has one user")
@rabbit
def test_an_account_that_may_not_configure_exchanges_has_a_queue_of_its_own(
    topology: Topology,
    restricted: Restricted,  # noqa: F811
    witness: Witness,
) -> None:
    witness.declare_exchange("invoices")
    with Bus(topology, url=restricted("^news", ".*", ".*"), provision=False) as bus:
        bus.subscribe("news.{unique}")(handler := Handler())

        eventually(lambda: _news(bus) and handler.got)


@pytest.mark.only_rabbitmq("the embedded broker has one user")
@rabbit
def test_publishing_straight_to_a_queue_without_the_right_to_is_refused_at_once(
    topology: Topology,
    restricted: Restricted,  # noqa: F811
) -> None:
    """The right is to `amq.default`, by which RabbitMQ calls the exchange without a name."""
    url = restricted(".*", "^events$", ".*")
    with (
        Bus(topology, url=url, provision=False) as bus,
        pytest.raises(Refused, match=r"amq\.default"),
    ):
        bus.publish("", "invoice-mailer", {})


# -- closing


@rabbit
def test_closing_lets_a_handler_in_work_end_and_acknowledges_its_message(
    topology: Topology, url: str, witness: Witness
) -> None:
    with Bus(topology, "billing", url=url) as bus:
        bus.subscribe("invoice-mailer")(handler := Handler(lambda _event: time.sleep(0.3)))
        bus.publish("invoices", "invoice.paid", 1)
        handler.gets(1)

    assert witness.messages("invoice-mailer") == 0


@rabbit
def test_closing_waits_for_no_handler_that_hangs(
    topology: Topology, url: str, witness: Witness
) -> None:
    never = threading.Event()
    with Bus(topology, "billing", url=url) as bus:
        bus.subscribe("invoice-mailer")(handler := Handler(lambda _event: never.wait(30)))
        bus.publish("invoices", "invoice.paid", 1)
        handler.gets(1)
        started = time.monotonic()

    assert time.monotonic() - started < 6  # of one; the handler hangs for 30
    assert witness.wait_for("invoice-mailer").redelivered
    never.set()


@rabbit
def test_a_handler_may_close_the_bus_and_its_message_is_acknowledged(
    topology: Topology, url: str, witness: Witness
) -> None:
    with Bus(topology, "billing", url=url) as bus:
        bus.subscribe("invoice-mailer")(Handler(lambda _event: bus.close()))
        bus.publish("invoices", "invoice.paid", 1)
        bus.run()

    assert witness.messages("invoice-mailer") == 0


def test_closing_while_there_is_no_broker_is_quick(topology: Topology) -> None:
    started = time.monotonic()
    with Bus(topology, url="amqp://127.0.0.1:1/"):
        pass

    assert time.monotonic() - started < 5


@rabbit
@pytest.mark.slow
def test_closing_is_bounded_though_the_broker_is_frozen(
    topology: Topology, own_node: AnyNode
) -> None:
    with Bus(topology, "billing", url=own_node.url) as bus:
        bus.publish("invoices", "invoice.paid", 1)
        own_node.freeze()
        started = time.monotonic()

    assert time.monotonic() - started < 8  # of three
