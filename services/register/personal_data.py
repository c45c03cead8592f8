"""What the register knows of people: sealed under a key of each, and references to them as keyed hashes."""

from __future__ import annotations

import hmac
import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_LENGTH: Final = 32
NONCE_LENGTH: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalData:
    """Name and contact data of one net user; never shown by `repr`, so that no log holds them."""

    name: str
    email: str

    def __repr__(self) -> str:
        return "PersonalData(...)"


def seal(data: PersonalData, *, net_user_id: UUID, key: bytes, nonce: bytes) -> bytes:
    """Return `data` encrypted with AES-256-GCM: the nonce (12 bytes, used once), ciphertext and tag.

    It opens with the same `key` (32 bytes) for the same `net_user_id` only.
    """
    plain = json.dumps(asdict(data), ensure_ascii=False).encode()
    return nonce + AESGCM(key).encrypt(nonce, plain, net_user_id.bytes)


def unseal(sealed: bytes, *, net_user_id: UUID, key: bytes) -> PersonalData:
    """Return what `seal` sealed.

    Raises:
        cryptography.exceptions.InvalidTag: another key, another net user, or changed bytes.
    """
    nonce, rest = sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:]
    return PersonalData(**json.loads(AESGCM(key).decrypt(nonce, rest, net_user_id.bytes)))


def hash_reference(person_ref: str, key: bytes) -> bytes:
    """Return the keyed hash (HMAC-SHA-256) that stands for a reference to a person; without `key` nobody can try."""
    return hmac.digest(key, b"person_ref:" + person_ref.encode(), sha256)


def hash_command(canonical: str, key: bytes) -> str:
    """Return the keyed hash (hex) of a command that holds personal data, to tell it from others later."""
    return hmac.new(key, b"command:" + canonical.encode(), sha256).hexdigest()
