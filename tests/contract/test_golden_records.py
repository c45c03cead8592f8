"""Records of every event and version ever released are read, and today's are written, to the same bytes."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import fastavro
import polars
import pytest

from eventlog import registry
from eventlog.codec import HEADER_LENGTH, container, decode, encode
from eventlog.registry import SCHEMA_DIR
from tests.contract.golden import GOLDEN, readable

EXAMPLES: dict[str, Any] = {
    path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted((SCHEMA_DIR / "examples").glob("*.json"))
}


def test_every_event_and_version_has_an_example() -> None:
    assert {(each["event"], each["version"]) for each in EXAMPLES.values()} == set(registry.published().by_version)


@pytest.mark.parametrize("file_name", EXAMPLES)
def test_an_example_decodes_to_the_values_stated(file_name: str) -> None:
    example = EXAMPLES[file_name]
    event = decode(bytes.fromhex(example["single_object"]))
    assert event == GOLDEN[example["event"], example["version"]]
    assert readable(event) == example["fields"]


@pytest.mark.parametrize("file_name", [name for name, each in EXAMPLES.items()])
def test_an_example_of_the_newest_version_is_written_to_the_same_bytes(file_name: str) -> None:
    example = EXAMPLES[file_name]
    if registry.published().newest(example["event"]).version == example["version"]:
        assert encode(GOLDEN[example["event"], example["version"]]).hex() == example["single_object"]


def test_the_bytes_of_a_small_event_are_those_of_the_avro_specification() -> None:
    """Two marks, the fingerprint, twice length 10 (zigzag 14 hex) and ASCII, day 20454 since 1970 as a varint, then
    length 23 and UTF-8 (the ë is two bytes)."""
    expected = (
        "c301" + registry.published().newest("DataAccessContractSigned").fingerprint.hex()
        + "14" + "31303030303030303031"
        + "14" + "30313233343536373439"
        + "ccbf02"
        + "2e" + "456e6572676965636f6163682042656c6769" + "c3ab" + "204e56"
    )  # fmt: skip
    assert encode(GOLDEN["DataAccessContractSigned", 1]).hex() == expected


def test_the_fingerprint_is_the_one_of_the_avro_specification() -> None:
    """CRC-64-AVRO of `"int"` is 7275d51a3f395c8f, on the wire with the least significant byte first."""
    assert fastavro.schema.fingerprint('"int"', "CRC-64-AVRO") == bytes.fromhex("7275d51a3f395c8f")[::-1].hex()


def test_polars_reads_the_bodies_of_many_readings_as_one_table() -> None:
    schema = registry.published().newest("ReadingsRecorded")
    event = GOLDEN["ReadingsRecorded", 1]
    body = encode(event)[HEADER_LENGTH:]
    frame = polars.read_avro(BytesIO(container(schema, [body, body])))
    assert frame.height == 2
    row = frame.with_columns(polars.col("meter_kind", "channel").cast(polars.String)).row(1, named=True)
    assert {**row, "quality": tuple(row["quality"]), "gas_factor": tuple(row["gas_factor"])} == {
        name: getattr(event, name) for name in row
    }


def test_a_container_is_one_that_any_avro_reader_takes() -> None:
    schema = registry.published().newest("ReadingsRecorded")
    body = encode(GOLDEN["ReadingsRecorded", 1])[HEADER_LENGTH:]
    rows = list(fastavro.reader(BytesIO(container(schema, [body] * 300))))
    assert [row["source_sequence"] for row in rows] == [7] * 300
    assert list(fastavro.reader(BytesIO(container(schema, [])))) == []
