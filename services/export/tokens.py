"""Export's own tokens for holders' clients: signed ES256, published keys, the first one signs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from eventlog.trust import NotAuthenticated
from services.export.credentials import Credential, Environment

LIFETIME_SECONDS: Final = 3_600
_ALGORITHMS: Final = ["ES256"]
_LENGTH_LIMIT: Final = 8_192


class InvalidKeys(ValueError):
    """The setting is not a set of private P-256 keys, each with a kid."""


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """Signs and checks access tokens. `base_url` is export's own address, without a slash at the end."""

    keys: KeySet
    base_url: str

    def sign(self, credential: Credential, *, now: datetime, token_id: UUID) -> str:
        """Return a token for the client of `credential`, good for an hour."""
        instant = int(now.timestamp())
        claims = {
            "iss": f"{self.base_url}/{credential.tenant_id}/v2.0",
            "aud": audience_of(credential.environment),
            "sub": credential.client_id,
            "appid": credential.client_id,
            "tid": credential.tenant_id,
            "iat": instant,
            "nbf": instant,
            "exp": instant + LIFETIME_SECONDS,
            "jti": str(token_id),
            "ver": "2.0",
        }
        key = self.keys.keys[0]
        return jwt.encode({"alg": "ES256", "typ": "JWT", "kid": key.kid}, claims, key, algorithms=_ALGORITHMS)

    def check(self, token: str, environment: Environment, *, now: datetime) -> str:
        """Return the client id of a token of ours for `environment`.

        Raises:
            NotAuthenticated: damaged, expired, of another signer or for another environment.
        """
        if len(token) > _LENGTH_LIMIT or not token.isascii():
            raise NotAuthenticated("damaged")
        try:
            claims = jwt.decode(token, self.keys, algorithms=_ALGORITHMS).claims
        except (JoseError, ValueError, TypeError, LookupError, RecursionError):
            raise NotAuthenticated("signature") from None
        expires, audience, client_id = claims.get("exp"), claims.get("aud"), claims.get("sub")
        if type(expires) is not int or expires <= now.timestamp():
            raise NotAuthenticated("expired")
        if audience != audience_of(environment) or not isinstance(client_id, str):
            raise NotAuthenticated("audience")
        return client_id

    def published(self) -> dict[str, Any]:
        """Return the public keys as a JWKS document."""
        return {"keys": [dict(key.as_dict(private=False), use="sig", alg="ES256") for key in self.keys.keys]}


def audience_of(environment: Environment) -> str:
    """The audience of tokens for one environment, which clients name in `scope` with `/.default` behind it."""
    return f"api://kwartier-{environment}"


def read_keys(text: str) -> KeySet:
    """Return the keys in the setting: a JWKS document with private keys, the one that signs first.

    Raises:
        InvalidKeys: anything else.
    """
    try:
        keys = [ECKey.import_key(each) for each in json.loads(text)["keys"]]
    except (JoseError, ValueError, LookupError, TypeError) as error:
        raise InvalidKeys(f"not a set of keys: {type(error).__name__}") from None
    if not keys or any(not each.is_private or not each.kid or each.curve_name != "P-256" for each in keys):
        raise InvalidKeys("each key is a private one of P-256 and has a kid")
    return KeySet(list(keys))
