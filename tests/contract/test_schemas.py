"""The schemas keep their rules: documented, unmistakable, in step with the dataclasses, each on one topic."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any, get_type_hints
from uuid import UUID

import pytest

from eventlog import registry
from eventlog.events import EVENT_TYPES, RunArrival
from eventlog.registry import SCHEMA_DIR, InvalidSchema, Schema, load_registry
from eventlog.topics import load_topics
from market.channel import CHANNELS, MeterKind
from market.meter_register import REGISTERS, ReadingKind
from market.quality import Quality

SCHEMAS = list(registry.published().by_version.values())


def named(schemas: list[Schema]) -> list[Any]:
    return [pytest.param(each, id=f"{each.name}.v{each.version}") for each in schemas]


def avro_type(python_type: object) -> set[str]:
    """The Avro types that may stand for a field of `python_type`, as `described` writes them."""
    known: list[tuple[object, set[str]]] = [
        (str, {"string", "enum"}),
        (int, {"int", "long"}),
        (bool, {"boolean"}),
        (bytes, {"bytes"}),
        (UUID, {"string uuid"}),
        (date, {"int date"}),
        (date | None, {"null or int date"}),
        (datetime, {"long timestamp-micros"}),
        (tuple[int, ...], {"array of int"}),
        (tuple[UUID, ...], {"array of string uuid"}),
        (tuple[RunArrival, ...], {"array of record RunArrival"}),
    ]
    return next(names for known_type, names in known if known_type == python_type)


def described(field_type: Any) -> str:
    if isinstance(field_type, str):
        return field_type
    if isinstance(field_type, list):
        return " or ".join(described(each) for each in field_type)
    if field_type["type"] == "array":
        return f"array of {described(field_type['items'])}"
    if field_type["type"] == "record":
        return f"record {field_type['name']}"
    return " ".join(each for each in (field_type["type"], field_type.get("logicalType")) if each)


def records_of(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """The record of an event, and those that its arrays hold."""
    kinds = [each["type"] for each in raw["fields"] if described(each["type"]).startswith("array of record")]
    return [raw, *(each["items"] for each in kinds)]


def test_there_are_schemas_and_each_belongs_to_an_event() -> None:
    assert {each.name for each in SCHEMAS} == set(EVENT_TYPES)


@pytest.mark.parametrize("schema", named(SCHEMAS))
def test_the_record_and_every_field_and_enum_say_what_they_mean(schema: Schema) -> None:
    speakers = [
        each
        for record in records_of(json.loads(schema.text))
        for each in (record, *record["fields"], *(field["type"] for field in record["fields"]))
        if isinstance(each, dict)
    ]
    assert [each["name"] for each in speakers if "name" in each and len(each.get("doc", "")) < 10] == []


@pytest.mark.parametrize("schema", named(SCHEMAS))
def test_every_enum_has_the_default_unknown_so_that_it_can_grow(schema: Schema) -> None:
    fields = [field for record in records_of(json.loads(schema.text)) for field in record["fields"]]
    kinds = [each["type"] for each in fields if described(each["type"]) == "enum"]
    assert all(each["default"] == "UNKNOWN" and each["symbols"][0] == "UNKNOWN" for each in kinds)


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_a_dataclass_and_its_newest_schema_have_the_same_fields_in_the_same_order(name: str) -> None:
    raw = json.loads(registry.published().newest(name).text)
    assert [each["name"] for each in raw["fields"]] == [each.name for each in dataclasses.fields(EVENT_TYPES[name])]


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_a_dataclass_and_its_newest_schema_have_the_same_types(name: str) -> None:
    raw = json.loads(registry.published().newest(name).text)
    hints = {key: getattr(kind, "__supertype__", kind) for key, kind in get_type_hints(EVENT_TYPES[name]).items()}
    wrong = [each["name"] for each in raw["fields"] if described(each["type"]) not in avro_type(hints[each["name"]])]
    assert wrong == []


def test_the_records_inside_an_event_have_the_fields_of_their_dataclass_in_the_same_order() -> None:
    (record,) = records_of(json.loads(registry.published().newest("RunApplied").text))[1:]
    kinds = {each["name"]: described(each["type"]) for each in record["fields"]}
    assert list(kinds) == [each.name for each in dataclasses.fields(RunArrival)]
    assert [kinds[name] for name in ("source", "day", "energy", "late_count")] == ["string", "int date", "enum", "int"]


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_a_dataclass_lies_in_the_module_of_the_service_that_publishes_it(name: str) -> None:
    assert EVENT_TYPES[name].__module__ == f"eventlog.events.{registry.published().newest(name).service}"


def test_readings_know_every_channel_and_kind_of_meter() -> None:
    fields = {
        each["name"]: each["type"]
        for each in json.loads(registry.published().newest("ReadingsRecorded").text)["fields"]
    }
    assert fields["channel"]["symbols"][1:] == [each.name for each in CHANNELS]
    assert fields["meter_kind"]["symbols"] == [each.name for each in MeterKind]


@pytest.mark.parametrize("name", ["ConsumptionPeriodRecorded", "MeterIndexRead"])
def test_indexes_and_periods_know_every_register_and_quality(name: str) -> None:
    fields = {each["name"]: each["type"] for each in json.loads(registry.published().newest(name).text)["fields"]}
    assert fields["register"]["symbols"][1:] == list(REGISTERS)
    assert fields["quality"]["symbols"][1:] == [each.name for each in Quality if each is not Quality.MISSING]
    assert "kind" not in fields or fields["kind"]["symbols"] == [each.value for each in ReadingKind]


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_an_event_is_on_exactly_one_topic_and_that_of_its_service(name: str) -> None:
    homes = [topic for topic in load_topics("local").values() if name in topic.events]
    assert [topic.owner for topic in homes] == [registry.published().newest(name).service]


def test_topics_name_no_event_that_does_not_exist() -> None:
    named_events = {name for topic in load_topics("production").values() for name in topic.events}
    assert named_events == set(EVENT_TYPES)


def test_all_fingerprints_differ() -> None:
    assert len(registry.published().by_fingerprint) == len(list(SCHEMA_DIR.glob("*/*.avsc")))


def test_a_version_that_differs_only_in_its_words_is_refused(tmp_path: Path) -> None:
    original = json.loads((SCHEMA_DIR / "mandate" / "DataAccessContractSigned.v1.avsc").read_text(encoding="utf-8"))
    plant(tmp_path, "DataAccessContractSigned.v1.avsc", original)
    plant(tmp_path, "DataAccessContractSigned.v2.avsc", {**original, "doc": "The same in other words."})
    with pytest.raises(InvalidSchema, match="same fingerprint"):
        load_registry(tmp_path)


def test_a_file_whose_record_has_another_name_is_refused(tmp_path: Path) -> None:
    original = json.loads((SCHEMA_DIR / "mandate" / "DataAccessContractSigned.v1.avsc").read_text(encoding="utf-8"))
    plant(tmp_path, "ContractSigned.v1.avsc", original)
    with pytest.raises(InvalidSchema, match=r"must be kwartier\.mandate\.ContractSigned"):
        load_registry(tmp_path)


def plant(directory: Path, name: str, content: dict[str, Any]) -> None:
    (directory / "mandate").mkdir(exist_ok=True)
    (directory / "mandate" / name).write_text(json.dumps(content), encoding="utf-8")
