"""A damaged jar is noticed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stack.jars import cache_folder, kafka_classpath, pinned_jars


@pytest.mark.integration
def test_a_jar_with_another_sum_is_not_whole(tmp_path: Path) -> None:
    kafka_classpath(lambda line: None)
    jar = pinned_jars()[0]
    copy = jar.path(tmp_path)
    copy.parent.mkdir(parents=True)
    shutil.copyfile(jar.path(cache_folder() / "m2"), copy)
    assert jar.is_whole(tmp_path)

    with copy.open("r+b") as file:
        file.write(b"\x00")

    assert not jar.is_whole(tmp_path)
