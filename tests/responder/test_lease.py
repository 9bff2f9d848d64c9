"""What a service holds, and what it acknowledges: at most one ping, and each exactly once."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orquestador.responder.lease import Lease, Settled, Terms

TERMS = Terms(periods=3.0, shortest=300.0, longest=1500.0)


def held(tag: int = 1, *, now: float = 0.0, every: float = 1.0) -> Lease:
    lease, _settled = Lease(TERMS).arrived(tag, now, every)
    return lease


def test_a_ping_is_held_until_the_next_one_comes() -> None:
    first, settled = Lease(TERMS).arrived(1, 0.0, 1.0)
    assert (first.held, settled) == (1, ())

    second, settled = first.arrived(2, 1.0, 1.0)
    assert (second.held, settled) == (2, (1,))


@pytest.mark.parametrize(
    ("every", "seconds"), [(1, 300), (100, 300), (120, 360), (480, 1440), (86_400, 1500)]
)
def test_a_held_ping_is_released_between_5_and_25_minutes_after_it_came(
    every: float, seconds: float
) -> None:
    assert held(now=10.0, every=every).release_at == 10.0 + seconds


def test_what_is_released_is_acknowledged_once() -> None:
    lease, settled = held(7).released()

    assert (lease.held, lease.release_at, settled) == (None, inf, (7,))
    assert lease.released() == (lease, ())


def test_silence_is_doubted_after_three_times_what_the_last_ping_promised() -> None:
    lease = held(1, now=10.0, every=30.0)
    assert lease.doubt_at == 100.0

    lease, _settled = lease.arrived(2, 40.0, 1.0)
    assert lease.doubt_at == 43.0


def test_before_the_first_promise_nothing_is_doubted() -> None:
    assert Lease(TERMS).begun(5.0).due == inf

    looked_at, _settled = Lease(TERMS).arrived(1, 5.0, 1.0, promised=False)
    assert looked_at.doubt_at == inf


def test_a_ping_that_promises_nothing_leaves_the_promise_of_another_as_it_was() -> None:
    lease, _settled = held(1, now=0.0, every=30.0).arrived(2, 10.0, 1.0, promised=False)

    assert (lease.every, lease.doubt_at) == (30.0, 100.0)


def test_doubt_comes_back_after_its_patience_and_a_wait() -> None:
    lease = held(1, now=0.0, every=1.0).doubted(3.0, 0.5)

    assert (lease.held, lease.doubt_at) == (1, 6.5)


def test_a_new_session_holds_nothing_and_keeps_the_promise() -> None:
    lease = held(1, now=0.0, every=2.0).begun(100.0)

    assert (lease.held, lease.release_at, lease.every, lease.doubt_at) == (None, inf, 2.0, 106.0)


MOMENTS = st.lists(
    st.one_of(
        st.tuples(st.just("arrives"), st.floats(0.001, 86_400), st.booleans()),
        st.just(("released",)),
        st.tuples(st.just("doubted"), st.floats(0, 300)),
    ),
    max_size=40,
)


@given(MOMENTS, st.floats(0.0, 1e9), st.floats(0.0, 1e4))
def test_each_ping_is_acknowledged_once_or_still_held_and_after_the_end_nothing_is(
    moments: list[tuple[object, ...]], now: float, step: float
) -> None:
    lease = Lease(TERMS).begun(now)
    came: list[int] = []
    acknowledged: list[int] = []

    for what, *given_ in moments:
        now += step
        settled: Settled = ()
        if what == "arrives":
            came.append(len(came) + 1)
            lease, settled = lease.arrived(came[-1], now, given_[0], promised=given_[1])  # type: ignore[arg-type]
            assert lease.held == came[-1]
            assert 300 <= round(lease.release_at - now, 3) <= 1500
        elif what == "released":
            lease, settled = lease.released()
        else:
            lease = lease.doubted(now, given_[0])  # type: ignore[arg-type]
        acknowledged += settled
        holding = [] if lease.held is None else [lease.held]
        assert acknowledged + holding == came

    lease, settled = lease.released()
    assert [*acknowledged, *settled] == came
    assert (lease.held, lease.release_at) == (None, inf)
