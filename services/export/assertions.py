"""Assertions: a client signs who it is (RFC 7523), with the key that was registered for it. No clock, no database."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_SECONDS: Final = 3_600
LEEWAY_SECONDS: Final = 60
_LENGTH_LIMIT: Final = 8_192
_JTI_LIMIT: Final = 256
_RSA: Final = ("RS256", "PS256")
_EC: Final = ("ES256",)


class AssertionRefused(Exception):
    """The assertion proves nothing; the message says why, for tests, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """A good assertion: its id, and when it expires (UTC)."""

    jti: str
    expires_at: datetime


def client_of(text: str) -> str:
    """Return who an assertion says that it is, before anybody verified it.

    Raises:
        AssertionRefused: it is not a signed JWT.
    """
    _, claims = _peek(text)
    return str(claims.get("sub", ""))


def check_assertion(
    text: str, *, client_id: str, tenant_id: str, public_key: str, thumbprint: str | None, now: datetime
) -> Assertion:
    """Return the assertion if the holder of `public_key` (PEM) signed it for our token address of `tenant_id`.

    Raises:
        AssertionRefused: damaged, signed otherwise, not for us, not now, or good for too long.
    """
    header, _ = _peek(text)
    key, algorithms = _key(public_key)
    if header.get("alg") not in algorithms:
        raise AssertionRefused("algorithm")
    _check_key_name(header, thumbprint)
    try:
        claims = jwt.decode(text, key, algorithms=list(algorithms)).claims
    except (JoseError, ValueError, TypeError):
        raise AssertionRefused("signature") from None
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise AssertionRefused("issuer or subject")
    if not _is_for_us(claims.get("aud"), tenant_id):
        raise AssertionRefused("audience")
    expires_at = _check_times(claims, now)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _JTI_LIMIT or not jti.isprintable():
        raise AssertionRefused("id")
    return Assertion(jti, expires_at)


def _peek(text: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if len(text) > _LENGTH_LIMIT or not text.isascii():
        raise AssertionRefused("too long")
    try:
        parts = jws.extract_compact(text.encode())
        claims = json.loads(parts.payload)
        return dict(parts.headers()), dict(claims)
    except (JoseError, ValueError, LookupError, TypeError, RecursionError):
        raise AssertionRefused("damaged") from None


def _key(public_key: str) -> tuple[RSAKey | ECKey, tuple[str, ...]]:
    """The key decides which algorithms there are: never none, never a shared secret."""
    try:
        return RSAKey.import_key(public_key), _RSA
    except (JoseError, ValueError, TypeError):
        return ECKey.import_key(public_key), _EC


def _check_key_name(header: Mapping[str, Any], thumbprint: str | None) -> None:
    """A key that is named (`x5t`, else `kid`) is the registered one; one that is not named is tried."""
    named = header.get("x5t") or header.get("kid")
    if named is None or thumbprint is None:
        return
    spelled = {thumbprint.lower(), thumbprint.upper(), _base64url(thumbprint)}
    if not isinstance(named, str) or not any(hmac.compare_digest(named.encode(), each.encode()) for each in spelled):
        raise AssertionRefused("key")


def _base64url(thumbprint: str) -> str:
    try:
        return base64.urlsafe_b64encode(binascii.unhexlify(thumbprint)).decode().rstrip("=")
    except binascii.Error:
        return thumbprint


def _is_for_us(audience: object, tenant_id: str) -> bool:
    audiences = audience if isinstance(audience, list) else [audience]
    endings = (f"/{tenant_id}/v2.0", f"/{tenant_id}/oauth2/v2.0/token")
    return any(isinstance(each, str) and each.endswith(endings) for each in audiences)


def _is_instant(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def _check_times(claims: Mapping[str, Any], now: datetime) -> datetime:
    instant = now.timestamp()
    times = {name: claims.get(name) for name in ("exp", "nbf", "iat")}
    if any(value is not None and not _is_instant(value) for value in times.values()):
        raise AssertionRefused("times")
    expires, begins = times["exp"], times["nbf"] or times["iat"] or instant
    if expires is None or not instant - LEEWAY_SECONDS < expires <= instant + LIFETIME_SECONDS + LEEWAY_SECONDS:
        raise AssertionRefused("expiry")
    if begins > instant + LEEWAY_SECONDS or expires - begins > LIFETIME_SECONDS:
        raise AssertionRefused("lifetime")
    return datetime.fromtimestamp(expires + LEEWAY_SECONDS, UTC)
