"""Random secrets of one state, and the file that shows people and scripts those meant for them."""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey

from stack.demo.folk import HOLDERS
from stack.identity import client_entry
from stack.state import State, read_json, write_json

SERVICES = ("register", "mandate", "metering", "export", "portal")

SERVICE_SCOPES: dict[str, tuple[str, ...]] = {
    "register": ("metering/indexes.read",),
    "mandate": ("register/net-users.read", "register/messages.write"),
    "metering": (),
    "export": (
        "metering/blocks.read",
        "metering/indexes.read",
        "mandate/sessions.write",
        "register/names.read",
        "register/net-users.read",
    ),
    "portal": (
        "export/readings.read",
        "mandate/contracts.write",
        "mandate/sessions.read",
        "metering/arrivals.read",
        "register/access-points.write",
        "register/net-users.read",
    ),
}
MACHINES: dict[str, tuple[str, tuple[str, ...]]] = {
    "demo-publisher": ("publisher", ("metering/readings.write",)),
    "demo-access-holder": ("access_holder", ("register/access-points.write",)),
    "kwartier": (
        "operator",
        (
            "metering/readings.write",
            "metering/receipts.read",
            "metering/completeness.read",
            "export/files.read",
            "export/readings.read",
            "export/credentials.write",
            "register/access-points.write",
            "mandate/contracts.read",
            "mandate/contracts.write",
            "mandate/mandates.read",
        ),
    ),
}
HOLDER_VALID_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Secrets:
    """What only this state's processes know: random, made once, kept in a file of mode 0600."""

    postgres: str
    roles: dict[str, str]
    clients: dict[str, str]
    oidc_client: str
    session: str
    person_key: str
    credential_key: str
    token_keys: str


def load_secrets(state: State) -> Secrets:
    """Return the state's secrets; what is missing is made and kept."""
    kept = read_json(state.secrets) or {}
    found = Secrets(
        postgres=kept.get("postgres") or _random(),
        roles={name: _random() for name in SERVICES} | kept.get("roles", {}),
        clients={name: _random() for name in (*SERVICES, *MACHINES)} | kept.get("clients", {}),
        oidc_client=kept.get("oidc_client") or _random(),
        session=kept.get("session") or _random(),
        person_key=kept.get("person_key") or _random(),
        credential_key=kept.get("credential_key") or _random(),
        token_keys=kept.get("token_keys") or _token_keys(),
    )
    if asdict(found) != kept:
        write_json(state.secrets, asdict(found))
    return found


def identity_clients(found: Secrets) -> list[dict[str, Any]]:
    """Return the entries of the token issuer's clients file."""
    services = [client_entry(name, found.clients[name], ["service"], SERVICE_SCOPES[name]) for name in SERVICES]
    machines = [client_entry(name, found.clients[name], [role], scopes) for name, (role, scopes) in MACHINES.items()]
    return services + machines


def write_credentials(
    state: State, found: Secrets, *, token_url: str, export_url: str, sign_ins: list[dict[str, Any]]
) -> None:
    """Write `credentials.json`: a holder in each environment (made once), the demo machines, the portal's sign-ins."""
    kept = read_json(state.credentials) or {}
    document = {
        "live": _placed(kept.get("live") or make_holder("live"), f"{export_url}/esco-live/v3", export_url),
        "sandbox": _placed(kept.get("sandbox") or make_holder("sandbox"), f"{export_url}/esco-sbx/v3", export_url),
        "publisher": _machine("demo-publisher", found, token_url),
        "access_holder": _machine("demo-access-holder", found, token_url),
        "operator": _machine("kwartier", found, token_url),
        "portal": sign_ins,
    }
    if document != kept:
        write_json(state.credentials, document)


def _token_keys() -> str:
    """Return a new key for export's tokens, as the JWKS document that its setting takes."""
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, private=True, auto_kid=True)
    return json.dumps({"keys": [key.as_dict(private=True)]})


def _random() -> str:
    return secrets.token_urlsafe(32)


def _placed(holder: dict[str, Any], base_url: str, export_url: str) -> dict[str, Any]:
    """Return a holder's credentials with the addresses they are good at."""
    token_url = f"{export_url}/{holder['tenant_id']}/oauth2/v2.0/token"
    return {"holder_kbo": HOLDERS[0].kbo, **holder, "base_url": base_url, "token_url": token_url}


def _machine(client_id: str, found: Secrets, token_url: str) -> dict[str, str]:
    scopes = MACHINES[client_id][1]
    secret = found.clients[client_id]
    return {"client_id": client_id, "client_secret": secret, "scope": " ".join(scopes), "token_url": token_url}


def make_holder(environment: str) -> dict[str, Any]:
    """Return a demo holder's credentials; the certificate is self-signed, its thumbprint the SHA-1 of its DER form."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Kwartier demo holder ({environment})")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=HOLDER_VALID_DAYS))
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return {
        "tenant_id": str(uuid.uuid4()),
        "client_id": str(uuid.uuid4()),
        "client_secret": _random(),
        "scope": f"api://kwartier-{environment}/.default",
        "subscription_key": secrets.token_hex(16),
        "data_access_contract_number": f"{1_000_000_000 + secrets.randbelow(9_000_000_000)}",
        "private_key": key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode(),
        "certificate": certificate.public_bytes(pem).decode(),
        "certificate_thumbprint": certificate.fingerprint(hashes.SHA1()).hex(),  # noqa: S303 (x5t is defined so)
        "eans": [],
    }
