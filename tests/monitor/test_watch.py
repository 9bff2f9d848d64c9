"""The watch as a whole, without socket or clock: blindness, settling, undeclared, rejected."""

from __future__ import annotations

from dataclasses import replace

from orquestador_plugins.monitor.evidence import Changed, Probe
from orquestador_plugins.monitor.row import INSTANCES_KEPT, Rules
from orquestador_plugins.monitor.undeclared import KEPT
from orquestador_plugins.monitor.watch import HELD_MAX, Output, RoundDue, Said, Watch

from orquestador.events import Echo, Health, State

STARTED = "2026-01-01T00:00:00.000Z"


class Driven:
    """A watch of two services in a session that sees, and the pings sent in it."""

    def __init__(self, *, settle: float = 7.0, rules: Rules | None = None) -> None:
        rules = rules or Rules()
        self.watch = Watch({"a": rules, "b": rules}, within=0.5, settle=settle, now=0.0)
        self.sequence = 0
        self.watch.opened(0.0)
        self.own(0.0)
        self.outputs: list[Output] = self.watch.drain()

    def own(self, now: float) -> None:
        """A ping to our own name goes out and is back at once."""
        word = f"own{now}"
        self.watch.sent_own(word, now)
        self.watch.own_back(word, self.sequence, now)

    def round(self, now: float, *, back: bool = True) -> str:
        self.sequence += 1
        word = f"round{self.sequence}"
        self.watch.sent_round(word, self.sequence, now)
        if back:
            self.watch.own_back(word, self.sequence, now)
        return word

    def echo(
        self, service: str, ping: str, now: float, user: str | None = None, **changes: object
    ) -> None:
        echo = Echo(
            phase="alive",
            ping=ping,
            sequence=self.sequence,
            service=service,
            instance="one",
            started_at=STARTED,
            redelivered=False,
            health=Health.OK,
        )
        said = replace_fields(echo, changes)
        refusal = self.watch.refusal(said, user)
        if refusal:
            self.watch.rejects(refusal)
        else:
            self.watch.echo(said, now)

    def ticks(self, start: float, end: float) -> None:
        now = start
        while now <= end + 1e-9:
            self.watch.tick(round(now, 6))
            now += 0.05

    def drain(self) -> list[Output]:
        return self.watch.drain()

    def states(self) -> dict[str, State]:
        return {name: row.state for name, row in self.watch.rows.items()}


def replace_fields(echo: Echo, changes: dict[str, object]) -> Echo:
    import msgspec

    return msgspec.structs.replace(echo, **changes)


def both_up(settle: float = 7.0) -> Driven:
    driven = Driven(settle=settle)
    ping = driven.round(0.1)
    driven.echo("a", ping, 0.11)
    driven.echo("b", ping, 0.11)
    assert set(driven.states().values()) == {State.UP}
    driven.drain()
    return driven


def test_a_session_sees_once_its_own_ping_is_back_and_a_round_follows() -> None:
    driven = Driven()

    assert [o for o in driven.outputs if isinstance(o, Said)][-1].kind == "seeing"
    assert RoundDue(0.1) in driven.outputs


def test_a_silent_service_is_down_and_the_other_stays_up() -> None:
    driven = both_up()
    ping = driven.round(1.1)
    driven.echo("a", ping, 1.11)
    driven.ticks(1.1, 2.2)

    assert driven.states() == {"a": State.UP, "b": State.DOWN}
    assert any(isinstance(output, Probe) for output in driven.drain())


def test_nobody_is_judged_while_the_session_is_lost() -> None:
    driven = both_up()
    driven.round(1.1)
    driven.watch.lost("the broker hung up", 1.2)
    driven.ticks(1.2, 60.0)

    assert driven.states() == {"a": State.UP, "b": State.UP}
    assert driven.watch.doubt.blind == "the broker hung up"
    assert driven.drain() == []  # who runs the sessions says so, once an outage


def test_a_new_session_judges_nobody_before_it_has_settled() -> None:
    driven = both_up()
    driven.watch.lost("gone", 1.2)
    driven.watch.opened(10.0)
    driven.own(10.0)
    driven.round(10.1)
    driven.ticks(10.1, 16.9)
    assert driven.states() == {"a": State.UP, "b": State.UP}

    driven.ticks(17.0, 17.05)
    assert any(isinstance(output, RoundDue) for output in driven.drain())
    driven.round(17.1)
    driven.ticks(17.1, 18.2)
    assert driven.states() == {"a": State.DOWN, "b": State.DOWN}


