"""A hello changes no state and starts probing, so that a service is UP in milliseconds."""

from __future__ import annotations

from orquestador_plugins.monitor.evidence import Goodbye, Hello, Probe
from orquestador_plugins.monitor.row import GREETINGS

from .driving import PAIR, SILENT, UP, Watched, answering, echo, extra, ping, redelivered


def probes_since(watched: Watched, moment: float) -> int:
    return sum(at >= moment for at in watched.probes)


def test_a_hello_changes_no_state_and_asks_for_probes_at_once(down: Watched) -> None:
    assert down(3.0, Hello("two")) == (Probe("payments", 1),)
    assert down.state == SILENT


def test_as_many_probes_as_instances_are_known_and_one_more(pair: Watched) -> None:
    """Each of them may be dealt one, and one is the new instance's."""
    assert pair(1.5, Hello("three")) == (Probe("payments", 3),)


def test_it_is_probed_on_each_probe_every_at_most_eight_times(down: Watched) -> None:
    down(3.0, Hello("two"))
    down.run(3.05, 3.9)
    assert probes_since(down, 3.0) == 4

    down.run(3.95, 9.0)
    assert probes_since(down, 3.0) == GREETINGS


def test_probing_ends_once_that_instance_has_echoed_and_the_service_is_up(down: Watched) -> None:
    down(3.0, Hello("two"), ping(4))
    down(3.1, echo(4, round_trip=0.1, instance="two"))
    assert down.state == UP

    down.run(3.15, 6.0)
    assert probes_since(down, 3.0) == 1


def test_probing_goes_on_while_only_the_other_instances_answer(up: Watched) -> None:
    up(1.0, Hello("two"), ping(2))
    for beat in range(22, 30):
        up(beat / 20, echo(2))
        up.run(beat / 20, beat / 20)
    assert probes_since(up, 1.0) == 3

    up(1.5, echo(2, instance="two"))
    up.run(1.55, 4.0)
    assert probes_since(up, 1.0) == 3


def test_probing_goes_on_while_the_service_is_not_whole() -> None:
    watched = answering(PAIR)
    watched(1.0, Hello("two"), ping(2), extra(2), Goodbye("one"))
    watched.run(1.05, 2.0)

    assert probes_since(watched, 1.0) > 2


def test_a_hello_read_twice_starts_anew_and_keeps_its_bound(down: Watched) -> None:
    down(3.0, Hello("two"))
    down(3.1, Hello("two"))
    down.run(3.15, 9.0)

    assert probes_since(down, 3.1) == GREETINGS


def test_a_hello_after_its_goodbye_counts_for_nothing(up: Watched) -> None:
    up(0.5, Goodbye("one"))

    assert up(0.6, Hello("one")) == ()


def test_an_echo_of_a_down_services_instance_greets_in_the_same_way(down: Watched) -> None:
    """A process that was frozen says no hello."""
    (probe,) = down(3.0, ping(4), echo(4))
    assert probe == Probe("payments", 2)
    assert down.state == SILENT

    down.run(3.05, 9.0)
    assert probes_since(down, 3.0) == GREETINGS


def test_a_redelivered_echo_of_a_down_service_greets_too(down: Watched) -> None:
    (probe,) = down(3.0, redelivered("p2", 2, instance="one"))

    assert isinstance(probe, Probe) and down.state == SILENT


def test_pings_that_waited_in_the_queue_for_a_restart_make_nobody_slow(down: Watched) -> None:
    down(5.0, Hello("two"))
    for sequence, sent in ((2, 1.0), (3, 2.0), (4, 3.0)):
        down(5.01, echo(sequence, round_trip=5.01 - sent, instance="two"))
    assert down.state == SILENT

    down(5.02, ping(5), echo(5, round_trip=0.01, instance="two"))
    assert down.state == UP
