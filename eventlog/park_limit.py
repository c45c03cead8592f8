"""When so many records in a row are bad that it is not the records: then a projection stops instead of parking on.

The row is counted from `dead_letter`, so that a restart does not begin to count anew. Records that only wait behind a
parked one neither count nor end it; one that was used does, and so does a parked one replayed or given up since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, text

from eventlog.envelope import Record
from eventlog.halt import Coordinates, ProjectionStopped
from eventlog.reason import Reason, Rule

_NEWEST: Final = 10  # times the limit: how many parked records are looked at, those that wait included
_IN_A_ROW: Final = (
    f"select count(*) filter (where rule is distinct from '{Rule.BEHIND_PARKED}') from "  # noqa: S608 - a constant
    "(select rule, record_offset + row_number() over (order by record_offset desc) as next_offset from "
    "(select rule, record_offset from dead_letter where projection = $1 and topic = $2 and partition = $3 "
    "and record_offset < $4 and replayed_at is null and discarded_at is null "
    "order by record_offset desc limit $5) newest) numbered where next_offset = $4"
)
_NAMED: Final = text(
    _IN_A_ROW.replace("$1", ":projection")
    .replace("$2", ":topic")
    .replace("$3", ":partition")
    .replace("$4", ":first_offset")
    .replace("$5", ":newest")
)


def demand(
    tx: Connection, projection: str, records: Sequence[Record], bad: Mapping[int, Reason], limit: int | None
) -> None:
    """Check a run of consecutive `records` of one partition, of which those at the offsets in `bad` are to be parked.

    Without a `limit` as many may be bad as there are: in a rebuild, whose live one went past them.

    Raises:
        ProjectionStopped: with one of them more than `limit` in a row are bad.
    """
    if limit is None:
        return

    def count() -> int:
        names = ("projection", "topic", "partition", "first_offset", "newest")
        found = tx.scalar(_NAMED, dict(zip(names, _place(projection, records, limit), strict=True)))
        return int(found or 0)

    _demand(projection, records, bad, limit, count)


def demand_adbc(
    cursor: Any, projection: str, records: Sequence[Record], bad: Mapping[int, Reason], limit: int | None
) -> None:
    """`demand` through an ADBC cursor, in the transaction that it is in.

    Raises:
        ProjectionStopped: as `demand`.
    """
    if limit is None:
        return

    def count() -> int:
        cursor.execute(_IN_A_ROW, _place(projection, records, limit))
        return int(cursor.fetchone()[0])

    _demand(projection, records, bad, limit, count)


def _place(projection: str, records: Sequence[Record], limit: int) -> tuple[str, str, int, int, int]:
    first = records[0]
    return (projection, first.topic, first.partition, first.offset, limit * _NEWEST)


def _demand(
    projection: str, records: Sequence[Record], bad: Mapping[int, Reason], limit: int, count: Callable[[], int]
) -> None:
    if not bad:
        return
    first = records[0]
    in_a_row = count() if first.offset in bad else 0
    expected = first.offset
    for offset in sorted(bad):
        in_a_row = in_a_row if offset == expected else 0
        in_a_row += bad[offset].rule != Rule.BEHIND_PARKED
        expected = offset + 1
        if in_a_row > limit:
            words = f"more than {limit} records in a row are bad, so it is not the records; the last: {bad[offset]}"
            place = Coordinates(first.topic, first.partition, offset)
            raise ProjectionStopped(projection, place, Reason(Rule.PARK_LIMIT, words))
