"""Two versions of a projection at equal checkpoints, side by side: alike to the last bit, or where they are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eventlog.content import Content, PartitionContent, RowDifference


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The live version and the rebuilt one; `rows` names what differs first, where something does."""

    tables: tuple[str, ...]
    live: Content
    rebuilt: Content
    rows: Sequence[RowDifference] = ()

    @property
    def is_identical(self) -> bool:
        return self.live == self.rebuilt

    @property
    def different_partitions(self) -> list[int]:
        """The partitions that are not alike, in order."""
        return [each for each, content in self.live.partitions.items() if content != self.rebuilt.partitions.get(each)]

    @property
    def record_count(self) -> int:
        return sum(each.next_offset for each in self.live.partitions.values())

    def row_counts(self) -> dict[str, int]:
        """Return how many rows each live table holds of the topic's partitions."""
        counts = zip(*(each.row_counts for each in self.live.partitions.values()), strict=True)
        return dict(zip(self.tables, map(sum, counts), strict=True))

    def lines(self) -> list[str]:
        """Return what there is to say: one line where all is well, else what differs, the partitions first."""
        if self.is_identical:
            rows = ", ".join(f"{table} {count}" for table, count in self.row_counts().items())
            parked = sum(each.parked_count for each in self.live.partitions.values())
            size = f"{len(self.live.partitions)} partitions, of {self.record_count} records"
            return [f"identical: rows of {rows}; {parked} parked; {size}"]
        return [*self._partition_lines(), *self._other_lines(), *map(_row_line, self.rows)]

    def _partition_lines(self) -> Iterator[str]:
        for number in self.different_partitions:
            live, rebuilt = self.live.partitions[number], self.rebuilt.partitions[number]
            yield (
                f"partition {number} differs at offset {live.next_offset}: "
                f"live {self._counted(live)}; rebuilt {self._counted(rebuilt)}"
            )

    def _counted(self, content: PartitionContent) -> str:
        rows = ", ".join(f"{table} {count}" for table, count in zip(self.tables, content.row_counts, strict=True))
        return f"{rows}, parked {content.parked_count}"

    def _other_lines(self) -> Iterator[str]:
        if self.live.stray_count != self.rebuilt.stray_count:
            yield f"{self.live.stray_count} live rows are of no partition of the topic"
        if self.live.streams != self.rebuilt.streams:
            yield f"streams differ: live knows {self.live.streams[0]}, rebuilt {self.rebuilt.streams[0]}"

    def as_json(self) -> dict[str, Any]:
        """Return the same for a script."""
        return {
            "identical": self.is_identical,
            "records": self.record_count,
            "rows": self.row_counts(),
            "different_partitions": self.different_partitions,
            "different_rows": [
                {
                    "table": each.table,
                    "partition": each.partition,
                    "count": each.count,
                    "key_hashes": list(each.key_hashes),
                }
                for each in self.rows
            ],
        }


def _row_line(difference: RowDifference) -> str:
    word = "row differs" if difference.count == 1 else "rows differ"
    more = ", ..." if difference.count > len(difference.key_hashes) else ""
    keys = ", ".join(difference.key_hashes)
    return f"{difference.table} in partition {difference.partition}: {difference.count} {word}, keys {keys}{more}"
