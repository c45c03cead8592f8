"""Which holder is calling the data access API: a token of ours and a subscription key, both of one holder."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fastapi import Request
from sqlalchemy import Engine

from eventlog.problems import Problem
from eventlog.trust import NotAllowed, NotAuthenticated
from market.local_time import BRUSSELS
from services.export.credentials import Environment, Standing, find_standing, hmac_of
from services.export.limits import RateLimit
from services.export.tokens import TokenSigner

KEY_HEADER: Final = "Ocp-Apim-Subscription-Key"
_KEY_LENGTH_LIMIT: Final = 256
_NEW: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A data access holder that calls by one of its clients, under a contract that is in force."""

    kbo: str
    contract_number: str
    client_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """Tells holders by what their clients send; asks the database each time, so that a revoked one is out at once."""

    engine: Engine
    signer: TokenSigner
    credential_key: bytes
    limit: RateLimit
    clock: Callable[[], datetime]

    def require(self, environment: Environment) -> Callable[[Request], Awaitable[Holder]]:
        """Return a FastAPI dependency that lets holders of `environment` in, as often as they may come."""

        async def holder(request: Request) -> Holder:
            found = await asyncio.to_thread(self._find, request, environment)
            self.limit.take(found.kbo)
            return found

        return holder

    def _find(self, request: Request, environment: Environment) -> Holder:
        """Raises NotAuthenticated, or NotAllowed where the holder's contract is not in force."""
        now = self.clock()
        client_id = self.signer.check(_bearer(request), environment, now=now)
        key = hmac_of(self.credential_key, _only(request, KEY_HEADER)[:_KEY_LENGTH_LIMIT])
        with self.engine.begin() as tx:
            standing = find_standing(tx, client_id)
        if standing is None or standing.credential.environment != environment:
            raise NotAuthenticated("credential")
        if not any(hmac.compare_digest(key, kept) for kept in standing.subscription_key_hmacs):
            raise NotAuthenticated("subscription key")
        return _in_force(standing, now)


class NotKnownYet(Problem):
    """The client is new, and its contract was not told here yet: 503, for a client takes 403 for a revoked right."""

    def __init__(self) -> None:
        message = "this client was let in just now; try again"
        super().__init__(503, "NotKnownYet", message, headers={"Retry-After": "1"})


def _in_force(standing: Standing, now: datetime) -> Holder:
    credential, contract = standing.credential, standing.contract
    if contract is None and now - credential.issued_at < _NEW:
        raise NotKnownYet
    is_own = contract is not None and contract.holder_kbo == credential.holder_kbo
    if contract is None or not is_own or not contract.is_in_force(now.astimezone(BRUSSELS).date()):
        raise NotAllowed
    return Holder(kbo=credential.holder_kbo, contract_number=credential.contract_number, client_id=credential.client_id)


def _bearer(request: Request) -> str:
    scheme, _, token = _only(request, "Authorization").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated("no bearer token")
    return token


def _only(request: Request, name: str) -> str:
    values = request.headers.getlist(name)
    if len(values) != 1:
        raise NotAuthenticated(f"{name} once")
    return values[0]
