"""One record as `kwartier parked show` shows it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from eventlog.codec import Undecodable, decode
from eventlog.envelope import Record
from eventlog.parked import Letter
from eventlog.passed_over import digest

_HEX_BYTES: Final = 256
_TEXT_LENGTH: Final = 200


def show_record(record: Record, letter: Letter | None, *, decodes: bool) -> dict[str, Any]:
    """Return what is known of `record`: names and hex, or with `decodes` its words, which may be personal data."""
    value = record.value or b""
    shown: dict[str, Any] = {
        "at": f"{record.topic}/{record.partition}/{record.offset}",
        "parked": _parked(letter),
        "headers": [name for name, _ in record.headers],
        "key": (record.key or b"").hex(),
        "value": value[:_HEX_BYTES].hex() + ("..." if len(value) > _HEX_BYTES else ""),
        "length": len(value),
        "sha256": digest(record.value),
    }
    if decodes:
        shown["key"] = (record.key or b"").decode("utf-8", "backslashreplace")
        shown["headers"] = {name: text.decode("utf-8", "backslashreplace") for name, text in record.headers}
        shown["content"] = _content(value)
    return shown


def _parked(letter: Letter | None) -> dict[str, str | None] | None:
    if letter is None:
        return None
    instants = ("parked_at", "replayed_at", "discarded_at")
    when = {name: each.isoformat() if (each := getattr(letter, name)) else None for name in instants}
    return {"rule": letter.rule, "reason": letter.reason, **when, "discard_reason": letter.discard_reason}


def _content(value: bytes) -> dict[str, str]:
    try:
        event = decode(value)
    except Undecodable as error:
        return {"undecodable": str(error)}
    found = {"event": type(event).__name__}
    return found | {each.name: str(getattr(event, each.name))[:_TEXT_LENGTH] for each in fields(event)}


def show_lines(shown: dict[str, Any], *, is_short: bool) -> str:
    """Return the same for people; `is_short` leaves the bytes out."""
    lines = [f"at       {shown['at']}"]
    parked = shown["parked"]
    lines += [f"{name:8} {text}" for name, text in parked.items() if text] if parked else ["not parked, on its topic"]
    headers = shown["headers"]
    named = headers.items() if isinstance(headers, dict) else ((name, "") for name in headers)
    lines += [f"header   {name} {text}".rstrip() for name, text in named]
    lines += [f"sha256   {shown['sha256']}", f"length   {shown['length']} bytes"]
    if not is_short:
        lines += [f"key      {shown['key']}", f"value    {shown['value']}"]
    lines += [f"content  {name} {text}" for name, text in shown.get("content", {}).items()]
    return "\n".join(lines)
