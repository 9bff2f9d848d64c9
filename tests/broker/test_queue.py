"""A queue by itself, with time in the test's hands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plugins.broker.queue import Entry, Queue

from .clock import Taker, World, message, text


def fill(queue: Queue, *bodies: str) -> None:
    for body in bodies:
        queue.publish(message(body))


def drain(queue: Queue) -> list[str]:
    got = []
    while (entry := queue.get()) is not None:
        got.append(text(entry.message))
    return got


def take(queue: Queue, count: int) -> list[Entry]:
    entries = [queue.get() for _ in range(count)]
    return [entry for entry in entries if entry is not None]


def test_messages_come_out_in_order() -> None:
    queue = World().queue()

    fill(queue, "one", "two", "three")

    assert drain(queue) == ["one", "two", "three"]
    assert queue.get() is None


def test_what_is_requeued_goes_back_to_its_place_and_is_marked() -> None:
    queue = World().queue()
    fill(queue, "one", "two", "three", "four")
    first, second, third = take(queue, 3)

    queue.requeue([third])
    queue.requeue([first])

    assert [entry.redelivered for entry in take(queue, 3)] == [True, True, False]
    queue.requeue([second])
    assert drain(queue) == ["two"]


@given(st.permutations(range(6)), st.integers(0, 6))
def test_the_order_of_requeues_does_not_matter(order: list[int], kept: int) -> None:
    queue = World().queue()
    fill(queue, *map(str, range(8)))
    entries = take(queue, 6)

    for number in order[kept:]:
        queue.requeue([entries[number]])

    assert drain(queue) == [*map(str, sorted(order[kept:])), "6", "7"]


def test_a_full_queue_drops_its_head_and_buries_it() -> None:
    world = World()
    queue = world.queue(max_length=2)

    fill(queue, "one", "two", "three")

    assert world.buried == [("one", "maxlen")]
    assert drain(queue) == ["two", "three"]


def test_a_requeue_into_a_full_queue_drops_the_oldest() -> None:
    queue = World().queue(max_length=1)
    fill(queue, "one")
    held = take(queue, 1)
    fill(queue, "two")

    queue.requeue(held)

    assert drain(queue) == ["two"]


def test_a_queue_that_rejects_keeps_what_it_has_even_after_a_requeue() -> None:
    queue = World().queue(max_length=1, overflow="reject-publish")
    assert queue.publish(message("one"))
    held = take(queue, 1)
    assert queue.publish(message("two"))
    assert not queue.publish(message("three"))

    queue.requeue(held)

    assert drain(queue) == ["one", "two"]


def test_bytes_are_limited_too() -> None:
    queue = World().queue(max_bytes=10)

    fill(queue, "12345", "67890", "x")

    assert drain(queue) == ["67890", "x"]


def test_messages_expire_when_their_time_has_come() -> None:
    world = World()
    queue = world.queue(message_ttl=1000)
    fill(queue, "one")
    world.advance(0.5)
    fill(queue, "two")

    world.advance(0.5)

    assert world.buried == [("one", "expired")]
    assert len(queue) == 1
    world.advance(0.5)
    assert len(queue) == 0


def test_only_the_head_expires() -> None:
    world = World()
    queue = world.queue()
    queue.publish(message("stays"))
    queue.publish(message("hidden", time_to_live=10))

    world.advance(1)
    assert len(queue) == 2

    queue.get()
    assert len(queue) == 0
    assert world.buried == [("hidden", "expired")]


def test_no_time_at_all_is_enough_for_a_waiting_consumer() -> None:
    world = World()
    queue = world.queue(message_ttl=0)
    queue.publish(message("lost"))
    taker = Taker()
    queue.add_consumer(taker)

    queue.publish(message("taken"))

    assert world.buried == [("lost", "expired")]
    assert taker.bodies == ["taken"]


def test_an_earlier_expiry_at_the_head_moves_the_alarm() -> None:
    world = World()
    queue = world.queue(message_ttl=10_000)
    fill(queue, "late")
    held = take(queue, 1)
    queue.publish(message("soon", time_to_live=1000))
    queue.requeue(held)

    world.advance(1.0)
    assert len(queue) == 2
    world.advance(9.0)

    assert len(queue) == 0


def test_an_unused_queue_expires_but_not_a_used_one() -> None:
    world = World()
    queue = world.queue(expires=1000)
    world.advance(0.9)
    queue.get()
    world.advance(0.9)
    assert world.expired == []
    taker = Taker()
    queue.add_consumer(taker)
    world.advance(5)
    assert world.expired == []

    queue.remove_consumers([taker])
    world.advance(1)

    assert world.expired == ["q"]


def test_a_message_that_comes_back_too_often_is_given_up() -> None:
    world = World()
    queue = world.queue(delivery_limit=1)
    fill(queue, "poison")

    queue.requeue(take(queue, 1))
    queue.requeue(take(queue, 1))

    assert world.buried == [("poison", "delivery_limit")]
    assert len(queue) == 0


def test_consumers_get_messages_in_turns() -> None:
    queue = World().queue()
    takers = [Taker(), Taker()]
    for taker in takers:
        queue.add_consumer(taker)

    fill(queue, "one", "two", "three")

    assert [taker.bodies for taker in takers] == [["one", "three"], ["two"]]


def test_what_a_dead_consumer_held_reaches_the_next() -> None:
    queue = World().queue(single_active=True, max_length=1)
    holder, heir = Taker(1), Taker(1)
    queue.add_consumer(holder)
    queue.add_consumer(heir)
    fill(queue, "lease")
    assert (holder.bodies, heir.bodies) == (["lease"], [])

    queue.remove_consumers([holder])
    queue.requeue(holder.taken)

    assert heir.bodies == ["lease"]
    assert heir.taken[0].redelivered


def test_a_new_active_consumer_gets_what_is_ready_with_the_next_message() -> None:
    queue = World().queue(single_active=True)
    first, second = Taker(1), Taker(2)
    queue.add_consumer(first)
    queue.add_consumer(second)
    fill(queue, "one", "two")

    queue.remove_consumers([first])
    fill(queue, "three")

    assert second.bodies == ["two", "three"]


def test_all_weight_is_given_back() -> None:
    world = World()
    queue = world.queue(max_length=3)
    fill(queue, "one", "two", "three", "four")
    first, second = take(queue, 2)
    queue.ack(first)
    queue.discard([second])
    fill(queue, "five")
    held = take(queue, 1)

    queue.close()
    queue.requeue(held)

    assert world.weight == 0
    assert world.buried == [("one", "maxlen"), ("three", "rejected")]


def test_closing_tells_who_consumed() -> None:
    queue = World().queue()
    taker = Taker()
    queue.add_consumer(taker)

    assert queue.close() == [taker]
    assert queue.deleted
