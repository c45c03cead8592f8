"""Who is calling: bearer tokens of trusted issuers.

Machines carry an ES256 JWT with the called service as audience, `roles`, and `scope` (space separated, without the
audience: `readings.write`). People carry the id_token of their sign-in: audience the portal's client id, a `roles`
claim, `person_ref` or `kbo` where they have one, no scopes. Nothing of a token ever reaches a log or an answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from fastapi import FastAPI
from joserfc import jws, jwt
from joserfc.errors import JoseError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from eventlog.key_sets import Fetch, IssuerKeys, KeysUnavailable, fetch_json
from eventlog.service_token import ServiceToken

__all__ = [
    "Algorithm",
    "Authenticator",
    "Caller",
    "IssuerUnavailable",
    "NotAllowed",
    "NotAuthenticated",
    "ServiceToken",
    "TrustedIssuer",
    "answer_refusals",
    "require",
]

Algorithm = Literal["ES256", "RS256"]

LEEWAY_SECONDS: Final = 30
_ALGORITHMS: Final = frozenset({"ES256", "RS256"})
_TOKEN_LENGTH_LIMIT: Final = 8192


class NotAuthenticated(HTTPException):
    """No token, or not one that we trust: 401. `reason` is for tests and metrics, and holds nothing of the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(401, detail="", headers={"WWW-Authenticate": "Bearer"})
        self.reason = reason


class NotAllowed(HTTPException):
    """A trusted caller without the role, scope or name that the call asks for: 403."""

    def __init__(self) -> None:
        super().__init__(403, detail="")


