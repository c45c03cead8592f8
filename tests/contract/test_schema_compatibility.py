"""Any version of an event reads any other: compatibility FULL_TRANSITIVE, by the checker of the Avro project itself."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from itertools import permutations
from typing import Any

import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from eventlog import registry
from eventlog.events import EVENT_TYPES

Raw = dict[str, Any]


def quarrels(versions: list[Raw]) -> list[str]:
    """Why some of `versions` cannot read records of another; empty when each reads all."""
    parsed = [avro.schema.parse(json.dumps(each)) for each in versions]
    results = [
        ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)
        for reader, writer in permutations(parsed, 2)
    ]
    return [
        message
        for result in results
        if result.compatibility is not SchemaCompatibilityType.compatible
        for message in result.messages
    ]


def newest(name: str) -> Raw:
    raw: Raw = json.loads(registry.published().newest(name).text)
    return raw


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_every_version_reads_every_other(name: str) -> None:
    assert quarrels([json.loads(each.text) for each in registry.published().versions(name)]) == []


def without_default(raw: Raw) -> None:
    raw["fields"].append({"name": "signed_by", "type": "string", "doc": "Planted: a new field without a default."})


def with_a_field_gone(raw: Raw) -> None:
    del raw["fields"][0]


def with_another_type(raw: Raw) -> None:
    raw["fields"][1]["type"] = "long"


def with_a_field_renamed(raw: Raw) -> None:
    raw["fields"][1]["name"] = "holder"


@pytest.mark.parametrize("change", [without_default, with_a_field_gone, with_another_type, with_a_field_renamed])
def test_a_planted_version_that_breaks_the_rule_is_found(change: Callable[[Raw], None]) -> None:
    old = newest("DataAccessContractSigned")
    new = copy.deepcopy(old)
    change(new)
    assert quarrels([old, new]) != []


def test_a_break_between_the_first_and_the_third_version_is_found_though_neighbours_agree() -> None:
    first = newest("DataAccessContractSigned")
    second, third = copy.deepcopy(first), copy.deepcopy(first)
    second["fields"].append({"name": "note", "type": "string", "default": "", "doc": "Planted."})
    third["fields"].append({"name": "note", "type": "string", "doc": "Planted: the default is gone."})
    assert quarrels([first, second]) == []
    assert quarrels([second, third]) == []
    assert quarrels([first, second, third]) != []


def test_a_field_with_a_default_and_a_new_symbol_may_join() -> None:
    old = newest("AccessPointRegistered")
    new = copy.deepcopy(old)
    new["fields"].append({"name": "note", "type": "string", "default": "", "doc": "Planted."})
    new["fields"][1]["type"]["symbols"].append("H")
    assert quarrels([old, new]) == []


def test_an_enum_without_default_may_not_grow() -> None:
    old = newest("AccessPointRegistered")
    del old["fields"][1]["type"]["default"]
    new = copy.deepcopy(old)
    new["fields"][1]["type"]["symbols"].append("H")
    assert quarrels([old, new]) != []
