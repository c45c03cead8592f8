"""The four tables that every service keeps in its own schema, whatever else it keeps."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    text,
)

metadata: Final = MetaData()

_INSTANT: Final = DateTime(timezone=True)

event: Final = Table(
    "event",
    metadata,
    Column("position", BigInteger, Identity(), primary_key=True, comment="order of writing; visible out of order"),
    Column("stream_id", String, nullable=False, comment="what the event is about, such as point:<EAN>"),
    Column("stream_version", Integer, nullable=False, comment="number within the stream, from 1, without gaps"),
    Column("event_id", Uuid, nullable=False, unique=True, comment="ce_id on the wire"),
    Column("event_type", String, nullable=False, comment="name of the event's class; ce_type on the wire"),
    Column("key", LargeBinary, nullable=False, comment="Kafka key, one per stream"),
    Column("payload", LargeBinary, nullable=False, comment="Avro, single-object framing, as it goes on the wire"),
    Column("correlation_id", Uuid, nullable=False, comment="of the request that led to it"),
    Column("causation_id", Uuid, comment="id of the event that led to it; null where a command did"),
    Column("traceparent", String, comment="W3C trace context it was written in; null outside of any"),
    Column("recorded_at", _INSTANT, nullable=False, comment="when it was written (UTC)"),
    Column("published_at", _INSTANT, comment="when the relay had it acknowledged (UTC); null until then"),
    UniqueConstraint("stream_id", "stream_version"),
    comment="Events of this service: source of truth, and outbox of the relay.",
)
Index("event_unpublished", event.c.position, postgresql_where=event.c.published_at.is_(None))

checkpoint: Final = Table(
    "checkpoint",
    metadata,
    Column("projection", String, nullable=False, comment="name of the read model"),
    Column("topic", String, nullable=False, comment="Kafka topic"),
    Column("partition", Integer, nullable=False, comment="Kafka partition"),
    Column("next_offset", BigInteger, nullable=False, comment="offset of the first record not yet applied"),
    Column("epoch", BigInteger, nullable=False, comment="goes up with each claim; a writer with a lower one is fenced"),
    Column("owner", String, nullable=False, comment="process that claimed last; for people only"),
    Column("claimed_at", _INSTANT, nullable=False, comment="when it was claimed last (UTC)"),
    Column("advanced_at", _INSTANT, comment="when next_offset moved last (UTC)"),
    PrimaryKeyConstraint("projection", "topic", "partition"),
    comment="How far each projection has come, moved in the transaction of the rows it wrote.",
)

stream_position: Final = Table(
    "stream_position",
    metadata,
    Column("projection", String, nullable=False, comment="name of the read model"),
    Column("stream_id", String, nullable=False, comment="stream that was read"),
    Column("stream_version", Integer, nullable=False, comment="highest version applied; lower ones are re-sends"),
    PrimaryKeyConstraint("projection", "stream_id"),
    comment="The last event of each stream that each projection applied.",
)

dead_letter: Final = Table(
    "dead_letter",
    metadata,
    Column("projection", String, nullable=False, comment="who could not use the record"),
    Column("topic", String, nullable=False, comment="Kafka topic"),
    Column("partition", Integer, nullable=False, comment="Kafka partition"),
    Column("record_offset", BigInteger, nullable=False, comment="offset of the record"),
    Column("key", LargeBinary, comment="the record's key"),
    Column("value", LargeBinary, comment="the record's value"),
    Column("headers", JSON, nullable=False, comment="list of [name, value]; bytes as Latin-1 characters"),
    Column("appended_at", _INSTANT, nullable=False, comment="the broker's append time (UTC)"),
    Column("stream_id", String, comment="stream of the event; null for a record that stands alone"),
    Column("stream_version", Integer, comment="version in the stream; null for a record that stands alone"),
    Column("rule", String, comment="name of the rule it breaks; null where parked before rules had names"),
    Column("reason", String, nullable=False, comment="why it was parked, without its content"),
    Column("parked_at", _INSTANT, nullable=False, server_default=text("now()"), comment="UTC"),
    Column("replayed_at", _INSTANT, comment="when it was applied after all (UTC); null while it is parked"),
    Column("discarded_at", _INSTANT, comment="when a person gave it up (UTC); it is kept, and waits for nothing"),
    Column("discard_reason", String, comment="why, in that person's words"),
    PrimaryKeyConstraint("projection", "topic", "partition", "record_offset"),
    comment="Records that a projection could not use, kept to be replayed.",
)
Index(
    "dead_letter_parked",
    dead_letter.c.projection,
    dead_letter.c.stream_id,
    postgresql_where=dead_letter.c.replayed_at.is_(None),
)
