"""When a round takes longer than an echo may, the setting is named, not the services blamed."""

from orquestador_plugins.monitor.load import Load


def round_of(load: Load, trips: list[float]) -> Load:
    for trip in trips:
        load = load.heard(trip)
    return load


def test_a_round_with_many_late_echoes_names_the_setting_that_fits() -> None:
    load = round_of(Load(services=1000, within=0.5), [0.1] * 600 + [0.9] * 399 + [1.4])
    _, warning = load.next_round(now=0.0)

    assert warning is not None
    assert "1000 services took 1.4 s" in warning
    assert "echo_within: 0.5s is too short" in warning and "2.1s would fit" in warning


def test_a_few_late_ones_are_their_own_affair() -> None:
    load = round_of(Load(services=1000, within=0.5), [0.9] * 100)
    assert load.next_round(now=0.0)[1] is None

    small = round_of(Load(services=3, within=0.5), [0.9] * 3)
    assert small.next_round(now=0.0)[1] is None


def test_each_round_counts_anew_and_it_is_said_once_a_minute() -> None:
    slow = [0.9] * 500
    load, warning = round_of(Load(services=1000, within=0.5), slow).next_round(now=0.0)
    assert warning and load.late == 0

    load, again = round_of(load, slow).next_round(now=1.0)
    assert again is None
    assert round_of(load, slow).next_round(now=61.0)[1]
