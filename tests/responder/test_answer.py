"""What a responder returns, or raises, becomes a health and details; nothing it does is fatal."""

from __future__ import annotations

from typing import Any

import pytest

from orquestador.events import Echo, Health, Ping, Sender, timestamp
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
