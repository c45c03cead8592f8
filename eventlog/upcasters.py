"""From what an old version of an event says to what the next one does, where Avro's own resolution cannot know.

Resolution fills a new field with its default and leaves out an old one: that is all that a compatible version needs,
and all that our second versions did. A function belongs here when a later version says the same in other words (one
field split into two, another unit), so that old records come out as the newest event and nobody else has to remember.
It is a function of the record alone, never of a clock or a table: a rebuild has to come to the same.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

import fastavro

from eventlog import registry
from eventlog.registry import Schema

Datum = dict[str, Any]

UPCASTERS: Final[dict[tuple[str, int], Callable[[Datum], Datum]]] = {}
"""By event and version: from a datum of that version to one of the next."""


def needs_upcast(schema: Schema) -> bool:
    """Whether what `schema` wrote has to go through a function."""
    return schema.is_ours and any(name == schema.name and version >= schema.version for name, version in UPCASTERS)


def upcast(schema: Schema, body: bytes) -> tuple[Schema, bytes]:
    """Return `body`, written with `schema`, as the version would have written it from which resolution goes on alone.

    Versions between two functions are crossed by resolution.

    Raises:
        Exception: whatever fastavro or a function raises at a damaged body.
    """
    schemas = registry.published().by_version
    for name, version in sorted(UPCASTERS):
        if name == schema.name and version >= schema.version:
            datum = _read(schema, body, schemas[name, version])
            schema = schemas[name, version + 1]
            out = BytesIO()
            fastavro.schemaless_writer(out, schema.parsed, UPCASTERS[name, version](datum))
            body = out.getvalue()
    return schema, body


def _read(writer: Schema, body: bytes, reader: Schema) -> Datum:
    stream = BytesIO(body)
    datum: Any = fastavro.schemaless_reader(stream, writer.parsed, reader.parsed)
    if stream.tell() != len(body):
        raise ValueError("bytes are left over")
    return dict(datum)
