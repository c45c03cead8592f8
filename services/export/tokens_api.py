"""The token address: client credentials in the body, by HTTP Basic or by a signed assertion; and the keys."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_plus
from uuid import UUID

from fastapi import APIRouter, Request
from sqlalchemy import Engine
from starlette.responses import Response

from eventlog.problems import JsonAnswer
from services.export.assertions import ASSERTION_TYPE, AssertionRefused, check_assertion, client_of
from services.export.credentials import NO_HMAC, Credential, find_credential, hmac_of, use_assertion
from services.export.tokens import LIFETIME_SECONDS, TokenSigner

_MAX_BODY_BYTES: Final = 32 * 1024
_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_FORM: Final = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"type": "string", "enum": ["client_credentials"]},
                        "client_id": {"type": "string"},
                        "client_secret": {"type": "string", "description": "In the body or by HTTP Basic."},
                        "client_assertion": {"type": "string", "description": "A JWT, RS256, PS256 or ES256."},
                        "client_assertion_type": {"type": "string", "enum": [ASSERTION_TYPE]},
                        "scope": {"type": "string"},
                    },
                }
            }
        },
        "required": True,
    }
}


class _Refused(Exception):
    def __init__(self, error: str, description: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(error)
        self.error, self.description, self.status = error, description, status


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDesk:
    """Gives tokens to clients that prove who they are."""

    engine: Engine
    signer: TokenSigner
    credential_key: bytes
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]

    def exchange(self, tenant_id: str, form: Mapping[str, str], basic: tuple[str, str] | None) -> dict[str, Any]:
        """Return the token answer.

        Raises:
            _Refused: the request is not one, or the client did not prove who it is.
        """
        if form.get("grant_type") != "client_credentials":
            raise _Refused("unsupported_grant_type", "grant_type is client_credentials")
        credential = self._client(tenant_id, form, basic)
        token = self.signer.sign(credential, now=self.clock(), token_id=self.new_id())
        return {
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
            "ext_expires_in": LIFETIME_SECONDS,
            "access_token": token,
        }

    def _client(self, tenant_id: str, form: Mapping[str, str], basic: tuple[str, str] | None) -> Credential:
        assertion = form.get("client_assertion")
        if assertion is not None:
            if form.get("client_assertion_type") != ASSERTION_TYPE:
                raise _Refused("invalid_request", f"client_assertion_type is {ASSERTION_TYPE}")
            found = self._by_assertion(tenant_id, assertion, form.get("client_id"))
        else:
            client_id, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
            found = self._by_secret(tenant_id, client_id, secret)
        if found is None:
            raise _Refused("invalid_client", "the client is not known by these credentials", HTTPStatus.UNAUTHORIZED)
        return found

    def _by_secret(self, tenant_id: str, client_id: str, secret: str) -> Credential | None:
        with self.engine.begin() as tx:
            found = find_credential(tx, client_id)
        kept = (found.secret_hmac if found else None) or NO_HMAC
        is_right = hmac.compare_digest(hmac_of(self.credential_key, secret), kept)
        return found if found and is_right and found.tenant_id == tenant_id else None

    def _by_assertion(self, tenant_id: str, text: str, client_id: str | None) -> Credential | None:
        now = self.clock()
        try:
            named = client_of(text)
            with self.engine.begin() as tx:
                found = find_credential(tx, named)
                if found is None or found.public_key is None or found.tenant_id != tenant_id:
                    return None
                good = check_assertion(
                    text,
                    client_id=client_id or named,
                    tenant_id=tenant_id,
                    public_key=found.public_key,
                    thumbprint=found.thumbprint,
                    now=now,
                )
                is_first = use_assertion(tx, found.client_id, good.jti, expires_at=good.expires_at, now=now)
        except AssertionRefused:
            return None
        return found if is_first else None


def tokens_router(desk: TokenDesk) -> APIRouter:
    """Return the token address and the published keys."""
    router = APIRouter(tags=["tokens"])

    @router.post("/{tenant}/oauth2/v2.0/token", openapi_extra=_FORM, response_model=dict[str, Any])
    async def token(tenant: str, request: Request) -> Response:
        """Exchange a client's credentials for an access token, good for an hour."""
        try:
            form = await _form(request)
            basic = _basic(request.headers.get("authorization"))
            answer = await asyncio.to_thread(desk.exchange, tenant, form, basic)
        except _Refused as refused:
            body = {"error": refused.error, "error_description": refused.description}
            challenge = {"WWW-Authenticate": "Basic"} if refused.status == HTTPStatus.UNAUTHORIZED else {}
            return JsonAnswer(body, status_code=refused.status, headers={**_NO_STORE, **challenge})
        return JsonAnswer(answer, headers=_NO_STORE)

    @router.get("/.well-known/jwks.json", response_model=dict[str, Any])
    async def keys() -> Response:
        """The keys that access tokens are signed with."""
        return JsonAnswer(desk.signer.published(), headers={"Cache-Control": "max-age=300"})

    return router


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_BODY_BYTES:
            raise _Refused("invalid_request", "the body is too long", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50))
    except ValueError:
        raise _Refused("invalid_request", "the body is a form") from None


def _basic(authorization: str | None) -> tuple[str, str] | None:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)
