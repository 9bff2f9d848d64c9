"""topology.state.json: what was applied where; kept true while a run works, and over its death."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orquestador.errors import ConfigurationError
from orquestador.provision import journal
from orquestador.provision.journal import Journal
from orquestador.provision.records import Record, Section
from orquestador.provision.state import State, broker_key, parse, render, state_path
from orquestador.settings import Settings, settle
from orquestador.topology.model import Absent, Binding, Exchange, Queue, Topology
from orquestador.topology.things import Id, Kind, Link, link

HERE, THERE = "localhost:5672/", "far.example:5671/orders"
ORDERS = Exchange("orders", "topic")
WORK = Queue("work", arguments={"x-queue-type": "quorum"}, bindings=(Binding("orders", "order.*"),))
BOUND = link("orders", Kind.QUEUE, "work", "order.*", {})


def queue(name: str) -> Id:
    return Id(Kind.QUEUE, name)


def exchange(name: str) -> Id:
    return Id(Kind.EXCHANGE, name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "topology.state.json"


def topology(*queues: Queue, exchanges: tuple[Exchange, ...] = (), **more: object) -> Topology:
    return Topology(
        Path("topology.yaml"),
        {each.name: each for each in exchanges},
        {each.name: each for each in queues},
        {},
        **more,  # type: ignore[arg-type]
    )


def applied(path: Path, *things: Exchange | Queue, broker: str = HERE) -> None:
    with Journal.open(path, broker) as kept:
        for thing in things:
            kept.done(thing)


def section(path: Path, broker: str = HERE) -> Section:
    found = State.load(path).section(broker)
    assert found is not None
    return found


# -- which broker, which file


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("amqp://guest:hidden@localhost/", "localhost:5672/"),
        ("amqps://me:hidden@Far.Example/orders", "far.example:5671/orders"),
        ("amqp://h/a%2Fb", "h:5672/a%2Fb"),
        ("amqp://[::1]:7/", "[::1]:7/"),
        ("amqp://b/,amqp://a/,amqp://b/", "a:5672/,b:5672/"),
    ],
)
def test_a_broker_is_known_by_host_port_and_vhost_and_by_no_account(url: str, key: str) -> None:
    assert broker_key(settle(url, {})) == key


def test_the_vhost_that_the_file_names_is_the_one_that_counts() -> None:
    settings: Settings = settle("amqp://h/given", {}).in_vhost("named")

    assert broker_key(settings) == "h:5672/named"


def test_the_state_stands_beside_its_topology() -> None:
    assert state_path(Path("deploy/orders.yaml")) == Path("deploy/orders.state.json")


# -- what is written


def test_what_is_written_is_read_again(path: Path) -> None:
    retained = Queue("kept", disposable=True, retain=True)
    to_exchange = link("orders", Kind.EXCHANGE, "audit", "", {"x-match": "any", "n": 1})

    with Journal.open(path, HERE) as kept:
        kept.intend([WORK])
        for thing in (ORDERS, retained, BOUND, to_exchange):
            kept.done(thing)

    assert section(path).records == {
        exchange("orders"): Record(),
        queue("kept"): Record("classic", disposable=True, retain=True),
        queue("work"): Record("quorum", begun=True),
        BOUND: Record(),
        to_exchange: Record(),
    }


def test_the_text_is_json_one_thing_a_line_and_sorted(path: Path) -> None:
    applied(path, Queue("b"), Queue("a"), Exchange("x"))
    text = path.read_text()

    assert json.loads(text)["brokers"][HERE]["queues"].keys() == {"a", "b", ""}
    assert [line.strip() for line in text.splitlines() if '"classic"' in line] == [
        '"a": {"type": "classic"},',
        '"b": {"type": "classic"},',
    ]


def test_the_order_of_doing_does_not_show(path: Path, tmp_path: Path) -> None:
    applied(path, Queue("a"), Queue("b"), ORDERS)
    applied(tmp_path / "other.state.json", ORDERS, Queue("b"), Queue("a"))

    assert path.read_text() == (tmp_path / "other.state.json").read_text()


def test_a_run_that_changes_nothing_writes_nothing(path: Path) -> None:
    applied(path, ORDERS, WORK)
    os.utime(path, ns=(1, 1))

    applied(path, ORDERS, WORK)

    assert path.stat().st_mtime_ns == 1


def test_an_exchange_of_somebody_else_is_not_recorded(path: Path) -> None:
    with Journal.open(path, HERE) as kept:
        kept.intend([Exchange("theirs", owned=False)])
        kept.done(Exchange("theirs", owned=False))

    assert not path.exists()


def test_an_exchange_that_becomes_somebody_elses_is_forgotten(path: Path) -> None:
    """Else --prune would remove it, once the file drops it."""
    with Journal.open(path, HERE) as kept:
        kept.done(Exchange("shared"))
    with Journal.open(path, HERE) as kept:
        kept.done(Exchange("shared", owned=False))

    assert State.load(path).section(HERE) is None


def test_a_number_of_thousands_of_digits_is_not_what_provisioning_writes(path: Path) -> None:
    path.write_text('{"version": ' + "9" * 5000 + "}")

    with pytest.raises(ConfigurationError, match="is not what provisioning writes"):
        State.load(path)


def test_no_user_and_no_password_are_in_it(path: Path) -> None:
    key = broker_key(settle("amqps://somebody:s3cr3t@h/v,amqp://other:t0ps3cr3t@g/v", {}))

    applied(path, ORDERS, WORK, broker=key)

    text = path.read_text()
    assert not [word for word in ("somebody", "other", "s3cr3t") if word in text]


def test_sections_of_other_brokers_stay(path: Path) -> None:
    applied(path, ORDERS, broker=THERE)
    before = section(path, THERE)

    applied(path, WORK, broker=HERE)
    with Journal.open(path, HERE) as kept:
        kept.gone(WORK)

    assert section(path, THERE) == before
    assert State.load(path).section(HERE) is None


# -- a run's own changes


def test_what_failed_is_taken_out_again_and_what_is_gone_too(path: Path) -> None:
    applied(path, ORDERS)
    with Journal.open(path, HERE) as kept:
        kept.intend([WORK, BOUND])
        kept.failed(WORK)
        kept.failed(BOUND)
        kept.gone(exchange("orders"))

    assert State.load(path).sections == {}


def test_what_is_about_to_be_made_is_on_the_disk_before(path: Path) -> None:
    kept = Journal.open(path, HERE)

    kept.intend([WORK, BOUND])

    assert section(path).records.keys() == {queue("work"), BOUND}
    assert not section(path).known(BOUND)


def test_a_binding_that_is_made_anew_is_unknown_until_it_is_done(path: Path) -> None:
    with Journal.open(path, HERE) as kept:
        kept.done(BOUND)
        assert kept.section.known(BOUND)
        kept.intend([BOUND])
        assert not kept.section.known(BOUND)
        kept.done(BOUND)

    assert section(path).known(BOUND)


def test_two_runs_on_one_checkout_lose_nothing(path: Path) -> None:
    applied(path, Queue("old"))
    one, other = Journal.open(path, HERE), Journal.open(path, HERE)

    one.intend([Queue("a")])
    other.intend([Queue("b")])
    one.done(Queue("a"))
    other.gone(queue("old"))
    other.flush()
    one.flush()

    assert section(path).records.keys() == {queue("a"), queue("b")}
    assert section(path).known(queue("a"))


def test_records_reach_the_disk_while_a_long_run_works(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FLUSH_EVERY", 0.0)
    kept = Journal.open(path, HERE)

    kept.done(ORDERS)

    assert section(path).known(exchange("orders"))


def test_it_is_written_as_a_whole_or_not_at_all(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(path, ORDERS)
    before = path.read_text()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(ConfigurationError, match="cannot be written: No space left"):
            applied(path, WORK)

    assert path.read_text() == before
    applied(path, WORK)
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name]


def test_a_run_killed_at_any_moment_leaves_a_file_that_can_be_read(path: Path) -> None:
    script = f"""
