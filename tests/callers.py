"""Callers with real signed tokens, and an authenticator that trusts them: machines and people."""

from __future__ import annotations

import time
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from eventlog.trust import Authenticator, TrustedIssuer

_MACHINES: Final = "http://identity.test"
_PEOPLE: Final = "http://people.test"
_MACHINE_KEY: Final = ECKey.generate_key("P-256", {"kid": "first"})
_PEOPLE_KEY: Final = RSAKey.generate_key(2048)
_ISSUERS: Final = (
    TrustedIssuer(
        issuer=_MACHINES,
        jwks_url=f"{_MACHINES}/jwks",
        roles=("service", "publisher", "access_holder", "operator"),
    ),
    TrustedIssuer(
        issuer=_PEOPLE,
        jwks_url=f"{_PEOPLE}/jwks",
        roles=("operator", "net_user", "holder"),
        kind="people",
        audiences=("portal",),
        algorithms=("RS256",),
    ),
)


async def _keys(url: str) -> Any:
    key: Any = _MACHINE_KEY if url.startswith(_MACHINES) else _PEOPLE_KEY
    return {"keys": [key.as_dict(private=False)]}


def authenticator(service: str) -> Authenticator:
    """Return what tells callers of `service`."""
    return Authenticator(_ISSUERS, service, fetch=_keys)


def machine(subject: str, *, role: str, audience: str, scope: str) -> dict[str, str]:
    """Return the headers of a machine that may call `audience`."""
    claims = {"iss": _MACHINES, "aud": audience, "sub": subject, "roles": [role], "scope": scope}
    token = jwt.encode({"alg": "ES256", "kid": "first"}, {**claims, "exp": int(time.time()) + 3600}, _MACHINE_KEY)
    return {"Authorization": f"Bearer {token}"}


def person(subject: str, *, role: str, **claims: str) -> dict[str, str]:
    """Return the headers of a person who signed in at the portal, with more `claims` (`person_ref`, `kbo`)."""
    known = {"iss": _PEOPLE, "aud": "portal", "sub": subject, "roles": [role], "exp": int(time.time()) + 3600}
    return {"Authorization": f"Bearer {jwt.encode({'alg': 'RS256'}, {**claims, **known}, _PEOPLE_KEY)}"}
