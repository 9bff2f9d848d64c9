"""The ping is the lease: a service holds one, and the broker tells when it lets go of it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

import pytest

from orquestador import Names, Responder, Serving, Told, Topology
from orquestador.events import Ping, encode
from orquestador.responder.lease import Terms
from orquestador.settings import settle
from tests.conftest import AnyNode
from tests.responder.conftest import QUEUE, SERVICE, Last, Outside, Seen, running
from tests.support.programs import Program
from tests.support.proxy import Proxy
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker
Start = Callable[..., Program]


def silent(_ping: Ping, _service: str) -> None:
    return None


@pytest.fixture
def mock(start: Start, url: str, outside: Outside, last: Last) -> Program:
    """The service as a process of its own, beside the monitor's consumer."""
    program = start("runner.py", "--role", "mock", "--name", SERVICE, "--url", url)
    program.says(f"{SERVICE} answers pings")
    return program


def killed(program: Program) -> float:
    """When it was."""
    at = time.monotonic()
    program.signal(signal.SIGKILL)
    return at


# -- held


def test_a_killed_service_gives_back_the_one_ping_that_it_held(
    mock: Program, outside: Outside, last: Last
) -> None:
    for _ in range(3):
        ping = outside.ping()
        outside.echo_of(ping)
    assert (last.bounced, outside.witness.messages(QUEUE)) == ([], 0)

    at = killed(mock)
    eventually(lambda: last.bounced, within=2.0, every=0.001)

    assert time.monotonic() - at < 0.5  # milliseconds; the rest is for a starved processor
    marker = outside.ping()
    assert last.bounced_before(marker) == [(ping.id, True)]


def test_a_service_that_is_down_has_each_new_ping_bounce_at_once(
    mock: Program, outside: Outside, last: Last
) -> None:
    killed(mock)
    mock.wait()
    pings = [outside.ping() for _ in range(3)]

    eventually(lambda: len(last.bounced) == 3)

    assert last.bounced == [(ping.id, False) for ping in pings]
    assert outside.witness.messages(QUEUE) == 0


def test_a_message_that_is_no_ping_neither_releases_nor_becomes_the_lease(
    mock: Program, outside: Outside, last: Last
) -> None:
    ping = outside.ping()
    outside.echo_of(ping)
    outside.witness.put("heartbeat", SERVICE, b"{oops")
    mock.says("a message is rejected")

    killed(mock)
    eventually(lambda: last.bounced)

    marker = outside.ping()
    assert last.bounced_before(marker) == [(ping.id, True)]


def test_pings_are_held_and_released_though_every_answer_hangs(
    topology: Topology, url: str, outside: Outside, seen: Seen, release: threading.Event
) -> None:
    received: list[object] = []
    serving = Serving(
        SERVICE,
        lambda _ping, _service: {} if release.wait(30) else None,
        Names.of(SERVICE, topology, provision=True),
        settle(url, {}),
        Told(received=received.append),
    )
    with running(serving):
        outside.hears("hello")
        for _ in range(5):  # two in work, one waits, two are dropped
            outside.ping()
        eventually(lambda: len(received) == 5)

        assert serving.counts["dropped"] == 2
        assert seen.acknowledged == [1, 2, 3, 4]
    assert seen.acknowledged == [1, 2, 3, 4, 5]


def test_beside_a_consumer_of_low_priority_the_service_is_given_most_pings_and_none_is_lost(
    topology: Topology, url: str, outside: Outside, last: Last
) -> None:
    with Responder(SERVICE, topology, url=url, respond=silent) as responder:
        outside.hears("hello")
        with outside.witness.channel() as channel:
            for _ in range(200):
                channel.basic_publish("heartbeat", SERVICE, encode(outside.next()))
                channel.connection.process_data_events(0.005)  # the pace is the test's subject

        def all_seen() -> bool:
            counts = responder.counts
            return counts["silent"] + counts["dropped"] + len(last.bounced) == 200

        eventually(all_seen)
        assert len(last.bounced) <= 50  # 0 to 2 on an idle machine: a full window lets one through
        assert all(not redelivered for _id, redelivered in last.bounced)


# -- released


def test_a_clean_stop_lets_nothing_bounce_and_leaves_nothing_in_the_queue(
    topology: Topology, url: str, outside: Outside, last: Last
) -> None:
    with Responder(SERVICE, topology, url=url):
        outside.hears("hello")
        for _ in range(3):
            outside.echo_of(outside.ping())
    outside.hears("goodbye")

    marker = outside.ping()
    assert last.bounced_before(marker) == []
    assert (outside.witness.messages(QUEUE), outside.witness.consumers(QUEUE)) == (0, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_service_told_to_stop_by_a_signal_lets_nothing_bounce(
    mock: Program, outside: Outside, last: Last, number: signal.Signals
) -> None:
    outside.echo_of(outside.ping())

    at = time.monotonic()
    mock.signal(number)
    assert mock.wait() == 0
    assert time.monotonic() - at < 3.0  # of one; the rest is the interpreter's end

    outside.hears("goodbye")
    marker = outside.ping()
    assert last.bounced_before(marker) == []


def test_a_ping_that_comes_after_the_goodbye_is_not_answered(
    topology: Topology, url: str, outside: Outside
) -> None:
    late: list[Ping] = []
    serving = Serving(
        SERVICE,
        lambda _ping, _service: {},
        Names.of(SERVICE, topology, provision=True),
        settle(url, {}),
        Told(
            published=lambda event: (
                late.append(outside.ping()) if getattr(event, "phase", "") == "goodbye" else None
            )
        ),
    )
    with running(serving):
        outside.hears("hello")
    outside.hears("goodbye")

    assert len(late) == 1
    assert [echo.phase for echo in outside.heard] == ["hello", "goodbye"]


def test_a_held_ping_is_released_when_no_other_has_come_for_long(
    topology: Topology,
    node: AnyNode,
    vhost: str,
    proxy: Proxy,
    outside: Outside,
    last: Last,
    seen: Seen,
) -> None:
    serving = Serving(
        SERVICE,
        lambda _ping, _service: {},
        Names.of(SERVICE, topology, provision=True),
        settle(node.address(vhost, port=proxy.port), {}),
        terms=Terms(shortest=0.3, longest=0.5),
    )
    with running(serving):
        outside.hears("hello")
        at = time.monotonic()
        outside.echo_of(outside.ping(every=60.0))
        eventually(lambda: seen.acknowledged)
        assert time.monotonic() - at > 0.5
        outside.witness.messages(QUEUE)  # a round trip later than the acknowledgement

        proxy.cut(refuse=True)
        eventually(lambda: outside.witness.consumers(QUEUE) == 1)
        marker = outside.ping()
        assert last.bounced_before(marker) == []
        assert seen.acknowledged == [1]


# -- and after the broker was away


@pytest.mark.slow
def test_after_a_restart_of_the_broker_a_ping_is_held_again(
    topology: Topology, own_node: AnyNode, seen: Seen
) -> None:
    outside = Outside(own_node.url)
    with Responder(SERVICE, topology, url=own_node.url) as responder:
        outside.hears("hello")
        outside.echo_of(outside.ping())
        own_node.kill()
        own_node.start()
        eventually(lambda: len(seen.consumers) == 2, within=30.0)
        again = Outside(own_node.url)
        for _ in range(2):
            echo = again.echo_of(again.ping())

        assert echo.instance == responder.instance
        assert seen.acknowledged == [1]  # of the new channel: the second ping is held
        assert responder.failed is None
    assert seen.acknowledged == [1, 2]
