"""The projection `index`: keeps every message about indexes and period volumes; a bad record is parked alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects.postgresql import insert

from eventlog import checkpoint, dead_letter, park_limit
from eventlog.checkpoint import Claim
from eventlog.codec import Undecodable, decode
from eventlog.envelope import Record
from eventlog.events import ConsumptionPeriodRecorded, MeterIndexRead
from eventlog.halt import ProjectionStopped
from eventlog.parked import Letter, keep_out
from eventlog.projection import Applied, Run
from eventlog.reason import Reason, Rule
from eventlog.replay import Replayed
from eventlog.topics import partition_of
from services.metering.index_rows import row_of, why_not
from services.metering.index_tables import consumption_period, index_reading

NAME: Final = "index"
TOPIC: Final = "meter-indexes"

_TABLES: Final[dict[type, Table]] = {MeterIndexRead: index_reading, ConsumptionPeriodRecorded: consumption_period}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of `table`, with all its columns."""

    table: Table
    columns: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexProjection:
    """Messages have no versions, so nothing waits behind a bad one, and any order of arrival gives the same.

    A message sent twice is one row, that of the lower offset. `partition_count` is the topic's; behind `park_limit`
    bad records in a row (None: as many as come) the next one stops the projection, since then it is not the records.
    """

    engine: Engine
    partition_count: int
    park_limit: int | None = 1_000
    name: str = NAME
    topic: str = TOPIC

    def claim(self, partition: int, owner: str) -> Claim:
        return checkpoint.claim_evicting(
            self.engine, projection=self.name, topic=self.topic, partition=partition, owner=owner
        )

    def apply(self, claim: Claim, run: Run) -> Applied:
        """As `Projection.apply`. Where it has to stop, everything before the record it stops at is applied.

        Raises:
            ProjectionStopped: too many bad records in a row.
        """
        try:
            return self._apply(claim, run)
        except ProjectionStopped as stopped:
            if before := run.before(stopped.place):
                self._apply(claim, before)
            raise

    def _apply(self, claim: Claim, run: Run) -> Applied:
        read = [self.read(record) for record in run.records]
        bad = {record.offset: each for record, each in zip(run.records, read, strict=True) if isinstance(each, Reason)}
        with self.engine.begin() as tx:
            checkpoint.advance(tx, claim, run.next_offset)
            park_limit.demand(tx, self.name, run.records, bad, self.park_limit)
            for record in run.records:
                if record.offset in bad:
                    dead_letter.park(tx, self.name, record, bad[record.offset])
            new_count = _put(tx, [each for each in read if isinstance(each, Row)])
        return Applied(
            applied_count=new_count,
            redelivered_count=len(read) - len(bad) - new_count,
            parked=Counter(reason.rule for reason in bad.values()),
        )

    def read(self, record: Record) -> Row | Reason:
        """Return the row that `record` makes, or why it is bad."""
        if record.key is None or record.value is None:
            return Reason(Rule.NO_VALUE, "a record without key or value")
        try:
            event = decode(record.value)
        except Undecodable as error:
            return error.reason
        if not isinstance(event, MeterIndexRead | ConsumptionPeriodRecorded):
            return Reason(Rule.UNUSABLE, "neither an index nor a period")
        if event.ean.encode() != record.key:
            return Reason(Rule.KEY_DIFFERS, "the EAN is not that of the key")
        if partition_of(record.key, self.partition_count) != record.partition:
            return Reason(Rule.WRONG_PARTITION, "the key belongs to another partition")
        if reason := why_not(event):
            return reason
        place = {"record_partition": record.partition, "record_offset": record.offset}
        at = _EPOCH + timedelta(milliseconds=record.timestamp)
        return Row(_TABLES[type(event)], {**row_of(event), **place, "recorded_at": at})


def _put(tx: Connection, rows: Sequence[Row]) -> int:
    """Put in what is not there, and return how many that were. Of the same message the record of the lower offset
    stays, so that a record that was parked and replayed leaves what a rebuild does."""
    by_table: defaultdict[Table, dict[tuple[Any, ...], dict[str, Any]]] = defaultdict(dict)
    for row in rows:
        key = tuple(row.columns[column.name] for column in row.table.primary_key)
        by_table[row.table].setdefault(key, row.columns)
    count = 0
    for table, distinct in by_table.items():
        statement = insert(table)
        names = [column.name for column in table.columns if not column.primary_key]
        statement = statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={name: statement.excluded[name] for name in names},
            where=statement.excluded.record_offset < table.c.record_offset,
        )
        rows_in_order = [distinct[key] for key in sorted(distinct)]
        count += len(tx.execute(statement.returning(table.c.ean), rows_in_order).all())
    return count


def replay_indexes(projection: IndexProjection, found: Sequence[Letter]) -> Replayed:
    """Take those of the parked records `found` in that can be by now; the others stay, with the reason of today."""
    read = {letter.place: projection.read(letter) for letter in found}
    reasons = {place: each for place, each in read.items() if isinstance(each, Reason)}
    rows = [each for each in read.values() if isinstance(each, Row)]
    with projection.engine.begin() as tx:
        keep_out(tx, projection.name, projection.topic)
        for place in read:
            if place in reasons:
                dead_letter.tell_reason(tx, projection.name, place, reasons[place])
            else:
                dead_letter.mark_replayed(tx, projection.name, place)
        new_count = _put(tx, rows)
    stopped_by = str(next(iter(reasons.values()))) if reasons else ""
    return Replayed(applied_count=new_count, redelivered_count=len(rows) - new_count, stopped_by=stopped_by)
