"""A chart as an SVG text: steps or lines, a linear or logarithmic axis, a legend.  Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from benchmarks.quantiles import Times

COLOURS = (
    *("#0b6e99", "#c4501b", "#4a7c2f", "#8a3f8f", "#a07a00", "#c2185b", "#00796b", "#5d4037"),
    *("#3949ab", "#3f3f46"),
)
WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 40, 52
LEGEND_LINE = 18
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """`low` and `high` are the ends; `logarithmic` ones are above zero."""

    label: str
    low: float
    high: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """From 0 at the low end to 1 at the high one; what lies beyond is at the end."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.log10(self.high) + 1e-9
            return [10.0**power for power in range(first, math.floor(last) + 1)]
        step = 10.0 ** math.floor(math.log10(self.high - self.low))
        if (self.high - self.low) / step < 2.5:
            step /= 4
        elif (self.high - self.low) / step < 5:
            step /= 2
        first = math.ceil(self.low / step - 1e-9)
        return [step * n for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class Chart:
    """`series`: name and points, in the order of the legend.  `steps`: level until the next one."""

    title: str
    x: Axis
    y: Axis
    steps: bool = False
    series: list[tuple[str, Points]] = field(default_factory=list)

    def svg(self) -> str:
        height = HEIGHT + LEGEND_LINE * len(self.series)
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
                ' font-family="sans-serif" font-size="12" fill="#222">',
                f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
                f'<text x="{LEFT}" y="24" font-size="15">{escape(self.title)}</text>',
                *self._axes(),
                *self._curves(),
                "</svg>\n",
            ]
        )

    def _x(self, value: float) -> float:
        return round(LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT), 1)

    def _y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM), 1)

    def _axes(self) -> Iterator[str]:
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        for tick in self.x.ticks():
            x = self._x(tick)
            yield f'<path d="M{x} {TOP}V{bottom}" stroke="#ddd"/>'
            yield f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{tick:,g}</text>'
        for tick in self.y.ticks():
            y = self._y(tick)
            yield f'<path d="M{LEFT} {y}H{right}" stroke="#ddd"/>'
            yield f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{tick:,g}</text>'
        middle = (LEFT + right) / 2
        below = f'x="{middle}" y="{bottom + 38}" text-anchor="middle"'
        yield f"<text {below}>{escape(self.x.label)}</text>"
        across = f'transform="translate(16 {(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle"'
        yield f"<text {across}>{escape(self.y.label)}</text>"

    def _curves(self) -> Iterator[str]:
        for number, (name, points) in enumerate(self.series):
            pen = f'stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="2"'
            if number >= len(COLOURS):
                pen += ' stroke-dasharray="6 4"'
            yield f'<path d="{self._path(points)}" fill="none" {pen}/>'
            y = HEIGHT + LEGEND_LINE * number
            yield f'<path d="M{LEFT} {y}h24" {pen}/>'
            yield f'<text x="{LEFT + 32}" y="{y + 4}">{escape(name)}</text>'

    def _path(self, points: Points) -> str:
        parts: list[str] = []
        for x, y in points:
            if not parts:
                parts.append(f"M{self._x(x)} {self._y(y)}")
            elif self.steps:
                parts.append(f"H{self._x(x)}V{self._y(y)}")
            else:
                parts.append(f"L{self._x(x)} {self._y(y)}")
        return "".join(parts)


def distributions(title: str, times: Sequence[tuple[str, Times]]) -> Chart:
    """The part of all faults seen within a time, for each series, over milliseconds.

    Those never seen keep their curve below 1.
    """
    all_ms = [second * 1e3 for _, measured in times for second in measured.seen if second > 0]
    low = 10.0 ** math.floor(math.log10(min(all_ms, default=1.0)))
    high = 10.0 ** math.ceil(math.log10(max(all_ms, default=10.0)) + 1e-9)
    chart = Chart(
        title,
        Axis("milliseconds", low, max(high, low * 10), logarithmic=True),
        Axis("part of the faults seen", 0.0, 1.0),
        steps=True,
    )
    for name, measured in times:
        points = [(low, 0.0)]
        points += [(seconds * 1e3, rank / measured.n) for rank, seconds in measured.thinned()]
        if measured.seen:
            points.append((chart.x.high, len(measured.seen) / measured.n))
        chart.series.append((name, points))
    return chart
