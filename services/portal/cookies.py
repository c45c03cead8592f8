"""The cookies of the portal: never readable by script, never sent along from other sites' forms."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.portal.rendering import LANGUAGE_COOKIE, LANGUAGE_LASTS
from services.portal.sessions import SIGN_IN_LASTS
from services.portal.wording import Language

_HOST_ONLY: Final = "__Host-"


class Cookies:
    """Reads and writes them; over https they are Secure and bound to this very host."""

    def __init__(self, *, is_secure: bool) -> None:
        self._is_secure = is_secure
        prefix = _HOST_ONLY if is_secure else ""
        self._session = f"{prefix}kwartier_session"
        self._sign_in = f"{prefix}kwartier_sign_in"

    def session(self, request: Request) -> str:
        """The id of the browser's session; empty without one."""
        return request.cookies.get(self._session, "")

    def sign_in(self, request: Request) -> str:
        """What ties a sign-in under way to the browser; empty without one."""
        return request.cookies.get(self._sign_in, "")

    def keep_session(self, answer: Response, session_id: str) -> None:
        """Until the browser closes; the row behind it may end before."""
        self._keep(answer, self._session, session_id, None)
        self._forget(answer, self._sign_in)

    def keep_sign_in(self, answer: Response, browser: str) -> None:
        """For as long as a sign-in may take."""
        self._keep(answer, self._sign_in, browser, SIGN_IN_LASTS)

    def keep_language(self, answer: Response, language: Language) -> None:
        """For a year."""
        self._keep(answer, LANGUAGE_COOKIE, language.value, LANGUAGE_LASTS)

    def forget_session(self, answer: Response) -> None:
        """At once."""
        self._forget(answer, self._session)

    def _keep(self, answer: Response, name: str, value: str, lasts: timedelta | None) -> None:
        max_age = None if lasts is None else int(lasts.total_seconds())
        answer.set_cookie(name, value, max_age=max_age, path="/", secure=self._is_secure, httponly=True, samesite="lax")

    def _forget(self, answer: Response, name: str) -> None:
        answer.delete_cookie(name, path="/", secure=self._is_secure, httponly=True, samesite="lax")
