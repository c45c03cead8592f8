"""Sessions of people and sign-ins under way: tables, and every SQL statement of the portal.

What a browser holds is stored as a SHA-256 hash only, and a person's token is sealed with a key made from what the
browser holds: a copy of these tables opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    or_,
    select,
)

metadata = MetaData()

session = Table(
    "session",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True, comment="SHA-256 of the session id that the browser holds"),
    Column("subject", String, nullable=False, comment="the person's id at the issuer"),
    Column("name", String, nullable=False, comment="what the page calls the person"),
    Column("sealed_token", LargeBinary, nullable=False, comment="id_token, sealed with a key made from the session id"),
    Column("started_at", DateTime(timezone=True), nullable=False, comment="when the person signed in (UTC)"),
    Column("expires_at", DateTime(timezone=True), nullable=False, comment="end of the session (UTC, exclusive)"),
    Index("session_expires_at", "expires_at"),
    comment="Browsers in which somebody is signed in.",
)

sign_in = Table(
    "sign_in",
    metadata,
    Column("state_hash", LargeBinary, primary_key=True, comment="SHA-256 of the state that the provider sends back"),
    Column("browser_hash", LargeBinary, nullable=False, comment="SHA-256 of what the browser that began it holds"),
    Column("nonce", String, nullable=False, comment="must come back in the id_token"),
    Column("code_verifier", String, nullable=False, comment="PKCE secret of this sign-in"),
    Column("return_to", String, nullable=False, comment="path of the page to go to afterwards"),
    Column(
        "expires_at", DateTime(timezone=True), nullable=False, comment="until when it may come back (UTC, exclusive)"
    ),
    Index("sign_in_expires_at", "expires_at"),
    comment="Sign-ins that have left for the provider and are not back yet.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One signed-in browser; instants are UTC."""

    id_hash: bytes
    subject: str
    name: str
    sealed_token: bytes
    started_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRow:
    """One sign-in that has left for the provider and is not back yet."""

    state_hash: bytes
    browser_hash: bytes
    nonce: str
    code_verifier: str
    return_to: str
    expires_at: datetime


def add_session(tx: Connection, row: SessionRow) -> None:
    """Keep `row`; sessions and sign-ins that ended before it began are removed on the way."""
    tx.execute(delete(session).where(session.c.expires_at <= row.started_at))
    tx.execute(delete(sign_in).where(sign_in.c.expires_at <= row.started_at))
    tx.execute(
        insert(session).values(
            id_hash=row.id_hash,
            subject=row.subject,
            name=row.name,
            sealed_token=row.sealed_token,
            started_at=row.started_at,
            expires_at=row.expires_at,
        )
    )


def find_session(tx: Connection, id_hash: bytes, *, now: datetime) -> SessionRow | None:
    """The session of that hash, unless it has ended."""
    found = tx.execute(select(session).where(session.c.id_hash == id_hash, session.c.expires_at > now)).one_or_none()
    return None if found is None else SessionRow(**found._mapping)


def remove_session(tx: Connection, id_hash: bytes, *, now: datetime) -> None:
    """Forget the session of that hash, and those that have ended by themselves."""
    tx.execute(delete(session).where(or_(session.c.id_hash == id_hash, session.c.expires_at <= now)))


def add_sign_in(tx: Connection, row: SignInRow) -> None:
    """Keep a sign-in until it comes back."""
    tx.execute(
        insert(sign_in).values(
            state_hash=row.state_hash,
            browser_hash=row.browser_hash,
            nonce=row.nonce,
            code_verifier=row.code_verifier,
            return_to=row.return_to,
            expires_at=row.expires_at,
        )
    )


def take_sign_in(tx: Connection, state_hash: bytes, *, now: datetime) -> SignInRow | None:
    """Remove and return the sign-in of that state: it serves once, and not after its end."""
    found = tx.execute(delete(sign_in).where(sign_in.c.state_hash == state_hash).returning(sign_in)).one_or_none()
    if found is None:
        return None
    row = SignInRow(**found._mapping)
    return row if row.expires_at > now else None
