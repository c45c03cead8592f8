"""`kwartier schemas`: our schemas in a schema registry, put there when the platform is deployed, and compared."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from eventlog import registry
from eventlog.registry import Schema, foreign_schema
from eventlog.schema_registry import (
    COMPATIBILITY,
    NotRegistered,
    Refused,
    RegistryAccess,
    RegistryAway,
    SchemaRegistry,
)
from stack.problem import Problem

_PREFIX: Final = "kwartier."


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a version of a subject (0: of the subject), or how it differs from our files."""

    subject: str
    version: int
    outcome: str
    reason: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether somebody has to look."""
        return self.outcome not in {"registered", "unchanged"}

    def __str__(self) -> str:
        version = f" v{self.version}" if self.version else ""
        return f"{self.outcome} {self.subject}{version}" + (f": {self.reason}" if self.reason else "")


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Return this command's own parser."""
    own: argparse.ArgumentParser = subparsers.add_parser(
        "schemas",
        help="register our schemas in a schema registry, or compare",
        description="For whoever deploys: producers register nothing, and do not start with a schema that is not "
        "registered. A subject is the full name of a record, and every version of it must read every other "
        f"({COMPATIBILITY}). The user and password are SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD.",
    )
    actions = own.add_subparsers(metavar="ACTION", required=True, dest="action")
    for name, meaning in (
        ("register", "register every version in order; what is there is left alone; exit code 1 where one is refused"),
        ("check", "say where the registry differs from our files; exit code 1 where it does; changes nothing"),
    ):
        action = actions.add_parser(name, help=meaning, description=meaning)
        action.add_argument("--url", default="", help="its Confluent API (default: SCHEMA_REGISTRY_URL)")
        action.add_argument("--json", action="store_true", help="print JSON")
    return own


def run(arguments: argparse.Namespace) -> int:
    """Register or compare; return 1 where something was refused or differs."""
    actions: dict[str, Callable[[SchemaRegistry], Iterator[Finding]]] = {"register": register_all, "check": drift}
    known = _registry(arguments.url)
    try:
        findings = list(actions[arguments.action](known))
    except RegistryAway as error:
        raise Problem(f"{error}: start it, or give another --url") from error
    finally:
        known.close()
    if arguments.json:
        print(json.dumps({"schemas": [asdict(each) for each in findings]}))
    else:
        for each in findings:
            print(each)
        count = len(registry.published().by_version)
        print(f"{count} schemas of ours; {sum(each.is_bad for each in findings)} to be looked at")
    return 1 if any(each.is_bad for each in findings) else 0


def _registry(url: str) -> SchemaRegistry:
    try:
        access = RegistryAccess.from_environment({**os.environ, **({"SCHEMA_REGISTRY_URL": url} if url else {})})
        if access is not None:
            return SchemaRegistry(access)
    except ValueError as error:
        raise Problem(str(error), exit_code=2) from error
    raise Problem("give the --url of a schema registry, or set SCHEMA_REGISTRY_URL", exit_code=2)


def register_all(known: SchemaRegistry) -> Iterator[Finding]:
    """Yield what became of each version of each event, oldest first.

    Raises:
        RegistryAway: it cannot be asked now; what was registered before stays.
    """
    for subject, versions in _subjects().items():
        try:
            known.demand_compatibility(subject)
        except Refused as refusal:
            yield Finding(subject, 0, "refused", f"compatibility {COMPATIBILITY}: {refusal}")
            continue
        for schema in versions:
            yield _register(known, schema)


def _register(known: SchemaRegistry, schema: Schema) -> Finding:
    try:
        known.number(schema)
    except NotRegistered:
        try:
            known.register(schema)
        except Refused as refusal:
            return Finding(schema.full_name, schema.version, "refused", str(refusal))
        return Finding(schema.full_name, schema.version, "registered")
    return Finding(schema.full_name, schema.version, "unchanged")


def drift(known: SchemaRegistry) -> Iterator[Finding]:
    """Yield where the registry differs from our files; also subjects that look like ours and are not.

    Raises:
        RegistryAway: it cannot be asked now.
    """
    ours = _subjects()
    there = known.subjects()
    for subject in sorted(set(there) - ours.keys()):
        if subject.startswith(_PREFIX):
            yield Finding(subject, 0, "unknown", "no event of ours has this name")
    for subject, versions in ours.items():
        found = {_fingerprint(text) for text in known.texts(subject)} if subject in there else set()
        for schema in versions:
            if schema.fingerprint not in found:
                yield Finding(subject, schema.version, "missing")
        if found - {schema.fingerprint for schema in versions}:
            yield Finding(subject, 0, "unknown", "it has a version that is in none of our files")
        if found and known.compatibility(subject) != COMPATIBILITY:
            yield Finding(subject, 0, "loose", f"its compatibility is not {COMPATIBILITY}")


def _subjects() -> dict[str, list[Schema]]:
    schemas = registry.published()
    return {each.full_name: schemas.versions(name) for name, each in sorted(schemas.newest_by_name.items())}


def _fingerprint(text: str) -> bytes:
    schema = foreign_schema(text)
    return schema.fingerprint if schema else b""
