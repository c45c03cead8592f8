"""Payloads that were damaged on their way, and the framing of a registry whose ids are known."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from eventlog import registry
from eventlog.framing import UnknownSchema
from eventlog.registry import Schema

# Lengths and counts that no payload keeps: as Avro longs they fit in ten bytes.
_BOMBS = (2**63 - 1, -(2**63), 2**62, 2**40, 2**31, 10**9, -(10**9), -1)


class Numbered:
    """The ids of our own schemas, from 1 in the order of their names and versions."""

    def __init__(self) -> None:
        schemas = [each for _, each in sorted(registry.published().by_version.items())]
        self._schemas = dict(enumerate(schemas, 1))
        self._numbers = {each.fingerprint: number for number, each in self._schemas.items()}

    def schema(self, number: int) -> Schema:
        """Return the schema with this id."""
        if number not in self._schemas:
            raise UnknownSchema("no schema has this id")
        return self._schemas[number]

    def number(self, schema: Schema) -> int:
        """Return the id of this schema."""
        return self._numbers[schema.fingerprint]


def avro_long(number: int) -> bytes:
    """Return `number` as Avro writes it: zigzag, seven bits a byte."""
    rest = ((number << 1) ^ (number >> 63)) & (2**64 - 1)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])


@dataclass(frozen=True)
class Damager:
    """Damages payloads, always in the same way for the same `chance`; `others` are what is spliced in."""

    chance: random.Random
    others: Sequence[bytes]

    def damaged(self, value: bytes, *, keep: int = 0) -> bytes:
        """Return `value` damaged once or twice, not in its first `keep` bytes."""
        head, body = value[:keep], value[keep:]
        for _ in range(self.chance.choice((1, 1, 2))):
            body = self.chance.choice((_flip, _cut, _insert, _bomb, _splice, _replace))(self, body or b"\x00")
        return head + body


def _flip(damager: Damager, body: bytes) -> bytes:
    out = bytearray(body)
    for _ in range(damager.chance.randint(1, 4)):
        out[damager.chance.randrange(len(out))] ^= 1 << damager.chance.randrange(8)
    return bytes(out)


def _cut(damager: Damager, body: bytes) -> bytes:
    return body[: damager.chance.randrange(len(body))]


def _insert(damager: Damager, body: bytes) -> bytes:
    place = damager.chance.randrange(len(body) + 1)
    return body[:place] + damager.chance.randbytes(damager.chance.randint(1, 9)) + body[place:]


def _bomb(damager: Damager, body: bytes) -> bytes:
    """Put a huge length or count over one to three bytes."""
    place = damager.chance.randrange(len(body))
    return body[:place] + avro_long(damager.chance.choice(_BOMBS)) + body[place + damager.chance.randint(1, 3) :]


def _splice(damager: Damager, body: bytes) -> bytes:
    other = damager.chance.choice(damager.others)
    return body[: damager.chance.randrange(len(body))] + other[damager.chance.randrange(len(other)) :]


def _replace(damager: Damager, body: bytes) -> bytes:
    return damager.chance.randbytes(damager.chance.randrange(2 * len(body)))
