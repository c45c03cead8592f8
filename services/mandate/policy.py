"""The policy of mandate: what the register says ends mandates, in the transaction of the checkpoint.

It decides, so it is no projection: never rebuilt, and it may ask the clock. It halts at an event that it cannot use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection, Engine

from eventlog.checkpoint import Claim
from eventlog.envelope import Envelope
from eventlog.event_store import StreamChanged
from eventlog.projection import Applied, EventProjection, Run
from services.mandate.domain.switch import switch_of
from services.mandate.handlers import Origin, end_for_switch

TOPIC: Final = "register-events"
NAME: Final = "mandate-policy"
_RETRIES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(EventProjection):
    """Ends mandates; where a net user withdraws meanwhile, the run is decided again."""

    def apply(self, claim: Claim, run: Run) -> Applied:
        for _ in range(_RETRIES):
            try:
                return EventProjection.apply(self, claim, run)
            except StreamChanged:
                continue
        return EventProjection.apply(self, claim, run)


def create_policy(engine: Engine, *, clock: Callable[[], datetime], partition_count: int, topic: str = TOPIC) -> Policy:
    """Return the policy on the events of `topic`; `clock` gives the time in UTC."""
    return Policy(
        name=NAME,
        topic=topic,
        engine=engine,
        project=partial(_decide, clock),
        halts=True,
        partition_count=partition_count,
    )


def _decide(clock: Callable[[], datetime], tx: Connection, envelope: Envelope) -> None:
    switch = switch_of(envelope.event)
    if switch is None:
        return
    origin = Origin(now=clock(), correlation_id=envelope.correlation_id, causation_id=envelope.event_id)
    end_for_switch(tx, switch, envelope.stream_version, origin)
