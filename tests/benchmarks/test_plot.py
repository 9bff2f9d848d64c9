"""The charts of the benchmarks: well-formed, and where their points should be."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.plot import HEIGHT, LEFT, WIDTH, Axis, Chart, distributions
from benchmarks.quantiles import Times

SVG = "{http://www.w3.org/2000/svg}"


def curves(svg: str) -> list[str]:
    paths = ElementTree.fromstring(svg).iter(f"{SVG}path")
    return [path.get("d", "") for path in paths if path.get("fill") == "none"]


def test_a_logarithmic_axis_gives_each_decade_the_same_room() -> None:
    axis = Axis("ms", 1, 1000, logarithmic=True)

    assert [axis.place(value) for value in (1, 10, 100, 1000)] == pytest.approx(
        [0, 1 / 3, 2 / 3, 1]
    )
    assert axis.ticks() == pytest.approx([1, 10, 100, 1000])


@pytest.mark.parametrize("high", [0.3, 1.0, 2.0, 7.5, 30.0, 10_000.0])
def test_a_linear_axis_has_a_readable_number_of_ticks(high: float) -> None:
    assert 3 <= len(Axis("", 0.0, high).ticks()) <= 13


def test_what_lies_beyond_an_end_is_drawn_at_the_end() -> None:
    assert Axis("", 0, 10).place(11) == 1
    assert Axis("", 1, 10, logarithmic=True).place(0) == 0


def test_a_chart_is_well_formed_whatever_the_names() -> None:
    chart = Chart("a < b & c", Axis("<x>", 0, 1), Axis("y", 0, 1))
    chart.series.append(("<&>", [(0, 0), (1, 1)]))

    texts = [text.text for text in ElementTree.fromstring(chart.svg()).iter(f"{SVG}text")]

    assert {"a < b & c", "<x>", "<&>"} <= set(texts)


def test_a_distribution_ends_below_the_top_where_faults_were_never_seen() -> None:
    chart = distributions("", [("half", Times.of([0.001, None])), ("all", Times.of([0.1]))])
    half, full = (points for _, points in chart.series)

    assert half[-1][1] == 0.5
    assert full[-1][1] == 1.0
    first = curves(chart.svg())[0]
    assert first.startswith(f"M{float(LEFT)} ")
    assert f"H{float(WIDTH - 14)}" in first
    assert HEIGHT > 0


def test_nothing_measured_draws_an_empty_chart() -> None:
    assert curves(distributions("", [("none", Times.of([None]))]).svg()) != []
