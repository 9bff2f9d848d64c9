"""`import`: a broker's definitions become a file that loads, and nothing of them goes unsaid."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orquestador import documents
from orquestador.errors import ConfigurationError
from orquestador.provision.exports.definitions import definitions
from orquestador.provision.importing import topology_yaml
from orquestador.topology.load import understood
from orquestador.topology.model import Binding, Exchange, Queue, Topology
from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.provision.stepping import out_of_step
from tests.support.rabbitmq import Node


def exchange(name: str, type: str = "topic", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type, "durable": True, "auto_delete": False, "arguments": {}} | {
        **more
    }


def queue(name: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    held = {"name": name, "durable": True, "auto_delete": False, "arguments": arguments or {}}
    return held | more


def binding(source: str, destination: str, key: str = "", **more: Any) -> dict[str, Any]:
    held = {"source": source, "destination": destination, "routing_key": key}
    return held | {"destination_type": "queue", "arguments": {}} | more


def given_by(*things: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Definitions with these."""
    return {
        "exchanges": [each for each in things if "type" in each],
        "queues": [each for each in things if "name" in each and "type" not in each],
        "bindings": [each for each in things if "source" in each],
        **more,
    }


def read(text: str) -> Topology:
    return understood(documents.parse(text, "topology.yaml", {}))


def imported(*things: dict[str, Any]) -> tuple[Topology, str]:
    """The model, and the comments."""
    text = topology_yaml(given_by(*things))
    return read(text), "\n".join(line for line in text.splitlines() if line.lstrip()[:1] == "#")


# -- what it gives


def test_the_file_reads_as_a_person_would_have_written_it() -> None:
    text = topology_yaml(
        given_by(
            queue(
                "orders.work",
                {
                    "x-message-ttl": 60000,
                    "x-dead-letter-exchange": "dead",
                    "x-queue-type": "quorum",
                },
            ),
            queue("orders.audit", {"x-max-length": 5, "x-queue-type": "classic"}),
            queue("morgue"),
            exchange("orders", arguments={"alternate-exchange": "amq.fanout"}),
            exchange("dead", "fanout"),
            binding("orders", "orders.work", "order.*"),
            binding("dead", "morgue"),
            binding("", "morgue", "morgue"),
            rabbitmq_version="3.10.8",
            vhosts=[{"name": "shop"}],
        )
    )

    assert text == (
        '# Imported from the definitions of vhost "shop" of RabbitMQ 3.10.8.\n'
        "version: 1\n"
        "vhost: shop\n"
        "\n"
        "exchanges:\n"
        "  dead: {type: fanout}\n"
        "  orders: {type: topic, alternate: amq.fanout}\n"
        "\n"
        "queues:\n"
        "  morgue:\n"
        "    bindings:\n"
        "      - {exchange: dead}\n"
        "\n"
        "  orders.audit: {max_length: 5}\n"
        "  orders.work:\n"
        "    type: quorum\n"
        "    message_ttl: 1m\n"
        "    dead_letter: {exchange: dead}\n"
        "    bindings:\n"
        '      - {exchange: orders, key: "order.*"}\n'
    )


def test_each_argument_is_a_key_or_stands_under_arguments() -> None:
    arguments = {
        "x-expires": 1_800_000,
        "x-message-ttl": 1500,
        "x-max-length": 100,
        "x-max-length-bytes": 1000,
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "other",
        "x-single-active-consumer": True,
        "x-max-priority": 5,
        "x-queue-version": 2,
        "x-of-a-plugin": [1, "a", True],
    }
    topology, comments = imported(queue("work", arguments), queue("other"))

    assert topology.queues["work"] == Queue("work", arguments=arguments)
    assert "plugin" in comments and "not imported" not in comments


def test_exchanges_keep_their_flags_and_what_they_get_from_others() -> None:
    topology, comments = imported(
        exchange("a", "headers", durable=False, auto_delete=True, internal=True),
        exchange("b", "x-delayed-message", arguments={"x-delayed-type": "topic"}),
        binding("b", "a", "k", destination_type="exchange"),
        binding(
            "amq.headers",
            "a",
            destination_type="exchange",
            arguments={"x-match": "any-with-x", "n": 1},
        ),
    )

    assert topology.exchanges["a"] == Exchange(
        "a",
        "headers",
        durable=False,
        auto_delete=True,
        internal=True,
        bindings=(
            Binding("amq.headers", "", {"x-match": "any-with-x", "n": 1}),
            Binding("b", "k"),
        ),
    )
    assert topology.exchanges["b"].arguments == {"x-delayed-type": "topic"}
    assert comments == "# Imported from the definitions of one vhost."  # it need not be vouched for


