"""Errors as pages, in the person's language, that say what to do."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from eventlog.database import is_outage
from services.portal.cookies import Cookies
from services.portal.neighbours import NotAllowed, ServiceAway, TokenRefused
from services.portal.provider import ProviderAway, SignInRefused
from services.portal.rendering import Pages
from services.portal.security import asked_for
from services.portal.sessions import Sessions, Viewer

RETRY_AFTER_SECONDS: Final = 30
_AWAY: Final = 503
_log = logging.getLogger(__name__)
Handler = Callable[[Request, Exception], Awaitable[Response]]


class SignInNeeded(RuntimeError):
    """The page is for people who are signed in; `has_ended` tells that this browser was.

    `message` is the text that says so; `return_to` the page to come back to, else the one that was asked for.
    """

    def __init__(self, *, has_ended: bool, message: str = "", return_to: str = "") -> None:
        super().__init__("sign in first")
        self.has_ended = has_ended
        self.message = message or ("session_ended" if has_ended else "sign_in_needed")
        self.return_to = return_to


class Refusal(RuntimeError):
    """A page that says what is wrong: the texts `title` and `text` of the wording, and a status."""

    def __init__(self, status: int, title: str, text: str, **values: object) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.text = text
        self.values = values


@dataclass(frozen=True, slots=True)
class Refusals:
    """Answers to the exceptions that leave a page."""

    pages: Pages
    sessions: Sessions
    cookies: Cookies

    def handlers(self) -> dict[Any, Handler]:
        """Which of them answers what."""
        return {
            SignInNeeded: self.sign_in_needed,
            TokenRefused: self.token_refused,
            Refusal: self.refused,
            ServiceAway: self.service_away,
            ProviderAway: self.provider_away,
            SignInRefused: self.sign_in_refused,
            NotAllowed: self.not_allowed,
            HTTPException: self.not_found,
            SQLAlchemyError: self.database_away,
            Exception: self.fault,
        }

    async def sign_in_needed(self, request: Request, error: Exception) -> Response:
        """The first page, with the way back."""
        if not isinstance(error, SignInNeeded):
            raise error
        return_to = error.return_to or asked_for(request)
        answer = self.pages.answer(request, "welcome.html", status=401, message=error.message, return_to=return_to)
        if error.has_ended:
            self.cookies.forget_session(answer)
        return answer

    async def token_refused(self, request: Request, error: Exception) -> Response:
        """Export knows the token no longer: then the session is over too."""
        await self.sessions.end(self.cookies.session(request))
        return await self.sign_in_needed(request, SignInNeeded(has_ended=True))

    async def refused(self, request: Request, error: Exception) -> Response:
        """The page of a `Refusal`."""
        if not isinstance(error, Refusal):
            raise error
        return await self._page(request, error.status, error.title, error.text, **error.values)

    async def service_away(self, request: Request, error: Exception) -> Response:
        """503: nothing is lost, try again."""
        _log.warning("a service is away: %s", error)
        of_readings = isinstance(error, ServiceAway) and error.service == "export"
        title, text = ("error_503_title", "error_503") if of_readings else ("error_away_title", "error_away")
        return await self._page(request, 503, title, text)

    async def provider_away(self, request: Request, error: Exception) -> Response:
        """503, about signing in."""
        _log.warning("the sign-in provider is away: %s", error)
        return await self._page(request, 503, "error_sign_in_title", "error_provider")

    async def sign_in_refused(self, request: Request, error: Exception) -> Response:
        """400, about signing in."""
        _log.warning("a sign-in was refused: %s", error)
        return await self._page(request, 400, "error_sign_in_title", "error_sign_in")

    async def not_allowed(self, request: Request, error: Exception) -> Response:
        """403, with who is signed in, so that they can sign out and come back as somebody else."""
        return await self._page(request, 403, "error_403_title", "error_403")

    async def not_found(self, request: Request, error: Exception) -> Response:
        """404, or what the router said."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        return await self._page(request, status, "error_404_title", "error_404")

    async def database_away(self, request: Request, error: Exception) -> Response:
        """503 while the sessions cannot be read.

        Raises:
            SQLAlchemyError: it is a fault of ours.
        """
        if not is_outage(error):
            raise error
        _log.warning("the database is away: %s", type(error).__name__)
        return await self._page(request, 503, "error_away_title", "error_away")

    async def fault(self, request: Request, error: Exception) -> Response:
        """500; the server logs it."""
        return await self._page(request, 500, "error_500_title", "error_500")

    async def _page(self, request: Request, status: int, title: str, text: str, **values: object) -> Response:
        return self.pages.answer(
            request,
            "error.html",
            viewer=await self._viewer(request),
            status=status,
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)} if status == _AWAY else {},
            title=title,
            text=text,
            values=values,
            can_retry=status == _AWAY,
        )

    async def _viewer(self, request: Request) -> Viewer | None:
        """Who is signed in; nobody where that cannot be known now."""
        try:
            return await self.sessions.find(self.cookies.session(request))
        except SQLAlchemyError:
            return None
