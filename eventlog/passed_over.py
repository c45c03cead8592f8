"""Records that a halted projection may pass over: named in the settings of its process, bytes and all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from eventlog.envelope import Record
from eventlog.halt import Coordinates

_DIGEST_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Entries of the form TOPIC/PARTITION/OFFSET=SHA256, the last in hex, of the record's value.

    Only a foreign record is passed over: one that is not the next event of a stream by its headers. What our own relay
    wrote always is, and may hold a withdrawal: for that there is no way past but a version that can read it. Should the
    record have been ours and lost its headers, the next event of its stream is a gap, and the projection halts again.
    """

    digests: frozenset[tuple[Coordinates, str]] = frozenset()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Return what `entries` name.

        Raises:
            ValueError: one has another form.
        """
        return cls(frozenset(map(_parse, entries)))

    def holds(self, record: Record) -> bool:
        """Whether exactly this record is named."""
        place = Coordinates(record.topic, record.partition, record.offset)
        return (place, digest(record.value)) in self.digests


NOTHING: Final = PassedOver()


def digest(value: bytes | None) -> str:
    """Return the SHA-256 of a record's value in hex; a record without value has that of no bytes."""
    return sha256(value or b"").hexdigest()


def _parse(entry: str) -> tuple[Coordinates, str]:
    place, _, hexed = entry.strip().partition("=")
    if len(hexed) != _DIGEST_LENGTH or set(hexed) - set("0123456789abcdef"):
        raise ValueError("give TOPIC/PARTITION/OFFSET=SHA256 as kwartier parked show prints it")
    return Coordinates.parse(place), hexed