def test_the_broker_s_own_exchanges_are_not_declared_but_may_be_bound_to() -> None:
    topology, comments = imported(
        exchange("amq.topic"), queue("q"), binding("amq.topic", "q", "k"), exchange("", "direct")
    )

    assert topology.exchanges == {}
    assert topology.queues["q"].bindings == (Binding("amq.topic", "k"),)
    assert "not imported" not in comments


ODD = ["a: b", "#", "a #b", 'a"b', "it's", "yes", "1", "1e3", "2001-01-01", "- a", "[a]", "&a",
       "*a", "!a", "%a", "größe", "名前", "😀", "${HOME", "$${HOME", "a\\nb", " a ", "null", "a, b",
       "?", "@a", "`a`", "\u2028", "\u00a0", "=", "<<", "~", "|", ">"]  # fmt: skip


def test_names_are_quoted_as_they_need_it() -> None:
    things = [exchange(name) for name in ODD]
    things += [queue(name, {"x-dead-letter-exchange": name}) for name in ODD]
    things += [binding(name, name, name) for name in ODD]
    topology, comments = imported(*things)

    assert set(topology.exchanges) == set(topology.queues) == set(ODD)
    for name in ODD:
        assert topology.queues[name].bindings == (Binding(name, name),)
        assert topology.queues[name].arguments == {"x-dead-letter-exchange": name}
    assert "not imported" not in comments


# -- what it cannot give, it says


@pytest.mark.parametrize(
    ("things", "said"),
    [
        ([queue("q", durable=False)], "must be durable"),
        ([queue("q", durable=False, exclusive=True)], "belongs to one connection"),
        ([queue("q", {"x-single-active-consumer": False})], "{x-single-active-consumer: false}"),
        ([queue("q", {"x-dead-letter-exchange": "nowhere"})], "'nowhere' is not declared"),
        ([queue("q", {"x-max-length": "5"})], "where a number belongs"),
        ([queue("q", {"x-message-ttl": 4_294_967_295})], "the longest is 1193h"),
        ([queue("q", {"x-queue-type": "rabbit_mqtt_qos0_queue"})], "not one of classic, quorum"),
        ([queue("q", {"x-of-mine": {"deep": {"er": 1}}})], "is a mapping where"),
        ([queue("q", {"x-of-mine": None})], "is read as empty"),
        ([queue("q", {"x-of-mine": 2**70})], "no usable one"),
        ([queue("{service}")], "{service} is for the queues of roles"),
        ([queue("a\nb\x1b")], "no control characters"),
        ([queue("q" * 256)], "256 bytes long"),
        ([queue("amq.gen-x")], "does not begin with amq."),
        ([queue("q"), queue("q")], "duplicate key"),
        ([queue("ping.a", {"x-message-ttl": 5000})], "not for a queue of pings"),
        ([exchange("e", "random")], "is 'random'"),
        ([exchange("e", arguments={"alternate-exchange": "nowhere"})], "is not declared"),
        ([queue("q"), binding("amq.topic", "q", "{order}.new")], "{order} is no placeholder"),
        ([queue("q"), binding("amq.direct", "q", "a.*")], "no pattern for a direct exchange"),
        ([queue("q"), binding("gone", "q", "k")], "'gone' is not declared"),
        ([queue("q"), binding("amq.topic", "gone", "k")], "the definitions lack that queue"),
        (
            [exchange("e"), binding("e", "in", "k", destination_type="exchange")],
            "rabbitmqctl leaves internal ones out",
        ),
        (
            [exchange("e"), binding("e", "amq.fanout", destination_type="exchange")],
            "binds nothing to the broker's own exchanges",
        ),
    ],
)
def test_what_a_file_cannot_hold_is_a_comment_with_the_reason(
    things: list[dict[str, Any]], said: str
) -> None:
    topology, comments = imported(*things)

    assert re.search(r"# +not imported: ", comments) and said in comments
    assert "# 1 of its things this file cannot hold" in comments
    left = len(topology.exchanges) + len(topology.queues) + len(topology.links)
    assert left == len(things) - 1


