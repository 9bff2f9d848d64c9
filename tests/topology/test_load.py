"""Loading: a sound file becomes the model, its roles expanded, its keys AMQP arguments."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orquestador.errors import ConfigurationError
from orquestador.schemas import schema
from orquestador.topology.load import load
from orquestador.topology.model import Absent, Binding, Exchange, Limits, Queue, Topology
from tests.topology.conftest import Loading
from tests.topology.test_things import EVERYTHING
from tests.topology.vocabulary import VOCABULARY

DEFAULT = Path(__file__).parents[2] / "topology.yaml"


def test_the_default_file_is_the_experiment() -> None:
    topology = load(DEFAULT, VOCABULARY)

    assert [service.name for service in topology.watched] == ["mock1", "mock2"]
    assert [service.name for service in topology.of_role("monitor")] == ["monitor"]
    assert topology.services["mock2"].options == {"responder": "slow", "delay": 0.2}
    assert topology.exchanges["heartbeat"] == Exchange("heartbeat", type="topic")
    assert topology.queues["ping.mock1"] == Queue(
        "ping.mock1",
        disposable=True,
        arguments={"x-max-length": 10},
        bindings=(Binding("heartbeat", "all"), Binding("heartbeat", "mock1")),
    )


def test_a_queue_with_a_fresh_name_is_exclusive_and_stays_a_template() -> None:
    queue = load(DEFAULT, VOCABULARY).queues["echoes.monitor.{unique}"]

    assert queue.exclusive
    assert not queue.durable
    assert queue.fresh("abc").name == "echoes.monitor.abc"
    assert Binding("heartbeat", "monitor") in queue.bindings


def test_one_more_mock_is_one_more_line(topology_of: Loading) -> None:
    text = DEFAULT.read_text(encoding="utf-8") + "  mock3: {role: mock}\n"

    assert topology_of(text).services["mock3"].watched


def test_the_model_loads_itself() -> None:
    assert Topology.load(str(DEFAULT)).path == DEFAULT


def test_keys_become_the_arguments_that_brokers_know(topology_of: Loading) -> None:
    topology = topology_of("""\
version: 1
known_arguments: [x-custom]
exchanges:
  dead: {type: fanout}
  orders: {alternate: dead, arguments: {x-custom: 1}}
queues:
  work:
    type: quorum
    expires: 30m
    message_ttl: 1.5s
    max_length: 100
    max_length_bytes: 1000
    overflow: reject-publish
    dead_letter: {exchange: dead, key: late}
    single_active: true
    delivery_limit: 3
    arguments: {x-queue-leader-locator: balanced}
  plain: {type: classic, single_active: false, max_priority: 5, auto_delete: true}
""")

    assert topology.exchanges["orders"].arguments == {"alternate-exchange": "dead", "x-custom": 1}
    assert topology.queues["work"].arguments == {
        "x-queue-type": "quorum",
        "x-expires": 1_800_000,
        "x-message-ttl": 1500,
        "x-max-length": 100,
        "x-max-length-bytes": 1000,
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": "dead",
        "x-dead-letter-routing-key": "late",
        "x-single-active-consumer": True,
        "x-delivery-limit": 3,
        "x-queue-leader-locator": "balanced",
    }
    assert topology.queues["plain"].arguments == {"x-max-priority": 5}
    assert topology.queues["plain"].auto_delete


def test_a_prefix_is_for_names_and_not_for_keys_nor_the_broker_s_own(topology_of: Loading) -> None:
    topology = topology_of("""\
version: 1
prefix: dev.
exchanges:
  orders: {type: topic, alternate: amq.fanout}
queues:
  work:
    dead_letter: {exchange: orders, key: late}
    bindings: [{exchange: orders, key: paid}, {exchange: amq.topic, key: paid}]
  again: {dead_letter: {exchange: "", key: work}}
""")

    work = topology.queues["work"]
    assert topology.exchanges["orders"].name == "dev.orders"
    assert topology.exchanges["orders"].arguments == {"alternate-exchange": "amq.fanout"}
    assert work.name == "dev.work"
    assert work.bindings == (Binding("dev.orders", "paid"), Binding("amq.topic", "paid"))
    assert work.arguments["x-dead-letter-exchange"] == "dev.orders"
    assert work.arguments["x-dead-letter-routing-key"] == "late"
    # Through the default exchange the key is a queue's name.
    assert topology.queues["again"].arguments["x-dead-letter-routing-key"] == "dev.work"


def test_defaults_are_for_whatever_can_take_them(topology_of: Loading) -> None:
    topology = topology_of("""\
version: 1
known_arguments: [x-a, x-b]
defaults:
  exchanges: {type: topic}
  queues: {type: quorum, delivery_limit: 5, max_length: 100, arguments: {x-a: 1}}
exchanges: {orders: , direct: {type: direct}}
queues:
  usual:
  other: {max_length: 5, arguments: {x-b: 2}}
  plain: {type: classic}
roles:
  reader: {queues: {"own.{unique}": {exclusive: true}}}
services:
  one: {role: reader}
