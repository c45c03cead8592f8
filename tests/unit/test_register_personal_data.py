"""Personal data are sealed under a key of each net user; references to persons are keyed hashes."""

from __future__ import annotations

from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag

from eventlog.events import NetUserRegistered
from market.kbo import Kbo
from services.register.domain import RegisterNetUser, RegistrationRefused, register_net_user
from services.register.domain.net_user import net_user_stream_of
from services.register.personal_data import PersonalData, hash_command, hash_reference, seal, unseal
from tests.examples import NOON
from tests.register_events import ANNA, BERT

DATA = PersonalData(name="Anna Voorbeeld", email="anna@example.org")
KEY, NONCE = bytes(range(32)), bytes(range(12))


def test_what_is_sealed_opens_with_its_key_and_shows_nothing() -> None:
    sealed = seal(DATA, net_user_id=ANNA, key=KEY, nonce=NONCE)
    assert sealed[:12] == NONCE
    assert b"Anna" not in sealed
    assert b"example" not in sealed
    assert unseal(sealed, net_user_id=ANNA, key=KEY) == DATA


@pytest.mark.parametrize(
    ("net_user_id", "key", "place"), [(ANNA, bytes(32), None), (BERT, KEY, None), (ANNA, KEY, 0), (ANNA, KEY, 20)]
)
def test_it_opens_with_no_other_key_for_no_other_net_user_and_unchanged_only(
    net_user_id: UUID, key: bytes, place: int | None
) -> None:
    sealed = bytearray(seal(DATA, net_user_id=ANNA, key=KEY, nonce=NONCE))
    if place is not None:
        sealed[place] ^= 1
    with pytest.raises(InvalidTag):
        unseal(bytes(sealed), net_user_id=net_user_id, key=key)


def test_personal_data_do_not_print_themselves() -> None:
    assert repr(DATA) == "PersonalData(...)"
    assert str([DATA]) == "[PersonalData(...)]"


def test_a_reference_is_hmac_sha_256_with_the_key_of_the_register() -> None:
    """From another tool: printf 'person_ref:anna' | openssl dgst -sha256 -hmac 'a key'"""
    assert hash_reference("anna", b"a key").hex() == EXPECTED
    assert hash_reference("anna", b"another key") != hash_reference("anna", b"a key")
    assert hash_command("person_ref:anna", b"a key") != EXPECTED


EXPECTED = "b658a73cd286e9592ca607e7b4dfc3ec21304182e3a56b32847098c29849b047"


def wish(*, is_household: bool, kbo: str) -> RegisterNetUser:
    return RegisterNetUser(
        net_user_id=ANNA, is_household=is_household, kbo=Kbo(kbo) if kbo else "", sealed=b"sealed", now=NOON
    )


def test_a_net_user_is_registered_with_sealed_data() -> None:
    assert register_net_user(wish(is_household=False, kbo="0123456749")) == NetUserRegistered(
        net_user_id=ANNA, is_household=False, kbo="0123456749", personal_data=b"sealed", registered_at=NOON
    )
    assert net_user_stream_of(ANNA) == "net-user:00000000-0000-4000-8000-00000000000a"


def test_a_household_has_no_enterprise_number() -> None:
    with pytest.raises(RegistrationRefused, match="no enterprise number"):
        register_net_user(wish(is_household=True, kbo="0123456749"))
