"""The generated pages say what the source says, and the same source gives the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from eventlog.events import EVENT_TYPES
from stack.reference import DOCS, pages, stale, write
from stack.reference_metrics import family_of, metric_modules, metrics_in
from stack.reference_tables import SERVICES, tables_of


def test_the_committed_pages_are_what_the_source_says() -> None:
    assert stale(DOCS) == [], "run `python -m stack.reference`"


def test_one_changed_letter_is_found(tmp_path: Path) -> None:
    write(tmp_path)
    text = (tmp_path / "events.md").read_text(encoding="utf-8")
    (tmp_path / "events.md").write_text(text.replace("inclusive", "exclusive", 1), encoding="utf-8")
    assert stale(tmp_path) == ["events.md"]


def test_a_missing_page_is_found(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "tables.md").unlink()
    assert stale(tmp_path) == ["tables.md"]


def test_another_process_with_another_hash_seed_writes_the_same_bytes() -> None:
    code = (
        "import sys; from stack.reference import pages; sys.stdout.buffer.write(repr(sorted(pages().items())).encode())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert other.stdout.decode() == repr(sorted(pages().items()))


def test_every_event_has_its_table() -> None:
    headings = {line.removeprefix("## ") for line in pages()["events.md"].splitlines() if line.startswith("## ")}
    assert headings == {"Topics", *EVENT_TYPES}


def test_every_table_and_every_column_has_a_comment() -> None:
    silent = [
        f"{service}.{table.name}.{column.name}"
        for service in SERVICES
        for table in tables_of(service)
        for column in table.columns
        if not column.comment
    ]
    assert silent == []


def test_every_metric_says_what_it_counts() -> None:
    families = [family_of(metric) for module in metric_modules() for metric in metrics_in(module)]
    assert families != []
    assert [family.name for family in families if len(family.documentation) < 20] == []
