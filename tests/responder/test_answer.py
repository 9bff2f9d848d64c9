"""What a responder returns, or raises, becomes a health and details; nothing it does is fatal."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec
import pytest

from orquestador.events import DETAILS_MAX, Echo, Health, Ping, Sender, decode, encode, timestamp
from orquestador.responder.answer import Answer, answer, checking

PING = Ping(
    id="1",
    sequence=1,
    sender=Sender(service="monitor", instance="m"),
    epoch=0,
    sent_at=timestamp(),
    every=1.0,
)
ECHO = Echo(
    phase="alive",
    ping=None,
    sequence=None,
    service="other",
    instance="other",
    started_at=timestamp(),
    redelivered=False,
    health=Health.DEGRADED,
    details={"queue": 9},
)


def said(result: object) -> Answer | None:
    return answer(lambda _ping, _service: result, PING, "mock1")


@pytest.mark.parametrize(
    ("result", "meant"),
    [
        (None, None),
        ({}, Answer(Health.OK, None)),
        ({"load": 0.5}, Answer(Health.OK, {"load": 0.5})),
        ({"health": "degraded", "load": 9}, Answer(Health.DEGRADED, {"load": 9})),
        ({"health": Health.FAILING}, Answer(Health.FAILING, None)),
        (ECHO, Answer(Health.DEGRADED, {"queue": 9})),
    ],
)
def test_a_result_is_a_health_and_details(result: object, meant: Answer | None) -> None:
    assert said(result) == meant


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (7, "a responder returned int, not an Echo, a dict or None"),
        ("fine", "a responder returned str"),
        ({"health": "splendid"}, "'splendid' is not a valid Health"),
    ],
)
def test_garbage_is_failing_and_says_why(result: object, error: str) -> None:
    given = said(result)

    assert given is not None and given.health is Health.FAILING
    assert given.details is not None and error in given.details["error"]


def test_an_exception_is_failing_with_its_message_cut_to_a_line_that_may_travel() -> None:
    def respond(_ping: Ping, _service: str) -> None:
        raise OSError("disk " + "x" * 5000)

    given = answer(respond, PING, "mock1")

    assert given is not None and given.health is Health.FAILING
    assert given.details is not None
    assert given.details["error"].startswith("OSError: disk x") and len(str(given.details)) < 500


@pytest.mark.parametrize("details", [{"text": "x" * 5000}, {"thing": object()}, {"n": {1, 2}}])
def test_details_that_may_not_travel_cost_no_answer(details: dict[str, Any]) -> None:
    given = said(details)

    assert given is not None and given.health is Health.OK
    assert given.details is not None


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text either")


def travels(given: Answer | None) -> dict[str, Any]:
    """The details of an echo with that answer, as a monitor reads them."""
    assert given is not None
    body = encode(msgspec.structs.replace(ECHO, health=given.health, details=given.details))
    assert len(body) < DETAILS_MAX + 300
    details = decode(Echo, body).details
    assert details == given.details
    return details or {}


def raises(fault: BaseException, *_given: object) -> None:
    raise fault


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (OSError("caf\udce9.db"), "OSError: caf\\udce9.db"),
        (OSError("two\nlines\x00"), "OSError: two lines "),
        (OSError('"' * 5000), 'OSError: """'),
        (OSError("\x00" * 5000), "OSError: "),
        (OSError("é" * 5000), "OSError: ééé"),
        (Unspeakable(), "Unspeakable: "),
        (SystemExit("enough"), "SystemExit: enough"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (asyncio.CancelledError(), "CancelledError"),
    ],
)
def test_whatever_is_raised_its_text_travels(fault: BaseException, said: str) -> None:
    given = answer(partial(raises, fault), PING, "mock1")
    checked = answer(checking([partial(raises, fault)]), PING, "mock1")

    assert given is not None and given.health is Health.FAILING
    assert travels(given)["error"].startswith(said)
    assert checked is not None and checked.health is Health.FAILING
    assert travels(checked)["failed"]["partial"].startswith(said)


def test_many_checks_that_object_at_length_are_failing_all_the_same() -> None:
    class Lengthy:
        def __init__(self, number: int) -> None:
            self.__name__ = f"check-{number}"

        def __call__(self) -> None:
            raise OSError("x" * 5000)

    given = answer(checking([Lengthy(number) for number in range(9)]), PING, "mock1")

    assert given is not None and given.health is Health.FAILING
    assert "check-8" in str(travels(given))


@pytest.mark.parametrize(
    "details",
    [
        {"caf\udce9": 1},
        {"file": "caf\udce9.db"},
        {"load": float("nan")},
        {"n": 2**70},
        {7: "seven"},
        {"when": object()},
    ],
)
def test_details_of_any_kind_cost_no_answer(details: dict[Any, Any]) -> None:
    given = said(details)
    assert given is not None and given.health is Health.OK
    travels(given)

    given = said(msgspec.structs.replace(ECHO, details=details))
    assert given is not None and given.health is Health.DEGRADED
    travels(given)


def test_an_echo_of_no_health_or_no_details_is_failing_and_says_why() -> None:
    for wrong in ({"health": "splendid"}, {"details": 7}):
        given = said(msgspec.structs.replace(ECHO, **wrong))
        assert given is not None and given.health is Health.FAILING
        assert "error" in travels(given)


def test_details_that_a_responder_changes_later_travel_as_they_were() -> None:
    details: dict[str, Any] = {"jobs": [1]}
    given = said(details)
    details["jobs"].append(object())

    assert travels(given) == {"jobs": [1]}


# -- checks


def database_answers() -> None: ...


def disk_has_room() -> bool:
    return False


def cache_answers() -> None:
    raise ConnectionError("refused")


def test_a_service_is_well_when_no_check_objects() -> None:
    assert answer(checking([database_answers, lambda: True, lambda: 0]), PING, "x") == Answer()


def test_every_check_that_objects_is_named() -> None:
    checks = [database_answers, disk_has_room, cache_answers]
    given = answer(checking(checks), PING, "x")

    assert given == Answer(
        Health.FAILING,
        {
            "failed": {
                "disk_has_room": "returned False",
                "cache_answers": "ConnectionError: refused",
            }
        },
    )


def test_a_check_may_be_any_callable() -> None:
    class Room:
        def __call__(self) -> bool:
            return False

    given = answer(checking([Room()]), PING, "x")
    assert given is not None and given.details == {"failed": {"Room": "returned False"}}
