"""A member of a group as a process of its own, for tests that freeze or kill it: python -m tests.faults.member.

Says every place of a run that it reaches, and when it is fenced.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass

from eventlog.checkpoint import Claim, Fenced
from eventlog.consumer import consume
from eventlog.database import create_engine
from eventlog.kafka import KafkaAccess
from eventlog.projection import Applied, Run
from tests.effects import CopiedOffsets, Offsets
from tests.faults import guards


@dataclass
class Trouble:
    """What befalls the process, once: at `place` it waits for a line to come in, or is killed."""

    place: str
    is_killed: bool

    def reach(self, place: str) -> None:
        _say(place)
        if place != self.place:
            return
        self.place = ""
        if self.is_killed:
            os.kill(os.getpid(), signal.SIGKILL)
        sys.stdin.readline()


def _say(word: str) -> None:
    print(word, flush=True)  # noqa: T201 - what the test waits for


class _Told:
    def apply(self, claim: Claim, run: Run) -> Applied:
        try:
            return super().apply(claim, run)  # type: ignore[misc]
        except Fenced:
            _say("fenced")
            raise


class Rows(_Told, Offsets):
    """Says when it is fenced."""


class Copies(_Told, CopiedOffsets):
    """Says when it is fenced."""


def main() -> None:
    """The argument is JSON: database_url, bootstrap, topic, service, replica, copies, place, is_killed, without."""
    given = json.loads(sys.argv[1])
    for name in given["without"]:
        guards.TAKEN_OUT[name](setattr)
    engine = create_engine(given["database_url"], application_name=given["replica"])
    projection = (Copies if given["copies"] else Rows)(
        engine,
        given["topic"],
        given["replica"],
        Trouble(given["place"], given["is_killed"]).reach,
        evict_after_seconds=given["evict_after_seconds"],
    )
    asyncio.run(_stop_cleanly(projection, given))


async def _stop_cleanly(projection: Offsets, given: dict[str, str]) -> None:
    consuming = asyncio.create_task(
        consume(
            projection,
            service=given["service"],
            kafka=KafkaAccess(given["bootstrap"]),
            replica=given["replica"],
            max_run_records=10,
        )
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, consuming.cancel)
    await asyncio.gather(consuming, return_exceptions=True)
    if not consuming.cancelled():
        consuming.result()


if __name__ == "__main__":
    main()
