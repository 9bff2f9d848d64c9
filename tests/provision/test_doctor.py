"""The doctor on brokers: what is there stays as it was, and what is wrong is said as what it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orquestador.broker import connection
from orquestador.broker.crew import Crew
from orquestador.provision.doctor import Verdict, exit_code, harmless, patience, rights, trial
from orquestador.provision.doctor.needs import needs
from orquestador.settings import settle
from orquestador.topology.model import Queue, Topology
from tests.broker_layer.conftest import Restricted, Stranger
from tests.broker_layer.conftest import pika_is_quiet as pika_is_quiet
from tests.broker_layer.looping import on_a_loop
from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.provision.doctoring import amiss, examined, lines, topology, up_to
from tests.support.embedded import Embedded
from tests.support.proxy import Proxy
from tests.support.rabbitmq import Node
from tests.support.waiting import eventually

rabbit = pytest.mark.broker
one_user = pytest.mark.only_rabbitmq("the embedded broker has one user, one vhost and no limits")
WAYS = ["name", "port", "tls", "amqp", "credentials", "vhost"]
BROKER = ["product", "capabilities", "negotiated", "limits"]
DESK = r"^(desk\.ann\.[0-9a-f]{16}|amq\.default)$"
ACCOUNT = ["configure", "write", "read", "round trip", "lease", "conflicts"]


@pytest.fixture
def asked(tmp_path: Path) -> Topology:
    return topology(tmp_path)


# -- all is well


@rabbit
@on_a_loop
async def test_every_line_is_well_where_all_is(url: str, asked: Topology) -> None:
    found = await lines(url, asked)

    assert [line.name for line in found] == WAYS + BROKER + ACCOUNT
    assert [line for line in found if line.verdict is not Verdict.OK] == []
    assert exit_code(found) == 0
    texts = {line.name: line.text for line in found}
    assert texts["configure"] == "5 of 5 names"  # all but the exchange that is not ours
    assert texts["write"] == "5 of 5 names"  # three exchanges, and two queues with bindings
    assert texts["read"] == "5 of 5 names"  # two exchanges, three queues
    assert "median" in texts["round trip"] and "came back after" in texts["lease"]
    assert "both values" in texts["conflicts"]


def prepare(witness: Witness) -> None:
    """Things of the file's names, one of them not as the file has it, with messages in them."""
    with witness.channel() as channel:
        channel.exchange_declare("orders", "topic", durable=True)
        channel.exchange_declare("lost", "fanout", durable=True, internal=True)
        channel.exchange_declare("theirs", "fanout", durable=True)
        channel.queue_declare("work", durable=True, arguments={"x-max-length": 10})
        channel.queue_declare("safe", durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind("work", "orders", "order.*")
        channel.basic_publish("orders", "order.new", b"mine")


@rabbit
@on_a_loop
async def test_what_is_there_is_as_it_was(url: str, asked: Topology, witness: Witness) -> None:
    prepare(witness)
    eventually(lambda: witness.messages("work") == 1)

    found = await lines(url, asked)

    assert amiss(found) == []
    assert witness.messages("safe") == 0
    witness.put("orders", "order.second", b"still bound")
    first, second = witness.wait_for("work"), witness.wait_for("work")
    assert (first.body, first.redelivered) == (b"mine", False)
    assert second.body == b"still bound"
    assert witness.take("work") is None


def definitions(node: Node, vhost: str) -> list[str]:
    listed = node.control(
        "eval",
        f'V = <<"{vhost}">>, [rabbit_amqqueue:info_all(V, [name, arguments, messages]),'
        " rabbit_exchange:info_all(V, [name, type, arguments]), rabbit_binding:list(V)].",
    )
    return listed.splitlines()


@rabbit
@pytest.mark.only_rabbitmq("a node lists what it holds")
@pytest.mark.parametrize("there", [False, True], ids=["nothing there", "all there"])
@on_a_loop
async def test_the_definitions_are_the_same_before_and_after(
    node: Node, vhost: str, url: str, asked: Topology, witness: Witness, there: bool
) -> None:
    if there:
        prepare(witness)
        eventually(lambda: witness.messages("work") == 1)
    before = definitions(node, vhost)

    found = await lines(url, asked)

    assert amiss(found) == []
    assert definitions(node, vhost) == before


@rabbit
@on_a_loop
async def test_names_beyond_the_most_are_left_out_and_counted(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rights, "MANY", 5)
    queues = "".join(f"  q{number}: {{}}\n" for number in range(12))
    found = await examined(url, topology(tmp_path, f"version: 1\nqueues:\n{queues}"))

    assert found["configure"].text == "4 of 4 names (8 more not asked)"


# -- what the account may


@rabbit
@one_user
@pytest.mark.parametrize(
    ("patterns", "refused", "lease"),
    [
        (
            ("^$", ".*", ".*"),
            {"configure": "desk.ann.{unique}, lost, orders, safe, work"},
            "not tried: this account may not configure a queue of its own",
        ),
        (
            (".*", "^$", ".*"),
            {"write": "desk.ann.{unique}, lost, orders, theirs, work"},
            "not tried: access to exchange 'amq.default'",
        ),
        ((".*", ".*", "^(?!theirs|safe)"), {"read": "safe, theirs"}, "a message whose consumer"),
        (
            (DESK, DESK, DESK),
            {
                "configure": "lost, orders, safe, work",
                "write": "lost, orders, theirs, work",
                "read": "orders, safe, theirs, work",
            },
            "a message whose consumer",  # which was tried with a queue of the service's own
        ),
    ],
    ids=["configures nothing", "writes nothing", "reads some", "its own desk"],
)
@on_a_loop
async def test_names_that_an_account_has_no_right_to_are_named(
    restricted: Restricted,
    asked: Topology,
    witness: Witness,
    patterns: tuple[str, str, str],
    refused: dict[str, str],
    lease: str,
) -> None:
    prepare(witness)
    url = restricted(*patterns)
    found = await examined(url, asked)

    failed = {name: line for name, line in found.items() if line.verdict is Verdict.FAIL}
    assert {name: line.text.partition(" names, not ")[2] for name, line in failed.items()} == (
        refused
    )
    assert all("set_permissions" in line.remedy for line in failed.values())
    assert exit_code(found.values()) == 77
    assert found["lease"].text.startswith(lease)
    assert witness.messages("work") == 1
    if patterns[1] == "^$":
        reason = "it takes the right to write to a queue"
        assert found["read"].text == f"3 of 3 names; not asked ({reason}): orders, theirs"


WATCHED = """\
version: 1
exchanges: {heartbeat: {type: topic}, events: {type: topic}}
roles: {door: {queues: {"ping.{service}": {bindings: [{exchange: events, key: all}]}}}}
services: {front: {role: door}}
"""


@rabbit
@one_user
@on_a_loop
async def test_a_routing_key_that_topic_permissions_shut_out_is_named(
    restricted: Restricted, node: Node, vhost: str, witness: Witness, tmp_path: Path
) -> None:
    witness.declare_exchange("events")
    url = restricted(".*", ".*", ".*")
    user = url.split("/")[2].split(":")[0]
    node.control("set_topic_permissions", "-p", vhost, user, "events", "^x$", "^x$")

    found = await examined(url, topology(tmp_path, WATCHED))

    assert found["write"].text == "2 of 3 names, not events (echo.front)"
    assert found["read"].verdict is Verdict.OK  # the right to the exchange is there


# -- a broker that takes questions for orders


@rabbit
@on_a_loop
async def test_what_a_broker_would_act_on_is_undone_and_not_asked(
    url: str, asked: Topology, witness: Witness
) -> None:
    declares = harmless.Request(lambda channel: channel.declare_queue(Queue("ours.nobody")))
    acts = harmless.Manners(False, False, False, False)
    exchanges = frozenset(exchange.name for exchange in asked.exchanges.values())

    async with await Crew.open(settle(url, {}), "a test") as crew:
        polite = await harmless.polite(
            crew, declares, True, lambda channel: channel.delete_queue("ours.nobody")
        )
        examination = rights.examine_rights(crew, needs(asked, {}), exchanges, acts, untold)
        found = {line.name: line async for line in examination}

    assert not polite and not witness.exists("ours.nobody")
    assert found["configure"].verdict is Verdict.SKIP
    assert found["configure"].text.startswith("0 of 0 names; not asked (this broker would act")
    assert found["write"].text.startswith("2 of 2 names; not asked")  # unbinding does no harm


def untold(_done: int, _total: int) -> None:
    pass


# -- the way there


@rabbit
@pytest.mark.parametrize(
    ("account", "vhost_asked", "failed", "said", "remedy", "code"),
    [
        ("guest:wrong", None, "credentials", "user or password refused", "check them", 77),
        ("guest:guest", "nowhere", "vhost", "no vhost 'nowhere'", "rabbitmqctl add_vhost", 77),
    ],
    ids=["password", "vhost"],
)
@on_a_loop
async def test_the_step_that_the_broker_refuses_is_named(
    node: AnyNode,
    vhost: str,
    asked: Topology,
    account: str,
    vhost_asked: str | None,
    failed: str,
    said: str,
    remedy: str,
    code: int,
) -> None:
    url = f"amqp://{account}@127.0.0.1:{node.port}/{vhost_asked or vhost}"
    found = await lines(url, asked)

    assert [line.name for line in found] == WAYS[: WAYS.index(failed) + 1]
    assert amiss(found) == [failed]
    assert said in found[-1].text and remedy in found[-1].remedy
    assert exit_code(found) == code
    assert "wrong" not in found[-1].text


@pytest.mark.parametrize(
    ("url", "failed", "said"),
    [
        ("amqp://u:p@no-such-host.invalid/", "name", "no-such-host.invalid"),
        ("amqp://u:p@127.0.0.1:1/", "port", "nothing at port 1 (127.0.0.1: connection refused)"),
        (f"amqp://u:p@{'x' * 64}.org/", "name", "no host can be called that"),
        ("amqps://u:p@127.0.0.1:1/?cacertfile=/no/such", "port", "nothing at port 1"),
    ],
    ids=["name", "port", "no name", "port of TLS"],
)
@on_a_loop
async def test_the_step_that_nobody_answers_is_named(
    asked: Topology, url: str, failed: str, said: str
) -> None:
    found = await lines(url, asked)

    assert amiss(found) == [failed] and said in found[-1].text
    assert found[-1].remedy and exit_code(found) == 69


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
@on_a_loop
async def test_a_listener_that_is_no_broker_is_told_from_one(
    stranger: Callable[[bytes], Stranger],
    asked: Topology,
    monkeypatch: pytest.MonkeyPatch,
    greeting: bytes,
) -> None:
    monkeypatch.setattr(connection, "OPENING", 0.3)
    found = await lines(stranger(greeting).url, asked)

    assert amiss(found) == ["amqp"] and exit_code(found) == 69
    assert "is that the port of AMQP 0-9-1" in found[-1].remedy


@rabbit
@on_a_loop
async def test_of_several_addresses_one_that_answers_will_do(url: str, asked: Topology) -> None:
    found = await lines(f"amqp://u:p@127.0.0.1:1/,{url}", asked)

    assert amiss(found) == ["port"] and exit_code(found) == 0
    assert found[1].verdict is Verdict.WARN and found[1].text.startswith("127.0.0.1:1: nothing")
    assert [line.name for line in found] == WAYS[:2] + WAYS + BROKER + ACCOUNT


@on_a_loop
async def test_of_several_addresses_none_that_answers_will_not(asked: Topology) -> None:
    found = await lines("amqp://u:p@127.0.0.1:1/,amqp://u:p@127.0.0.1:2/", asked)

    assert amiss(found) == ["port", "port"] and exit_code(found) == 69


# -- limits


@rabbit
@one_user
@pytest.mark.parametrize(
    ("limit", "failed", "said"),
    [
        ('{"max-queues": 0}', "limits", "queue limit in vhost"),
        ('{"max-connections": 1}', "limits", "connection limit (1) is reached"),
        ('{"max-connections": 0}', "vhost", "connection limit (0) is reached"),
    ],
    ids=["queues", "another connection", "connections"],
)
@on_a_loop
async def test_a_limit_that_is_met_is_told_as_one(
    node: Node, vhost: str, url: str, asked: Topology, limit: str, failed: str, said: str
) -> None:
    node.control("set_vhost_limits", "-p", vhost, limit)
    found = await lines(url, asked)

    assert amiss(found) == [failed] and exit_code(found) == 77
    line = next(line for line in found if line.name == failed)
    assert said in line.text and "limit raised" in line.remedy


# -- a broker that goes, stops or blocks


@rabbit
@on_a_loop
async def test_a_connection_that_is_cut_is_the_last_line_and_nothing_stays(
    node: AnyNode,
    vhost: str,
    proxy: Proxy,
    asked: Topology,
    witness: Witness,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trial, "fresh_word", lambda: "cut")
    through = node.address(vhost, port=proxy.port)
    async with up_to("limits", through, asked) as checks:
        assert witness.exists("orquestador.trial.cut")
        proxy.cut()
        rest = [line async for line in checks]

    assert amiss(rest) == ["connection"] and exit_code(rest) == 69
    assert not witness.exists("orquestador.trial.cut")


@rabbit
@on_a_loop
async def test_a_doctor_that_is_left_half_way_leaves_nothing(
    url: str, asked: Topology, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "fresh_word", lambda: "left")
    async with up_to("limits", url, asked):
        assert witness.exists("orquestador.trial.left")

    assert not witness.exists("orquestador.trial.left")


@rabbit
@on_a_loop
async def test_the_queue_of_a_doctor_that_was_killed_goes_by_itself(
    url: str, asked: Topology, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "EXPIRES", 300)
    async with await Crew.open(settle(url, {}), "a test") as crew:
        begun = await trial.begin(crew, asked)
        assert begun.queue is not None

    # Asking is a use of it: so seldom that it can go meanwhile.
    eventually(lambda: not witness.exists(begun.queue or ""), every=0.5)


@pytest.fixture
def embedded() -> Iterator[Embedded]:
    started = Embedded().start()
    yield started
    started.thaw()
    started.stop()


@on_a_loop
async def test_a_broker_that_freezes_is_the_last_line(
    embedded: Embedded, asked: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LONGEST", 0.3)
    monkeypatch.setattr(trial, "ENDING", 0.1)
    began = time.monotonic()
    async with up_to("limits", embedded.url, asked) as checks:
        embedded.freeze()
        rest = [line async for line in checks]

    assert amiss(rest) == ["connection"] and exit_code(rest) == 69
    assert "has not answered" in rest[-1].text
    assert time.monotonic() - began < 5


@rabbit
@on_a_loop
async def test_a_broker_that_takes_no_messages_says_why(
    node: AnyNode, url: str, asked: Topology, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "fresh_word", lambda: "alarmed")
    monkeypatch.setattr(trial, "ENDING", 0.5)
    node.alarm()
    try:
        found = await lines(url, asked)
        assert not witness.exists("orquestador.trial.alarmed")
    finally:
        node.lift_alarm()

    assert amiss(found) == ["alarm"] and exit_code(found) == 69
    assert "low on memory" in found[-1].text


@on_a_loop
async def test_a_lease_that_comes_back_late_is_a_warning(
    embedded: Embedded, asked: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "SLOW", 100.0)
    embedded.fault("delay-deliveries", seconds=0.2)
    found = await examined(embedded.url, asked)

    assert found["lease"].verdict is Verdict.WARN and "after 2" in found["lease"].text
    assert exit_code(found.values()) == 0


@on_a_loop
async def test_a_lease_that_never_comes_back_is_a_warning(
    embedded: Embedded, asked: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "NEVER", 100.0)
    async with up_to("round trip", embedded.url, asked) as checks:
        embedded.fault("delay-deliveries", seconds=0.5)
        rest = [line async for line in checks]

    assert amiss(rest) == ["lease"] and "did not come back in 100 ms" in rest[0].text
