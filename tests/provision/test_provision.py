"""`python -m orquestador.provision`: a broker is made to match a file, told thing by thing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.broker_layer.conftest import Restricted, Stranger
from tests.broker_layer.witness import Witness
from tests.conftest import AnyNode
from tests.provision.conftest import SMALL, Provision
from tests.support.programs import Program
from tests.support.proxy import Proxy
from tests.support.waiting import eventually

pytestmark = pytest.mark.one_broker  # each costs a process or more
rabbit = pytest.mark.broker
Write = Callable[[str], Path]
NOBODY = "amqp://guest:hidden@127.0.0.1:1/"


# -- the usual


@rabbit
def test_the_first_run_creates_each_thing_and_the_second_changes_nothing(
    provision: Provision, url: str
) -> None:
    code, out, err = provision("--url", url)
    lines = [line.split(maxsplit=1) for line in out.splitlines()]

    assert (code, err) == (0, "")
    assert [kind for kind, _ in lines[:-1]] == [
        *("exchange", "exchange"),
        *("queue", "queue"),
        *("binding", "binding", "binding"),
    ]
    assert out.splitlines()[-1] == "7 created"

    code, out, err = provision("--url", url)
    assert (code, err) == (0, "")
    assert out == "nothing changed: 7 already there"


@rabbit
def test_what_it_declares_works(provision: Provision, url: str, witness: Witness) -> None:
    provision("--url", url)
    witness.put("orders", "order.new", b"bound")
    witness.put("orders", "refund.of.two", b"bound too")
    witness.put("orders", "rumour", b"not bound")

    assert witness.messages("work") == 2
    for _ in range(100):
        witness.put("", "work", b"more")
    assert witness.wait_for("morgue").body == b"bound"  # max_length and dead_letter are in force


@rabbit
def test_a_queue_that_goes_with_its_connection_is_left_out(
    provision: Provision, write: Write, url: str
) -> None:
    write(Path("topology.yaml").read_text())
    code, out, _ = provision("--url", url)

    assert code == 0
    assert "ping.mock1" in out and "echoes." not in out


@rabbit
def test_json_is_one_object_a_line(provision: Provision, url: str) -> None:
    code, out, _ = provision("--json", "--url", url)
    said = [json.loads(line) for line in out.splitlines()]

    assert code == 0
    assert said[0] == {"kind": "exchange", "name": "orders", "result": "created", "text": ""}
    assert {tuple(each) for each in said} == {("kind", "name", "result", "text")}
    assert len(said) == 7


@rabbit
@pytest.mark.parametrize("source", ["AMQP_URL", "CLOUDAMQP_URL", "RABBITMQ_URL"])
def test_the_address_may_come_from_the_environment(
    provision: Provision, url: str, witness: Witness, source: str
) -> None:
    code, _, err = provision(**{source: url})

    assert (code, err) == (0, "")
    assert witness.exists("work")


@rabbit
def test_the_command_line_outranks_the_environment(
    provision: Provision, url: str, witness: Witness
) -> None:
    code, _, _ = provision("--url", url, AMQP_URL=NOBODY)

    assert code == 0 and witness.exists("work")


@pytest.mark.only_rabbitmq("the embedded broker has one vhost")
@rabbit
def test_vhost_and_prefix_of_the_file_are_used(
    provision: Provision, write: Write, node: AnyNode, vhost: str, witness: Witness
) -> None:
    write(SMALL.replace("version: 1", f"version: 1\nvhost: {vhost}\nprefix: shop."))
    code, out, _ = provision("--url", node.address("%2F"))

    assert code == 0
    assert witness.exists("shop.work") and not witness.exists("work")
    witness.put("shop.orders", "order.new", b"x")
    assert witness.messages("shop.work") == 1
    assert "shop.orders -> shop.work" in out


@rabbit
def test_an_exchange_of_somebody_else_is_checked_and_never_created(
    provision: Provision, write: Write, url: str, witness: Witness
) -> None:
    write(SMALL.replace("orders: {type: topic}", "orders: {type: topic, owned: false}"))
    code, out, _ = provision("--url", url)

    assert code == 4
    assert not witness.has_exchange("orders") and witness.exists("morgue")
    assert "not this file's to make (owned: false)" in out

    witness.declare_exchange("orders")
    code, out, _ = provision("--url", url)
    assert code == 0 and "2 created" in out


@rabbit
def test_two_at_once_both_succeed(
    provision: Provision, begin: Callable[..., Program], write: Write, url: str
) -> None:
    write(many(60))
    one, other = begin("--url", url), begin("--url", url)

    assert (one.wait(40), other.wait(40)) == (0, 0)
    assert provision("--url", url)[1] == "nothing changed: 121 already there"


# -- what does not fit


@rabbit
def test_a_conflict_is_told_with_the_brokers_reason_and_the_rest_is_declared(
    provision: Provision, url: str, witness: Witness
) -> None:
    witness.declare("work", **{"x-max-length": 5, "x-dead-letter-exchange": "dead"})
    code, out, _ = provision("--url", url)
    conflict = next(line for line in out.splitlines() if "conflict" in line)

    assert code == 4
    assert conflict.startswith("queue") and "x-max-length: broker 5, file 100" in conflict
    assert "try: recreate: " in out and "try: migrate: " in out
    assert witness.exists("morgue") and witness.has_exchange("dead")
    assert out.splitlines()[-1].startswith("partly applied: ")


@rabbit
def test_an_exchange_of_another_type_is_a_conflict_too(
    provision: Provision, url: str, witness: Witness
) -> None:
    witness.declare_exchange("orders", "fanout")
    code, out, _ = provision("--url", url)

    assert code == 4
    assert "type: broker fanout, file topic" in out and witness.exists("work")


def test_without_a_broker_the_address_and_a_remedy_are_named(provision: Provision) -> None:
    code, out, err = provision("--url", NOBODY)

    assert (code, out) == (69, "")
    assert "no broker: amqp://guest:***@127.0.0.1:1/" in err and "hidden" not in err
    assert "try: " in err and "--url" in err
    assert "Traceback" not in err


def test_a_listener_that_is_no_broker_is_no_broker(
    provision: Provision, stranger: Callable[[bytes], Stranger]
) -> None:
    code, _, err = provision("--url", stranger(b"HTTP/1.1 400 Bad Request\r\n\r\n").url)

    assert code == 69 and "Traceback" not in err


@rabbit
def test_wrong_credentials_are_refused_and_masked(
    provision: Provision, node: AnyNode, vhost: str
) -> None:
    code, out, err = provision("--url", f"amqp://guest:letmein@127.0.0.1:{node.port}/{vhost}")

    assert (code, out) == (77, "")
    assert "user or password refused" in err and "letmein" not in err


@rabbit
def test_an_unknown_vhost_is_refused(provision: Provision, node: AnyNode) -> None:
    code, _, err = provision("--url", node.address("nowhere"))

    assert code == 77 and "nowhere" in err


@pytest.mark.only_rabbitmq("the embedded broker has one user")
@rabbit
def test_a_user_who_may_configure_nothing_is_refused_thing_by_thing(
    provision: Provision, restricted: Restricted, witness: Witness
) -> None:
    code, out, err = provision("--url", restricted("^$", ".*", ".*"))

    assert code == 77 and "Traceback" not in err
    assert "refused: ACCESS_REFUSED" in out
    assert not witness.exists("work")


@pytest.mark.only_rabbitmq("the embedded broker has one user")
@rabbit
def test_a_user_who_may_configure_some_gets_those(
    provision: Provision, restricted: Restricted, witness: Witness
) -> None:
    code, out, _ = provision("--url", restricted("^(dead|morgue)$", ".*", ".*"))

    assert code == 3
    assert witness.exists("morgue") and not witness.exists("work")
    assert out.splitlines()[-1].startswith("partly applied: 3 created, 2 refused")


# -- the broker goes


def many(queues: int) -> str:
    names = "".join(
        f"  q{n:03}:\n    bindings: [{{exchange: all, key: k}}]\n" for n in range(queues)
    )
    return f"version: 1\nexchanges:\n  all: {{type: direct}}\nqueues:\n{names}"


@rabbit
def test_a_broker_that_goes_half_way_leaves_partial_work_and_says_so(
    provision: Provision,
    begin: Callable[..., Program],
    write: Write,
    node: AnyNode,
    vhost: str,
    proxy: Proxy,
    witness: Witness,
) -> None:
    write(many(300))
    cut = begin("--url", node.address(vhost, port=proxy.port))
    eventually(lambda: len(cut.lines) > 20)
    proxy.cut()

    assert cut.wait(20) == 3
    assert "what is not listed was not done" in "\n".join(cut.errors)
    assert "Traceback" not in "\n".join(cut.errors)
    done = [line.split()[1] for line in cut.lines if line.startswith("queue")]
    assert 0 < len(done) < 300 and witness.exists(done[-1])

    code, _, _ = provision("--url", node.address(vhost))
    assert code == 0
    assert provision("--url", node.address(vhost))[1] == "nothing changed: 601 already there"
    assert witness.exists("q299")


# -- the file


def test_validate_touches_no_broker(provision: Provision) -> None:
    code, out, err = provision("validate", "--url", NOBODY)

    assert (code, out, err) == (0, "topology.yaml: valid", "")


def test_a_file_with_faults_names_all_of_them_and_touches_no_broker(
    provision: Provision, write: Write
) -> None:
    write(SMALL.replace("exchange: orders", "exchange: ordres").replace("max_length", "max_lenght"))
    code, out, err = provision("--url", NOBODY)

    assert (code, out) == (78, "")
    assert err.count("did you mean 'orders'?") == 2 and "did you mean 'max_length'?" in err
    assert all(line.startswith("topology.yaml:") for line in err.splitlines())


def test_an_address_that_cannot_be_read_is_a_fault_of_usage(provision: Provision) -> None:
    code, _, err = provision("--url", "http://user:hidden@example.org")

    assert code == 64 and "hidden" not in err and "amqp://" in err


def test_an_unknown_verb_is_a_fault_of_usage(provision: Provision) -> None:
    code, _, err = provision("aply")

    assert code == 64 and "Traceback" not in err
