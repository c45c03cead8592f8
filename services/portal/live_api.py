"""The live page: what arrives at the quarter-hour store, for operators, refreshed by server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from services.portal import arrivals
from services.portal.arrivals import Arrivals, UnreadableArrivals, read_arrivals
from services.portal.doors import Doors
from services.portal.neighbours import OwnCalls, ServiceAway
from services.portal.refusals import Refusal, SignInNeeded
from services.portal.rendering import Pages
from services.portal.sessions import Role

EVERY_SECONDS: Final = 2.0
_LONGEST_SECONDS: Final = 300.0
_MOST_STREAMS: Final = 100


@dataclass(slots=True)
class Live:
    """The page, and the stream that keeps it fresh: each message is the page's changing part, as HTML."""

    doors: Doors
    pages: Pages
    watch: OwnCalls
    every_seconds: float = EVERY_SECONDS
    _open_count: int = field(default=0, init=False)

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [Route("/live", self.page), Route("/live/stream", self.stream)]

    async def page(self, request: Request) -> Response:
        """What arrives, as it is now; kept fresh where the browser runs scripts."""
        viewer = await self.doors.viewer_as(request, Role.OPERATOR)
        return self.pages.answer(request, "live.html", viewer=viewer, part=await self._part(request))

    async def stream(self, request: Request) -> Response:
        """The changing part each two seconds, for five minutes; a browser then asks again by itself.

        Raises:
            Refusal: too many watch already.
        """
        await self.doors.viewer_as(request, Role.OPERATOR)
        if self._open_count >= _MOST_STREAMS:
            raise Refusal(503, "error_503_title", "live_too_many")
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(self._messages(request), media_type="text/event-stream", headers=headers)

    async def _messages(self, request: Request) -> AsyncIterator[bytes]:
        self._open_count += 1
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                while not await request.is_disconnected():
                    await self.doors.viewer_as(request, Role.OPERATOR)
                    yield as_message(await self._part(request))
                    await asyncio.sleep(self.every_seconds)
        except (TimeoutError, SignInNeeded, Refusal):
            return  # the browser asks again, and is told
        finally:
            self._open_count -= 1

    async def _part(self, request: Request) -> str:
        return self.pages.part(request, "_live.html", seen=await self._seen(), how=arrivals)

    async def _seen(self) -> Arrivals | None:
        """What the watch sees; None while it is away: the page says so, and goes on by itself."""
        try:
            return read_arrivals((await self.watch.ask("GET", "/arrivals")).content)
        except (ServiceAway, UnreadableArrivals):
            return None


def as_message(html: str) -> bytes:
    """Return `html` as one server-sent event."""
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    return f"{lines}\n".encode()