class IssuerUnavailable(HTTPException):
    """The caller's issuer has not answered since this process started, so nobody of it can be known: 503."""

    def __init__(self) -> None:
        super().__init__(503, detail="", headers={"Retry-After": "5"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """An issuer whose tokens we take, and what we believe of them.

    `roles` are those it may assert; others in its tokens are ignored. `audiences` replaces the service's own name as
    the audience asked for (people: the portal's client id). Scopes are asked of `machines` only.
    """

    issuer: str
    jwks_url: str
    roles: tuple[str, ...]
    kind: Literal["machines", "people"] = "machines"
    audiences: tuple[str, ...] = ()
    algorithms: tuple[Algorithm, ...] = ("ES256",)

    def __post_init__(self) -> None:
        if not self.algorithms or not _ALGORITHMS.issuperset(self.algorithms):
            raise ValueError("algorithms are ES256 and RS256 only: never none, never a shared secret")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is calling. `subject` is a client id or a person's id at `issuer`; `scopes` is empty for a person.

    `person_ref` is what the access holder and the issuer both know a person by, `kbo` the number of the enterprise that
    a person acts for; both are empty where the issuer says nothing, and for machines.
    """

    subject: str
    roles: frozenset[str]
    scopes: frozenset[str]
    issuer: str
    is_person: bool = False
    person_ref: str = field(default="", repr=False)
    kbo: str = ""


class Authenticator:
    """Tells callers by their bearer token; one per process, asked on every request."""

    def __init__(
        self,
        trusted_issuers: Sequence[TrustedIssuer],
        audience: str,
        *,
        fetch: Fetch = fetch_json,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._audience = audience
        self._clock = clock
        self._issuers = {
            each.issuer: (each, IssuerKeys(each.jwks_url, fetch=fetch, now=monotonic)) for each in trusted_issuers
        }

    async def authenticate(self, authorization: str | None) -> Caller:
        """Return who the header `Authorization: Bearer <token>` stands for.

        Raises:
            NotAuthenticated: no token, or one that is damaged, expired, not for us, or not of a trusted issuer.
            IssuerUnavailable: the issuer is trusted and its keys were never seen.
        """
        token = _bearer_token(authorization)
        header, issuer_name = _peek(token)
        if issuer_name not in self._issuers:
            raise NotAuthenticated("issuer")
        issuer, keys = self._issuers[issuer_name]
        if header.get("alg") not in issuer.algorithms:
            raise NotAuthenticated("algorithm")
        try:
            claims = await _verify(token, header.get("kid"), keys, issuer.algorithms)
        except KeysUnavailable:
            raise IssuerUnavailable from None
        self._check(claims, issuer)
        return _caller(claims, issuer)

    def _check(self, claims: dict[str, Any], issuer: TrustedIssuer) -> None:
        registry = jwt.JWTClaimsRegistry(
            now=int(self._clock()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer.issuer},
            aud={"essential": True, "values": list(issuer.audiences or (self._audience,))},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            registry.validate(claims)
        except JoseError as error:
            raise NotAuthenticated(error.error) from None


def _bearer_token(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > _TOKEN_LENGTH_LIMIT or not token.isascii():
        raise NotAuthenticated("no bearer token")
    return token


def _peek(token: str) -> tuple[dict[str, Any], str]:
    """Return header and issuer of a token that nobody has verified yet."""
    try:
        parts = jws.extract_compact(token.encode())
        return dict(parts.headers()), str(json.loads(parts.payload)["iss"])
    except (JoseError, ValueError, LookupError, TypeError, RecursionError):
        raise NotAuthenticated("damaged") from None


async def _verify(token: str, key_id: object, keys: IssuerKeys, algorithms: Collection[str]) -> dict[str, Any]:
    """Return the claims of `token`, signed with one of `keys`.

    A token that names no key and fits none asks for new keys once.
    """
    named = key_id if isinstance(key_id, str) else None
    for attempt in range(2):
        for key in await keys.candidates(named):
            try:
                return dict(jwt.decode(token, key, algorithms=algorithms).claims)
            except (JoseError, ValueError, TypeError):
                continue
        if named is not None or attempt or not await keys.refresh():
            break
    raise NotAuthenticated("signature")


def _caller(claims: dict[str, Any], issuer: TrustedIssuer) -> Caller:
    roles, scope = claims.get("roles", []), claims.get("scope", "")
    if not isinstance(roles, list) or not isinstance(scope, str):
        raise NotAuthenticated("roles")
    is_person = issuer.kind == "people"
    person_ref, kbo = (_text(claims, name) if is_person else "" for name in ("person_ref", "kbo"))
    return Caller(
        subject=claims["sub"],
        roles=frozenset(each for each in roles if isinstance(each, str)) & frozenset(issuer.roles),
        scopes=frozenset() if is_person else frozenset(scope.split()),
        issuer=issuer.issuer,
        is_person=is_person,
        person_ref=person_ref,
        kbo=kbo,
    )


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str):
        raise NotAuthenticated(name)
    return value


def require(
    authenticator: Authenticator, *, roles: Collection[str], scope: str | None = None, subject: str | None = None
) -> Callable[[Request], Awaitable[Caller]]:
    """Return a FastAPI dependency that lets a caller in who has one of `roles`, and, if a machine, `scope`.

    With `subject`, only the machine of that client id. The app also needs `answer_refusals`. The dependency raises
    `NotAuthenticated`, `NotAllowed` or `IssuerUnavailable`, which that turns into empty answers.
    """
    wanted = frozenset(roles)

    async def caller(request: Request) -> Caller:
        headers = request.headers.getlist("authorization")
        found = await authenticator.authenticate(headers[0] if len(headers) == 1 else None)
        has_scope = found.is_person or scope is None or scope in found.scopes
        is_named = subject is None or (found.subject == subject and not found.is_person)
        if not (found.roles & wanted and has_scope and is_named):
            raise NotAllowed
        return found

    return caller


def answer_refusals(app: FastAPI) -> None:
    """Make `app` answer 401, 403 and 503 of this module with an empty body and the headers that belong to them."""

    def answer(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 (the registration below says so)
        return Response(status_code=error.status_code, headers=dict(error.headers or {}))

    for kind in (NotAuthenticated, NotAllowed, IssuerUnavailable):
        app.add_exception_handler(kind, answer)
