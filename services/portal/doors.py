"""Coming in and going out: sign-in through the provider, sign-out, the choice of language."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.portal.cookies import Cookies
from services.portal.provider import Provider, SignInRefused
from services.portal.refusals import Refusal, SignInNeeded
from services.portal.rendering import words_for
from services.portal.security import SIGN_OUT, path_or_home
from services.portal.sessions import Role, Sessions, Viewer, form_token
from services.portal.wording import Language

SIGN_IN_RETURN: Final = "/sign-in/return"
FORM_LIMIT_BYTES: Final = 65_536
FORM_LIMIT_FIELDS: Final = 200
_SEE_OTHER: Final = 303


@dataclass(frozen=True, slots=True)
class Doors:
    """The routes by which a browser becomes signed in or out."""

    sessions: Sessions
    provider: Provider
    cookies: Cookies

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/sign-in", self.leave),
            Route(SIGN_IN_RETURN, self.arrive),
            Route(SIGN_OUT, self.sign_out, methods=["POST"]),
            Route("/language/{language}", self.choose_language),
        ]

    async def viewer(self, request: Request, *, message: str = "") -> Viewer:
        """Who is signed in; `message` is the text for who is not, where the usual one says too little.

        Raises:
            SignInNeeded: nobody, or not any more.
        """
        session_id = self.cookies.session(request)
        viewer = await self.sessions.find(session_id) if session_id else None
        if viewer is None:
            raise SignInNeeded(has_ended=bool(session_id), message="" if session_id else message)
        return viewer

    async def viewer_as(self, request: Request, role: Role) -> Viewer:
        """Who is signed in, and has that role.

        Raises:
            SignInNeeded, Refusal: nobody, or somebody without it.
        """
        viewer = await self.viewer(request)
        if role not in viewer.roles:
            raise Refusal(403, "error_403_title", f"error_role_{role.value}")
        return viewer

    async def form(self, request: Request, viewer: Viewer) -> FormData:
        """What a form of ours sent.

        Raises:
            Refusal: it is not ours, or too large.
        """
        if int(request.headers.get("content-length", FORM_LIMIT_BYTES + 1)) > FORM_LIMIT_BYTES:
            raise Refusal(413, "error_form_title", "error_form")
        async with request.form(max_files=0, max_fields=FORM_LIMIT_FIELDS) as form:
            sent = str(form.get("form_token", "")).encode(errors="replace")
            if not hmac.compare_digest(sent, viewer.form_token.encode()):
                raise Refusal(403, "error_form_title", "error_form")
            return form

    async def leave(self, request: Request) -> Response:
        """Send the browser to the provider; it comes back to `to`."""
        departure = await self.sessions.depart(path_or_home(request.query_params.get("to", "/")))
        address = await self.provider.address(departure, words_for(request).language)
        answer = RedirectResponse(address, _SEE_OTHER)
        self.cookies.keep_sign_in(answer, departure.browser)
        return answer

    async def arrive(self, request: Request) -> Response:
        """Let in whom the provider sends back, and go on to where they wanted to be.

        Raises:
            SignInRefused, ProviderAway: as they say.
        """
        query = request.query_params
        arrival = await self.sessions.arrive(query.get("state", ""), self.cookies.sign_in(request))
        if arrival is None or "code" not in query:
            raise SignInRefused("the sign-in was broken off, too late, or begun elsewhere")
        person = await self.provider.person(query["code"], arrival)
        if before := self.cookies.session(request):
            await self.sessions.end(before)
        answer = RedirectResponse(arrival.return_to, _SEE_OTHER)
        self.cookies.keep_session(answer, await self.sessions.start(person))
        return answer

    async def sign_out(self, request: Request) -> Response:
        """End the session; the form proves that it is ours.

        Raises:
            Refusal: it does not.
        """
        session_id = self.cookies.session(request)
        async with request.form(max_files=0, max_fields=4) as form:
            given = str(form.get("form_token", ""))
        if session_id and not hmac.compare_digest(given.encode(), form_token(session_id).encode()):
            raise Refusal(403, "error_form_title", "error_form")
        if session_id:
            await self.sessions.end(session_id)
        answer = RedirectResponse("/?signed-out=1", _SEE_OTHER)
        self.cookies.forget_session(answer)
        return answer

    async def choose_language(self, request: Request) -> Response:
        """Keep the choice and go back to the page it was made on.

        Raises:
            Refusal: no such language.
        """
        language = request.path_params["language"]
        if language not in set(Language):
            raise Refusal(404, "error_404_title", "error_404")
        answer = RedirectResponse(path_or_home(request.query_params.get("to", "/")), _SEE_OTHER)
        self.cookies.keep_language(answer, Language(language))
        return answer
