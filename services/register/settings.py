"""What register is told from outside; environment names are the upper-case field names."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, PositiveInt, SecretStr

from eventlog.settings import Settings

PERSON_KEY_MIN_LENGTH: Final = 32


def _check_key(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < PERSON_KEY_MIN_LENGTH:
        raise ValueError(f"at least {PERSON_KEY_MIN_LENGTH} random characters")
    return key


class RegisterSettings(Settings):
    """Settings of register beside those that every service has.

    `register_person_key` hashes references to persons: all replicas have the same, and it never changes, else nobody is
    found again. `bulk_max_bytes` bounds one bulk of commands.
    """

    service: str = "register"
    register_person_key: Annotated[SecretStr, AfterValidator(_check_key)]
    bulk_max_bytes: PositiveInt = 8 * 2**20
