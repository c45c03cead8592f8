"""A member of a group as a process of its own, for tests that freeze or kill it: python -m tests.faults.member.

Writes down every record it applies, in a table without any constraint, so that a record applied twice shows.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, Engine, Integer, MetaData, String, Table, insert, text

from eventlog import checkpoint
from eventlog.checkpoint import Claim, Fenced
from eventlog.consumer import consume
from eventlog.database import create_engine
from eventlog.kafka import KafkaAccess
from eventlog.projection import Applied, Run

NAME = "offsets"

own = MetaData()
applied = Table(
    "applied",
    own,
    Column("partition", Integer),
    Column("record_offset", BigInteger),
    Column("replica", String),
)

_UNGUARDED = text(
    "update checkpoint set next_offset = greatest(next_offset, :after) "
    "where projection = :projection and topic = :topic and partition = :partition"
)


@dataclass
class Offsets:
    """Writes down offsets. `trouble` says what befalls it, once, with the first run that it is given:

    `frozen`: between fetch and write it says so, and goes on when a line comes in;
    `killed`: SIGKILL in its transaction, rows written and not committed; `killed-after`: right after the commit.
    `is_guarded` false leaves out the check of epoch and offset, as a consumer that trusts the broker alone would.
    """

    engine: Engine
    topic: str
    replica: str
    is_guarded: bool
    trouble: str
    name: str = NAME

    def claim(self, partition: int, owner: str) -> Claim:
        return checkpoint.claim_evicting(
            self.engine, projection=self.name, topic=self.topic, partition=partition, owner=owner
        )

    def apply(self, claim: Claim, run: Run) -> Applied:
        trouble, self.trouble = self.trouble, ""
        if trouble == "frozen":
            print("fetched", flush=True)  # noqa: T201 - what the test waits for
            sys.stdin.readline()
        try:
            self._write(claim, run, trouble)
        except Fenced:
            print("fenced", flush=True)  # noqa: T201
            raise
        if trouble == "killed-after":
            os.kill(os.getpid(), signal.SIGKILL)
        print("written", flush=True)  # noqa: T201
        return Applied(applied_count=len(run.records))

    def _write(self, claim: Claim, run: Run, trouble: str) -> None:
        with self.engine.begin() as tx:
            self._advance(tx, claim, run.next_offset)
            rows = [
                {"partition": each.partition, "record_offset": each.offset, "replica": self.replica}
                for each in run.records
            ]
            tx.execute(insert(applied), rows)
            if trouble == "killed":
                os.kill(os.getpid(), signal.SIGKILL)

    def _advance(self, tx: Connection, claim: Claim, after: int) -> None:
        if self.is_guarded:
            checkpoint.advance(tx, claim, after)
        else:
            place = {"projection": claim.projection, "topic": claim.topic, "partition": claim.partition}
            tx.execute(_UNGUARDED, {**place, "after": after})


def main() -> None:
    """Arguments: database URL, bootstrap, topic, replica, guarded or unguarded, the trouble or nothing."""
    database_url, bootstrap, topic, replica, guard, trouble = sys.argv[1:]
    engine = create_engine(database_url, application_name=replica)
    projection = Offsets(engine, topic, replica, guard == "guarded", trouble)
    asyncio.run(consume(projection, service="test", kafka=KafkaAccess(bootstrap), replica=replica, max_run_records=10))


if __name__ == "__main__":
    main()