def test_a_monitor_that_slept_holds_what_arrived_until_its_own_ping_is_back() -> None:
    driven = both_up()
    ping = driven.round(1.1, back=False)
    driven.watch.loop_late(30.0, 31.1)
    driven.echo("a", ping, 31.1)
    driven.ticks(31.1, 31.5)
    assert driven.states() == {"a": State.UP, "b": State.UP}

    driven.own(31.6)
    kinds = [output.kind for output in driven.drain() if isinstance(output, Said)]
    assert kinds == ["blind", "seeing"]
    driven.ticks(31.65, 40.0)  # all earlier pings are forgotten
    assert driven.states() == {"a": State.UP, "b": State.UP}


def test_an_own_ping_that_is_not_back_blames_nobody_else() -> None:
    driven = both_up()
    driven.round(1.1, back=False)
    driven.ticks(1.1, 5.0)

    assert driven.states() == {"a": State.UP, "b": State.UP}
    assert driven.watch.doubt.blind


def test_an_echo_to_a_ping_sent_while_blind_is_not_timed() -> None:
    driven = both_up()
    driven.watch.publishers_blocked("low on memory", 1.0)
    ping = driven.round(1.1, back=False)
    driven.watch.publishers_blocked(None, 9.0)
    driven.own(9.0)
    for now in (9.1, 9.2, 9.3):
        driven.echo("a", ping, now)

    assert driven.watch.rows["a"].state is State.UP


def test_an_undeclared_service_is_said_once_and_shown_and_forgotten() -> None:
    driven = both_up()
    for now in (1.0, 2.0):
        driven.echo("stranger", "p", now)
    assert [o.service for o in driven.drain() if isinstance(o, Said)] == ["stranger"]
    assert "stranger" in driven.watch.undeclared.last_echo

    driven.watch.tick(700.0)
    assert driven.watch.undeclared.last_echo == {}


def test_strangers_beyond_a_hundred_are_not_taken_in() -> None:
    driven = both_up()
    for number in range(KEPT + 50):
        driven.echo(f"stranger{number}", "p", 1.0)

    assert len(driven.watch.undeclared.last_echo) == KEPT


def test_an_echo_under_another_user_is_rejected_where_the_service_names_one() -> None:
    driven = Driven(rules=replace(Rules(), user="billing"))
    ping = driven.round(0.1)
    driven.echo("a", ping, 0.11, user="guest")
    driven.echo("b", ping, 0.11, user="billing")

    assert driven.states() == {"a": State.UNKNOWN, "b": State.UP}
    assert driven.watch.rejected == 1


def test_a_second_instance_gets_a_ping_more_each_round() -> None:
    driven = both_up()
    driven.echo("a", "round1", 0.2, instance="two")

    assert driven.watch.extras() == [("a", 1)]


def test_changes_come_out_in_the_order_in_which_they_happened() -> None:
    driven = Driven()
    ping = driven.round(0.1)
    driven.echo("b", ping, 0.11)
    driven.echo("a", ping, 0.12)

    changed = [o.row.service for o in driven.drain() if isinstance(o, Changed)]
    assert changed == ["b", "a"]


def test_what_is_held_while_blind_is_bounded_and_the_newest_of_a_kind_counts() -> None:
    driven = both_up()
    driven.watch.publishers_blocked("low on memory", 1.0)
    for number in range(500):
        ill = Health.FAILING if number == 499 else Health.OK
        driven.echo("a", "round1", 1.0 + number / 1000, health=ill)
    assert len(driven.watch._held) == 1

    for number in range(HELD_MAX + 100):
        driven.echo("b", "round1", 2.0, instance=f"i{number}")
    assert len(driven.watch._held) == HELD_MAX


def test_a_flood_of_instances_is_not_answered_with_a_flood_of_pings() -> None:
    driven = both_up()
    for number in range(3000):
        driven.echo("a", "round1", 0.2, instance=f"i{number}")

    assert driven.watch.extras() == [("a", INSTANCES_KEPT - 1)]


def test_evidence_of_a_session_that_ended_is_not_weighed_in_the_next() -> None:
    driven = both_up()
    driven.watch.loop_late(5.0, 1.0)
    driven.echo("a", "round1", 1.1, phase="goodbye")
    driven.watch.lost("gone", 1.2)
    driven.watch.opened(48.0)
    driven.own(48.0)

    assert driven.states()["a"] is State.UP


def test_a_session_that_never_sees_says_so_once() -> None:
    driven = Driven()
    driven.watch.lost("gone", 1.0)
    driven.watch.opened(2.0)
    driven.drain()
    driven.ticks(2.0, 10.0)

    said = [output.text for output in driven.drain() if isinstance(output, Said)]
    assert len(said) == 1 and "own ping does not come back" in said[0]


def test_one_ping_to_each_of_many_services_is_remembered_until_it_is_answered() -> None:
    names = [f"s{number}" for number in range(5000)]
    watch = Watch({name: Rules() for name in names}, within=0.5, settle=0.0, now=0.0)
    for name in names:
        watch.sent_probe(name, f"p-{name}", 1, 0.0)

    assert all(watch.pings.find(f"p-{name}") for name in names)
