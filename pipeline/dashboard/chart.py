"""A chart as SVG: bars for the days shown, a line for those compared with, an axis, and its values.

It is made here and not by a library in the browser (decision 0044): it is there without scripts, in
print and for a screen reader, follows light and dark, and is patched like any other element. Places
are percentages, so it has the width of the page without a script. `page.js` reads out a value for
the pointer, a finger and the arrow keys.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipeline.dashboard.markup import Content, Markup, tag

_TOP, _BOTTOM = 8.0, 100.0
_LABELS = 7


@dataclass(frozen=True)
class Point:
    """A slot of the axis. None: not known, or not yet."""

    label: str
    short: str
    now: float | None
    before: float | None
    is_unfinished: bool = False


@dataclass(frozen=True)
class Chart:
    """`written` writes a value; `now` and `before` name the two series.

    `written` writes a value in full, `tick` one of the axis.
    """

    label: str
    now: str
    before: str | None
    points: Sequence[Point]
    written: Callable[[float | None], str]
    tick: Callable[[float], str]

    def shown(self) -> Content:
        """The drawing with its legend and the line that reads out a value."""
        top = _rounded(max((value for value in self._values() if value), default=1.0))
        width = 100 / len(self.points)
        drawing = tag(
            "svg",
            *(self._grid(part, top) for part in (0.0, 0.5, 1.0)),
            *(self._bar(n, point, top, width) for n, point in enumerate(self.points)),
            *self._line(top, width),
            *(self._tick(part, top) for part in (0.5, 1.0)),
            tag("line", id="cursor", class_="cursor", visibility="hidden", y1="0%", y2="100%"),
            class_="plot",
            aria_hidden="true",
        )
        last = len(self.points) - 1
        plot = tag(
            "div",
            drawing,
            self._axis(width),
            id="plot",
            role="slider",
            tabindex="0",
            aria_label=f"{self.label}. The arrow keys read out its values.",
            aria_valuemin="0",
            aria_valuemax=str(last),
            aria_valuenow=str(last),
            aria_valuetext=self.said(self.points[last]),
            data_points=json.dumps([self.said(point) for point in self.points]),
        )
        return [self._legend(), plot]

    def said(self, point: Point) -> str:
        """A point in words."""
        then = f"; {self.before}: {self.written(point.before)}" if self.before else ""
        so_far = " so far" if point.is_unfinished else ""
        return f"{point.label}: {self.written(point.now)}{so_far}{then}"

    def _values(self) -> list[float | None]:
        return [value for point in self.points for value in (point.now, point.before)]

    def _legend(self) -> Markup:
        now = tag("span", tag("i", class_="key now"), self.now)
        before = tag("span", tag("i", class_="key then"), self.before) if self.before else None
        hint = "Point at the chart, touch it, or use the arrow keys to read values."
        return tag("p", now, before, tag("output", hint, id="readout"), class_="legend")

    def _grid(self, part: float, top: float) -> Markup:
        y = f"{_height(part * top, top):.2f}%"
        return tag("line", class_="grid", x1="0%", x2="100%", y1=y, y2=y)

    def _tick(self, part: float, top: float) -> Markup:
        y = f"{_height(part * top, top):.2f}%"
        return tag("text", self.tick(part * top), class_="tick", x="0", y=y, dy="-4")

    def _bar(self, n: int, point: Point, top: float, width: float) -> Markup:
        height = _height(point.now or 0, top)
        return tag(
            "rect",
            tag("title", self.said(point)),
            class_="bar unfinished" if point.is_unfinished else "bar",
            x=f"{(n + 0.15) * width:.3f}%",
            y=f"{height:.2f}%",
            width=f"{0.7 * width:.3f}%",
            height=f"{_BOTTOM - height:.2f}%",
        )

    def _line(self, top: float, width: float) -> list[Markup]:
        if self.before is None:
            return []
        places = [
            None if point.before is None else ((n + 0.5) * width, _height(point.before, top))
            for n, point in enumerate(self.points)
        ]
        joined = [
            tag(
                "line",
                class_="then",
                x1=f"{one[0]:.3f}%",
                y1=f"{one[1]:.2f}%",
                x2=f"{two[0]:.3f}%",
                y2=f"{two[1]:.2f}%",
            )
            for one, two in pairwise(places)
            if one and two
        ]
        dots = [
            tag("circle", class_="then", cx=f"{place[0]:.3f}%", cy=f"{place[1]:.2f}%", r="2.5")
            for place in places
            if place and len(places) < 40
        ]
        return joined + dots

    def _axis(self, width: float) -> Markup:
        step = math.ceil(len(self.points) / _LABELS)
        texts = [
            tag(
                "text",
                point.short,
                class_="tick",
                x=f"{(n + 0.5) * width:.2f}%",
                y="14",
                text_anchor="middle",
            )
            for n, point in enumerate(self.points)
            if n % step == step // 2
        ]
        return tag("svg", *texts, class_="axis", aria_hidden="true")


def _height(value: float, top: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * value / top


def _rounded(highest: float) -> float:
    """The next 1, 2, 4, 6, 8 or 10 times a power of ten: half of it is round, too."""
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= highest * 0.999999)
