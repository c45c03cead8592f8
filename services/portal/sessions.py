"""Who is signed in: an opaque random id in the browser, a row here."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Engine

from services.portal import store

SIGN_IN_LASTS: Final = timedelta(minutes=10)
_NONCE_BYTES: Final = 12


class Role(StrEnum):
    """What somebody may be here; the first one that they have says what they see first."""

    OPERATOR = "operator"
    HOLDER = "holder"
    NET_USER = "net_user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who signed in, with the token that the other services know them by, good until `expires_at` (UTC)."""

    subject: str
    name: str
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """A signed-in person as a page needs them; `form_token` proves that a form came from one of our pages.

    `person_ref` and `kbo` (the enterprise they act for) are empty where the token says nothing.
    """

    name: str
    token: str = field(repr=False)
    form_token: str = field(repr=False)
    roles: tuple[Role, ...] = ()
    person_ref: str = field(default="", repr=False)
    kbo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """What leaves for the provider; `browser` stays behind in a cookie and ties the answer to this browser."""

    state: str
    browser: str
    nonce: str
    code_challenge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What is needed when the provider sends the browser back."""

    nonce: str
    code_verifier: str
    return_to: str


class Sessions:
    """The sessions of one portal; any replica knows those of all."""

    def __init__(self, engine: Engine, *, now: Callable[[], datetime], lasts: timedelta) -> None:
        self._engine = engine
        self._now = now
        self._lasts = lasts

    async def start(self, person: Person) -> str:
        """Return the id for the browser of somebody who signed in; it ends with their token at the latest."""
        session_id, now = secrets.token_urlsafe(32), self._now()
        row = store.SessionRow(
            id_hash=_hash(session_id),
            subject=person.subject,
            name=person.name,
            sealed_token=_seal(session_id, person.token),
            started_at=now,
            expires_at=min(person.expires_at, now + self._lasts),
        )

        def add() -> None:
            with self._engine.begin() as tx:
                store.add_session(tx, row)

        await asyncio.to_thread(add)
        return session_id

    async def find(self, session_id: str) -> Viewer | None:
        """The person behind the id of a browser, unless the session has ended."""

        def find() -> store.SessionRow | None:
            with self._engine.begin() as tx:
                return store.find_session(tx, _hash(session_id), now=self._now())

        row = await asyncio.to_thread(find)
        if row is None:
            return None
        return _viewer(row.name, _open(session_id, row.sealed_token), session_id)

    async def end(self, session_id: str) -> None:
        """Forget a session, and all that ended by themselves."""

        def remove() -> None:
            with self._engine.begin() as tx:
                store.remove_session(tx, _hash(session_id), now=self._now())

        await asyncio.to_thread(remove)

    async def depart(self, return_to: str) -> Departure:
        """Begin a sign-in that will come back to the path `return_to`."""
        state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
        row = store.SignInRow(
            state_hash=_hash(state),
            browser_hash=_hash(browser),
            nonce=nonce,
            code_verifier=verifier,
            return_to=return_to,
            expires_at=self._now() + SIGN_IN_LASTS,
        )

        def add() -> None:
            with self._engine.begin() as tx:
                store.add_sign_in(tx, row)

        await asyncio.to_thread(add)
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return Departure(state=state, browser=browser, nonce=nonce, code_challenge=challenge)

    async def arrive(self, state: str, browser: str) -> Arrival | None:
        """The sign-in that comes back, once, in time and to the browser that began it; else None."""

        def take() -> store.SignInRow | None:
            with self._engine.begin() as tx:
                return store.take_sign_in(tx, _hash(state), now=self._now())

        row = await asyncio.to_thread(take)
        if row is None or not hmac.compare_digest(row.browser_hash, _hash(browser)):
            return None
        return Arrival(nonce=row.nonce, code_verifier=row.code_verifier, return_to=row.return_to)


def form_token(session_id: str) -> str:
    """What each form of a session carries; nobody can make it without the session's id."""
    return hmac.new(session_id.encode(), b"form", hashlib.sha256).hexdigest()


def _viewer(name: str, token: str, session_id: str) -> Viewer:
    claims = _claims(token)
    given = claims.get("roles")
    person_ref, kbo = (str(claims.get(claim) or "") for claim in ("person_ref", "kbo"))
    return Viewer(
        name=name,
        token=token,
        form_token=form_token(session_id),
        roles=tuple(role for role in Role if isinstance(given, list) and role.value in given),
        person_ref=person_ref,
        kbo=kbo,
    )


def _claims(token: str) -> dict[str, Any]:
    """The claims of a token that was verified when its person signed in, and sealed since; empty where unreadable."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _key(session_id: str) -> bytes:
    return hmac.new(session_id.encode(), b"token", hashlib.sha256).digest()


def _seal(session_id: str, token: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_key(session_id)).encrypt(nonce, token.encode(), None)


def _open(session_id: str, sealed: bytes) -> str:
    """The token; empty (which every service refuses) where the row was tampered with."""
    try:
        return AESGCM(_key(session_id)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None).decode()
    except InvalidTag:
        return ""
