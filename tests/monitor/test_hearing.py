"""Whether the lateness of an echo may be judged: only where the monitor itself saw all along."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from orquestador_plugins.monitor.evidence import Heard
from orquestador_plugins.monitor.hearing import evidence_of
from orquestador_plugins.monitor.pings import Sent

from .driving import alive

SEEN = Sent(sequence=3, at=5.0, trusted=True)
BLINDLY = Sent(sequence=3, at=5.0, trusted=False)


@pytest.mark.parametrize(
    ("sent", "seen_since", "round_trip"),
    [
        (SEEN, 1.0, 0.25),
        (SEEN, 5.0, 0.25),
        (SEEN, 5.1, None),  # sent before the last blindness ended
        (SEEN, None, None),  # read while blind
        (BLINDLY, 1.0, None),
        (None, 1.0, None),
    ],
)
def test_an_echo_is_timed_if_the_monitor_saw_from_its_ping_on(
    sent: Sent | None, seen_since: float | None, round_trip: float | None
) -> None:
    seen = evidence_of(alive("a", "a1", "p"), sent, 5.25, seen_since)

    assert isinstance(seen, Heard)
    assert (seen.instance, seen.round_trip) == ("a1", round_trip)
    assert seen.sent_at == (None if sent is None else 5.0)


def test_a_redelivered_ping_was_elsewhere_before_and_is_not_timed() -> None:
    again = replace(alive("a", "a1", "p"), redelivered=True)
    seen = evidence_of(again, SEEN, 5.25, 1.0)

    assert isinstance(seen, Heard) and seen.redelivered
    assert seen.round_trip is None
