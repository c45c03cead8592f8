"""Vega-Lite to SVG in a process of its own, with TZ=Europe/Brussels: the renderer holds the interpreter's lock for as
long as it draws, and has the zone of its process.

Run as `python -m services.portal.drawing` it answers a line of JSON with a line of JSON until its input ends, so it
ends with the process that started it, however that ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

ZONE: Final = "Europe/Brussels"
_LINE_LIMIT: Final = 64 * 1024 * 1024
_STYLE: Final = re.compile(r'\sstyle="[^"]*"')
_ROOT: Final = re.compile(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>.*?transform="translate\(([\d.]+),([\d.]+)\)"', re.DOTALL)
_OPENING: Final = re.compile(r"<svg [^>]*>")
_PROBE: Final = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "data": {"values": [{"x": "2025-10-26T01:00:00Z"}, {"x": "2025-10-26T02:00:00Z"}]},
    "mark": "point",
    "encoding": {"x": {"field": "x", "type": "temporal", "axis": {"format": "%H:%M", "tickCount": 1}}},
}


class CannotDraw(RuntimeError):
    """The drawing process refused a chart, did not answer in time or ended."""


class Drawer:
    """Starts the drawing process when it is needed, keeps it, and remembers the last drawings."""

    def __init__(self, *, remembered: int = 512, timeout_seconds: float = 20) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._drawn: OrderedDict[str, str] = OrderedDict()
        self._remembered = remembered
        self._timeout_seconds = timeout_seconds

    async def warm(self) -> None:
        """Start the process and see that it draws Belgian time.

        Raises:
            CannotDraw: it does not.
        """
        drawing = await self.draw(_PROBE, {})
        if ">02:00<" not in drawing:
            raise CannotDraw(f"the drawing process does not draw in {ZONE}")

    async def draw(self, spec: Mapping[str, Any], format_locale: Mapping[str, object]) -> str:
        """The SVG of a specification.

        Raises:
            CannotDraw: it could not be drawn; the next call starts a fresh process.
        """
        request = json.dumps({"spec": spec, "format_locale": format_locale}, sort_keys=True)
        if (known := self._drawn.get(request)) is not None:
            self._drawn.move_to_end(request)
            return known
        async with self._turn:
            try:
                answer = await asyncio.wait_for(self._ask(request), self._timeout_seconds)
            except (TimeoutError, OSError, ValueError) as error:
                await self._stop()
                raise CannotDraw("the drawing process did not answer") from error
            except asyncio.CancelledError:
                await self._stop()
                raise
        if "svg" not in answer:
            raise CannotDraw(answer.get("error", "no drawing"))
        self._drawn[request] = answer["svg"]
        if len(self._drawn) > self._remembered:
            self._drawn.popitem(last=False)
        return answer["svg"]

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            await self._stop()

    async def _ask(self, request: str) -> dict[str, str]:
        if self._process is None or self._process.returncode is not None:
            self._process = await _start()
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise OSError("no pipes to the drawing process")
        stdin.write(request.encode() + b"\n")
        await stdin.drain()
        answer: dict[str, str] = json.loads(await stdout.readline())
        return answer

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _start() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.portal.drawing",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "TZ": ZONE},
        limit=_LINE_LIMIT,
    )


def fluid(svg: str, *, css_class: str, label: str, plot: Mapping[str, int]) -> str:
    """The drawing as an image named `label` (escaped) that fills its column, without inline style; it says where its
    plot lies, `plot` being the width and height of that.

    Raises:
        CannotDraw: the drawing has another shape than expected.
    """
    found = _ROOT.match(svg)
    if found is None:
        raise CannotDraw("a drawing of an unknown shape")
    box, left, top = found.groups()
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{css_class}" viewBox="{box}" role="img" focusable="false" '
        f'aria-label="{label}" data-left="{left}" data-top="{top}" '
        f'data-width="{plot["width"]}" data-height="{plot["height"]}">'
    )
    return _STYLE.sub("", _OPENING.sub(lambda _: opening, svg, count=1))


def main() -> None:
    """Answer requests until the input ends."""
    import vl_convert

    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            locale = request["format_locale"] or None
            answer = {"svg": vl_convert.vegalite_to_svg(request["spec"], format_locale=locale, allowed_base_urls=[])}
        except ValueError as error:
            answer = {"error": str(error).splitlines()[0][:300]}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
