"""What arrives and cannot be: counted as rejected, and nothing follows from it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from orquestador_plugins.monitor.incoming import EPOCHS_AHEAD, Incoming

from orquestador import Delivery, EventError, RoleContext
from orquestador.events import Event, State, Status, encode
from orquestador.topology.model import HEARTBEAT

from .driving import Driven, standing_by_and_told, status

DOWN = status("a", State.DOWN, "silent", incident="i1")


class Observers:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.faults: list[EventError] = []

    def received(self, event: Event) -> None:
        pass

    def rejected(self, fault: EventError) -> None:
        self.faults.append(fault)


class Arriving:
    """A standby, to which statuses come in."""

    def __init__(self) -> None:
        self.driven: Driven = standing_by_and_told()
        self.observers = Observers()
        self.deposed: list[str] = []
        exchanges = {HEARTBEAT: SimpleNamespace(name=HEARTBEAT)}
        topology = SimpleNamespace(exchanges=exchanges)
        context = SimpleNamespace(topology=topology, observers=self.observers)
        teller: Any = SimpleNamespace()
        self.incoming = Incoming(
            cast("RoleContext", context), "me", self.driven.watch, teller, self.deposed.append
        )
        self.incoming.begin(10.0)

    def status(self, status: Status, now: float) -> None:
        self.incoming.take(_delivery(f"status.{status.service}", encode(status)), now)


def _delivery(key: str, body: bytes) -> Delivery:
    nothing = dict.fromkeys(
        ("message_id", "type", "app_id", "correlation_id", "user_id", "content_type", "headers")
    )
    made: dict[str, Any] = {"tag": 1, "exchange": "events", "redelivered": False, **nothing}
    return Delivery(routing_key=key, body=body, **made)


@pytest.fixture
def arriving() -> Arriving:
    return Arriving()


def days_ahead(days: float) -> int:
    return int((time.time() + days * EPOCHS_AHEAD) * 1000)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"since": "2026-02-30T00:00:00.000Z", "epoch": 9}, "since"),
        ({"epoch": days_ahead(1.1)}, "a day ahead"),
    ],
)
def test_a_status_that_cannot_be_is_rejected_and_nothing_follows_from_it(
    arriving: Arriving, said: dict[str, Any], why: str
) -> None:
    arriving.status(status("a", State.DOWN, "silent", incident="i1", **said), 11.0)

    (fault,) = arriving.observers.faults
    assert why in str(fault)
    assert arriving.driven.watch.rejected == 1
    assert arriving.incoming.highest == 0 and not arriving.deposed
    assert arriving.driven.states()["a"] is State.UP

    arriving.status(DOWN, 12.0)  # one that can be, of whatever epoch, still counts
    assert arriving.driven.states()["a"] is State.DOWN


def test_a_clock_that_is_ahead_by_less_than_a_day_leads_all_the_same(arriving: Arriving) -> None:
    epoch = days_ahead(0.9)
    arriving.status(status("a", State.DOWN, "silent", incident="i1", epoch=epoch), 11.0)

    assert arriving.observers.faults == []
    assert arriving.incoming.highest == epoch
