"""The OpenID provider that signs people in: authorization code with PKCE, state and nonce.

Source: OpenID Connect Core 1.0, section 3.1; RFC 7636.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from joserfc import jws
from starlette.exceptions import HTTPException

from eventlog.trust import Authenticator, IssuerUnavailable, TrustedIssuer
from services.portal.sessions import Arrival, Departure, Person

DISCOVERY_LASTS_SECONDS: Final = 600.0
_NAME_LIMIT: Final = 80


class ProviderAway(RuntimeError):
    """The provider does not answer, or not as itself."""


class SignInRefused(RuntimeError):
    """The provider did not sign the person in, or its answer is not one that we asked for."""


@dataclass(frozen=True, slots=True)
class _Discovered:
    authorization_endpoint: str
    token_endpoint: str
    authenticator: Authenticator
    good_until: float


class Provider:
    """One OpenID provider and our registration there."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        issuer: str,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._monotonic = monotonic
        self._known: _Discovered | None = None

    async def address(self, departure: Departure, language: str) -> str:
        """Where to send the browser.

        Raises:
            ProviderAway: the provider does not answer.
        """
        known = await self._discover()
        query = {
            "response_type": "code",
            "scope": "openid profile",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "state": departure.state,
            "nonce": departure.nonce,
            "code_challenge": departure.code_challenge,
            "code_challenge_method": "S256",
            "ui_locales": language,
        }
        return f"{known.authorization_endpoint}?{urlencode(query)}"

    async def person(self, code: str, arrival: Arrival) -> Person:
        """Who the provider says has signed in.

        Raises:
            ProviderAway: the provider does not answer.
            SignInRefused: it refuses the code, or its token is not for us, not of now, or not of this sign-in.
        """
        known = await self._discover()
        token = await self._exchange(known, code, arrival)
        try:
            caller = await known.authenticator.authenticate(f"Bearer {token}")
        except IssuerUnavailable as error:
            raise ProviderAway("the provider's keys cannot be had") from error
        except HTTPException as error:
            raise SignInRefused("the provider's token is not good") from error
        claims = json.loads(jws.extract_compact(token.encode()).payload)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), arrival.nonce.encode()):
            raise SignInRefused("the provider's token is of another sign-in")
        return Person(
            subject=caller.subject,
            name=str(claims.get("name") or caller.subject)[:_NAME_LIMIT],
            token=token,
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )

    async def _exchange(self, known: _Discovered, code: str, arrival: Arrival) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": arrival.code_verifier,
        }
        try:
            answer = await self._client.post(
                known.token_endpoint, data=form, auth=httpx.BasicAuth(self._client_id, self._client_secret)
            )
        except httpx.HTTPError as error:
            raise ProviderAway("the provider does not answer") from error
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise ProviderAway("the provider is out of order")
        try:
            return str(answer.raise_for_status().json()["id_token"])
        except (httpx.HTTPStatusError, ValueError, KeyError, TypeError) as error:
            raise SignInRefused("the provider gives no token for this code") from error

    async def _discover(self) -> _Discovered:
        if self._known is not None and self._monotonic() < self._known.good_until:
            return self._known
        try:
            answer = await self._client.get(f"{self._issuer}/.well-known/openid-configuration")
            document: dict[str, Any] = answer.raise_for_status().json()
            if document["issuer"] != self._issuer:
                raise ProviderAway("the provider says that it is another one")
            self._known = self._discovered(document)
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise ProviderAway("the provider does not answer") from error
        return self._known

    def _discovered(self, document: dict[str, Any]) -> _Discovered:
        trusted = TrustedIssuer(
            issuer=self._issuer,
            jwks_url=str(document["jwks_uri"]),
            roles=(),
            kind="people",
            audiences=(self._client_id,),
            algorithms=("RS256", "ES256"),
        )
        return _Discovered(
            authorization_endpoint=str(document["authorization_endpoint"]),
            token_endpoint=str(document["token_endpoint"]),
            authenticator=Authenticator([trusted], self._client_id),
            good_until=self._monotonic() + DISCOVERY_LASTS_SECONDS,
        )
