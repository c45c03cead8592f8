"""What an old version meant, where Avro's own resolution cannot know: a function per step, in a chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eventlog import codec, registry
from eventlog.codec import Undecodable, decode
from eventlog.events import EVENT_TYPES, Event
from eventlog.registry import load_registry
from eventlog.upcasters import UPCASTERS, needs_upcast


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed(Event):
    """The newest version of a planted event: grams and a unit in words, once whole kilograms."""

    name: str
    grams: int
    checked_by: str
    remark: str


def field(name: str, kind: str, **more: object) -> dict[str, Any]:
    return {"name": name, "type": kind, "doc": "Planted by a test.", **more}


VERSIONS = [
    [field("name", "string"), field("kilograms", "int", default=0)],
    [field("name", "string"), field("kilograms", "int", default=0), field("checked_by", "string", default="nobody")],
    [field("name", "string"), field("grams", "long", default=0), field("checked_by", "string", default="nobody")],
    [
        *(field("name", "string"), field("grams", "long", default=0), field("checked_by", "string", default="nobody")),
        field("remark", "string", default=""),
    ],
]


def to_grams(datum: dict[str, Any]) -> dict[str, Any]:
    """Version 2 to 3; resolution alone would say 0 grams."""
    return {"name": datum["name"], "grams": datum["kilograms"] * 1000, "checked_by": datum["checked_by"]}


def shout(datum: dict[str, Any]) -> dict[str, Any]:
    """Version 3 to 4."""
    return {**datum, "remark": f"{datum['grams']} g"}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[registry.Registry]:
    (tmp_path / "metering").mkdir()
    for version, fields in enumerate(VERSIONS, 1):
        raw = {"type": "record", "name": "Weighed", "namespace": "kwartier.metering", "fields": fields}
        (tmp_path / "metering" / f"Weighed.v{version}.avsc").write_text(json.dumps(raw), encoding="utf-8")
    found = load_registry(tmp_path)
    monkeypatch.setattr(registry, "published", lambda: found)
    monkeypatch.setitem(EVENT_TYPES, "Weighed", Weighed)
    monkeypatch.setitem(UPCASTERS, ("Weighed", 2), to_grams)
    codec._shape.cache_clear()
    yield found
    codec._shape.cache_clear()


def framed(planted: registry.Registry, version: int, body: bytes) -> bytes:
    return b"\xc3\x01" + planted.by_version["Weighed", version].fingerprint + body


# "a" is 02 61; 3 is 06; 3000 is f0 2e; "b" is 02 62.
def test_an_old_record_passes_the_versions_before_the_function_by_resolution_and_those_behind_it_too(
    planted: registry.Registry,
) -> None:
    expected = Weighed(name="a", grams=3000, checked_by="nobody", remark="")
    assert decode(framed(planted, 1, b"\x02a\x06")) == expected


def test_the_version_of_the_function_itself_goes_through_it(planted: registry.Registry) -> None:
    expected = Weighed(name="a", grams=3000, checked_by="b", remark="")
    assert decode(framed(planted, 2, b"\x02a\x06\x02b")) == expected


def test_functions_are_a_chain(planted: registry.Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UPCASTERS, ("Weighed", 3), shout)
    expected = Weighed(name="a", grams=3000, checked_by="nobody", remark="3000 g")
    assert decode(framed(planted, 1, b"\x02a\x06")) == expected


def test_a_record_behind_the_last_function_is_left_alone(planted: registry.Registry) -> None:
    assert not needs_upcast(planted.by_version["Weighed", 3])
    expected = Weighed(name="a", grams=3000, checked_by="b", remark="")
    assert decode(framed(planted, 3, b"\x02a\xf0\x2e\x02b")) == expected


@pytest.mark.parametrize("body", [b"\x02a", b"\x02a\x06\x00", b""], ids=["cut", "left over", "empty"])
def test_a_damaged_old_record_is_undecodable(planted: registry.Registry, body: bytes) -> None:
    with pytest.raises(Undecodable, match="damaged Weighed"):
        decode(framed(planted, 1, body))


def test_a_function_that_makes_what_the_next_version_is_not_is_found(
    planted: registry.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(UPCASTERS, ("Weighed", 2), lambda datum: {"name": datum["name"], "grams": "many"})
    with pytest.raises(Undecodable, match="damaged Weighed"):
        decode(framed(planted, 1, b"\x02a\x06"))


def test_every_function_leads_from_a_version_to_the_next() -> None:
    versions = registry.published().by_version
    assert [step for step in UPCASTERS if step not in versions or (step[0], step[1] + 1) not in versions] == []
