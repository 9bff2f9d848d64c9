"""Whose turn it is."""

from __future__ import annotations

from plugins.broker.consumers import Round

from .clock import Taker, World, message


def test_the_highest_priority_is_served_first() -> None:
    queue = World().queue()
    low, high = Taker(), Taker(1, priority=5)
    queue.add_consumer(low)
    queue.add_consumer(high)

    for body in ("one", "two", "three"):
        queue.publish(message(body))

    assert (high.bodies, low.bodies) == (["one"], ["two", "three"])


def test_who_waited_comes_back_last_in_its_line() -> None:
    turns = Round(single_active=False)
    first, second = Taker(0), Taker(5)
    turns.add(first)
    turns.add(second)
    assert turns.next() is second
    first.room = 1

    assert turns.resume(first)

    assert [turns.next(), turns.next()] == [second, first]


def test_a_single_active_consumer_stays_though_others_have_priority() -> None:
    turns = Round(single_active=True)
    active, other = Taker(), Taker(priority=9)
    turns.add(active)
    turns.add(other)
    assert turns.next() is active

    turns.remove(active)

    assert turns.next() is other


def test_a_full_active_consumer_is_not_replaced() -> None:
    turns = Round(single_active=True)
    active, other = Taker(0), Taker()
    turns.add(active)
    turns.add(other)

    assert turns.next() is None
    active.room = 1
    assert turns.resume(active)
    assert turns.next() is active


def test_a_removed_consumer_does_not_come_back() -> None:
    turns = Round(single_active=False)
    gone = Taker(0)
    turns.add(gone)
    assert turns.next() is None
    turns.remove(gone)
    gone.room = 1

    assert not turns.resume(gone)
    assert turns.next() is None


def test_nobody_is_next_where_nobody_consumes() -> None:
    assert Round(single_active=False).next() is None
    assert Round(single_active=True).next() is None
