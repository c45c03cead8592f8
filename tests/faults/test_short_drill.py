"""The drill of `make faults` in its short form; and the same drill without a guard, which has to notice."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from tests.faults.drill.book import Block
from tests.faults.drill.findings import Findings, compare_blocks, compare_ledger, compare_runs, compare_streams
from tests.faults.drill.rounds import SHORT

ROOT = Path(__file__).parents[2]
DAY = date(2026, 11, 19)


def drill(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a short drill; its logs stay in `folder` where a row is wrong."""
    command = [sys.executable, "-m", "tests.faults.drill", "--short", "--seed", "1", *arguments]
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.integration
@pytest.mark.fault
@pytest.mark.timeout(400)
def test_every_record_takes_effect_once_whatever_befalls_the_platform(tmp_path: Path) -> None:
    done = drill(tmp_path, "--seconds", "50", "--records", "20000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  ok  ") == len(SHORT)


@pytest.mark.integration
@pytest.mark.fault
@pytest.mark.timeout(400)
def test_without_the_check_of_the_epoch_the_drill_sees_a_zombie_double_records(tmp_path: Path) -> None:
    done = drill(tmp_path, "--seconds", "20", "--records", "5000", "--brokers", "1", "--without-epoch")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "  WRONG  " in done.stdout
    assert "between fetch and write" in done.stdout
    assert ": 2 instead of 1" in done.stdout


def test_an_event_without_effect_is_lost_and_one_with_two_is_doubled() -> None:
    findings = Findings()
    rows = [("point:a", 1, 10), ("point:a", 2, 11), ("point:a", 2, 11), ("point:b", 2, 13)]
    compare_streams(findings, "event", {"point:a": [10, 11], "point:b": [12, 13]}, rows)
    assert (findings.lost, findings.doubled) == (1, 1)
    assert not findings.is_clean


def test_events_in_another_order_than_they_were_written_are_seen() -> None:
    findings = Findings()
    compare_streams(findings, "event", {"point:a": [10, 11]}, [("point:a", 2, 11), ("point:a", 1, 10)])
    assert (findings.lost, findings.doubled) == (0, 0)
    assert findings.out_of_order > 0


def test_the_ledger_has_each_offset_once_and_in_order() -> None:
    findings = Findings()
    compare_ledger(findings, {0: 3, 1: 1}, [(0, 1), (0, 0), (0, 0), (1, 0)])
    assert (findings.lost, findings.doubled, findings.out_of_order) == (1, 1, 1)


def test_a_block_of_another_total_or_with_a_message_too_many_is_seen() -> None:
    findings = Findings()
    book = {(1, DAY): Block(96, {"a"}, set()), (2, DAY): Block(96, {"b"}, set())}
    compare_blocks(findings, book, {(1, DAY): (97, 1), (2, DAY): (96, 2)})
    assert (findings.wrong, findings.doubled) == (1, 1)


def test_runs_cover_the_log_once_but_for_what_is_parked() -> None:
    clean, overlapping, holed = Findings(), Findings(), Findings()
    compare_runs(clean, {0: 6}, [(0, 0, 3), (0, 4, 6)], {(0, 3)})
    compare_runs(overlapping, {0: 6}, [(0, 0, 4), (0, 3, 6)], set())
    compare_runs(holed, {0: 6}, [(0, 0, 3), (0, 4, 6)], set())
    assert clean.is_clean
    assert overlapping.doubled == 1
    assert holed.lost == 1


def test_what_is_parked_is_the_poison_and_nothing_else() -> None:
    findings = Findings()
    findings.compare_places("event", {(0, 1), (0, 2)}, {(0, 2), (0, 3)})
    assert findings.misparked == 2
