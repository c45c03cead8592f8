"""How a net user takes a permission back: asked once more, then done at once."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from market.ean import InvalidEan, parse_ean
from services.portal.doors import Doors
from services.portal.mandate_client import MandateClient
from services.portal.mandates import Mandate
from services.portal.refusals import Refusal
from services.portal.rendering import Pages
from services.portal.sessions import Role, Viewer

_SEE_OTHER = 303


@dataclass(frozen=True, slots=True)
class Withdrawals:
    """The page of one permission: it asks before it ends it, and says afterwards that it has ended."""

    doors: Doors
    pages: Pages
    mandate: MandateClient

    def routes(self) -> list[Route]:
        """Their address."""
        return [
            Route("/mandates/{ean}/{mandate_id}/withdrawal", self.show),
            Route("/mandates/{ean}/{mandate_id}/withdrawal", self.withdraw, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Ask, or say that it is over."""
        viewer = await self.doors.viewer_as(request, Role.NET_USER)
        mandate = await self._own(request, viewer)
        return self.pages.answer(request, "withdrawal.html", viewer=viewer, mandate=mandate)

    async def withdraw(self, request: Request) -> Response:
        """End it, and show that."""
        viewer = await self.doors.viewer_as(request, Role.NET_USER)
        await self.doors.form(request, viewer)
        ean, mandate_id = _named(request)
        if not await self.mandate.withdraw(viewer.token, ean, mandate_id):
            raise _unknown()
        return RedirectResponse(request.url.path, _SEE_OTHER)

    async def _own(self, request: Request, viewer: Viewer) -> Mandate:
        ean, mandate_id = _named(request)
        listed = await self.mandate.mandates(viewer.token, "net_user", ean=ean)
        found = next((each for each in listed.mandates if each.mandate_id == mandate_id), None)
        if found is None:
            raise _unknown()
        return found


def _named(request: Request) -> tuple[str, UUID]:
    try:
        return parse_ean(request.path_params["ean"]), UUID(request.path_params["mandate_id"])
    except (InvalidEan, ValueError) as error:
        raise _unknown() from error


def _unknown() -> Refusal:
    return Refusal(404, "mandate_unknown_title", "mandate_unknown")
