"""Readings on `meter-readings` become blocks: a whole run at a time, in one transaction with its checkpoint."""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Engine

from eventlog import checkpoint, dead_letter, metrics, park_limit
from eventlog.checkpoint import Claim
from eventlog.envelope import Record
from eventlog.halt import ProjectionStopped
from eventlog.projection import Applied, Run
from eventlog.reason import Reason
from services.metering import block_writer, stage
from services.metering.block_writer import Prepared, Written
from services.metering.outbox import outbox_rows
from services.metering.partitions import Partitions
from services.metering.run_table import Readings, read_run
from services.metering.stage import BlockPresent
from services.metering.store import PROJECTION, TOPIC
from services.metering.store_metrics import BLOCKS, CONFLICTS

MAX_RUN_RECORDS: Final = 20_000
FETCH_BYTES: Final = 3 * 2**20
"""A run costs some milliseconds however short it is. So much of a partition holds 10,000 days and more."""
CONCURRENT_RUNS: Final = 2
"""While PostgreSQL writes one run, the next one is decoded; each takes a core."""
_NEW_RUNS: Final = 8
"""After so many runs of new blocks alone the next one is taken for such a run too, until that is wrong."""

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class BlockProjection:
    """The quarter-hour store as a projection of `meter-readings`; `partition_count` is the topic's.

    `engine` serves the claims, `database_url` the runs, by ADBC: as many connections as runs are applied at a time.
    With `publishes` each run leaves its events in the outbox; a rebuild has it false. `name` and `topic` are those of
    the checkpoint. The record after `park_limit` bad ones in a row halts its partition (None: as many as come).
    """

    engine: Engine
    database_url: str
    partition_count: int
    publishes: bool = True
    park_limit: int | None = 1_000
    name: str = PROJECTION
    topic: str = TOPIC
    _partitions: Partitions = field(init=False, repr=False)
    _new_runs: int = field(default=_NEW_RUNS, repr=False)
    _idle: list[Any] = field(default_factory=list, repr=False)
    _is_closed: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        self._partitions = Partitions(self.engine)

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
        readings = read_run(run, partition_count=self.partition_count)
        prepared = [block_writer.prepare(group) for group in readings.groups]
        self.make_room(readings)
        try:
            written = self._write(claim, run, readings, prepared, expects_new=self._new_runs >= _NEW_RUNS)
        except BlockPresent:
            self._new_runs = 0
            written = self._write(claim, run, readings, prepared, expects_new=False)
        self._new_runs = 0 if written.has_known else self._new_runs + 1
        _note(run, written)
        return Applied(
            applied_count=written.new_count + written.revised_count + written.unchanged_count,
            redelivered_count=written.repeated_count,
            parked=Counter(reason.rule for reason in readings.refused.values()),
        )

    def _write(
        self, claim: Claim, run: Run, readings: Readings, prepared: Sequence[Prepared], *, expects_new: bool
    ) -> Written:
        with self.transaction() as cursor:
            checkpoint.advance_adbc(cursor, claim, run.next_offset)
            written = block_writer.write(cursor, prepared, expects_new=expects_new)
            bad = _bad_records(run, readings)
            dead_letter.park_all_adbc(cursor, self.name, bad)
            reasons = {record.offset: reason for record, reason in bad}
            park_limit.demand_adbc(cursor, self.name, run.records, reasons, self.park_limit)
            if self.publishes:
                stage.append_events(cursor, outbox_rows(run, readings, written))
        return written

    def close(self) -> None:
        """Close the connections that no run is using; the others are closed when their run ends."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def make_room(self, readings: Readings) -> None:
        """Make the partitions of tables that the days of `readings` need, in a transaction of its own."""
        self._partitions.demand(readings.days.to_physical().to_numpy())

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """Lend a cursor; commit at the end. After an error the connection is not used again."""
        connection = self._idle.pop() if self._idle else self._connect()
        note_seconds = metrics.transaction_timer()
        try:
            with connection.cursor() as cursor:
                yield cursor
            connection.commit()
        except BaseException:
            connection.close()
            self._partitions.forget()
            raise
        finally:
            note_seconds()
        self._idle.append(connection)
        if self._is_closed:
            self.close()

    def _connect(self) -> Any:
        return stage.connect(self.database_url, application_name=f"metering-{self.name}")


def collect_garbage_rarely() -> None:
    """Let this process look for cycles of garbage every 100,000 objects: those of a run live just as long as it does,
    and to look at all of them again and again takes a tenth of the time."""
    gc.set_threshold(100_000, 20, 50)


def _bad_records(run: Run, readings: Readings) -> list[tuple[Record, Reason]]:
    return [(run.records[place], reason) for place, reason in sorted(readings.refused.items())]


def _note(run: Run, written: Written) -> None:
    BLOCKS.labels("new").inc(written.new_count)
    BLOCKS.labels("revised").inc(written.revised_count)
    BLOCKS.labels("unchanged").inc(written.unchanged_count)
    BLOCKS.labels("repeated").inc(written.repeated_count)
    if written.conflict_count:
        CONFLICTS.inc(written.conflict_count)
        _log.warning(
            "%d message(s) with the id of another one, in %s/%d before offset %d",
            written.conflict_count,
            run.topic,
            run.partition,
            run.next_offset,
        )
