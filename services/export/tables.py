"""Tables that export keeps beside those of every service: what permissions rest on, and credentials."""

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

metadata: Final = MetaData()

_INSTANT: Final = DateTime(timezone=True)
_EAN: Final = String(18)

mandate: Final = Table(
    "mandate",
    metadata,
    Column("mandate_id", Uuid, primary_key=True, comment="identity of the mandate"),
    Column("ean", _EAN, nullable=False, comment="head point, 18 digits"),
    Column("contract_number", String(10), nullable=False, comment="data access contract, 10 digits"),
    Column("holder_kbo", String(10), nullable=False, comment="enterprise number of the holder"),
    Column("reference_number", String, nullable=False, comment="the holder's own reference"),
    Column("data_service_type", String, nullable=False, comment="VH_onbepaald, VH_kwartier_uur, VH_dag or IG"),
    Column("data_period_from", Date, comment="first local (gas) day that may be read; null for no bound"),
    Column("data_period_to", Date, comment="last local (gas) day that may be read, inclusive; null for no bound"),
    Column("net_user_id", Uuid, nullable=False, comment="who consented"),
    Column("occupied_from", Date, nullable=False, comment="first day of that net user on every allocation point"),
    Column("granted_at", _INSTANT, nullable=False, comment="access from here on (UTC, inclusive)"),
    Column("expires_at", _INSTANT, nullable=False, comment="access until here (UTC, exclusive)"),
    Column("is_over", Boolean, nullable=False, comment="whether it was withdrawn, or its expiry was told"),
    Column("ends_on", Date, comment="first local (gas) day without access; null where no end was told"),
    Column("renewal_status", String, comment="ToBeRenewed or Expired; null else"),
    Column("updated_at", _INSTANT, nullable=False, comment="append time of its newest event (UTC)"),
    comment="Mandates as mandate-events tell them; projection `permission`.",
)
Index("mandate_by_point", mandate.c.ean)
Index("mandate_by_holder", mandate.c.holder_kbo, mandate.c.updated_at)

contract: Final = Table(
    "contract",
    metadata,
    Column("contract_number", String(10), primary_key=True, comment="10 digits"),
    Column("holder_kbo", String(10), nullable=False, comment="enterprise number of the holder"),
    Column("valid_from", Date, nullable=False, comment="first local day"),
    Column("ended_on", Date, comment="first local day without it; null while no end was told"),
    comment="Data access contracts as mandate-events tell them; projection `permission`.",
)

access_point: Final = Table(
    "access_point",
    metadata,
    Column("ean", _EAN, primary_key=True, comment="head point, 18 digits"),
    Column("energy", String(1), nullable=False, comment="E or G"),
    Column("meter_kind", String, nullable=False, comment="kind of meter at registration"),
    comment="Access points as register-events tell them; projection `occupancy`.",
)

allocation_point: Final = Table(
    "allocation_point",
    metadata,
    Column("ean", _EAN, nullable=False, comment="head point, 18 digits"),
    Column("allocation_point_id", String, nullable=False, comment="number within the access point"),
    Column("added_on", Date, nullable=False, comment="first local (gas) day"),
    PrimaryKeyConstraint("ean", "allocation_point_id"),
    comment="Allocation points, each with its own net user; projection `occupancy`.",
)

sub_head_point: Final = Table(
    "sub_head_point",
    metadata,
    Column("ean", _EAN, nullable=False, comment="head point, 18 digits"),
    Column("sub_ean", _EAN, nullable=False, comment="EAN of the measurement itself"),
    Column("kind", String, nullable=False, comment="OFFTAKE, PRODUCTION or AUXILIARY"),
    Column("sequence_number", Integer, nullable=False, comment="from 1 within the head point"),
    Column("installation_id", String, nullable=False, comment="id of what produces; empty elsewhere"),
    Column("production_type", String, nullable=False, comment="kind of production; empty elsewhere"),
    PrimaryKeyConstraint("ean", "sub_ean"),
    comment="Measurements behind AMR head points; projection `occupancy`.",
)

meter_period: Final = Table(
    "meter_period",
    metadata,
    Column("ean", _EAN, nullable=False, comment="head point, 18 digits"),
    Column("meter_id", String, nullable=False, comment="number of the meter"),
    Column("sequence_number", Integer, nullable=False, comment="from 1 within the point"),
    Column("installed_at", _INSTANT, nullable=False, comment="measures from here on (UTC, inclusive)"),
    Column("removed_at", _INSTANT, comment="measured until here (UTC, exclusive); null while it measures"),
    PrimaryKeyConstraint("ean", "sequence_number"),
    comment="Meters and when each measured; projection `occupancy`.",
)

occupancy: Final = Table(
    "occupancy",
    metadata,
    Column("ean", _EAN, nullable=False, comment="head point, 18 digits"),
    Column("allocation_point_id", String, nullable=False, comment="number within the access point"),
    Column("net_user_id", Uuid, nullable=False, comment="who uses the network there"),
    Column("first_on", Date, nullable=False, comment="first local (gas) day, inclusive"),
    Column("last_on", Date, comment="last local (gas) day, inclusive; null while no end was told"),
    PrimaryKeyConstraint("ean", "allocation_point_id", "first_on"),
    comment="Net users of allocation points; projection `occupancy`.",
)
Index("occupancy_by_net_user", occupancy.c.net_user_id)

credential: Final = Table(
    "credential",
    metadata,
    Column("client_id", String, primary_key=True, comment="name of the client at the token address"),
    Column("holder_kbo", String(10), nullable=False, comment="enterprise number of the holder"),
    Column("contract_number", String(10), nullable=False, comment="data access contract, 10 digits"),
    Column("environment", String, nullable=False, comment="live or sandbox"),
    Column("tenant_id", String, nullable=False, comment="part of the token address"),
    Column("secret_hmac", LargeBinary, comment="HMAC-SHA-256 of the client secret; null without one"),
    Column("subscription_key_hmac", LargeBinary, nullable=False, comment="HMAC-SHA-256 of the subscription key"),
    Column("public_key", String, comment="PEM of the key that signs assertions; null without one"),
    Column("thumbprint", String, comment="SHA-1 of the certificate, hex; null without a certificate"),
    Column("issued_at", _INSTANT, nullable=False, comment="UTC"),
    Column("revoked_at", _INSTANT, comment="UTC; null while it is good"),
    comment="Credentials of holders' clients. No secret is kept, only what it is compared with.",
)
Index("credential_by_holder", credential.c.holder_kbo)

used_assertion: Final = Table(
    "used_assertion",
    metadata,
    Column("client_id", String, nullable=False, comment="who signed the assertion"),
    Column("jti", String, nullable=False, comment="its id: good once"),
    Column("expires_at", _INSTANT, nullable=False, comment="when it may be forgotten (UTC)"),
    PrimaryKeyConstraint("client_id", "jti"),
    comment="Assertions that were exchanged for a token, until they expire by themselves.",
)
Index("used_assertion_expiry", used_assertion.c.expires_at)
