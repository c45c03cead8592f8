"""A released schema never changes: records written with it stay for ever."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eventlog.registry import SCHEMA_DIR
from stack.schema_lock import lock, problems

LOCKED = "mandate/DataAccessContractSigned.v1.avsc"


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    """A copy of the real folder that a test may spoil."""
    return Path(shutil.copytree(SCHEMA_DIR, tmp_path / "avro"))


def test_every_schema_is_locked_and_none_has_changed() -> None:
    assert problems(SCHEMA_DIR) == []


def test_one_changed_letter_in_a_locked_schema_is_found(schemas: Path) -> None:
    text = (schemas / LOCKED).read_text(encoding="utf-8")
    (schemas / LOCKED).write_text(text.replace("ten digits", "10 digits"), encoding="utf-8")
    assert problems(schemas) == [f"{LOCKED} is locked and changed: restore it and write the next version"]


def test_locking_again_does_not_forgive_a_change(schemas: Path) -> None:
    (schemas / LOCKED).write_text("{}", encoding="utf-8")
    lock(schemas)
    assert problems(schemas) == [f"{LOCKED} is locked and changed: restore it and write the next version"]


def test_a_locked_schema_that_is_gone_is_found(schemas: Path) -> None:
    (schemas / LOCKED).unlink()
    assert problems(schemas) == [f"{LOCKED} is locked and gone: records written with it could not be read"]


def test_a_new_version_must_be_locked(schemas: Path) -> None:
    (schemas / "mandate" / "DataAccessContractSigned.v2.avsc").write_text("{}", encoding="utf-8")
    assert problems(schemas) == [
        "mandate/DataAccessContractSigned.v2.avsc is not locked: run `python -m stack.schema_lock` when it is released"
    ]
    lock(schemas)
    assert problems(schemas) == []
