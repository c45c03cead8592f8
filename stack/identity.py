"""Tokens for machines on one computer: OAuth client credentials, signed ES256. For local use only.

In production an OpenID provider does this. It listens on the loopback address alone, and a client's secret is a random
256-bit text of which only the SHA-256 is kept.

    POST /token                     grant_type=client_credentials, scope="metering/readings.write"; HTTP Basic or body
    GET  /.well-known/jwks.json     the public key

The clients are a JSON file, a list of what `client_entry` returns. Environment: IDENTITY_PORT, IDENTITY_CLIENTS_FILE,
IDENTITY_STATE_DIR (keeps the signing key, mode 0600). The issuer is `http://127.0.0.1:<port>`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus
from uuid import uuid4

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LIFETIME_SECONDS: Final = 3600
HOST: Final = "127.0.0.1"


class IdentitySettings(BaseSettings):
    """Where to listen, who may ask, and where the signing key lies."""

    model_config = SettingsConfigDict(env_prefix="IDENTITY_")

    port: int
    clients_file: Path
    state_dir: Path


@dataclass(frozen=True, slots=True)
class Client:
    """A machine that may ask for tokens; `scopes` are written `<audience>/<permission>`."""

    client_id: str
    secret_sha256: str
    roles: tuple[str, ...]
    scopes: frozenset[str]


def client_entry(client_id: str, secret: str, roles: Collection[str], scopes: Collection[str]) -> dict[str, Any]:
    """Return the entry of one client in the clients file; the secret itself is not in it."""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return {"client_id": client_id, "secret_sha256": digest, "roles": sorted(roles), "scopes": sorted(scopes)}


def read_clients(path: Path) -> dict[str, Client]:
    """Return the clients in `path` by their id.

    Raises:
        OSError: the file cannot be read.
        ValueError, KeyError: it is not a list of client entries.
    """
    entries = json.loads(path.read_text(encoding="utf-8"))
    return {
        entry["client_id"]: Client(
            entry["client_id"], entry["secret_sha256"], tuple(entry["roles"]), frozenset(entry["scopes"])
        )
        for entry in entries
    }


def load_signing_key(state_dir: Path) -> ECKey:
    """Return the signing key in `state_dir`, made there (mode 0600) the first time."""
    path = state_dir / "identity-key.json"
    if not path.exists():
        state_dir.mkdir(parents=True, exist_ok=True)
        key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, private=True, auto_kid=True)
        draft = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(key.as_dict(private=True), file)
        draft.replace(path)
    return ECKey.import_key(json.loads(path.read_text(encoding="utf-8")))


def create_app(clients_file: Path, key: ECKey, issuer: str) -> Starlette:
    """Return the issuer; the clients file is read on each request for a token, so a new client needs no restart."""

    async def token(request: Request) -> Response:
        form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        if form.get("grant_type") != "client_credentials":
            return _refuse("unsupported_grant_type", 400)
        client = _authenticate(read_clients(clients_file), request.headers.get("authorization"), form)
        if client is None:
            return _refuse("invalid_client", 401)
        scopes = form.get("scope", "").split()
        audiences = {each.partition("/")[0] for each in scopes}
        if len(audiences) != 1 or not client.scopes.issuperset(scopes):
            return _refuse("invalid_scope", 400)
        access_token = _sign(client, audiences.pop(), scopes, key, issuer)
        answer = {"access_token": access_token, "token_type": "Bearer", "expires_in": LIFETIME_SECONDS}
        return JSONResponse({**answer, "scope": " ".join(scopes)}, headers={"Cache-Control": "no-store"})

    async def jwks(_: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict(private=False)]})

    async def livez(_: Request) -> Response:
        return Response("ok", media_type="text/plain")

    return Starlette(
        routes=[
            Route("/token", token, methods=["POST"]),
            Route("/.well-known/jwks.json", jwks),
            Route("/livez", livez),
            Route("/readyz", livez),
        ]
    )


def _authenticate(clients: Mapping[str, Client], authorization: str | None, form: Mapping[str, str]) -> Client | None:
    """Return the client whose id and secret came in, by HTTP Basic or in the body; None when they are wrong."""
    client_id, secret = _basic(authorization) or (form.get("client_id", ""), form.get("client_secret", ""))
    client = clients.get(client_id)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    is_right = hmac.compare_digest(digest, client.secret_sha256 if client else "0" * 64)
    return client if is_right else None


def _basic(authorization: str | None) -> tuple[str, str] | None:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return unquote_plus(client_id), unquote_plus(secret)


def _sign(client: Client, audience: str, scopes: list[str], key: ECKey, issuer: str) -> str:
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": audience,
        "sub": client.client_id,
        "roles": list(client.roles),
        "scope": " ".join(each.partition("/")[2] for each in scopes),
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
        "jti": str(uuid4()),
    }
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)


def _refuse(error: str, status: int) -> Response:
    headers = {"WWW-Authenticate": "Basic"} if status == 401 else {}
    return JSONResponse({"error": error}, status_code=status, headers={**headers, "Cache-Control": "no-store"})


def main() -> None:
    """Run the issuer until SIGTERM."""
    try:
        settings = IdentitySettings()  # type: ignore[call-arg]  # from the environment
        read_clients(settings.clients_file)
    except (ValidationError, OSError, ValueError, KeyError) as error:
        first = str(error).splitlines()[0]
        sys.exit(f"identity: {first}; set IDENTITY_PORT, IDENTITY_CLIENTS_FILE and IDENTITY_STATE_DIR")
    key = load_signing_key(settings.state_dir)
    print(f"identity: tokens for machines on http://{HOST}:{settings.port}, for local use only", file=sys.stderr)
    app = create_app(settings.clients_file, key, f"http://{HOST}:{settings.port}")
    uvicorn.run(app, host=HOST, port=settings.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
