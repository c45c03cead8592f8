"""What the drill's projections write down: without any constraint, so that an effect that happens twice shows."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Identity, Integer, MetaData, Table, Text

EVENTS: Final = "register-events"
READINGS: Final = "meter-readings"
TOLD: Final = "metering-events"
TOPICS: Final = (EVENTS, READINGS, TOLD)
PARTITIONS: Final = 8

LEDGER: Final = "ledger"
EFFECTS: Final = "effects"
BLOCKS: Final = "block"
TIDINGS: Final = "tidings"

own: Final = MetaData()
ledger: Final = Table(
    LEDGER,
    own,
    Column("place", BigInteger, Identity(), comment="order of writing"),
    Column("partition", Integer),
    Column("record_offset", BigInteger),
    comment="one row per record of the events' topic, whatever the record holds",
)
effects: Final = Table(
    EFFECTS,
    own,
    Column("place", BigInteger, Identity(), comment="order of writing"),
    Column("stream_id", Text),
    Column("stream_version", Integer),
    Column("number", Integer, comment="the load's own number of the event"),
    comment="one row per event that took effect",
)

metering_own: Final = MetaData()
tidings: Final = Table(
    TIDINGS,
    metering_own,
    Column("place", BigInteger, Identity(), comment="order of writing"),
    Column("stream_id", Text),
    Column("stream_version", Integer),
    Column("first_offset", BigInteger, comment="of a run; null for a revised block"),
    Column("next_offset", BigInteger, comment="of a run; null for a revised block"),
    Column("message_id", Text, comment="of the message that revised a block; null for a run"),
    comment="one row per event of metering that took effect",
)
