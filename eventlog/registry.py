"""The schemas of all published events, by event and version and by the fingerprint on the wire.

The files `schemas/avro/<service>/<Event>.v<N>.avsc` are the whole registry; nothing is asked over a network here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import fastavro

SCHEMA_DIR: Final = Path(__file__).resolve().parents[1] / "schemas" / "avro"

_FILE_NAME: Final = re.compile(r"(?P<name>[A-Z][A-Za-z]+)\.v(?P<version>[1-9][0-9]*)\.avsc")

_INVALID: Final = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
    fastavro.schema.SchemaParseException,
    fastavro.schema.UnknownType,
)


class InvalidSchema(ValueError):
    """A schema file breaks a rule of the registry; the message names the file and the rule."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One version of one event's schema.

    `fingerprint` is CRC-64-AVRO of the canonical form, eight bytes in wire order. `text` is the schema as the file
    holds it, for the header of an Avro container; `parsed` is the same for fastavro. `version` is 0 for one that comes
    from a schema registry and is in none of our files: that of a newer producer.
    """

    service: str
    name: str
    version: int
    fingerprint: bytes
    text: str = field(repr=False)
    parsed: dict[str, Any] = field(repr=False, compare=False)

    @property
    def is_ours(self) -> bool:
        """Whether it is in our files."""
        return self.version > 0

    @property
    def full_name(self) -> str:
        """The name of the record with its namespace; the subject in a schema registry."""
        return f"kwartier.{self.service}.{self.name}"


@dataclass(frozen=True, slots=True)
class Registry:
    """All schemas of a folder."""

    by_fingerprint: dict[bytes, Schema]
    by_version: dict[tuple[str, int], Schema]
    newest_by_name: dict[str, Schema]

    def newest(self, name: str) -> Schema:
        """Return the newest schema of the event `name`.

        Raises:
            KeyError: there is no such event.
        """
        return self.newest_by_name[name]

    def versions(self, name: str) -> list[Schema]:
        """Return every version of the event `name`, oldest first; empty where there is no such event."""
        return [schema for (other, _), schema in sorted(self.by_version.items()) if other == name]


def read_schema(path: Path) -> Schema:
    """Return the schema in `path`, whose folder is its service and whose name is `<Event>.v<N>.avsc`.

    Raises:
        InvalidSchema: the name of the file and the name of the record do not agree.
    """
    match = _FILE_NAME.fullmatch(path.name)
    if match is None:
        raise InvalidSchema(f"{path.name}: a schema file is called <Event>.v<N>.avsc")
    text = path.read_text(encoding="utf-8")
    raw = json.loads(text)
    service = path.parent.name
    if raw.get("name") != match["name"] or raw.get("namespace") != f"kwartier.{service}":
        raise InvalidSchema(f"{path.name}: the record must be kwartier.{service}.{match['name']}")
    canonical = fastavro.schema.to_parsing_canonical_form(raw)
    fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    parsed: Any = fastavro.parse_schema(raw, named_schemas={})
    return Schema(service, match["name"], int(match["version"]), fingerprint, text, parsed)


def foreign_schema(text: str) -> Schema | None:
    """Return the schema `text` of one of our events, as a schema registry holds it: one of ours where its fingerprint
    is, else one of version 0. None where it is no schema of an event of ours.
    """
    try:
        raw = json.loads(text)
        service = raw["namespace"].removeprefix("kwartier.")
        canonical = fastavro.schema.to_parsing_canonical_form(raw)
        fingerprint = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
        parsed: Any = fastavro.parse_schema(raw, named_schemas={})
        schema = Schema(service, raw["name"], 0, fingerprint, text, parsed)
    except _INVALID:
        return None
    newest = published().newest_by_name.get(schema.name)
    if raw.get("type") != "record" or newest is None or raw["namespace"] != f"kwartier.{newest.service}":
        return None
    return published().by_fingerprint.get(fingerprint, schema)


def load_registry(directory: Path) -> Registry:
    """Return the registry of all schemas under `directory`.

    Raises:
        InvalidSchema: a file is misnamed, two events share a name, or two schemas share a fingerprint (the canonical
            form drops `doc`, `default` and logical types, so a new version must differ in more than those).
    """
    by_fingerprint: dict[bytes, Schema] = {}
    by_version: dict[tuple[str, int], Schema] = {}
    newest: dict[str, Schema] = {}
    for path in sorted(directory.glob("*/*.avsc")):
        schema = read_schema(path)
        twin = by_fingerprint.setdefault(schema.fingerprint, schema)
        if twin is not schema:
            raise InvalidSchema(f"{path.name}: same fingerprint as {twin.name}.v{twin.version}")
        other = by_version.setdefault((schema.name, schema.version), schema)
        if other is not schema:
            raise InvalidSchema(f"{path.name}: {other.service} has an event of this name")
        if schema.name not in newest or newest[schema.name].version < schema.version:
            newest[schema.name] = schema
    return Registry(by_fingerprint, by_version, newest)


@cache
def published() -> Registry:
    """Return the registry of the schemas that this distribution ships; read once per process."""
    return load_registry(SCHEMA_DIR)
