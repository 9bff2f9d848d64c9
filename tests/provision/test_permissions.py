"""Accounts of least privilege, on RabbitMQ: with them everything works, with less it does not."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orquestador.broker.bus import Bus
from orquestador.broker.connection import Connection
from orquestador.broker.declaring import declare
from orquestador.broker.message import Outgoing
from orquestador.errors import BrokerError, Refused
from orquestador.events import fresh_word
from orquestador.hooks import loading
from orquestador.hooks.registry import Registry, RoleContext
from orquestador.provision.exports import patterns, rabbitmqctl
from orquestador.provision.exports.definitions import definitions
from orquestador.provision.exports.permissions import Account, Rights, account, accounts, rights
from orquestador.provision.exports.usage import Accesses, usage
from orquestador.responder.blocking import Responder
from orquestador.settings import settle
from orquestador.topology.load import load
from orquestador.topology.model import Topology
from plugins.monitor.session import Monitor
from plugins.monitor.timing import timing
from tests.broker_layer.conftest import pika_is_quiet  # noqa: F401
from tests.conftest import AnyNode
from tests.provision.playing import Listener, Part, until
from tests.support import rabbitmq
from tests.support.programs import ROOT, MonitorProgram, Program
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.broker,
    pytest.mark.only_rabbitmq("the embedded broker has one user"),
]
RUNNER = str(ROOT / "runner.py")
SECRET = "it's $ecret"
Less = tuple[str, Rights]

SHOP = """\
version: 1
exchanges:
  invoices: {type: topic}
  dead: {type: fanout}
services:
  billing:
    role: shop
    publishes: [invoices]
    queues:
      invoice-mailer: {bindings: [{exchange: invoices, key: "invoice.*"}]}
      news.billing.{unique}:
        exclusive: true
        dead_letter: {exchange: dead}
        bindings: [{exchange: invoices, key: "news.#"}]
roles:
  shop:
"""


@dataclass
class Broker:
    """One vhost of the node, and accounts of the test's own there."""

    node: rabbitmq.Node
    vhost: str

    def grant(self, topology: Topology, theirs: Sequence[Account], folder: Path) -> None:
        """All in one import; the passwords are the tests' own."""
        passwords = {each.user: SECRET for each in theirs}
        text = definitions(topology, self.vhost, accounts=theirs, passwords=passwords)
        (folder / "definitions.json").write_text(json.dumps(text))
        self.node.control("import_definitions", str(folder / "definitions.json"))

    def address(self, user: str) -> str:
        return f"amqp://{user}:it%27s%20%24ecret@127.0.0.1:{self.node.port}/{self.vhost}"


@pytest.fixture
def broker(node: AnyNode, vhost: str) -> Broker:
    assert isinstance(node, rabbitmq.Node)
    return Broker(node, vhost)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return loading.load(ROOT).registry


@pytest.fixture
def seed(registry: Registry) -> Topology:
    return load(ROOT / "topology.yaml", registry.vocabulary())


def accesses(registry: Registry) -> Accesses:
    return {role.name: role.access for role in registry.roles.values() if role.access}


# -- with them


def test_programs_work_under_the_accounts_that_the_script_makes(
    broker: Broker,
    seed: Topology,
    registry: Registry,
    url: str,
    start: Callable[..., Program],
    tmp_path: Path,
) -> None:
    asyncio.run(provisioned(seed, url))
    script = rabbitmqctl.script(accounts(seed, accesses(registry)), broker.vhost, "topology.yaml")

    ran = run_script(script, broker.node, passwords(script, SECRET))
    assert (ran.returncode, ran.stderr) == (0, "")

    def begin(role: str, service: str) -> Program:
        command = (RUNNER, "--role", role, "--name", service, "--no-provision")
        address = ("--url", broker.address(service))
        if role == "monitor":
            return start(*command, *address, "--json", monitor=True)
        return start(*command, *address)

    watching = begin("monitor", "monitor")
    assert isinstance(watching, MonitorProgram)
    begin("mock", "mock1")
    with Responder("mock2", seed, url=broker.address("mock2"), provision=False):
        for service in ("mock1", "mock2"):
            watching.eventually(service, "UP")
    assert not [line for line in watching.lines if "ACCESS_REFUSED" in line]