def test_what_hung_on_a_thing_left_out_is_told_with_it_or_by_itself() -> None:
    topology, comments = imported(
        queue("lost", durable=False),
        exchange("odd", "random"),
        queue("work", {"x-dead-letter-exchange": "odd"}),
        queue("kept"),
        binding("amq.topic", "lost", "k1"),
        binding("odd", "kept", "k2"),
    )

    assert list(topology.queues) == ["kept"] and not topology.exchanges
    assert "{exchange: amq.topic, key: k1}" in comments and "{exchange: odd, key: k2}" in comments
    assert comments.count("# not imported: 'odd' is not declared") == 2
    assert "# 4 of its things" in comments


def test_what_belongs_in_no_topology_file_is_counted_and_policies_are_shown() -> None:
    text = topology_yaml(
        given_by(
            queue("q", vhost="v"),
            users=[{"name": "guest"}, {"name": "other"}],
            permissions=[{"vhost": "v"}, {"vhost": "w"}],
            policies=[
                {"vhost": "v", "name": "ttl\n", "pattern": "^q", "apply-to": "queues",
                 "definition": {"message-ttl": 1000}},
                {"vhost": "w", "name": "not this", "pattern": ".*", "definition": {}},
            ],
            parameters=[],
        )
    )  # fmt: skip

    assert "# The definitions also have 2 users, 1 permission, 1 policy: nothing of that" in text
    assert '#   "ttl\\x0a", for queues like "^q": {"message-ttl": 1000}\n' in text
    assert "not this" not in text


# -- which vhost


def test_of_several_vhosts_one_has_to_be_named() -> None:
    both = given_by(queue("a", vhost="one"), queue("b", vhost="two"))

    with pytest.raises(ConfigurationError, match="several vhosts, 'one', 'two': say which one"):
        topology_yaml(both)
    with pytest.raises(ConfigurationError, match=r"no vhost 'tow', but .*did you mean 'two'"):
        topology_yaml(both, vhost="tow")
    assert list(read(topology_yaml(both, vhost="two")).queues) == ["b"]


def test_an_empty_vhost_beside_the_one_that_is_used_is_no_question() -> None:
    text = topology_yaml(given_by(queue("a", vhost="/"), vhosts=[{"name": "/"}, {"name": "old"}]))

    assert read(text).vhost is None and 'vhost "/"' in text


def test_the_definitions_of_one_vhost_may_not_name_it() -> None:
    assert read(topology_yaml(given_by(queue("a")))).vhost is None
    assert read(topology_yaml(given_by(queue("a")), vhost="here")).vhost == "here"
    original = given_by(queue("a"), original_vhost_name="there")
    assert read(topology_yaml(original)).vhost == "there"


# -- what is no definitions file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "defs.json:1: is not JSON"),
        ('{"queues": [\n  {"name": }\n]}', "defs.json:2: is not JSON"),
        ("version: 1\n", "defs.json:1: is not JSON"),
        ('{"queues": [NaN]}', "NaN is no number there"),
        ("[" * 100_000, "nested too deep"),
        ('{"queues": [{"name": "\\ud800"}]}', "half of a surrogate pair"),
        ("[]", "no definitions file of RabbitMQ"),
        ('{"name": "package", "version": "1"}', "no definitions file of RabbitMQ"),
        ('{"queues": {}}', "defs.json:1: queues: is a mapping where a list belongs"),
        ('{"queues": [7]}', "defs.json:1: queues[0]: is 7 where an object belongs"),
        ('{"queues": [{"durable": true}]}', "queues[0].name: is empty, not a string"),
        ('{"queues": [{"name": "q", "durable": 1}]}', "queues[0].durable: is 1, not true or false"),
        ('{"queues": [{"name": "q", "arguments": "x"}]}', "queues[0].arguments: is 'x'"),
        (
            json.dumps(given_by(binding("a", "b", destination_type="topic"))),
            "bindings[0].destination_type: is 'topic', not queue or exchange",
        ),
    ],
)
def test_what_is_no_definitions_file_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        topology_yaml(text, file="defs.json")

    assert said in str(refused.value)


