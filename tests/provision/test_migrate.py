"""--migrate: a full queue is made anew and none of its messages is lost, whatever happens."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import pika
import pytest

from orquestador.broker import moving
from orquestador.provision import making, waystation
from orquestador.provision.outcome import Outcome, Result, exit_code
from orquestador.provision.plan import Action, Plan, Step
from orquestador.provision.records import id_of
from orquestador.settings import settle
from orquestador.topology.model import Binding, Exchange, Queue, Topology
from tests.broker_layer.conftest import Restricted
from tests.broker_layer.looping import on_a_loop
from tests.broker_layer.witness import Witness, taken
from tests.conftest import AnyNode
from tests.provision.carrying_out import Child, Place, killed_at
from tests.provision.cases import topology
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker

ORDERS = Exchange("orders", "topic")
BINDINGS = (Binding("orders", "order.*"), Binding("orders", "refund.#"))
BESIDE = ("work.migrating", "work.migrating.lock", "orquestador.migrating")
SHAPES: tuple[dict[str, object], ...] = (
    {},
    {"x-message-ttl": 3_600_000},
    {"x-queue-type": "quorum"},
    {"x-max-length": 1_000_000},
)


@pytest.fixture
def place(url: str, tmp_path: Path) -> Place:
    return Place(url, tmp_path)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The times that are waited for, shorter."""
    monkeypatch.setattr(moving, "QUIET", 0.05)
    monkeypatch.setattr(moving, "STALLED", 0.2)
    monkeypatch.setattr(waystation, "LOCKED", 0.3)
    monkeypatch.setattr(making, "SETTLES", 0.2)


def shaped(**arguments: object) -> Topology:
    return topology(ORDERS, Queue("work", arguments=arguments, bindings=BINDINGS))


def fill(witness: Witness, messages: int) -> None:
    with witness.channel() as channel:
        channel.confirm_delivery()  # else a quorum queue may not get what comes before the close
        for number in range(messages):
            properties = pika.BasicProperties(  # type: ignore[no-untyped-call]
                message_id=f"seed {number}", headers={"number": number}, priority=number % 5
            )
            channel.basic_publish("orders", f"order.{number}", b"%d" % number, properties)


def empty(witness: Witness, queue: str = "work") -> list[tuple[str, str]]:
    """The ids and routing keys of all that is in it, which is then taken out."""
    found = []
    with witness.channel() as channel:
        while (message := taken(channel, queue)) is not None:
            found.append((str(message.properties.message_id), message.routing_key))
    return found


def nothing_beside(witness: Witness) -> bool:
    return not any(witness.exists(name) or witness.has_exchange(name) for name in BESIDE)


@contextmanager
def publishing(url: str, noted: Path) -> Iterator[Callable[[], set[str]]]:
    """A child publishes to `orders` all the while.  Called, it stops: the ids of the confirmed."""
    child = Child(partial(_publish, url, noted))
    eventually(lambda: noted.exists() and noted.stat().st_size)

    def stop() -> set[str]:
        child.kill()
        return set(noted.read_text().split("\n")[:-1])

    try:
        yield stop
    finally:
        child.kill()


def _publish(url: str, noted: Path) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    with noted.open("w", buffering=1) as file:
        for number in count():
            id = f"new {number}"
            properties = pika.BasicProperties(message_id=id)  # type: ignore[no-untyped-call]
            channel.basic_publish("orders", "order.new", b"", properties, mandatory=True)
            file.write(f"{id}\n")
            time.sleep(0.001)


# -- the usual


@pytest.mark.parametrize("had", SHAPES[::2], ids=["classic", "quorum"])
@pytest.mark.parametrize("wants", SHAPES[1:3], ids=["to_classic", "to_quorum"])
@on_a_loop
async def test_all_is_in_the_new_queue_as_it_was_and_in_its_order(
    place: Place, witness: Witness, had: dict[str, object], wants: dict[str, object]
) -> None:
    if had == wants:
        had = {**had, "x-max-length": 500}
    await place.apply(shaped(**had))
    fill(witness, 250)
    eventually(lambda: witness.messages("work") == 250)

    outcomes = await place.apply(shaped(**wants), migrate=True)

    assert str(outcomes.of("work")).endswith("migrated: 250 messages moved")
    first = witness.wait_for("work")
    assert (first.body, first.routing_key, first.properties.priority) == (b"0", "order.0", 0)
    assert [key for _, key in empty(witness)] == [f"order.{number}" for number in range(1, 250)]
    assert nothing_beside(witness)
    again = await place.apply(shaped(**wants), migrate=True)
    assert set(again.results.values()) == {Result.THERE}
    witness.put("orders", "refund.x", b"")
    eventually(lambda: witness.messages("work") == 1)


@on_a_loop
async def test_an_empty_one_is_migrated_too_and_progress_is_told(
    place: Place, witness: Witness
) -> None:
    told: list[tuple[str, int, int]] = []
    await place.apply(shaped())
    await place.apply(shaped(**SHAPES[1]), migrate=True)
    fill(witness, 10)

    await place.apply(shaped(), migrate=True, moved=lambda *progress: told.append(progress))

    assert told[-1] == ("work", 20, 20)


