"""Where people begin: an operator with all points, a net user and a holder with who may read what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.portal.api import Points
from services.portal.doors import Doors
from services.portal.exports import Export
from services.portal.groups import holder_groups, own_groups
from services.portal.mandate_client import MandateClient
from services.portal.neighbours import ServiceAway
from services.portal.readings import Point
from services.portal.refusals import Refusal
from services.portal.register_client import RegisterClient
from services.portal.rendering import Pages
from services.portal.sessions import Role, Viewer

OVER_SHOWN: Final = 50
ACTIVE_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Homes:
    """The first page of each role, at `/` and at an address of its own for who has more roles."""

    doors: Doors
    pages: Pages
    points: Points
    export: Export
    mandate: MandateClient
    register: RegisterClient
    now: Callable[[], datetime]

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/", self.home),
            Route("/my-points", self.my_points),
            Route("/my-mandates", self.my_mandates),
        ]

    async def home(self, request: Request) -> Response:
        """The page of the person's first role; who is not signed in is told what this is."""
        if not self.doors.cookies.session(request):
            message = "signed_out" if "signed-out" in request.query_params else ""
            return self.pages.answer(request, "welcome.html", message=message, return_to="/")
        viewer = await self.doors.viewer(request)
        match viewer.roles:
            case (Role.OPERATOR, *_):
                return await self.points.listing(request, viewer)
            case (Role.HOLDER, *_):
                return await self._of_holder(request, viewer)
            case (Role.NET_USER, *_):
                return await self._of_net_user(request, viewer)
            case _:
                raise Refusal(403, "error_403_title", "error_no_role")

    async def my_points(self, request: Request) -> Response:
        """A net user's points, and who may read them."""
        return await self._of_net_user(request, await self.doors.viewer_as(request, Role.NET_USER))

    async def my_mandates(self, request: Request) -> Response:
        """A holder's mandates."""
        return await self._of_holder(request, await self.doors.viewer_as(request, Role.HOLDER))

    async def _of_net_user(self, request: Request, viewer: Viewer) -> Response:
        own, listed, readable = await asyncio.gather(
            self.register.points(viewer), self.mandate.mandates(viewer.token, "net_user"), self._readable(viewer)
        )
        with_readings = {point.ean for point in readable or ()}
        return self.pages.answer(
            request,
            "my_points.html",
            viewer=viewer,
            groups=own_groups(own, listed.mandates, with_readings, self.now()),
            is_cut=listed.is_cut,
            are_readings_away=readable is None,
            over_shown=OVER_SHOWN,
        )

    async def _of_holder(self, request: Request, viewer: Viewer) -> Response:
        if not viewer.kbo:
            raise Refusal(403, "error_403_title", "error_no_kbo")
        listed, readable = await asyncio.gather(self.mandate.mandates(viewer.token, "holder"), self._readable(viewer))
        return self.pages.answer(
            request,
            "my_mandates.html",
            viewer=viewer,
            groups=holder_groups(listed.mandates),
            is_cut=listed.is_cut,
            readable=sorted({point.ean for point in readable or ()}),
            are_readings_away=readable is None,
            over_shown=OVER_SHOWN,
            active_shown=ACTIVE_SHOWN,
        )

    async def _readable(self, viewer: Viewer) -> list[Point] | None:
        """The points with readings for `viewer`; None while export is away, for the rest of the page needs it not."""
        try:
            return await self.export.points(viewer.token)
        except ServiceAway:
            return None