def run_script(
    script: str, node: rabbitmq.Node, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    tools = {"PATH": f"{rabbitmq.CONTROL.parent}:{os.environ['PATH']}"}
    return subprocess.run(
        ["sh"],
        input=script,
        env={**node.environment, **tools, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def passwords(script: str, secret: str) -> dict[str, str]:
    lines = [line for line in script.splitlines() if line.startswith(': "${')]
    return {line.removeprefix(': "${').partition(":")[0]: secret for line in lines}


# -- and with less


def test_a_monitor_needs_all_that_its_account_may(
    broker: Broker, seed: Topology, registry: Registry, url: str, tmp_path: Path
) -> None:
    needs, kinds = rights_of("monitor", seed, registry)
    less = {f"less{number}": each for number, each in enumerate(one_less(needs))}
    theirs = [account("whole", ["monitor"], needs, kinds)]
    theirs += [account(user, ["monitor"], left, kinds) for user, (_, left) in less.items()]
    broker.grant(seed, theirs, tmp_path)

    async def refusals() -> dict[str, str | None]:
        await provisioned(seed, url)
        assert await watched_by(broker.address("whole"), seed, registry, url) is None
        return {
            what: await watched_by(broker.address(user), seed, registry, url)
            for user, (what, _) in less.items()
        }

    said = asyncio.run(refusals())
    assert len(said) == 22
    assert [what for what, refusal in said.items() if not refusal] == []


async def watched_by(address: str, topology: Topology, registry: Registry, url: str) -> str | None:
    """The broker's refusal, or None once the monitor has done all that a monitor does."""
    heartbeat, events = (topology.exchanges[name].name for name in ("heartbeat", "events"))
    wanted = {
        *((heartbeat, key) for key in ("all", "monitor", "mock1", "mock2")),
        *((events, key) for key in ("echo.monitor", "status.mock1", "status.mock2")),
    }
    connection = await Connection.open(settle(url, {}), "listener", heartbeat=10)
    listener = Listener(connection)
    await listener.listen(heartbeat, events)
    monitor = Part(topology, registry, "monitor", address, run=watch)
    parts = [monitor]

    async def over() -> bool:
        if monitor.refused:
            return True
        if len(parts) == 1 and (events, "echo.monitor") in listener.heard:  # it greets who comes
            parts.extend(Part(topology, registry, name, url) for name in ("mock1", "mock2"))
        if not wanted <= listener.heard:
            return False
        consumed = [await listener.consumers(f"ping.{name}") for name in ("mock1", "mock2")]
        return consumed == [2, 2]

    try:
        await until(over)
        return monitor.refused
    finally:
        await asyncio.gather(*(part.end() for part in parts))
        await connection.close()


async def watch(context: RoleContext) -> None:
    await Monitor(context, timing(context.topology, context.service, 1)).run()


def test_a_service_needs_all_that_its_account_may(
    broker: Broker, seed: Topology, registry: Registry, url: str, tmp_path: Path
) -> None:
    needs, kinds = rights_of("mock1", seed, registry)
    less = list(one_less(needs))
    theirs = [account("mock-whole", ["mock1"], needs, kinds)]
    theirs += [account(f"mock-{what}", ["mock1"], left, kinds) for what, left in less]
    broker.grant(seed, theirs, tmp_path)

    async def said_by(user: str) -> str:
        part = Part(seed, registry, "mock1", broker.address(user))
        try:
            await until(lambda: part.said or part.refused)
            return part.refused or part.said[0]
        finally:
            await part.end()

    async def said() -> list[str]:
        await provisioned(seed, url)
        return [await said_by(each.user) for each in theirs]

    whole, *others = asyncio.run(said())
    assert whole.startswith("mock1 answers pings")
    assert len(others) == 3 and all("ACCESS_REFUSED" in each for each in others)


def test_a_program_needs_all_that_its_account_may(
    broker: Broker, registry: Registry, url: str, tmp_path: Path
) -> None:
    (tmp_path / "topology.yaml").write_text(SHOP)
    topology = load(tmp_path / "topology.yaml", registry.vocabulary())
    needs, kinds = rights_of("billing", topology, registry)
    less = list(one_less(needs))
    theirs = [account("bus-whole", ["billing"], needs, kinds)]
    theirs += [account(f"bus-{number}", ["billing"], left, kinds) for number, (_, left) in
               enumerate(less)]  # fmt: skip
    broker.grant(topology, theirs, tmp_path)
    asyncio.run(provisioned(topology, url))

    whole, *others = [works(topology, broker.address(each.user)) for each in theirs]

    assert whole is None
    assert [what for (what, _), fault in zip(less, others, strict=True) if not fault] == []
    assert len(less) == 9


def works(topology: Topology, address: str) -> BrokerError | None:
    """What refused it, or None once it has published, and got it by both its queues."""
    got: set[str] = set()
    with Bus(topology, service="billing", url=address, provision=False) as bus:

        @bus.subscribe("invoice-mailer")
        def mail(_event: object) -> None:
            got.add("invoice-mailer")

        @bus.subscribe("news.billing.{unique}")
        def read(_event: object) -> None:
            got.add("news")

        try:
            bus.publish("invoices", "invoice.paid", {})
            bus.publish("invoices", "news.of.today", {})
        except Refused as fault:
            return fault
        eventually(lambda: len(got) == 2)
    return None


def rights_of(
    service: str, topology: Topology, registry: Registry
) -> tuple[Rights, dict[str, str]]:
    entry = topology.services[service]
    used = usage(topology, entry, accesses(registry))
    kinds = {exchange.name: exchange.type for exchange in topology.exchanges.values()}
    return rights(topology, used), kinds


def one_less(needs: Rights) -> Iterator[Less]:
    """What is taken away, and what is left: each name, each key of a topic exchange."""
    for name in sorted(needs.configure):
        yield f"configure {name}", replace(needs, configure=needs.configure - {name})
    for name in sorted(needs.write):
        yield f"write {name}", replace(needs, write=needs.write - {name})
    for name in sorted(needs.read):
        yield f"read {name}", replace(needs, read=needs.read - {name})
    for exchange, keys in needs.published.items():
        for key in sorted(keys) if exchange else ():  # the default one is no topic exchange
            left = {**needs.published, exchange: keys - {key}}
            yield f"publish {exchange} {key}", replace(needs, published=left)
    for exchange, bound in needs.bound.items():
        for key in sorted(bound or ()):
            held = {**needs.bound, exchange: (bound or frozenset()) - {key}}
            yield f"bind {exchange} {key}", replace(needs, bound=held)


async def provisioned(topology: Topology, url: str) -> None:
    connection = await Connection.open(settle(url, {}), "provision", heartbeat=10)
    await declare(await connection.channel(), topology, topology.lasting, topology.exchanges)
    await connection.close()


# -- what keeps services apart


def test_no_service_can_answer_under_another_s_routing_key(
    broker: Broker, seed: Topology, registry: Registry, url: str, tmp_path: Path
) -> None:
    broker.grant(seed, accounts(seed, accesses(registry)), tmp_path)
    asyncio.run(provisioned(seed, url))

    tried = [
        ("events", "echo.mock1"),
        ("events", "echo.mock2"),
        ("events", "echo.mock1.more"),
        ("events", "status.mock1"),
        ("heartbeat", "all"),
        ("", "ping.mock2"),
    ]

    async def answers() -> list[str]:
        connection = await Connection.open(
            settle(broker.address("mock1"), {}), "mock1", heartbeat=10
        )
        said = [await answer(connection, *each) for each in tried]
        await connection.close()
        return said

    async def answer(connection: Connection, exchange: str, key: str) -> str:
        channel = await connection.channel(confirms=True)
        try:
            await channel.publish(Outgoing(exchange, key, b"{}", fresh_word()))
        except Refused as fault:
            return str(fault)
        return "taken"

    mine, *others = asyncio.run(answers())
    assert mine == "taken"
    assert [each.partition(" - ")[0] for each in others] == ["ACCESS_REFUSED"] * 5


ODD = ["a.b", "a+b", "a|b", "(a)", "[a]", "{vhost}", "a\\b", "^a$", "a*?", "#", "größe", "a b"]
UNIQUE = "news.billing.{unique}"


def test_rabbitmq_matches_each_name_by_its_pattern_and_no_other(node: AnyNode) -> None:
    fresh = UNIQUE.replace("{unique}", fresh_word())
    near = [*(each.replace(".", "x") for each in ODD), "aab", "ab", UNIQUE, fresh + "0"]
    names = list(dict.fromkeys([*ODD, *near, fresh]))
    made = [patterns.of_names([name]) for name in (*ODD, UNIQUE)]

    assert isinstance(node, rabbitmq.Node)
    assert matched(node, made, names) == [[name] for name in (*ODD, fresh)]


def matched(node: rabbitmq.Node, made: Sequence[str], names: Sequence[str]) -> list[list[str]]:
    """For each pattern the names that the broker's regular expressions match, as it asks them."""
    found = f"[[re:run(N, P, [{{capture, none}}]) || N <- {erlang(names)}] || P <- {erlang(made)}]"
    said = node.control("eval", f'io_lib:format("~w", [{found}]).')
    answers = re.findall(r"nomatch|match", said)
    rows = [answers[at : at + len(names)] for at in range(0, len(answers), len(names))]
    return [
        [name for name, answer in zip(names, row, strict=True) if answer == "match"] for row in rows
    ]


def erlang(texts: Sequence[str]) -> str:
    return f"[{','.join('<<' + ','.join(map(str, text.encode())) + '>>' for text in texts)}]"
