"""The drawing process: Belgian time, no inline style, and a fresh one when it ended."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import AsyncIterator
from datetime import date

import pytest

from services.portal.chart_spec import NARROW, WIDE, vega_lite
from services.portal.charts import charts_of
from services.portal.drawing import CannotDraw, Drawer, fluid
from services.portal.wording import Language, wording
from tests.portal_examples import INJECTION, OFFTAKE, series

OCTOBER_DAY = date(2026, 10, 25)
(CHART,) = charts_of(
    [
        series(OFFTAKE, OCTOBER_DAY, ["0.100"] * 40 + [None] * 10 + ["1.250"] * 50, estimated=range(60, 70)),
        series(INJECTION, OCTOBER_DAY, ["0.050"] * 100),
    ]
)
DUTCH = wording(Language.NL)


@pytest.fixture
async def drawer() -> AsyncIterator[Drawer]:
    found = Drawer(timeout_seconds=30)
    await found.warm()
    yield found
    await found.close()


def children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(pid) for pid in file.read().split()]


def drawing_process() -> int:
    """The id of the drawing process of this test."""
    for pid in children():
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if b"services.portal.drawing" in file.read():
                return pid
    raise AssertionError("no drawing process")


async def test_hours_are_those_of_the_belgian_clock_and_numbers_those_of_the_language(drawer: Drawer) -> None:
    drawn = await drawer.draw(vega_lite(CHART, DUTCH, WIDE), DUTCH.format_locale())
    labels = re.findall(r">([^<]+)</text>", drawn)
    hours = [label for label in labels if ":" in label]
    assert hours == ["00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "00:00"]
    assert "1,0" in labels
    assert "klok verzet" in labels


async def test_a_drawing_has_one_shape_per_bar_and_gap_and_no_inline_style_or_script(drawer: Drawer) -> None:
    drawn = await drawer.draw(vega_lite(CHART, DUTCH, NARROW), DUTCH.format_locale())
    assert not re.search(r"\sstyle=|<style|<script|\son\w+=|href=\"http", drawn)
    for layer, count in (("missing", 1), ("offtake", 80), ("estimated_offtake", 10), ("injection", 100)):
        (group,) = re.findall(rf' {layer}_marks"[^>]*>(.*?)</g>', drawn)
        assert group.count("<path") == count


async def test_a_fluid_drawing_fills_its_column_and_says_where_its_plot_lies(drawer: Drawer) -> None:
    drawn = await drawer.draw(vega_lite(CHART, DUTCH, WIDE), DUTCH.format_locale())
    found = fluid(drawn, css_class="drawing wide", label="Afname &amp; injectie", plot={"width": 860, "height": 230})
    opening = found[: found.index(">") + 1]
    assert 'role="img"' in opening
    assert 'aria-label="Afname &amp; injectie"' in opening
    assert not re.search(r'\s(width|height)="', opening)
    left, top = (float(re.findall(rf'data-{side}="([\d.]+)"', opening)[0]) for side in ("left", "top"))
    assert 10 < left < 80
    assert 0 < top < 20


async def test_the_same_chart_is_drawn_once(drawer: Drawer) -> None:
    spec = vega_lite(CHART, DUTCH, WIDE)
    first = await drawer.draw(spec, DUTCH.format_locale())
    assert await drawer.draw(spec, DUTCH.format_locale()) is first


async def test_a_drawing_process_that_was_killed_is_replaced(drawer: Drawer) -> None:
    os.kill(drawing_process(), signal.SIGKILL)
    spec = vega_lite(CHART, wording(Language.FR), NARROW)
    with pytest.raises(CannotDraw):
        await drawer.draw(spec, {})
    assert "<svg" in await drawer.draw(spec, {})


async def test_a_specification_that_cannot_be_drawn_is_refused_and_the_next_one_is_drawn(drawer: Drawer) -> None:
    with pytest.raises(CannotDraw):
        await drawer.draw({"mark": "no such mark"}, {})
    assert "<svg" in await drawer.draw(vega_lite(CHART, DUTCH, NARROW), {})


async def test_closing_leaves_no_process_behind() -> None:
    found = Drawer()
    await found.warm()
    pid = drawing_process()
    await found.close()
    assert pid not in children()
