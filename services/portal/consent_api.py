"""The page behind a holder's link: who asks what, and the customer's answer."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from market.local_time import BRUSSELS
from services.portal.doors import Doors
from services.portal.mandate_client import ConsentRefused, MandateClient
from services.portal.mandates import Link, three_years_on
from services.portal.own_points import not_allowed_yet
from services.portal.refusals import Refusal
from services.portal.register_client import RegisterClient
from services.portal.rendering import Pages, kbo_groups, words_for
from services.portal.security import let_forms_lead_to
from services.portal.sessions import Role, Viewer

ADDRESS: Final = "/verbruik/dienstverlener"
_LINK_ID: Final = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_ATTEMPT: Final = re.compile(r"[A-Za-z0-9_-]{20,64}", re.ASCII)
_SEE_OTHER: Final = 303


@dataclass(frozen=True, slots=True)
class Consents:
    """Shows a link's question to a net user, and passes a yes on to mandate; a no changes nothing."""

    doors: Doors
    pages: Pages
    mandate: MandateClient
    register: RegisterClient
    now: Callable[[], datetime]

    def routes(self) -> list[Route]:
        """Their address."""
        return [Route(ADDRESS, self.show), Route(ADDRESS, self.answer, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """The question, with the points to choose from."""
        viewer = await self._customer(request)
        link = await self._link(request, viewer)
        self._check_open(request, link)
        return await self._question(request, viewer, link)

    async def answer(self, request: Request) -> Response:
        """Yes or no."""
        viewer = await self._customer(request)
        form = await self.doors.form(request, viewer)
        link = await self._link(request, viewer)
        if form.get("answer") == "agree":
            return await self._agree(request, viewer, link, form)
        self._check_open(request, link)
        if link.return_failed:
            return _sent_on(link.return_failed)
        return self.pages.answer(request, "consent_refused.html", viewer=viewer, link=link)

    async def _agree(self, request: Request, viewer: Viewer, link: Link, form: FormData) -> Response:
        chosen = [str(each) for each in form.getlist("ean")]
        own = await self.register.points(viewer)
        allowed = [each for each in own if each.can_be_allowed(self.now())]
        problem = _problem(chosen, link, {each.ean for each in allowed}, agrees=form.get("agrees") == "yes")
        if problem:
            self._check_open(request, link)
            return await self._question(request, viewer, link, chosen=chosen, problem=problem)
        try:
            await self.mandate.consent(viewer.token, link.link_id, chosen, key=_attempt(form))
        except ConsentRefused as refused:
            raise await self._refusal(request, viewer, refused) from refused
        if link.return_success:
            return _sent_on(link.return_success)
        given = [each for each in allowed if each.ean in chosen]
        return self.pages.answer(request, "consent_given.html", viewer=viewer, link=link, points=given)

    async def _question(
        self, request: Request, viewer: Viewer, link: Link, *, chosen: Collection[str] = (), problem: str = ""
    ) -> Response:
        own = await self.register.points(viewer)
        for address in filter(None, (link.return_success, link.return_failed)):
            let_forms_lead_to(request, address)
        return self.pages.answer(
            request,
            "consent.html",
            viewer=viewer,
            status=400 if problem else 200,
            link=link,
            points=[each for each in own if each.can_be_allowed(self.now())],
            others=not_allowed_yet(own, self.now()),
            chosen=chosen,
            problem=problem,
            attempt=secrets.token_urlsafe(24),
            until=three_years_on(self.now().astimezone(BRUSSELS).date()),
        )

    async def _customer(self, request: Request) -> Viewer:
        """The net user who answers.

        Raises:
            SignInNeeded, Refusal: nobody is signed in, or somebody who is no net user.
        """
        viewer = await self.doors.viewer(request, message="sign_in_for_consent")
        if Role.NET_USER not in viewer.roles:
            raise Refusal(403, "consent_role_title", "consent_role", name=viewer.name)
        return viewer

    async def _link(self, request: Request, viewer: Viewer) -> Link:
        """The link of the address, for this customer.

        Raises:
            Refusal: there is no such link, or it is for another enterprise.
        """
        link_id = request.query_params.get("id", "")
        link = await self.mandate.link(link_id) if _LINK_ID.fullmatch(link_id) else None
        if link is None:
            raise Refusal(404, "link_unknown_title", "link_unknown")
        if link.customer_kbo and link.customer_kbo != viewer.kbo:
            raise Refusal(403, "link_enterprise_title", "link_enterprise", kbo=kbo_groups(link.customer_kbo))
        return link

    def _check_open(self, request: Request, link: Link) -> None:
        if link.state == "used":
            raise Refusal(410, "link_used_title", "link_used")
        if link.state == "expired":
            day = words_for(request).plain_day(link.last_day)
            raise Refusal(410, "link_expired_title", "link_expired", day=day)

    async def _refusal(self, request: Request, viewer: Viewer, refused: ConsentRefused) -> Refusal:
        match refused.code:
            case "LinkSpent":
                self._check_open(request, await self._link(request, viewer))
                return Refusal(410, "link_spent_title", "link_spent")
            case "NoSuchSession":
                return Refusal(404, "link_unknown_title", "link_unknown")
            case "NotNetUser":
                return Refusal(409, "consent_not_yours_title", "consent_not_yours")
            case _:
                return Refusal(409, "consent_impossible_title", "consent_impossible")


def _problem(chosen: Collection[str], link: Link, allowed: Collection[str], *, agrees: bool) -> str:
    """The text that says what is wrong with an answer; empty where nothing is."""
    if not chosen or not set(chosen) <= set(allowed):
        return "choose_none"
    if len(set(chosen)) > link.point_limit:
        return "choose_less"
    return "" if agrees else "choose_agree"


def _attempt(form: FormData) -> str:
    """What makes a form that is sent twice count once; without one, each counts."""
    attempt = str(form.get("attempt", ""))
    return attempt if _ATTEMPT.fullmatch(attempt) else secrets.token_urlsafe(24)


def _sent_on(address: str) -> Response:
    """To the very address that was registered, letter for letter."""
    return Response(status_code=_SEE_OTHER, headers={"Location": address})
