"""`docs/events.md`: every topic, and every event with its fields, from the newest schema of each."""

from __future__ import annotations

import json
from typing import Any

from eventlog import registry
from eventlog.registry import Schema
from eventlog.topics import Topic, load_topics
from stack.markdown import page, table


def events_page() -> str:
    """Return the text of the page."""
    local, production = load_topics("local"), load_topics("production")
    lines = ["# Published events", "", "## Topics", "", *_topics(local, production), ""]
    homes = {event: topic for topic in local.values() for event in topic.events}
    for name in sorted(registry.published().newest_by_name):
        lines += _event(registry.published().newest(name), homes[name])
    return page(lines[:-1])


def _topics(local: dict[str, Topic], production: dict[str, Topic]) -> list[str]:
    heads = ["topic", "owner", "read by", "key", "partitions: local, production", "kept", "events"]
    rows = [
        [
            f"`{name}`",
            topic.owner,
            ", ".join(topic.readers) or "-",
            topic.key,
            f"{topic.partitions}, {production[name].partitions}",
            _kept(topic.retention_hours),
            ", ".join(f"[{event}](#{event.lower()})" for event in sorted(topic.events)),
        ]
        for name, topic in sorted(local.items())
    ]
    return table(heads, rows)


def _kept(hours: int | None) -> str:
    if hours is None:
        return "for ever"
    return f"{hours} h" if hours % 24 else f"{hours // 24} days"


def _event(schema: Schema, topic: Topic) -> list[str]:
    raw = json.loads(schema.text)
    versions = ", ".join(f"v{each.version}" for each in registry.published().versions(schema.name))
    facts = (
        f"Topic `{topic.name}` (key: {topic.key}); published by {schema.service}; versions: {versions}; "
        f"fingerprint of v{schema.version}: `{schema.fingerprint.hex()}`."
    )
    fields = table(["field", "type", "meaning"], [_field(each) for each in raw["fields"]])
    return [
        *(f"## {schema.name}", "", raw["doc"], "", facts, "", *fields, ""),
        *_enums(raw["fields"]),
        *_records(raw["fields"]),
    ]


def _field(field: dict[str, Any]) -> list[str]:
    default = f" Default: `{json.dumps(field['default'])}`." if "default" in field else ""
    return [f"`{field['name']}`", _type_name(field["type"]), field["doc"] + default]


def _type_name(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    if isinstance(kind, list):
        return " or ".join(_type_name(each) for each in kind)
    match kind["type"]:
        case "enum":
            return f"enum {kind['name']}"
        case "array":
            return f"array of {_type_name(kind['items'])}"
        case "record":
            return str(kind["name"])
        case plain:
            return f"{plain} ({kind['logicalType']})"


def _enums(fields: list[dict[str, Any]]) -> list[str]:
    kinds = [each["type"] for each in fields if isinstance(each["type"], dict) and each["type"]["type"] == "enum"]
    lines = []
    for kind in kinds:
        symbols = ", ".join(f"`{symbol}`" for symbol in kind["symbols"])
        lines += [f"{kind['name']}: {kind['doc']}", "", symbols, ""]
    return lines


def _records(fields: list[dict[str, Any]]) -> list[str]:
    """Describe the records that arrays hold."""
    arrays = [each["type"] for each in fields if isinstance(each["type"], dict) and each["type"]["type"] == "array"]
    lines = []
    for kind in (each["items"] for each in arrays if isinstance(each["items"], dict) and "fields" in each["items"]):
        rows = table(["field", "type", "meaning"], [_field(each) for each in kind["fields"]])
        lines += [f"{kind['name']}: {kind['doc']}", "", *rows, "", *_enums(kind["fields"])]
    return lines
