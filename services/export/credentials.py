"""Credentials of holders' clients: what is kept of them, and which rows say so."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from eventlog import event_store
from eventlog.events import HolderCredentialIssued, HolderCredentialRevoked
from services.export.domain.permissions import Contract
from services.export.tables import contract, credential, used_assertion

Environment = Literal["live", "sandbox"]
NO_HMAC: Final = bytes(hashlib.sha256().digest_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One client of a holder. `public_key` (PEM) signs assertions; `thumbprint` is its certificate's SHA-1, hex."""

    client_id: str
    holder_kbo: str
    contract_number: str
    environment: Environment
    tenant_id: str
    secret_hmac: bytes | None
    subscription_key_hmac: bytes
    public_key: str | None
    thumbprint: str | None
    issued_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A good credential with what its calls are checked by: the subscription keys of its holder in its environment,
    and its contract, None where mandate never told of it."""

    credential: Credential
    subscription_key_hmacs: tuple[bytes, ...]
    contract: Contract | None


class CredentialDiffers(Exception):
    """There is a client of this name already, with other credentials."""


def hmac_of(key: bytes, secret: str) -> bytes:
    """Return what is kept of a random secret."""
    return hmac.digest(key, secret.encode(), "sha256")


def find_credential(tx: Connection, client_id: str) -> Credential | None:
    """Return the credential of a client, unless it was revoked or never issued."""
    if not client_id.isprintable():
        return None
    columns = [credential.c[each.name] for each in fields(Credential)]
    good = select(*columns).where(credential.c.client_id == client_id, credential.c.revoked_at.is_(None))
    row = tx.execute(good).one_or_none()
    return None if row is None else Credential(**row._mapping)


def find_standing(tx: Connection, client_id: str) -> Standing | None:
    """Return what the calls of a client are checked by; None where it has no good credential."""
    found = find_credential(tx, client_id)
    if found is None:
        return None
    keys = select(credential.c.subscription_key_hmac).where(
        credential.c.holder_kbo == found.holder_kbo,
        credential.c.environment == found.environment,
        credential.c.revoked_at.is_(None),
    )
    columns = [contract.c[each.name] for each in fields(Contract)]
    row = tx.execute(select(*columns).where(contract.c.contract_number == found.contract_number)).one_or_none()
    return Standing(
        credential=found,
        subscription_key_hmacs=tuple(tx.scalars(keys)),
        contract=None if row is None else Contract(**row._mapping),
    )


def issue(tx: Connection, new: Credential, *, correlation_id: UUID) -> bool:
    """Keep `new` and append its event; False where the client has just these credentials already.

    Raises:
        CredentialDiffers: the client has others, or had and they were revoked.
        StreamChanged: another command on this client came in between; safe to try again in a new transaction.
    """
    kept = tx.execute(select(credential).where(credential.c.client_id == new.client_id)).one_or_none()
    if kept is not None:
        same = {each.name for each in fields(Credential)} - {"issued_at"}
        if any(kept._mapping[name] != getattr(new, name) for name in same):
            raise CredentialDiffers
        return False
    event = HolderCredentialIssued(
        client_id=new.client_id,
        holder_kbo=new.holder_kbo,
        contract_number=new.contract_number,
        environment=new.environment,
        secret_hmac=(new.secret_hmac or b"").hex(),
        subscription_key_hmac=new.subscription_key_hmac.hex(),
        thumbprint=new.thumbprint or "",
        issued_at=new.issued_at,
    )
    _append(tx, event, correlation_id, new.issued_at, expected_version=0)
    tx.execute(insert(credential).values({each.name: getattr(new, each.name) for each in fields(Credential)}))
    return True


def revoke(tx: Connection, client_id: str, *, now: datetime, correlation_id: UUID) -> bool:
    """Refuse the client from `now` on; False where that is so already or there is no such client."""
    good = (credential.c.client_id == client_id) & credential.c.revoked_at.is_(None)
    if tx.scalar(update(credential).where(good).values(revoked_at=now).returning(credential.c.client_id)) is None:
        return False
    event = HolderCredentialRevoked(client_id=client_id, revoked_at=now)
    _append(tx, event, correlation_id, now, expected_version=1)
    return True


def use_assertion(tx: Connection, client_id: str, jti: str, *, expires_at: datetime, now: datetime) -> bool:
    """Remember that an assertion was used; False where it was used before. What expired before `now` is forgotten."""
    tx.execute(delete(used_assertion).where(used_assertion.c.expires_at < now))
    row = upsert(used_assertion).values(client_id=client_id, jti=jti, expires_at=expires_at)
    return tx.scalar(row.on_conflict_do_nothing().returning(used_assertion.c.jti)) is not None


def _append(tx: Connection, event: Any, correlation_id: UUID, now: datetime, *, expected_version: int) -> None:
    event_store.append(
        tx,
        f"credential:{event.client_id}",
        [event],
        expected_version=expected_version,
        correlation_id=correlation_id,
        recorded_at=now,
    )
