"""Credentials of holders: the operator issues and revokes them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import APIRouter, Depends
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import Engine

from eventlog.event_store import StreamChanged
from eventlog.problems import ErrorBody, JsonAnswer, Problem
from eventlog.trust import Authenticator, require
from market.kbo import parse_kbo
from services.export.credentials import Credential, CredentialDiffers, Environment, hmac_of, issue, revoke

_MAX_BODY_BYTES: Final = 64 * 1024
_SHORTEST_KEY_BITS: Final = 2_048
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
_Secret = Annotated[str, Field(min_length=32, max_length=256, pattern=r"^[!-~]+$")]
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorBody, "description": "The request is not valid; `ValidationErrorMessages` says why."},
    401: {"description": "No token, or not a trusted one; empty body."},
    403: {"description": "The caller may not do this; empty body."},
    409: {"model": ErrorBody, "description": "The client has other credentials; nothing changed."},
    503: {"model": ErrorBody, "description": "Try again after `Retry-After` seconds; nothing changed."},
}


class CredentialBody(BaseModel):
    """A client to let in. What is left out of ids and secrets is made up here and shown once, in the answer."""

    model_config = ConfigDict(hide_input_in_errors=True)

    holder_kbo: Annotated[str, AfterValidator(parse_kbo)] = Field(description="Enterprise number of the holder.")
    contract_number: str = Field(pattern=r"^[0-9]{10}$", description="Its data access contract.")
    environment: Environment = Field(default="live", description="live or sandbox")
    tenant_id: _Name | None = Field(default=None, description="Part of the token address.")
    client_id: _Name | None = None
    client_secret: _Secret | None = Field(default=None, description="At least 32 random characters.")
    subscription_key: _Secret | None = Field(default=None, description="At least 32 random characters.")
    certificate: str | None = Field(
        default=None, max_length=20_000, description="PEM, of the key that signs assertions: RSA from 2048 bits, P-256."
    )


class CredentialAnswer(BaseModel):
    """What the client signs in with. Secrets that came with the command are not repeated."""

    client_id: str
    tenant_id: str
    scope: str
    client_secret: str | None = None
    subscription_key: str | None = None
    outcome: Literal["issued", "unchanged"]


class RevocationAnswer(BaseModel):
    """What became of the command."""

    client_id: str
    outcome: Literal["revoked", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialDesk:
    """Issues credentials; `new_secret` makes 256 random bits as text."""

    engine: Engine
    credential_key: bytes
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    new_secret: Callable[[], str] = secrets.token_urlsafe

    def issue(self, body: CredentialBody) -> CredentialAnswer:
        """Keep what the client will be known by.

        Raises:
            Problem: 400 for a certificate that cannot be used, 409 where the client has other credentials.
        """
        public_key, thumbprint = _key_of(body.certificate) if body.certificate else (None, None)
        secret = body.client_secret or self.new_secret()
        subscription_key = body.subscription_key or self.new_secret()
        new = Credential(
            client_id=body.client_id or str(self.new_id()),
            holder_kbo=body.holder_kbo,
            contract_number=body.contract_number,
            environment=body.environment,
            tenant_id=body.tenant_id or str(self.new_id()),
            secret_hmac=hmac_of(self.credential_key, secret),
            subscription_key_hmac=hmac_of(self.credential_key, subscription_key),
            public_key=public_key,
            thumbprint=thumbprint,
            issued_at=self.clock(),
        )
        try:
            with self.engine.begin() as tx:
                is_new = issue(tx, new, correlation_id=self.new_id())
        except (CredentialDiffers, StreamChanged):
            raise Problem(
                409, "CredentialDiffers", "this client has other credentials; give another client_id"
            ) from None
        return CredentialAnswer(
            client_id=new.client_id,
            tenant_id=new.tenant_id,
            scope=f"api://kwartier-{new.environment}/.default",
            client_secret=None if body.client_secret else secret,
            subscription_key=None if body.subscription_key else subscription_key,
            outcome="issued" if is_new else "unchanged",
        )

    def revoke(self, client_id: str) -> RevocationAnswer:
        """Refuse the client from now on."""
        with self.engine.begin() as tx:
            is_new = revoke(tx, client_id, now=self.clock(), correlation_id=self.new_id())
        return RevocationAnswer(client_id=client_id, outcome="revoked" if is_new else "unchanged")


def credentials_router(desk: CredentialDesk, authenticator: Authenticator) -> APIRouter:
    """Return the routes about credentials."""
    router = APIRouter(tags=["credentials"])
    operator = Depends(require(authenticator, roles=("operator",), scope="credentials.write"))
    command: dict[str, Any] = {
        "responses": _ERRORS,
        "dependencies": [operator],
        "max_body_size": _MAX_BODY_BYTES,
        "response_model_exclude_none": True,
    }

    @router.post("/credentials", response_model=CredentialAnswer, status_code=HTTPStatus.CREATED, **command)
    def issue_credential(body: CredentialBody) -> JsonAnswer:
        """Let a client of a holder in. The same again changes nothing and answers 200."""
        answer = desk.issue(body)
        status = HTTPStatus.CREATED if answer.outcome == "issued" else HTTPStatus.OK
        headers = {"Cache-Control": "no-store"}
        return JsonAnswer(answer.model_dump(exclude_none=True), status_code=status, headers=headers)

    @router.post("/credentials/{client_id}/revocation", response_model=RevocationAnswer, **command)
    def revoke_credential(client_id: _Name) -> RevocationAnswer:
        """Refuse a client from now on, also with a token that still lives."""
        return desk.revoke(client_id)

    return router


def _key_of(certificate: str) -> tuple[str, str]:
    """Return the public key (PEM) of a certificate and its SHA-1 thumbprint (hex)."""
    try:
        found = x509.load_pem_x509_certificate(certificate.encode())
        key = found.public_key()
    except ValueError:
        raise Problem(400, "ValidationError", "certificate: not a certificate in PEM") from None
    is_strong = isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SHORTEST_KEY_BITS
    if not is_strong and not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)):
        raise Problem(400, "ValidationError", "certificate: an RSA key from 2048 bits on, or one of P-256")
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem.decode(), found.fingerprint(hashes.SHA1()).hex()  # noqa: S303 (x5t is defined so)
