"""Is what happened what should have happened? Pure: the book on one side, log and tables on the other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from tests.faults.drill.book import Block

_K = TypeVar("_K")
Place = tuple[int, int]
"""Partition and offset."""


@dataclass
class Findings:
    """Counts of effects that are wrong, and the first few in words. `wrong` counts what fits nowhere else."""

    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    misparked: int = 0
    wrong: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.out_of_order or self.misparked or self.wrong)

    def note(self, what: str, count: int) -> None:
        """Add to the count named `what`; something in it is worth a word."""
        setattr(self, what, getattr(self, what) + count)

    def compare_counts(self, what: str, expected: Mapping[_K, int], found: Mapping[_K, int]) -> None:
        """Count what is found less often than expected as lost, and more often as doubled."""
        for key in expected.keys() | found.keys():
            missing = expected.get(key, 0) - found.get(key, 0)
            if missing:
                self.note("lost" if missing > 0 else "doubled", abs(missing))
                self._say(f"{what} {key}: {found.get(key, 0)} instead of {expected.get(key, 0)}")

    def compare_places(self, what: str, expected: set[Place], found: set[Place]) -> None:
        """Count what is parked and should not be, and the other way round."""
        for place in sorted(expected ^ found):
            self.note("misparked", 1)
            self._say(f"{what} at {place}: {'not parked' if place in expected else 'parked'}")

    def demand(self, holds: bool, otherwise: str) -> None:
        """Say what is wrong where something does not hold."""
        if not holds:
            self.note("wrong", 1)
            self._say(otherwise)

    def _say(self, line: str) -> None:
        if len(self.notes) < 12:
            self.notes.append(line)


def compare_streams(
    findings: Findings, what: str, book: Mapping[str, Sequence[int]], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Compare streams with rows (stream, version, number) in their order: each event once, and versions ascending."""
    expected = Counter(number for numbers in book.values() for number in numbers)
    found: defaultdict[str, list[int]] = defaultdict(list)
    counted: Counter[int] = Counter()
    versions: dict[str, int] = {}
    for stream_id, version, number in rows:
        counted[number] += 1
        found[stream_id].append(number)
        if version < versions.get(stream_id, 0):
            findings.note("out_of_order", 1)
        versions[stream_id] = version
    findings.compare_counts(what, expected, counted)
    once = {stream_id: list(dict.fromkeys(numbers)) for stream_id, numbers in found.items()}
    strays = sum(numbers != list(book.get(stream_id, ())) for stream_id, numbers in once.items())
    if strays:
        findings.note("out_of_order", strays)


def compare_ledger(findings: Findings, ends: Mapping[int, int], rows: Iterable[Place]) -> None:
    """Compare what was written down per record with the log: each offset once, ascending in each partition."""
    counted: Counter[Place] = Counter()
    last: dict[int, int] = {}
    for partition, offset in rows:
        counted[partition, offset] += 1
        if offset < last.get(partition, -1):
            findings.note("out_of_order", 1)
        last[partition] = offset
    expected = {(partition, offset): 1 for partition, end in ends.items() for offset in range(end)}
    findings.compare_counts("record", expected, counted)


def compare_blocks(
    findings: Findings, book: Mapping[tuple[int, date], Block], rows: Mapping[tuple[int, date], tuple[int, int]]
) -> None:
    """Compare blocks with rows of (total, number of messages)."""
    for key in book.keys() | rows.keys():
        block, row = book.get(key), rows.get(key)
        if block is None or row is None:
            findings.compare_counts("block", {key[1]: int(block is not None)}, {key[1]: int(row is not None)})
            continue
        total, count = row
        findings.compare_counts("message of the block of", {key[1]: len(block.message_ids)}, {key[1]: count})
        findings.demand(total == block.total, f"a block of {key[1]} has {total} Wh instead of {block.total}")


def compare_runs(
    findings: Findings, ends: Mapping[int, int], runs: Iterable[tuple[int, int, int]], parked: set[Place]
) -> None:
    """Compare the runs that metering told, (partition, first, next) in their order, with the log: all of it, once.

    A run of nothing but bad records is not told.
    """
    reached: defaultdict[int, int] = defaultdict(int)
    for partition, first, after in runs:
        _bridge(findings, partition, reached[partition], first, parked)
        reached[partition] = max(after, reached[partition])
    for partition, end in ends.items():
        _bridge(findings, partition, reached[partition], end, parked)


def _bridge(findings: Findings, partition: int, reached: int, first: int, parked: set[Place]) -> None:
    if first < reached:
        findings.note("doubled", reached - first)
        findings.demand(False, f"a run of partition {partition} begins at {first}, the last one ended at {reached}")
    untold = sum((partition, offset) not in parked for offset in range(reached, first))
    if untold:
        findings.note("lost", untold)
        findings.demand(False, f"{untold} records of partition {partition} are in no run, {reached} to {first}")
