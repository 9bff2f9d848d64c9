"""What a soak plans, and which DOWN it takes for a false one."""

from __future__ import annotations

from collections import Counter
from random import Random

from benchmarks.judging import KILL, MONITOR_CUT, ON_THE_WAY, SERVICE_CUT, STOP, Judge, plan
from benchmarks.stage import MONITOR, Line


def line(at: float, state: str, service: str = "a", reason: str = "no consumer") -> Line:
    said = {"event": "status", "service": service, "state": state, "reason": reason}
    return Line(at, MONITOR, said)


def notice(at: float, kind: str) -> Line:
    return Line(at, MONITOR, {"event": kind, "text": ""})


def test_the_plan_has_everything_in_order_and_each_service_once() -> None:
    services = [f"s{number}" for number in range(50)]
    planned = plan(1800, monitor_cuts=50, cut=services, random=Random(1))

    assert Counter(each.what for each in planned) == {
        STOP: 1,
        KILL: 1,
        MONITOR_CUT: 50,
        SERVICE_CUT: 50,
    }
    moments = [each.at for each in planned]
    assert moments == sorted(moments)
    assert moments[0] >= 0
    assert moments[-1] < 1800
    assert {each.service for each in planned if each.what == SERVICE_CUT} == set(services)


def test_the_same_seed_is_the_same_plan() -> None:
    def drawn(seed: int) -> object:
        return plan(60, monitor_cuts=3, cut=["a", "b"], random=Random(seed))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_a_down_of_nobody_struck_is_false() -> None:
    judge = Judge()

    judge.read(line(1.0, "DOWN", reason="silent"))

    assert judge.false_downs == [(1.0, "a", "silent")]


def test_a_service_cut_may_have_no_consumer_until_it_is_back() -> None:
    judge = Judge()
    judge.cut("a")

    judge.read(line(1.0, "DOWN"))
    judge.read(line(2.0, "UP"))
    judge.read(line(3.0, "DOWN"))

    assert judge.excused == ["a"]
    assert judge.false_downs == [(3.0, "a", "no consumer")]


def test_a_cut_excuses_neither_silence_nor_anybody_else() -> None:
    judge = Judge()
    judge.cut("a")

    judge.read(line(1.0, "DOWN", reason="silent"))
    judge.read(line(1.0, "DOWN", service="b"))

    assert len(judge.false_downs) == 2


def test_a_cut_that_nobody_noticed_is_no_excuse_for_later() -> None:
    judge = Judge()
    judge.cut("a")
    judge.connected("a", 1.0)

    judge.read(line(1.0 + ON_THE_WAY + 0.1, "DOWN"))

    assert len(judge.false_downs) == 1


def test_blind_times_add_up() -> None:
    judge = Judge()
    for at, kind in ((1, "blind"), (2, "blind"), (4, "seeing"), (5, "seeing"), (7, "blind")):
        judge.read(notice(at, kind))

    assert judge.blind_for == 3