@pytest.mark.only_rabbitmq("the embedded broker's streams are classic queues")
@on_a_loop
async def test_messages_move_into_a_stream(place: Place, witness: Witness) -> None:
    await place.apply(shaped())
    fill(witness, 30)

    outcomes = await place.apply(shaped(**{"x-queue-type": "stream"}), migrate=True)

    assert outcomes.of("work").text == "30 messages moved"
    assert nothing_beside(witness)


# -- whatever happens


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_while_others_publish_it_loses_nothing(
    place: Place, url: str, witness: Witness, seed: int, tmp_path: Path
) -> None:
    """Nor where the file changes its mind between two runs."""
    chance = random.Random(seed)
    asyncio.run(place.apply(shaped()))
    fill(witness, 200)
    with publishing(url, tmp_path / "noted") as stop:
        killed = [
            killed_at(
                chance.choice((chance.randrange(1, 90), chance.randrange(1, 2000))),
                partial(place.apply, shaped(**chance.choice(SHAPES)), migrate=True),
            )
            for _ in range(8)
        ]
        outcomes = asyncio.run(place.apply(shaped(**SHAPES[1]), migrate=True))
        confirmed = stop()

    assert any(killed)
    assert exit_code(outcomes) == 0
    found = dict(empty(witness))
    assert found.keys() >= confirmed
    assert {f"seed {n}": f"order.{n}" for n in range(200)}.items() <= found.items()
    assert nothing_beside(witness)


@on_a_loop
async def test_what_comes_while_it_is_under_way_is_there_once_or_counted(
    place: Place, url: str, witness: Witness, tmp_path: Path
) -> None:
    await place.apply(shaped())
    fill(witness, 100)
    with publishing(url, tmp_path / "noted") as stop:
        outcome = (await place.apply(shaped(**SHAPES[1]), migrate=True)).of("work")
        confirmed = stop()

    found = empty(witness)
    twice = len(found) - len(set(found))
    said = int(outcome.text.partition("at most ")[2].split()[0]) if "at most" in outcome.text else 0
    assert {id for id, _ in found} >= confirmed
    assert twice <= said


@on_a_loop
async def test_two_at_once_lose_nothing_and_end_in_the_files_state(
    place: Place, witness: Witness, tmp_path: Path
) -> None:
    other = Place(place.url, tmp_path / "other")
    other.folder.mkdir()
    await place.apply(shaped())
    fill(witness, 100)

    both = await asyncio.gather(
        *(each.apply(shaped(**SHAPES[1]), migrate=True) for each in (place, other))
    )

    results = [outcomes.of("work").result for outcomes in both]
    assert Result.MIGRATED in results
    assert results.count(Result.MIGRATED) == 1
    assert sorted(empty(witness)) == sorted((f"seed {n}", f"order.{n}") for n in range(100))
    assert nothing_beside(witness)


# -- what is in the way


async def migrated(
    place: Place, wanted: Topology, meanwhile: Callable[[], object] = lambda: None
) -> Outcome:
    """What became of `work`, where something happens between plan and apply."""
    async with await place.crew() as crew:
        plan = await place.plan(crew, wanted, migrate=True)
        meanwhile()
        return (await place.carry_out(crew, plan, wanted)).of("work")


@on_a_loop
async def test_a_consumer_that_comes_after_the_plan_leaves_all_as_it_is(
    place: Place, witness: Witness
) -> None:
    await place.apply(shaped())
    with witness.channel() as channel:
        outcome = await migrated(
            place, shaped(**SHAPES[1]), lambda: channel.basic_consume("work", lambda *_: None)
        )

    assert outcome.result is Result.CONFLICT
    assert outcome.text == "stop its 1 consumer first; nothing was changed"
    assert nothing_beside(witness)
    assert place.section is not None and len(place.section.links) == 2


