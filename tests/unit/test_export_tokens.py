"""Assertions that prove something and those that do not; tokens of ours and of nobody."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from eventlog.trust import NotAuthenticated
from services.export.assertions import AssertionRefused, check_assertion, client_of
from services.export.credentials import Credential
from services.export.tokens import InvalidKeys, TokenSigner, read_keys
from tests.examples import CONTRACT, HOLDER_KBO, NOON

RSA, OTHER_RSA = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256", auto_kid=True)
THUMBPRINT = "00112233445566778899aabbccddeeff00112233"
X5T = base64.urlsafe_b64encode(bytes.fromhex(THUMBPRINT)).decode().rstrip("=")
CLIENT, TENANT = "client-1", "tenant-1"
NOW = int(NOON.timestamp())
CLAIMS = {
    "iss": CLIENT,
    "sub": CLIENT,
    "aud": f"https://login.example/{TENANT}/v2.0",
    "jti": "one",
    "nbf": NOW,
    "exp": NOW + 3_600,
}


def signed(key: Any = RSA, *, alg: str = "RS256", header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode({"alg": alg, "x5t": X5T, **(header or {})}, claims, key, algorithms=[alg])


def check(text: str, key: Any = RSA) -> str:
    pem = key.as_pem(private=False).decode()
    found = check_assertion(text, client_id=CLIENT, tenant_id=TENANT, public_key=pem, thumbprint=THUMBPRINT, now=NOON)
    return found.jti


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_the_registered_key_signs_with_either_rsa_algorithm(alg: str) -> None:
    assert check(signed(alg=alg)) == "one"


def test_an_elliptic_key_signs_es256() -> None:
    assert check(signed(EC, alg="ES256"), EC) == "one"


@pytest.mark.parametrize(
    "header",
    [{}, {"x5t": None, "kid": THUMBPRINT}, {"x5t": None, "kid": THUMBPRINT.upper()}, {"x5t": None, "kid": X5T}],
)
def test_the_key_is_named_by_x5t_or_kid(header: dict[str, Any]) -> None:
    named = {name: value for name, value in {"x5t": X5T, **header}.items() if value}
    text = jwt.encode({"alg": "RS256", **named}, CLAIMS, RSA)
    assert check(text) == "one"


@pytest.mark.parametrize(
    "audience",
    [
        f"http://127.0.0.1:8404/{TENANT}/oauth2/v2.0/token",
        ["https://other.example", f"https://login.example/{TENANT}/v2.0"],
    ],
)
def test_the_audience_is_the_tenant_or_the_token_address(audience: Any) -> None:
    assert check(signed(aud=audience)) == "one"


@pytest.mark.parametrize(
    "text",
    [
        signed(OTHER_RSA),
        signed(header={"x5t": "AAAA"}),
        signed(iss="other"),
        signed(sub="other"),
        signed(aud="https://login.example/other/v2.0"),
        signed(aud=None),
        signed(aud=f"https://login.example/x{TENANT}/v2.0/more"),
        signed(exp=NOW - 61),
        signed(exp=None),
        signed(exp=NOW + 3_661),
        signed(nbf=NOW - 1, exp=NOW + 3_600),
        signed(nbf=NOW + 61),
        signed(nbf=float("nan")),
        signed(exp=True),
        signed(exp="soon"),
        signed(jti=None),
        signed(jti=""),
        signed(jti="x" * 257),
        signed(jti=7),
        "x.y.z",
        "",
        "é" * 10,
        "x" * 9_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(AssertionRefused):
        check(text)


def test_none_and_a_public_key_as_secret_are_refused() -> None:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    with pytest.raises(AssertionRefused, match="algorithm"):
        check(f"{part({'alg': 'none'})}.{part(CLAIMS)}.")
    content = f"{part({'alg': 'HS256'})}.{part(CLAIMS)}"
    mac = hmac.digest(RSA.as_pem(private=False), content.encode(), "sha256")
    with pytest.raises(AssertionRefused, match="algorithm"):
        check(f"{content}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}")
    with pytest.raises(AssertionRefused, match="algorithm"):
        check(signed(EC, alg="ES256"))


def test_who_an_assertion_says_it_is_can_be_read_before_it_is_checked() -> None:
    assert client_of(signed(OTHER_RSA)) == CLIENT


def signer(*keys: ECKey) -> TokenSigner:
    text = json.dumps({"keys": [key.as_dict(private=True) for key in keys]})
    return TokenSigner(read_keys(text), "http://export.test")


CREDENTIAL = Credential(
    client_id=CLIENT,
    holder_kbo=HOLDER_KBO,
    contract_number=CONTRACT,
    environment="live",
    tenant_id=TENANT,
    secret_hmac=None,
    subscription_key_hmac=b"",
    public_key=None,
    thumbprint=None,
    issued_at=NOON,
)


def token(by: TokenSigner, now: datetime = NOON) -> str:
    return by.sign(CREDENTIAL, now=now, token_id=UUID(int=1))


def test_a_token_is_a_jwt_that_tells_its_expiry_and_is_good_for_an_hour() -> None:
    own = signer(EC)
    payload = json.loads(base64.urlsafe_b64decode(token(own).split(".")[1] + "=="))
    assert (payload["exp"], payload["aud"], payload["iss"]) == (
        NOW + 3_600,
        "api://kwartier-live",
        f"http://export.test/{TENANT}/v2.0",
    )
    assert own.check(token(own), "live", now=NOON + timedelta(seconds=3_599)) == CLIENT
    for environment, seconds in (("live", 3_600), ("sandbox", 0)):
        with pytest.raises(NotAuthenticated):
            own.check(token(own), environment, now=NOON + timedelta(seconds=seconds))  # type: ignore[arg-type]


def test_a_new_key_signs_and_the_old_one_is_still_known() -> None:
    new = ECKey.generate_key("P-256", auto_kid=True)
    old_token = token(signer(EC))
    both = signer(new, EC)
    assert both.check(old_token, "live", now=NOON) == CLIENT
    with pytest.raises(NotAuthenticated):
        signer(new).check(old_token, "live", now=NOON)
    published = both.published()["keys"]
    assert [key["kid"] for key in published] == [new.kid, EC.kid]
    assert all("d" not in key for key in published)


@pytest.mark.parametrize("text", ["", "x.y.z", "x" * 9_000, signed(EC, alg="ES256")])
def test_a_token_of_nobody_is_refused(text: str) -> None:
    with pytest.raises(NotAuthenticated):
        signer(EC).check(text, "live", now=datetime.now(UTC))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"keys": []}',
        json.dumps({"keys": [EC.as_dict(private=False)]}),
        json.dumps({"keys": [RSA.as_dict(private=True)]}),
        json.dumps({"keys": [ECKey.generate_key("P-384", auto_kid=True).as_dict(private=True)]}),
    ],
)
def test_keys_that_cannot_sign_are_refused(text: str) -> None:
    with pytest.raises(InvalidKeys):
        read_keys(text)