from pathlib import Path
from orquestador.provision.journal import Journal
from orquestador.topology.model import Queue
kept = Journal.open(Path({str(path)!r}), {HERE!r})
print("begun", flush=True)
for number in range(10**6):
    kept.intend([Queue(f"q{{number}}")])
"""
    for _ in range(3):
        run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert run.stdout is not None
        run.stdout.readline()
        before = path.read_bytes() if path.exists() else b""
        while not path.exists() or path.read_bytes() == before:
            assert run.poll() is None
        run.send_signal(signal.SIGKILL)
        run.wait()
        run.stdout.close()

        assert section(path).records


# -- the file cannot be had


@pytest.mark.parametrize("file", ["/proc/version/topology.state.json", "/proc/topology.state.json"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_done(file: str) -> None:
    kept = Journal(Path(file), HERE, State())

    with pytest.raises(ConfigurationError, match=r"topology\.state\.json: cannot be written: "):
        kept.intend([])


def test_the_mode_of_the_file_stays(path: Path) -> None:
    applied(path, ORDERS)
    path.chmod(0o640)

    applied(path, WORK)

    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_to_the_file_stays_a_link(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path.symlink_to(elsewhere / "state.json")

    applied(path, ORDERS)

    assert path.is_symlink()
    assert section(elsewhere / "state.json").known(exchange("orders"))


SOUND = render(
    State({HERE: Section({exchange("orders"): Record(), queue("work"): Record(), BOUND: Record()})})
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "topology.state.json:1: is no JSON (Expecting value); restore it"),
        (SOUND[:-9], "topology.state.json:19: is no JSON"),
        ("[1]", "topology.state.json:1: is not what provisioning writes"),
        ('{"name": "x", "version": "1.2"}', "topology.state.json:1: is not what provisioning"),
        ("[" * 100_000, "topology.state.json:1: is "),
        (SOUND.replace('on": 1', 'on": 2'), "topology.state.json:2: version: is 2, and"),
        (SOUND.replace('"orders": {}', '"orders": []'), ":7: orders: is no mapping"),
        (SOUND.replace('"orders": {}', '"orders": {"x": 1}'), ':7: orders: has {"x": 1}, unknown'),
        (SOUND.replace('"orders": {}', '"orders": {"begun": 1}'), ':7: orders: has {"begun": 1}'),
        (SOUND.replace('"queue"', '"topic"'), ":15: bindings: holds {"),
        (SOUND.replace('"bindings"', '"links"'), ":14: links: is unknown here"),
        (SOUND.replace('"queues": {', '"queues": 3, "x": {'), "queues: is no mapping"),
    ],
)  # fmt: skip
def test_what_provisioning_has_not_written_is_told_with_its_line(
    path: Path, text: str, fault: str
) -> None:
    path.write_text(text)

    with pytest.raises(ConfigurationError) as told:
        State.load(path)

    assert fault in str(told.value)
    assert len(str(told.value).splitlines()) == 1


def test_bytes_that_are_no_text_and_what_is_no_file_are_told(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="1: is no UTF-8 text"):
        State.load(path)

    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        State.load(path.parent)


# -- git


def branches(base: State, one: State, other: State, folder: Path, *options: str) -> tuple[int, str]:
    """What git makes of two branches: how many conflicts, and the text."""
    for name, state in (("one", one), ("base", base), ("other", other)):
        (folder / name).write_text(render(state))
    command = ["git", "merge-file", "-p", *options, "one", "base", "other"]
    merged = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return merged.returncode, merged.stdout


def of_queues(*names: str, broker: str = HERE) -> State:
    return State({broker: Section({queue(name): Record("classic") for name in names})})


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not on this machine")


@needs_git
@pytest.mark.parametrize(("one", "other"), [("a", "z"), ("aa", "mm"), ("x", "b")])
def test_two_branches_that_add_queues_apart_merge_by_themselves(
    tmp_path: Path, one: str, other: str
) -> None:
    base = ("b1", "c1", "n1", "y1")

    conflicts, text = branches(
        of_queues(*base), of_queues(*base, one), of_queues(*base, other), tmp_path
    )

    assert conflicts == 0
    assert parse(text, "merged") == of_queues(*base, one, other)


@needs_git
def test_where_they_meet_the_marks_are_found_and_the_lines_of_both_sides_are_right(
    tmp_path: Path,
) -> None:
    base, one, other = of_queues("a"), of_queues("a", "b1"), of_queues("a", "b2")

    conflicts, text = branches(base, one, other, tmp_path)
    assert conflicts == 1
    with pytest.raises(ConfigurationError, match=r"merged:\d+: git could not merge it; keep"):
        parse(text, "merged")

    kept = "".join(line for line in text.splitlines(True) if line[0] not in "<=>")
    assert parse(kept, "merged") == of_queues("a", "b1", "b2")


@needs_git
def test_the_first_records_of_two_branches_are_both_kept(tmp_path: Path) -> None:
    conflicts, text = branches(State(), of_queues("a"), of_queues("b"), tmp_path, "--union")

    assert conflicts == 0
    assert parse(text, "merged") == of_queues("a", "b")


# -- what is left over


def recorded(*things: Id, **queues: Record) -> Section:
    records: dict[Id | Link, Record] = {thing: Record() for thing in things}
    records |= {queue(name): record for name, record in queues.items()}
    return Section({**records, BOUND: Record()})


def test_left_over_is_what_is_recorded_and_not_in_the_file() -> None:
    kept = recorded(exchange("orders"), queue("work"), exchange("old"), begun=Record(begun=True))

    assert kept.leftovers(topology(WORK, exchanges=(ORDERS,))) == (exchange("old"), queue("begun"))


def test_a_binding_alone_may_be_left_over() -> None:
    unbound = Queue("work", arguments=WORK.arguments)

    left = recorded(exchange("orders"), queue("work")).leftovers(
        topology(unbound, exchanges=(ORDERS,))
    )

    assert left == (BOUND,)


def test_a_retained_queue_stays_with_its_bindings_unless_it_must_be_absent() -> None:
    kept = recorded(exchange("orders"), work=Record("quorum", retain=True))
    without = topology(exchanges=(ORDERS,))
    tombstone = topology(exchanges=(ORDERS,), absent=Absent(queues=("work",)))

    assert (kept.leftovers(without), kept.retained(without)) == ((), (queue("work"),))
    assert (kept.leftovers(tombstone), kept.retained(tombstone)) == ((queue("work"), BOUND), ())
