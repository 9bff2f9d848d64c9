"""What accounts are derived from a file, and the script that makes them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from orquestador.hooks import loading
from orquestador.provision.exports import permissions, rabbitmqctl
from orquestador.provision.exports.permissions import Account, Topic
from orquestador.topology.access import Access
from orquestador.topology.load import load
from orquestador.topology.model import Service, Topology
from tests.support.programs import ROOT

FILE = """\
version: 1
prefix: dev.
exchanges:
  heartbeat: {type: topic}
  events: {type: topic}
  orders: {type: topic}
  jobs: {type: direct}
  dead: {type: topic}
roles:
  shop: {queues: {"ping.{service}": {}}}
  back: {publishes: [jobs]}
services:
  front: {role: shop, user: web, publishes: [orders]}
  api: {role: shop, user: web}
  worker:
    role: back
    queues:
      work: {dead_letter: {exchange: dead}}
      own.{unique}:
        exclusive: true
        dead_letter: {exchange: dead}
        bindings: [{exchange: orders, key: "order.*"}, {exchange: orders, key: "#"}]
"""


@pytest.fixture
def topology(tmp_path: Path) -> Topology:
    (tmp_path / "topology.yaml").write_text(FILE)
    return load(tmp_path / "topology.yaml")


def by_user(topology: Topology, access: Access | None = None) -> dict[str, Account]:
    def said(_topology: Topology, _service: Service) -> Access:
        return access or Access()

    return {each.user: each for each in permissions.accounts(topology, {"back": said})}


def test_services_of_one_user_share_an_account(topology: Topology) -> None:
    web = by_user(topology)["web"]

    assert web.services == ("front", "api")
    assert web.configure == "^$"
    assert web.write == r"^(dev\.events|dev\.orders)$"
    assert web.read == r"^(dev\.ping\.api|dev\.ping\.front)$"


def test_routing_keys_are_open_only_where_the_file_does_not_know_them(topology: Topology) -> None:
    assert by_user(topology)["web"].topics == (
        Topic("dev.events", r"^(echo\.api|echo\.front)$", "^$"),
        Topic("dev.orders", ".*", "^$"),
    )


def test_rights_on_what_is_dead_lettered_are_for_queues_that_the_process_makes_itself(
    topology: Topology,
) -> None:
    worker = by_user(topology)["worker"]
    own = r"dev\.own\.[0-9a-f]{16}"

    assert worker.configure == f"^{own}$"
    assert worker.write == rf"^(dev\.dead|dev\.jobs|{own})$"
    assert worker.read == rf"^(dev\.orders|{own}|dev\.work)$"
    # It only names `dead`: it publishes nothing there.
    assert worker.topics == (
        Topic("dev.dead", "^$", "^$"),
        Topic("dev.orders", "^$", r"^(#|order\.\*)$"),
    )


def test_a_role_adds_what_its_process_does_beyond_the_file(topology: Topology) -> None:
    beyond = Access(
        configure=frozenset({"tmp.{unique}"}),
        write=frozenset({"", "dev.events", "amq.topic"}),
        read=frozenset({"dev.ping.api", "dev.heartbeat"}),
        topics=frozenset({("dev.events", "log.*")}),
    )
    worker = by_user(topology, beyond)["worker"]

    assert r"tmp\.[0-9a-f]{16}" in worker.configure
    assert r"amq\.default|amq\.topic|" in worker.write
    assert r"dev\.heartbeat" in worker.read and r"dev\.ping\.api" in worker.read
    topics = {topic.exchange: topic for topic in worker.topics}
    assert topics["dev.events"] == Topic("dev.events", r"^log\.[^.]*$", "^$")
    assert topics["amq.topic"].write == ".*"  # it says no keys
    assert topics["dev.heartbeat"].read == ".*"


def test_the_documented_role_gets_the_account_that_its_page_promises(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(# plugins/auditor.py\n.*?)```", page, re.DOTALL)
    assert found
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "auditor.py").write_text(found[1])
    access = loading.load(tmp_path).registry.roles["auditor"].access
    (tmp_path / "topology.yaml").write_text(
        "version: 1\nexchanges: {audit: {type: topic}}\nqueues: {receipts: {}}\n"
        "services: {books: {role: auditor}}\n"
    )

    assert access
    assert permissions.accounts(load(tmp_path / "topology.yaml"), {"auditor": access}) == (
        Account(
            "books", ("books",), "^$", "^audit$", "^receipts$",
            (Topic("audit", r"^audit\.books\.[^.]*$", "^$"),),
        ),
    )  # fmt: skip


# -- the script

NASTY = "o'neil $(touch /tmp/x) `id` \\ größe"


def recorded(script: str, folder: Path, **environ: str) -> tuple[int, list[list[str]], str]:
    """The exit code, each call of rabbitmqctl with its standard input in front, the errors."""
    tool = folder / "rabbitmqctl"
    tool.write_text(
        "#!/bin/sh\n"
        f'for each in "$(case $2 in add_user) cat;; esac)" "$@"; do '
        f"printf '%s\\0' \"$each\"; done >> {folder}/calls\n"
        f"printf '\\n\\0' >> {folder}/calls\n"
    )
    tool.chmod(0o755)
    ran = subprocess.run(
        ["sh"],
        input=script,
        env={"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder), **environ},
        capture_output=True,
        text=True,
        timeout=20,
    )
    calls = folder / "calls"
    words = calls.read_text().split("\0") if calls.exists() else []
    found: list[list[str]] = [[]]
    for word in words[:-1]:
        found.append([]) if word == "\n" else found[-1].append(word)
    return ran.returncode, found[:-1], ran.stderr


def test_each_word_reaches_rabbitmqctl_as_it_is(tmp_path: Path) -> None:
    account = Account(NASTY, ("one",), "^a'b$", "^$", ".*", (Topic(NASTY, "x y", "^$"),))
    (variable,) = rabbitmqctl.variables([NASTY]).values()
    code, calls, _ = recorded(
        rabbitmqctl.script([account], NASTY, "a\nb"), tmp_path, **{variable: "pass $word'"}
    )

    assert code == 0
    assert calls == [
        ["pass $word'", "-q", "add_user", NASTY],
        ["", "-q", "set_permissions", "-p", NASTY, NASTY, "^a'b$", "^$", ".*"],
        ["", "-q", "set_topic_permissions", "-p", NASTY, NASTY, NASTY, "x y", "^$"],
    ]


def test_a_missing_password_is_told_before_anything_is_changed(
    topology: Topology, tmp_path: Path
) -> None:
    script = rabbitmqctl.script(tuple(by_user(topology).values()), "/", "topology.yaml")
    code, calls, said = recorded(script, tmp_path, WEB_PASSWORD="x")

    assert code != 0 and calls == []
    assert "WORKER_PASSWORD" in said


def test_users_have_a_variable_each() -> None:
    assert rabbitmqctl.variables(["a-b", "a_b", "2nd", "-x"]) == {
        "a-b": "A_B_PASSWORD",
        "a_b": "A_B_2_PASSWORD",
        "2nd": "_2ND_PASSWORD",
        "-x": "_X_PASSWORD",
    }


def test_a_name_that_looks_like_an_option_is_none(tmp_path: Path) -> None:
    account = Account("-x", ("-x",), "^$", "^$", "^$")
    _, calls, _ = recorded(rabbitmqctl.script([account], "/", "f"), tmp_path, _X_PASSWORD="x")

    assert calls[0][-2:] == ["--", "-x"]


def test_the_head_says_what_holds_for_these_accounts() -> None:
    plain = rabbitmqctl.script([Account("a", ("a",), "^$", "^b$", "^$")], "/", "topology.yaml")
    wide = rabbitmqctl.script(
        [Account("ü", ("u",), "^$", r"^amq\.default$", r"^ping\.[^.]+$")], "/", "topology.yaml"
    )

    assert "--no-provision" in plain and "4.2.6" in plain
    for told in ("put a message into any queue", "any word", "LC_ALL=C.UTF-8"):
        assert told not in plain and told in wide
