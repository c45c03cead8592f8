"""A token counts only when a trusted issuer signed it, for us, now, and says no more than that issuer may say."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from eventlog.trust import Authenticator, Caller, IssuerUnavailable, NotAuthenticated, TrustedIssuer

MACHINES = "http://identity.test"
PEOPLE = "http://people.test"
NOW = 1_800_000_000
KEY = ECKey.generate_key("P-256", {"kid": "first"})
NEXT_KEY = ECKey.generate_key("P-256", {"kid": "second"})
STRANGER = ECKey.generate_key("P-256", {"kid": "first"})
PEOPLE_KEY = RSAKey.generate_key(2048)
MACHINE_ISSUER = TrustedIssuer(issuer=MACHINES, jwks_url=f"{MACHINES}/jwks", roles=("service", "publisher"))
PEOPLE_ISSUER = TrustedIssuer(
    issuer=PEOPLE,
    jwks_url=f"{PEOPLE}/jwks",
    roles=("operator",),
    kind="people",
    audiences=("portal",),
    algorithms=("RS256",),
)
CLAIMS: dict[str, Any] = {
    "iss": MACHINES,
    "aud": "metering",
    "sub": "export",
    "roles": ["service"],
    "scope": "blocks.read points.read",
    "exp": NOW + 600,
}


class Issuers:
    """What the JWKS addresses answer, and a clock that a test turns."""

    def __init__(self) -> None:
        self.keys: dict[str, list[Any]] = {MACHINES: [KEY], PEOPLE: [PEOPLE_KEY]}
        self.is_down = False
        self.fetch_count = 0
        self.seconds = 0.0
        self.authenticator = Authenticator(
            [MACHINE_ISSUER, PEOPLE_ISSUER],
            "metering",
            fetch=self.fetch,
            monotonic=lambda: self.seconds,
            clock=lambda: float(NOW),
        )

    async def fetch(self, url: str) -> Any:
        self.fetch_count += 1
        if self.is_down:
            raise httpx.ConnectError("refused")
        return {"keys": [key.as_dict(private=False) for key in self.keys[url.removesuffix("/jwks")]]}

    async def caller(self, token: str) -> Caller:
        return await self.authenticator.authenticate(f"Bearer {token}")

    async def reason(self, token: str) -> str:
        """Why `token` is refused."""
        with pytest.raises(NotAuthenticated) as refusal:
            await self.caller(token)
        return refusal.value.reason


@pytest.fixture
def issuers() -> Issuers:
    return Issuers()


def token(key: Any = KEY, *, alg: str = "ES256", kid: str | None = "first", **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode({"alg": alg} if kid is None else {"alg": alg, "kid": kid}, claims, key, algorithms=[alg])


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in (header, claims)]
    return f"{parts[0]}.{parts[1]}."


async def test_a_machine_is_known_by_its_token(issuers: Issuers) -> None:
    assert await issuers.caller(token()) == Caller(
        subject="export",
        roles=frozenset({"service"}),
        scopes=frozenset({"blocks.read", "points.read"}),
        issuer=MACHINES,
    )


async def test_a_person_is_known_by_the_id_token_and_has_no_scopes(issuers: Issuers) -> None:
    id_token = token(PEOPLE_KEY, alg="RS256", kid=None, iss=PEOPLE, aud=["portal"], sub="anna", roles=["operator"])
    assert await issuers.caller(id_token) == Caller(
        subject="anna", roles=frozenset({"operator"}), scopes=frozenset(), issuer=PEOPLE, is_person=True
    )


async def test_a_person_brings_what_the_access_holder_knows_them_by(issuers: Issuers) -> None:
    id_token = token(PEOPLE_KEY, alg="RS256", kid=None, iss=PEOPLE, aud=["portal"], person_ref="p-1", kbo="0123456749")
    caller = await issuers.caller(id_token)
    assert (caller.person_ref, caller.kbo) == ("p-1", "0123456749")
    assert "p-1" not in repr(caller)


async def test_a_machine_is_nobody_whatever_it_claims(issuers: Issuers) -> None:
    caller = await issuers.caller(token(person_ref="p-1", kbo="0123456749"))
    assert (caller.person_ref, caller.kbo) == ("", "")


async def test_a_person_whose_reference_is_not_text_is_refused(issuers: Issuers) -> None:
    id_token = token(PEOPLE_KEY, alg="RS256", kid=None, iss=PEOPLE, aud=["portal"], person_ref=["p-1", "p-2"])
    assert await issuers.reason(id_token) == "person_ref"


async def test_a_role_that_the_issuer_may_not_assert_is_ignored(issuers: Issuers) -> None:
    caller = await issuers.caller(token(roles=["operator", "publisher"]))
    assert caller.roles == {"publisher"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "http://elsewhere.test"}, "issuer"),
        ({"aud": "export"}, "invalid_claim"),
        ({"aud": None}, "missing_claim"),
        ({"sub": None}, "missing_claim"),
        ({"exp": None}, "missing_claim"),
        ({"exp": NOW - 30}, "expired_token"),
        ({"nbf": NOW + 31}, "invalid_claim"),
        ({"exp": "soon"}, "invalid_claim"),
        ({"roles": "service"}, "roles"),
        ({"scope": ["blocks.read"]}, "roles"),
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused(issuers: Issuers, changes: dict[str, Any], reason: str) -> None:
    assert await issuers.reason(token(**changes)) == reason


@pytest.mark.parametrize("changes", [{"exp": NOW - 29}, {"nbf": NOW + 30}])
async def test_clocks_may_differ_by_half_a_minute(issuers: Issuers, changes: dict[str, Any]) -> None:
    assert (await issuers.caller(token(**changes))).subject == "export"


async def test_a_token_signed_by_another_key_of_the_same_name_is_refused(issuers: Issuers) -> None:
    assert await issuers.reason(token(STRANGER)) == "signature"


async def test_a_token_without_signature_is_refused(issuers: Issuers) -> None:
    assert await issuers.reason(unsigned({"alg": "none"}, CLAIMS)) == "algorithm"
    assert await issuers.reason(unsigned({"alg": "ES256", "kid": "first"}, CLAIMS)) == "signature"


async def test_a_public_key_used_as_a_shared_secret_is_refused(issuers: Issuers) -> None:
    claimed = unsigned({"alg": "HS256", "kid": "first"}, CLAIMS).removesuffix(".")
    mac = hmac.digest(KEY.as_pem(private=False), claimed.encode(), "sha256")
    assert await issuers.reason(f"{claimed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}") == "algorithm"


async def test_an_issuer_may_not_use_the_algorithm_of_another(issuers: Issuers) -> None:
    assert await issuers.reason(token(PEOPLE_KEY, alg="RS256", kid=None)) == "algorithm"


async def test_a_person_s_issuer_may_not_speak_for_machines(issuers: Issuers) -> None:
    forged = token(PEOPLE_KEY, alg="RS256", kid=None, iss=PEOPLE, aud="metering", roles=["operator"])
    assert await issuers.reason(forged) == "invalid_claim"


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic ZXhwb3J0OnNlY3JldA==", "Bearer a.b", "Bearer é.é.é", "Bearer " + "a" * 9000],
)
async def test_a_header_without_a_token_is_refused(issuers: Issuers, header: str | None) -> None:
    with pytest.raises(NotAuthenticated):
        await issuers.authenticator.authenticate(header)
    assert issuers.fetch_count == 0


async def test_keys_are_fetched_once_for_many_tokens(issuers: Issuers) -> None:
    for _ in range(5):
        await issuers.caller(token())
    assert issuers.fetch_count == 1


async def test_a_new_key_is_fetched_when_a_token_names_it(issuers: Issuers) -> None:
    await issuers.caller(token())
    issuers.keys[MACHINES] = [KEY, NEXT_KEY]
    issuers.seconds = 11
    assert (await issuers.caller(token(NEXT_KEY, kid="second"))).subject == "export"
    assert issuers.fetch_count == 2


async def test_tokens_with_invented_key_ids_fetch_no_more_than_every_ten_seconds(issuers: Issuers) -> None:
    for second in range(20):
        issuers.seconds = float(second)
        assert await issuers.reason(token(STRANGER, kid=f"invented-{second}")) == "signature"
    assert issuers.fetch_count == 2


async def test_a_key_without_name_that_changed_is_fetched_again(issuers: Issuers) -> None:
    changed = RSAKey.generate_key(2048)
    fields = {"alg": "RS256", "kid": None, "iss": PEOPLE, "aud": "portal", "roles": ["operator"]}
    await issuers.caller(token(PEOPLE_KEY, **fields))
    issuers.keys[PEOPLE] = [changed]
    issuers.seconds = 11
    assert (await issuers.caller(token(changed, **fields))).is_person
    assert await issuers.reason(token(PEOPLE_KEY, **fields)) == "signature"


async def test_known_keys_stay_good_while_their_issuer_is_down(issuers: Issuers) -> None:
    await issuers.caller(token())
    issuers.is_down, issuers.seconds = True, 7200
    assert (await issuers.caller(token())).subject == "export"
    assert await issuers.reason(token(NEXT_KEY, kid="second")) == "signature"


async def test_nobody_can_be_known_while_the_keys_were_never_seen(issuers: Issuers) -> None:
    issuers.is_down = True
    with pytest.raises(IssuerUnavailable):
        await issuers.caller(token())


@pytest.mark.parametrize("algorithms", [(), ("none",), ("HS256",), ("ES256", "HS256")])
def test_an_issuer_cannot_be_trusted_with_another_algorithm(algorithms: Any) -> None:
    with pytest.raises(ValueError, match="ES256 and RS256 only"):
        TrustedIssuer(issuer=MACHINES, jwks_url="", roles=(), algorithms=algorithms)
