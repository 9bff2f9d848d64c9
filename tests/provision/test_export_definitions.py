"""Definitions JSON: what rabbitmqctl imports, and what a broker then has."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from orquestador.provision.exports.definitions import definitions
from orquestador.provision.exports.permissions import Account
from orquestador.topology.load import load
from orquestador.topology.model import Topology
from tests.conftest import AnyNode
from tests.provision.stepping import out_of_step
from tests.support.rabbitmq import Node

EVERYTHING = """\
version: 1
prefix: shop.
exchanges:
  orders: {type: topic, alternate: unrouted}
  unrouted: {type: fanout}
  by-header: {type: headers, durable: false}
  inner: {internal: true, auto_delete: true, bindings: [{exchange: orders, key: "order.#"}]}
  theirs: {type: topic, owned: false}
queues:
  work:
    type: quorum
    delivery_limit: 3
    dead_letter: {exchange: "", key: morgue}
    bindings:
      - {exchange: orders, key: "order.*"}
      - {exchange: inner, key: "order.new"}
      - {exchange: amq.topic, key: news}
  morgue: {max_length: 1000, overflow: reject-publish, message_ttl: 1h, expires: 2h}
  log: {type: stream, max_length_bytes: 1000000, arguments: {x-max-age: 7D}}
  "it's \\"odd\\" größe #1":
    max_priority: 5
    single_active: true
    auto_delete: true
    bindings: [{exchange: by-header, arguments: {x-match: any, region: eu, urgent: true, n: 7}}]
services:
  one: {role: reader}
roles:
  reader:
    queues:
      own.{unique}: {exclusive: true, bindings: [{exchange: orders, key: "#"}]}
"""
MINE = Account("mine", ("one",), "^$", "^orders$", "^work$")


@pytest.fixture
def everything(tmp_path: Path) -> Topology:
    (tmp_path / "topology.yaml").write_text(EVERYTHING, encoding="utf-8")
    return load(tmp_path / "topology.yaml")


def names(items: list[dict[str, Any]]) -> set[str]:
    return {item["name"] for item in items}


def test_what_is_not_ours_and_what_connections_make_themselves_is_left_out(
    everything: Topology,
) -> None:
    made = definitions(everything, "v")

    assert "shop.theirs" not in names(made["exchanges"])
    assert names(made["queues"]) == {queue.name for queue in everything.lasting}
    assert {item["vhost"] for part in made.values() for item in part} == {"v"}
    assert not [each for each in made["bindings"] if "unique" in each["destination"]]


def test_without_accounts_and_a_new_vhost_nothing_of_them_is_touched(everything: Topology) -> None:
    assert set(definitions(everything, "v")) == {"exchanges", "queues", "bindings"}


def test_only_accounts_with_a_password_are_created_and_all_get_their_permissions(
    everything: Topology,
) -> None:
    other = Account("other", ("two",), "^$", "^$", "^$")
    made = definitions(
        everything, "v", create_vhost=True, accounts=[MINE, other], passwords={"mine": "x"}
    )

    assert made["vhosts"] == [{"name": "v"}]
    assert names(made["users"]) == {"mine"}
    assert [each["user"] for each in made["permissions"]] == ["mine", "other"]


def test_a_password_is_hashed_as_rabbitmq_s_guide_shows_it(everything: Topology) -> None:
    salt = bytes.fromhex("908DC60A")
    made = definitions(
        everything, "v", accounts=[MINE], passwords={"mine": "test12"}, salt=lambda: salt
    )

    (user,) = made["users"]
    assert base64.b64decode(user["password_hash"])[:4] == salt
    assert user["password_hash"] == "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"


@pytest.mark.broker
@pytest.mark.only_rabbitmq("only RabbitMQ imports definitions")
def test_an_empty_vhost_is_in_step_after_an_import(
    node: AnyNode, everything: Topology, tmp_path: Path
) -> None:
    assert isinstance(node, Node)
    theirs = {"name": "shop.theirs", "vhost": "imported", "type": "topic", "durable": True,
              "auto_delete": False, "arguments": {}}  # fmt: skip
    made = definitions(everything, "imported", create_vhost=True)
    made["permissions"] = [
        {"user": "guest", "vhost": "imported", "configure": ".*", "write": ".*", "read": ".*"}
    ]
    made["exchanges"].append(theirs)  # its owner's
    (tmp_path / "made.json").write_text(json.dumps(made))

    node.control("import_definitions", str(tmp_path / "made.json"))

    assert out_of_step(everything, node, "imported") == []
