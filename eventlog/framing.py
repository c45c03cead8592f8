"""How a value says which schema wrote it: in single-object framing, or in the framing of a schema registry.

Single object: C3 01, eight bytes of CRC-64-AVRO fingerprint, the body. A schema registry's: 00, a four-byte big-endian
id, the body. A reader takes both, by the first byte. What lies in event tables is single-object always; at publication
the head is changed where the process uses a registry, and the body stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from eventlog import registry
from eventlog.reason import Reason, Rule
from eventlog.registry import Schema

SINGLE_OBJECT: Final = b"\xc3\x01"
HEADER_LENGTH: Final = 10
REGISTRY_MARK: Final = b"\x00"
REGISTRY_HEADER_LENGTH: Final = 5


class Undecodable(ValueError):
    """The bytes are not an event that we know; the message says why, without their content."""

    rule = Rule.UNDECODABLE

    @property
    def reason(self) -> Reason:
        """Why, with the name of the rule."""
        return Reason(self.rule, str(self))


class UnknownSchema(Undecodable):
    """What it was written with is not known here: a newer version of the platform wrote it, or it is no event."""

    rule = Rule.UNKNOWN_SCHEMA


class Ids(Protocol):
    """What a schema registry knows. Both may raise `OSError` while it is away: an outage, and no fault of a record."""

    def schema(self, number: int) -> Schema:
        """Return the schema with the id `number`.

        Raises:
            UnknownSchema: the registry has none, or it is none of an event that we know.
        """

    def number(self, schema: Schema) -> int:
        """Return the id of `schema`, one of ours.

        Raises:
            LookupError: it is not registered.
        """


@dataclass(slots=True)
class _Process:
    ids: Ids | None = None


_process: Final = _Process()


def use(ids: Ids | None) -> None:
    """Let this process read the framing of a schema registry and publish in it; with None, in single-object framing.

    An id means the same schema for ever and everywhere, as a fingerprint does; so it is told once per process, by its
    composition root, as the published schemas are.
    """
    _process.ids = ids


@contextmanager
def using(ids: Ids | None) -> Iterator[None]:
    """`use` for a while."""
    before = _process.ids
    use(ids)
    try:
        yield
    finally:
        use(before)


def header(value: bytes) -> bytes:
    """Return the first bytes of `value`, those before its body: the same for all that one schema wrote, in one framing.

    They need not be a header that anybody knows.
    """
    return value[: REGISTRY_HEADER_LENGTH if value.startswith(REGISTRY_MARK) else HEADER_LENGTH]


def split(value: bytes) -> tuple[Schema, bytes]:
    """Return the schema that `value` was written with, and its Avro body.

    Raises:
        Undecodable: unknown framing, fingerprint or id.
        OSError: the schema registry is away.
    """
    head = header(value)
    return schema_of(head), value[len(head) :]


def schema_of(head: bytes) -> Schema:
    """Return the schema that a `header` names. Raises as `split` does."""
    if len(head) == HEADER_LENGTH and head.startswith(SINGLE_OBJECT):
        schema = registry.published().by_fingerprint.get(head[2:])
        if schema is None:
            raise UnknownSchema("no schema has this fingerprint")
        return schema
    if len(head) == REGISTRY_HEADER_LENGTH and head.startswith(REGISTRY_MARK):
        if _process.ids is None:
            raise UnknownSchema("framed for a schema registry, and SCHEMA_REGISTRY_URL is not set")
        return _process.ids.schema(int.from_bytes(head[1:], "big"))
    raise Undecodable("not an Avro single object")


def outgoing(value: bytes) -> bytes:
    """Return `value`, one of ours in single-object framing, as it goes to a topic.

    Raises:
        LookupError: its schema is not registered.
        OSError: the schema registry is away, and was not asked for this schema before.
    """
    if _process.ids is None:
        return value
    schema, body = split(value)
    return REGISTRY_MARK + _process.ids.number(schema).to_bytes(4, "big") + body
