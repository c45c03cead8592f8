"""Records of several partitions as runs of one partition each, which is how the platform applies them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from eventlog.envelope import Record
from eventlog.projection import Run


def runs_of(records: Sequence[Record]) -> list[Run]:
    """Return `records`, in which those of a partition lie together and in order, as runs."""
    parts = [list(some) for _, some in groupby(records, key=attrgetter("partition"))]
    return [
        Run(
            topic=some[0].topic,
            partition=some[0].partition,
            first_offset=some[0].offset,
            next_offset=some[-1].offset + 1,
            records=some,
        )
        for some in parts
    ]