def test_empty_arguments_may_be_a_list_as_older_brokers_write_them() -> None:
    assert "q" in read(topology_yaml(given_by(queue("q", arguments=[])))).queues  # type: ignore[arg-type]


def test_what_is_of_no_use_in_a_definitions_file_does_no_harm() -> None:
    odd = given_by(queue("q"), vhosts=5, policies=7, users={"a": 1}, parameters=["x"], x=None)

    assert "# The definitions also have 1 parameter:" in topology_yaml(odd)


# -- any definitions

NAMES = st.one_of(
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from([*ODD, "{service}", "a.{x}", "amq.x", "\n", "${x", "$${x", "'"]),
    st.text(max_size=6),
)
VALUES = st.one_of(
    st.booleans(), st.none(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), NAMES,
    st.lists(st.one_of(NAMES, st.integers(-3, 3)), max_size=2),
)  # fmt: skip
ARGUMENTS = st.dictionaries(
    st.one_of(
        st.sampled_from(
            ["x-message-ttl", "x-expires", "x-max-length", "x-overflow", "x-queue-type",
             "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-queue-mode", "x-max-age",
             "x-single-active-consumer", "alternate-exchange", "x-match"]
        ),
        NAMES,
    ),
    st.one_of(VALUES, st.sampled_from(["quorum", "stream", "classic", "reject-publish", 60000])),
    max_size=3,
)  # fmt: skip
EXCHANGES = st.builds(
    exchange,
    NAMES,
    st.sampled_from(["topic", "direct", "fanout", "headers", "x-delayed-message", "random"]),
    durable=st.booleans(), auto_delete=st.booleans(), internal=st.booleans(), arguments=ARGUMENTS,
)  # fmt: skip
QUEUES = st.builds(queue, NAMES, ARGUMENTS, durable=st.booleans(), auto_delete=st.booleans())
BINDINGS = st.builds(
    binding,
    st.one_of(NAMES, st.sampled_from(["amq.topic", "amq.headers"])),
    NAMES, NAMES, destination_type=st.sampled_from(["queue", "exchange"]), arguments=ARGUMENTS,
)  # fmt: skip
THINGS = st.lists(st.one_of(EXCHANGES, QUEUES, BINDINGS), max_size=8)


@given(THINGS)
@settings(max_examples=150, deadline=None)
def test_any_definitions_become_a_file_that_loads_and_nothing_goes_unsaid(
    things: list[dict[str, Any]],
) -> None:
    text = topology_yaml(given_by(*things))
    topology = read(text)

    kept = len(topology.exchanges) + len(topology.queues)
    bindings = [each["source"] for each in things if each.get("source")]
    own = [each for each in things if "name" in each and not predeclared(each)]
    # A thing's first line, and a binding's, stand in a comment or not.
    assert len(re.findall(r"^  (?:# )?(?! |#|-|not imported: ).", text, re.MULTILINE)) == len(own)
    assert len(re.findall(r"^[ #]*- \{exchange: ", text, re.MULTILINE)) == len(bindings)
    assert kept + len(re.findall(r"^  # not imported: ", text, re.MULTILINE)) == len(own)


def predeclared(thing: dict[str, Any]) -> bool:
    return "type" in thing and (thing["name"] == "" or thing["name"].startswith("amq."))


@given(THINGS)
@settings(max_examples=150, deadline=None)
def test_a_file_exported_and_imported_is_the_same_topology(things: list[dict[str, Any]]) -> None:
    first, _ = imported(*things)
    again = read(topology_yaml(json.dumps(definitions(first, "/"))))

    assert again.exchanges == first.exchanges
    assert again.queues == first.queues
    assert set(again.links) == set(first.links)


# -- on RabbitMQ


