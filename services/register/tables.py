"""Register's own tables: the read model that is written in the transaction of each command, and kept answers."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Uuid,
)

from eventlog import idempotency

metadata: Final = MetaData()
idempotency.command_answer.to_metadata(metadata)

access_point: Final = Table(
    "access_point",
    metadata,
    Column("ean", String, primary_key=True, comment="head point, 18 digits"),
    Column("energy", String, nullable=False, comment="E or G"),
    Column("meter_kind", String, nullable=False, comment="of the newest meter; as registered where there is none"),
    Column("registered_on", Date, nullable=False, comment="first local day (gas: gas day)"),
    Column("last_on", Date, comment="last local day (gas: gas day), inclusive; null while it is not closed"),
    Column("replaced_by", String, nullable=False, server_default="", comment="EAN to use instead; empty for none"),
    comment="Access points, as their streams say.",
)

measured_point: Final = Table(
    "measured_point",
    metadata,
    Column("ean", String, primary_key=True, comment="head point or sub head point, 18 digits"),
    Column("head_ean", String, nullable=False, comment="its head point; itself for a head point"),
    comment="Every EAN that was given out, so that none is given twice.",
)

allocation_point: Final = Table(
    "allocation_point",
    metadata,
    Column("ean", String, nullable=False, comment="head point"),
    Column("allocation_point_id", String, nullable=False, comment="1, 2, ... within the head point"),
    Column("direction", String, nullable=False, comment="OFFTAKE, INJECTION or BOTH"),
    Column("added_on", Date, nullable=False, comment="first local day (gas: gas day)"),
    PrimaryKeyConstraint("ean", "allocation_point_id"),
    comment="Where volumes of a point are attributed.",
)

sub_head_point: Final = Table(
    "sub_head_point",
    metadata,
    Column("sub_ean", String, primary_key=True, comment="its own EAN, 18 digits"),
    Column("ean", String, nullable=False, index=True, comment="head point"),
    Column("kind", String, nullable=False, comment="OFFTAKE, PRODUCTION or AUXILIARY"),
    Column("sequence_number", Integer, nullable=False, comment="from 1 within the head point"),
    Column("installation_id", String, nullable=False, comment="what is measured; empty for none"),
    Column("production_type", String, nullable=False, comment="what produces; empty where nothing does"),
    Column("added_on", Date, nullable=False, comment="first local day"),
    comment="Measurements behind AMR points.",
)

meter: Final = Table(
    "meter",
    metadata,
    Column("ean", String, nullable=False, comment="head point"),
    Column("meter_id", String, nullable=False, comment="as its owner numbers it"),
    Column("meter_kind", String, nullable=False, comment="DIGITAL, AMR or CLASSIC"),
    Column("sequence_number", Integer, nullable=False, comment="from 1 among the meters that the point ever had"),
    Column("installed_at", DateTime(timezone=True), nullable=False, comment="UTC, inclusive"),
    Column("removed_at", DateTime(timezone=True), comment="UTC, exclusive; null while it measures"),
    PrimaryKeyConstraint("ean", "meter_id"),
    comment="Meters and their periods.",
)

net_user: Final = Table(
    "net_user",
    metadata,
    Column("net_user_id", Uuid, primary_key=True, comment="without meaning elsewhere"),
    Column("person_ref_hmac", LargeBinary, unique=True, comment="keyed hash of the person's reference; null for none"),
    Column("kbo", String, unique=True, comment="enterprise number; null for none"),
    Column("is_household", Boolean, nullable=False, comment="household or not"),
    Column("key", LargeBinary, nullable=False, comment="AES-256 key of the personal data in the net user's events"),
    comment="Who may use the network. Personal data are in the events, and readable with the key alone.",
)

occupancy: Final = Table(
    "occupancy",
    metadata,
    Column("ean", String, nullable=False, comment="head point"),
    Column("allocation_point_id", String, nullable=False, comment="1, 2, ... within the head point"),
    Column("first_on", Date, nullable=False, comment="first local day (gas: gas day), inclusive"),
    Column("net_user_id", Uuid, nullable=False, comment="who"),
    Column("last_on", Date, comment="last local day (gas: gas day), inclusive; null while no end is known"),
    PrimaryKeyConstraint("ean", "allocation_point_id", "first_on"),
    comment="Who used the network where, and when.",
)
Index("occupancy_of_net_user", occupancy.c.net_user_id)