""")

    assert topology.exchanges["orders"].type == "topic"
    assert topology.exchanges["direct"].type == "direct"
    quorum = {"x-queue-type": "quorum", "x-delivery-limit": 5}
    queues = {name: queue.arguments for name, queue in topology.queues.items()}
    assert queues == {
        "usual": {**quorum, "x-max-length": 100, "x-a": 1},
        "other": {**quorum, "x-max-length": 5, "x-a": 1, "x-b": 2},
        "plain": {"x-max-length": 100},
        "own.{unique}": {"x-max-length": 100},
    }


def test_a_role_s_queue_without_the_service_s_name_is_shared(topology_of: Loading) -> None:
    topology = topology_of("""\
version: 1
exchanges: {orders: {type: topic}}
roles:
  worker:
    queues:
      work: {bindings: [{exchange: orders, key: "#"}]}
      own.{service}:
        dead_letter: {exchange: "", key: "late.{service}"}
        bindings: [{exchange: amq.headers, arguments: {for: "{service}"}}]
services:
  one: {role: worker, queues: {"late.{service}": {}}}
  two: {role: worker, queues: {late.two: {}}}
""")

    assert list(topology.queues) == ["work", "own.one", "own.two", "late.one", "late.two"]
    assert topology.services["one"].queues == ("work", "own.one", "late.one")
    assert topology.services["two"].queues == ("work", "own.two", "late.two")
    assert topology.queues["own.two"].arguments["x-dead-letter-routing-key"] == "late.two"
    assert topology.queues["own.two"].bindings[0].arguments == {"for": "two"}
    assert topology.watched == ()


def test_a_role_that_no_plugin_provides_is_played_by_a_real_service(topology_of: Loading) -> None:
    topology = topology_of("""\
version: 1
exchanges: {heartbeat: {type: topic}, events: {type: topic}}
roles:
  billing: {queues: {"ping.{service}": {bindings: [{exchange: heartbeat, key: all}]}}}
services:
  payments: {role: billing, replicas: 2, user: pay, echo_within: 1s, down_after: 5}
""")

    assert topology.services["payments"].watched
    assert topology.services["payments"].options["replicas"] == 2


def test_a_role_of_a_plugin_needs_no_queues(topology_of: Loading) -> None:
    topology = topology_of("version: 1\nservices:\n  watch: {role: monitor, ping_every: 2s}\n")

    assert topology.services["watch"].queues == ()


def test_without_a_vocabulary_options_are_nobody_s_business(tmp_path: Path) -> None:
    path = tmp_path / "topology.yaml"
    path.write_text("version: 1\nservices:\n  x: {role: teapot, heat: high}\n", encoding="utf-8")

    assert load(path).services["x"].options == {"heat": "high"}


def test_variables_come_from_the_environment(topology_of: Loading) -> None:
    topology = topology_of("version: 1\nvhost: ${VHOST:-/}\nprefix: ${STAGE}.\n", STAGE="dev")

    assert (topology.vhost, topology.prefix) == ("/", "dev.")


def test_an_empty_section_is_as_good_as_none(topology_of: Loading) -> None:
    sections = schema("topology")["properties"].keys() - {"version", "vhost", "prefix"}
    topology = topology_of("version: 1\n" + "".join(f"{name}:\n" for name in sections))

    assert not (topology.exchanges or topology.queues or topology.services)
    assert (topology.absent, topology.limits) == (Absent(), Limits())


SCRAPS = (
    *"{}[]:,-?&*#!|'\"~ \n\t",
    "  ", "- ", "on", "1e3", "12:30", "null", ".nan", "0x_", "2024-99-99", "${X}", "${", "<<: *a",
    "&a ", "!!str ", "{service}", "{unique}", "exclusive: true", "type: quorum", "bindings:",
    "arguments:", "x-match", "dead_letter: {exchange: ''}", "role: ", "responder: ", "defaults: ",
    "absent: ", "to_exchange: ", "publishes: ", "known_arguments: ", "x-max-age: ", "on_remove: ",
)  # fmt: skip


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutants") / "topology.yaml"


@given(
    text=st.sampled_from([DEFAULT.read_text(encoding="utf-8"), EVERYTHING]),
    seed=st.integers(min_value=0),
    changes=st.integers(min_value=1, max_value=6),
)
def test_a_mutated_file_is_loaded_or_refused_and_never_a_crash(
    scratch: Path, text: str, seed: int, changes: int
) -> None:
    chance = random.Random(seed)
    for _ in range(changes):
        start = chance.randrange(len(text))
        end = start + chance.choice((0, 0, 1, 5))
        text = text[:start] + chance.choice(SCRAPS) + text[end:]
    scratch.write_text(text, encoding="utf-8")

    assert_loaded_or_refused(scratch)


@given(content=st.binary() | st.text().map(str.encode))
def test_bytes_of_any_kind_are_loaded_or_refused(scratch: Path, content: bytes) -> None:
    scratch.write_bytes(content)

    assert_loaded_or_refused(scratch)


def assert_loaded_or_refused(path: Path) -> None:
    try:
        load(path, VOCABULARY, {})
    except ConfigurationError as refused:
        assert refused.faults
        assert all(str(fault).isprintable() for fault in refused.faults)
