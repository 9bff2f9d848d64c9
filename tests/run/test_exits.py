"""Exit codes: whose turn it is, by the kind of what went wrong, in a line each."""

from __future__ import annotations

import pytest

from orquestador import errors
from orquestador.errors import (
    BrokerError,
    ConfigurationError,
    Conflict,
    EventError,
    Fault,
    HungUp,
    Locked,
    Lost,
    NotConfirmed,
    NotFound,
    OrquestadorError,
    Refused,
    UnknownName,
    Unreachable,
    Unroutable,
    UsageError,
)
from orquestador.run import exits
from orquestador.run.exits import explain

CODES: dict[type[BaseException], int] = {
    UsageError: 64,
    UnknownName: 64,
    ConfigurationError: 78,
    Refused: 77,
    Conflict: 4,
    Locked: 4,
    Unreachable: 69,
    Lost: 69,
    HungUp: 69,
    NotFound: 69,
    Unroutable: 69,
    NotConfirmed: 69,
    BrokerError: 69,
    EventError: 70,
    OrquestadorError: 70,
    RuntimeError: 70,
    KeyboardInterrupt: 130,
}


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_each_kind_of_fault_has_its_exit_code(kind: type[BaseException]) -> None:
    assert explain(kind("what went wrong")) == CODES[kind]


def test_no_kind_of_fault_is_left_out() -> None:
    kinds = {
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, Exception)
    }

    assert kinds <= set(CODES)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (UsageError("say one of"), "say one of\n"),
        (
            Conflict("406"),
            "406\n  try: put the file's value back, or delete the queue and let it be made anew\n",
        ),
        (Lost("connection reset"), "connection reset\n"),
        (
            Refused("ACCESS_REFUSED"),
            "ACCESS_REFUSED\n"
            "  try: check user, password and vhost in the address, and the user's permissions\n",
        ),
        (
            Unreachable("amqp://guest:***@localhost:5672/: connection refused"),
            "no broker: amqp://guest:***@localhost:5672/: connection refused\n"
            "  try: start a broker there, or name another: --url URL or AMQP_URL, see --help\n",
        ),
        (
            ConfigurationError([Fault("t.yaml", 9, "b", "two"), Fault("t.yaml", 2, "a", "one")]),
            "t.yaml:2: a: one\nt.yaml:9: b: two\n",
        ),
        (KeyboardInterrupt(), ""),
    ],
    ids=lambda it: type(it).__name__,
)
def test_it_is_said_on_standard_error_without_a_traceback(
    fault: BaseException, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    explain(fault)

    assert capsys.readouterr() == ("", text)


def test_a_defect_keeps_its_traceback_and_is_called_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        raise ZeroDivisionError("by nothing")
    except ZeroDivisionError as fault:
        assert explain(fault) == exits.DEFECT

    err = capsys.readouterr().err
    assert "Traceback" in err and "ZeroDivisionError: by nothing" in err
    assert err.endswith("This is a defect of orquestador; the lines above say where.\n")
