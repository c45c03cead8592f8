"""How the portal asks another service, and what its refusals mean to a page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import httpx

from eventlog.service_token import ServiceToken

_AWAY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class ServiceAway(RuntimeError):
    """A service does not answer, not as agreed, or says to come back later."""

    def __init__(self, service: str, what: str) -> None:
        super().__init__(f"{service} {what}")
        self.service = service


class TokenRefused(RuntimeError):
    """A service does not know the person's token (any more): sign in again."""


class NotAllowed(RuntimeError):
    """A service knows the person, and does not let them see or do this."""


class Neighbour:
    """One service over HTTP, asked with a token of the person who is signed in."""

    def __init__(self, client: httpx.AsyncClient, name: str, url: str) -> None:
        self._client = client
        self._name = name
        self._url = url.rstrip("/")

    async def ask(
        self,
        method: str,
        path: str,
        token: str,
        *,
        expected: Collection[int] = (200,),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Return an answer whose status is one of `expected`; `more` is what httpx takes (`params`, `json`).

        Raises:
            ServiceAway, TokenRefused, NotAllowed: as they say.
        """
        sent = {"Authorization": f"Bearer {token}", **(headers or {})}
        try:
            answer = await self._client.request(method, f"{self._url}{path}", headers=sent, **more)
        except httpx.HTTPError as error:
            raise ServiceAway(self._name, "does not answer") from error
        match answer.status_code:
            case status if status in expected:
                return answer
            case 401:
                raise TokenRefused(f"{self._name} does not take the token")
            case 403:
                raise NotAllowed(f"{self._name} does not allow it")
            case status if status in _AWAY:
                raise ServiceAway(self._name, f"answered {status}")
            case status:
                raise RuntimeError(f"{self._name} answered {status}")


class OwnCalls:
    """One service over HTTP, asked as the portal itself, for what it may know with `scope`."""

    def __init__(self, neighbour: Neighbour, token: ServiceToken, *, audience: str, scope: str) -> None:
        self._neighbour = neighbour
        self._token = token
        self._audience = audience
        self._scope = scope

    async def ask(self, method: str, path: str, *, expected: Collection[int] = (200,), **more: Any) -> httpx.Response:
        """Return an answer whose status is one of `expected`.

        Raises:
            ServiceAway: the service or the issuer of tokens does not answer, or does not know the portal.
        """
        try:
            token = await self._token.bearer(self._audience, self._scope)
            return await self._neighbour.ask(method, path, token, expected=expected, **more)
        except httpx.HTTPError as error:
            raise ServiceAway("identity", "does not answer, or refuses") from error
        except (TokenRefused, NotAllowed) as error:
            raise ServiceAway(self._audience, "does not know the portal") from error
