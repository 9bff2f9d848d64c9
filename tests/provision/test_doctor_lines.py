"""What the doctor says without a broker: lines, exit codes, what to make of a greeting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orquestador.broker.greeting import Greeting
from orquestador.provision.doctor import (
    Check,
    Verdict,
    as_json,
    claims,
    exit_code,
    lines,
    summary,
)
from orquestador.provision.doctor.needs import needs
from orquestador.topology.access import Access
from orquestador.topology.model import Topology
from tests.provision.doctoring import topology

FINE = Check("port", Verdict.OK, "port 5672 answers in 0.3 ms")
LATE = Check("lease", Verdict.WARN, "late", "count on silence")
UNASKED = Check("read", Verdict.SKIP, "not asked")
GONE = Check("connection", Verdict.FAIL, "gone", "look again", 69)
SHUT = Check("vhost", Verdict.FAIL, "no vhost 'v'", "add it", 77)


def test_a_line_says_verdict_name_and_text_and_its_remedy_below() -> None:
    assert lines(FINE) == ["  ok    port          port 5672 answers in 0.3 ms"]
    assert lines(LATE) == [
        "  warn  lease         late",
        "                      try: count on silence",
    ]


def test_only_the_verdict_is_coloured() -> None:
    assert lines(SHUT, colour=True)[0] == "  \x1b[31mfail\x1b[0m  vhost         no vhost 'v'"


@pytest.mark.parametrize(
    ("checks", "code", "said"),
    [
        ([FINE], 0, "this broker and this account will do"),
        ([FINE, LATE, UNASKED], 0, "this broker and this account will do (1 warning, 1 not asked)"),
        ([FINE, SHUT, GONE], 77, "they will not do: vhost, connection"),
        ([GONE, GONE], 69, "they will not do: connection"),
    ],
)
def test_the_first_failure_is_the_exit_code(checks: list[Check], code: int, said: str) -> None:
    assert exit_code(checks) == code and summary(checks) == said


def test_the_same_as_json() -> None:
    shown = json.loads(json.dumps(as_json([FINE, SHUT], "amqp://u:***@h:5672/")))

    assert (shown["version"], shown["broker"], shown["exit"]) == (1, "amqp://u:***@h:5672/", 77)
    assert shown["checks"][1] == {
        "name": "vhost",
        "verdict": "fail",
        "text": "no vhost 'v'",
        "remedy": "add it",
    }


# -- what a broker says of itself

ALL = frozenset(
    {
        *("publisher_confirms", "exchange_exchange_bindings", "basic.nack"),
        *("consumer_cancel_notify", "connection.blocked"),
    }
)
PLAIN = "version: 1\nqueues: {work: {}}\n"
STREAMS = "version: 1\nqueues: {log: {type: stream}}\n"
LINKED = """\
version: 1
exchanges: {a: {}, b: {bindings: [{exchange: a}]}}
"""


def said(
    product: str = "RabbitMQ",
    version: str = "3.10.8",
    capabilities: frozenset[str] = ALL,
    channels: int = 2047,
    heartbeat: int = 10,
) -> Greeting:
    return Greeting(product, version, capabilities, channels, 131072, heartbeat)


@pytest.mark.parametrize(
    ("greeting", "file", "verdict", "text"),
    [
        (said(), STREAMS, Verdict.OK, "RabbitMQ 3.10.8"),
        (said(version="3.8.9"), STREAMS, Verdict.FAIL, "RabbitMQ 3.8.9 has no stream queues"),
        (said(version="3.8.9"), PLAIN, Verdict.OK, "RabbitMQ 3.8.9"),
        (said("LavinMQ", "1.2"), STREAMS, Verdict.OK, "LavinMQ 1.2"),
        (said("", ""), PLAIN, Verdict.OK, "it does not say what it is"),
        (said(version="tip"), STREAMS, Verdict.OK, "RabbitMQ tip"),
    ],
)
def test_a_product_fails_where_it_is_known_to_lack_what_the_file_has(
    tmp_path: Path, greeting: Greeting, file: str, verdict: Verdict, text: str
) -> None:
    check = claims.product(greeting, topology(tmp_path, file))

    assert check.verdict is verdict and check.text.startswith(text)


@pytest.mark.parametrize(
    ("lacking", "file", "verdict"),
    [
        ("publisher_confirms", PLAIN, Verdict.FAIL),
        ("exchange_exchange_bindings", PLAIN, Verdict.OK),
        ("exchange_exchange_bindings", LINKED, Verdict.FAIL),
        ("consumer_cancel_notify", PLAIN, Verdict.WARN),
    ],
)
def test_a_capability_counts_as_what_it_is_needed_for(
    tmp_path: Path, lacking: str, file: str, verdict: Verdict
) -> None:
    check = claims.capabilities(said(capabilities=ALL - {lacking}), topology(tmp_path, file))

    assert check.verdict is verdict
    assert verdict is Verdict.OK or (lacking in check.text and check.remedy)


def test_too_few_channels_fail_and_no_heartbeats_warn() -> None:
    assert claims.negotiated(said()).verdict is Verdict.OK
    assert claims.negotiated(said(channels=7)).verdict is Verdict.FAIL
    assert claims.negotiated(said(heartbeat=0)).verdict is Verdict.WARN


# -- what is needed


def test_needs_are_the_file_s_and_what_roles_do_beyond_it(tmp_path: Path) -> None:
    def beyond(_topology: Topology, _service: object) -> Access:
        return Access(write=frozenset({""}))

    file = topology(tmp_path)
    alone, with_roles = needs(file, {}), needs(file, {"clerk": beyond})

    assert alone.configure == {"desk.ann.{unique}", "lost", "orders", "safe", "work"}
    assert alone.write == {"desk.ann.{unique}", "lost", "orders", "theirs", "work"}
    assert alone.read == {"desk.ann.{unique}", "orders", "safe", "theirs", "work"}
    assert with_roles.write == alone.write | {""}