@pytest.mark.broker
@pytest.mark.only_rabbitmq("only RabbitMQ exports definitions")
def test_a_broker_is_in_step_with_the_file_that_was_imported_from_it(
    node: AnyNode, vhost: str, witness: Witness, tmp_path: Path
) -> None:
    assert isinstance(node, Node)
    made_by_hand(witness)
    node.control("export_definitions", str(tmp_path / "exported.json"))

    by_rabbitmqctl = topology_yaml((tmp_path / "exported.json").read_text(), vhost=vhost)
    by_management = topology_yaml(downloaded(node, vhost), vhost=vhost)

    # rabbitmqctl leaves internal exchanges out, the management API does not.
    assert held(by_rabbitmqctl) == (4, 6, 7) and held(by_management) == (5, 6, 8)
    assert refusals(by_rabbitmqctl) == ["a classic queu", "the definition"]
    assert refusals(by_management) == ["a classic queu"]
    for text in (by_rabbitmqctl, by_management):
        assert out_of_step(read(text), node, vhost) == []


def held(text: str) -> tuple[int, int, int]:
    topology = read(text)
    return len(topology.exchanges), len(topology.queues), len(topology.links)


def refusals(text: str) -> list[str]:
    return re.findall(r"# +not imported: (.{14})", text)


def made_by_hand(witness: Witness) -> None:
    with witness.channel() as channel:
        channel.exchange_declare("dead", "fanout", durable=True)
        channel.exchange_declare(
            "orders", "topic", durable=True, arguments={"alternate-exchange": "dead"}
        )
        channel.exchange_declare("by header", "headers", auto_delete=True)
        channel.exchange_declare('it\'s: "#1" ${HOME', "direct", durable=True)
        channel.exchange_declare("inner", "topic", durable=True, internal=True)
        channel.exchange_bind("by header", "orders", "order.#")
        channel.exchange_bind("inner", "orders", "inner.*")
        for name, arguments in QUEUES_BY_HAND.items():
            channel.queue_declare(name, durable=True, arguments=arguments)
        channel.queue_declare("passing")
        channel.queue_declare("unloved", durable=True, auto_delete=True)
        channel.queue_bind("orders.work", "orders", "order.*")
        channel.queue_bind("orders.work", 'it\'s: "#1" ${HOME', "größe")
        channel.queue_bind("orders.log", "amq.topic", "#")
        terms = {"x-match": "any", "region": "eu", "n": 7, "urgent": True, "list": ["a", 1]}
        channel.queue_bind("morgue", "by header", arguments=terms)
        channel.queue_bind("morgue", "dead")
        channel.queue_bind("unloved", "dead")


QUEUES_BY_HAND: dict[str, dict[str, Any]] = {
    "orders.work": {
        "x-message-ttl": 60000,
        "x-dead-letter-exchange": "dead",
        "x-dead-letter-routing-key": "late",
        "x-queue-type": "classic",
        "x-max-priority": 5,
    },
    "orders.log": {"x-queue-type": "stream", "x-max-age": "7D"},
    "orders.audit": {"x-queue-type": "quorum", "x-delivery-limit": 3},
    "morgue": {"x-max-length": 1000, "x-overflow": "reject-publish", "x-expires": 7_200_000},
    "lazy": {"x-queue-mode": "lazy", "x-single-active-consumer": True, "x-of-mine": "yes"},
}  # fmt: skip


def downloaded(node: Node, vhost: str) -> str:
    """As the management UI gives the definitions of one vhost."""
    scheme, _, rest = node.management().partition("://")
    account, _, host = rest.rpartition("@")
    asked = Request(f"{scheme}://{host}/api/definitions/{vhost}")
    asked.add_header("Authorization", f"Basic {b64encode(account.encode()).decode()}")
    with urlopen(asked, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


@pytest.mark.broker
@pytest.mark.only_rabbitmq("only RabbitMQ exports definitions")
def test_a_policy_s_effect_is_no_difference_but_is_told(
    node: AnyNode, vhost: str, witness: Witness, tmp_path: Path
) -> None:
    assert isinstance(node, Node)
    witness.declare("work")
    node.control("set_policy", "-p", vhost, "ttl", "^work$", '{"message-ttl": 1000}')
    node.control("export_definitions", str(tmp_path / "exported.json"))

    text = topology_yaml((tmp_path / "exported.json").read_text(), vhost=vhost)

    assert out_of_step(read(text), node, vhost) == []
    assert '#   "ttl", for all like "^work$": {"message-ttl": 1000}' in text