@on_a_loop
async def test_a_consumer_that_comes_in_between_has_all_put_back(
    place: Place, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.apply(shaped())
    fill(witness, 50)
    wanted, build = shaped(**SHAPES[1]), waystation.Waystation.build
    with witness.channel() as channel:
        channel.basic_qos(prefetch_count=1)

        async def and_consume(self: waystation.Waystation, old_type: str | None) -> None:
            await build(self, old_type)
            channel.basic_consume("work", lambda *_: None)

        with monkeypatch.context() as patched:
            patched.setattr(waystation.Waystation, "build", and_consume)
            outcome = await migrated(place, wanted)

    assert outcome.result is Result.CONFLICT
    assert outcome.text.endswith("its messages and bindings are as they were")
    witness.put("orders", "refund.x", b"")
    eventually(lambda: witness.messages("work") == 51)
    assert nothing_beside(witness)
    assert (await migrated(place, wanted)).result is Result.MIGRATED


@on_a_loop
async def test_a_queue_too_small_keeps_the_rest_beside_it_until_there_is_room(
    place: Place, witness: Witness
) -> None:
    await place.apply(shaped())
    fill(witness, 5)

    small = await migrated(place, shaped(**{"x-max-length": 8}), lambda: fill(witness, 10))

    assert small.result is Result.FAILED
    assert "it takes no more" in small.text and "the rest and what is new wait" in small.text
    assert len(empty(witness)) == 8
    rest = await migrated(place, shaped(**{"x-max-length": 8}))
    assert rest.result is Result.MIGRATED and "7 messages moved" in rest.text
    assert len(empty(witness)) == 7 and nothing_beside(witness)


@on_a_loop
async def test_what_expires_while_it_waits_goes_where_its_queue_sends_it(
    place: Place, witness: Witness
) -> None:
    await place.apply(shaped())
    with witness.channel() as channel:
        properties = pika.BasicProperties(expiration="400")  # type: ignore[no-untyped-call]
        for _ in range(3):
            channel.basic_publish("orders", "order.x", b"", properties)
    letters = {"x-max-length": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "late"}
    witness.declare("late")

    outcome = await migrated_anyway(place, shaped(**letters))

    assert "the rest and what is new wait in work.migrating" in outcome.text
    eventually(lambda: witness.messages("late") == 3)


async def migrated_anyway(place: Place, wanted: Topology) -> Outcome:
    """Whether or not the plan would say that it fits."""
    (work,) = wanted.lasting
    async with await place.crew() as crew:
        plan = Plan((Step(Action.MIGRATE, id_of(work), work, links=wanted.links),))
        return (await place.carry_out(crew, plan, wanted))[0]


@on_a_loop
async def test_a_broker_that_takes_no_messages_is_waited_for_and_that_is_said(
    place: Place, node: AnyNode, witness: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    await place.apply(shaped())
    fill(witness, 20)
    node.alarm()
    try:
        running = asyncio.ensure_future(place.apply(shaped(**SHAPES[1]), migrate=True))
        await asyncio.to_thread(eventually, lambda: "takes no messages now" in caplog.text)
        assert not running.done()
    finally:
        node.lift_alarm()

    assert (await running).of("work").text == "20 messages moved"


@on_a_loop
async def test_a_refusal_by_the_new_queue_is_no_loss(place: Place, witness: Witness) -> None:
    await place.apply(shaped())
    limits = {"x-max-length-bytes": 4, "x-overflow": "reject-publish"}
    fill(witness, 10)

    outcome = await migrated(place, shaped(**limits))

    assert outcome.result is Result.FAILED and "nothing is lost" in outcome.text
    assert (await migrated(place, shaped())).result is Result.MIGRATED
    assert len(empty(witness)) == 10


@pytest.mark.only_rabbitmq("the embedded broker has one user")
@on_a_loop
async def test_a_message_of_another_user_has_all_put_back(
    place: Place, restricted: Restricted, witness: Witness
) -> None:
    theirs = restricted(".*", ".*", ".*")
    await place.apply(shaped())
    fill(witness, 5)
    user = settle(theirs, {}).addresses[0].user
    Witness(theirs).put("orders", "order.theirs", b"", user_id=user, message_id="theirs")

    outcome = await migrated(place, shaped(**SHAPES[1]))

    assert outcome.result is Result.CONFLICT
    assert "user_id" in outcome.text and "impersonator" in outcome.text
    assert len(empty(witness)) == 6 and nothing_beside(witness)


@on_a_loop
async def test_while_another_run_is_at_it_nothing_is_done(place: Place, witness: Witness) -> None:
    await place.apply(shaped())
    with witness.channel() as channel:
        channel.queue_declare("work.migrating.lock", exclusive=True)
        outcome = await migrated(place, shaped(**SHAPES[1]))

    assert (outcome.result, outcome.text) == (Result.FAILED, "another run is migrating it")


@pytest.mark.only_rabbitmq("the embedded broker's streams are classic queues")
@on_a_loop
async def test_a_stream_with_messages_is_none_that_can_be_moved(
    place: Place, witness: Witness
) -> None:
    await place.apply(shaped(**{"x-queue-type": "stream"}))

    outcome = await migrated(place, shaped(), lambda: witness.put("", "work", b"late"))

    assert outcome.result is Result.CONFLICT and "a stream cannot be moved" in outcome.text


@on_a_loop
async def test_an_auto_delete_queue_is_not_consumed(place: Place, witness: Witness) -> None:
    with witness.channel() as channel:
        channel.queue_declare("work", durable=True, auto_delete=True)
    fill_directly = partial(witness.put, "", "work", b"kept")

    outcome = await migrated(place, shaped(), fill_directly)

    assert outcome.result is Result.CONFLICT and "auto_delete" in outcome.text
    assert witness.wait_for("work").body == b"kept"


@on_a_loop
async def test_a_name_too_long_for_a_second_one_is_told(place: Place) -> None:
    long = Queue("q" * 250)
    plan = Plan((Step(Action.MIGRATE, id_of(long), long),))
    async with await place.crew() as crew:
        outcomes = await place.carry_out(crew, plan, topology(long))

    assert outcomes[0].result is Result.FAILED and "too long" in outcomes[0].text
