"""The read model of mandate, written in the transactions of its commands; it can be made again out of its events."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Uuid,
)

from eventlog import idempotency

metadata: Final = MetaData()
idempotency.command_answer.to_metadata(metadata)

_INSTANT: Final = DateTime(timezone=True)

contract: Final = Table(
    "contract",
    metadata,
    Column("contract_number", String, primary_key=True, comment="data access contract, ten digits"),
    Column("holder_kbo", String, nullable=False, comment="enterprise number of the holder"),
    Column("holder_name", String, nullable=False, comment="the holder's public name; empty where it gave none"),
    Column("valid_from", Date, nullable=False, comment="first local day"),
    Column("ended_on", Date, comment="first local day without it; null while no end is known"),
    comment="Data access contracts.",
)
Index("contract_of_holder", contract.c.holder_kbo)

return_root: Final = Table(
    "return_root",
    metadata,
    Column("contract_number", String, nullable=False, comment="data access contract"),
    Column("root", String, nullable=False, comment="customers may be sent back to addresses that begin with it"),
    PrimaryKeyConstraint("contract_number", "root"),
    comment="Where holders may send customers back to.",
)

session: Final = Table(
    "session",
    metadata,
    Column("session_id", String, primary_key=True, comment="short identifier in the link"),
    Column("contract_number", String, nullable=False, comment="data access contract"),
    Column("holder_kbo", String, nullable=False, comment="enterprise number of the holder"),
    Column("reference_number", String, nullable=False, comment="the holder's own reference"),
    Column("flow", String, nullable=False, comment="B2C or B2B"),
    Column("services", String, nullable=False, comment="JSON text: what is asked for, as in ConsentSessionOpened"),
    Column("number_of_eans", Integer, nullable=False, comment="how many points may be picked at most"),
    Column("return_url_success", String, nullable=False, comment="where the browser goes then; empty for none"),
    Column("return_url_failed", String, nullable=False, comment="where the browser goes else; empty for none"),
    Column("enterprise_number", String, nullable=False, comment="the customer's; empty for none"),
    Column("valid_to", _INSTANT, nullable=False, comment="UTC, exclusive"),
    Column("used_at", _INSTANT, comment="when the customer consented (UTC); null until then"),
    comment="Consent sessions.",
)

mandate: Final = Table(
    "mandate",
    metadata,
    Column("mandate_id", Uuid, primary_key=True, comment="one point, one data service, one consent"),
    Column("ean", String, nullable=False, comment="head point"),
    Column("session_id", String, nullable=False, comment="the session of the consent"),
    Column("contract_number", String, nullable=False, comment="data access contract"),
    Column("holder_kbo", String, nullable=False, comment="enterprise number of the holder"),
    Column("reference_number", String, nullable=False, comment="the holder's own reference"),
    Column("data_service_type", String, nullable=False, comment="VH_onbepaald, VH_kwartier_uur, VH_dag or IG"),
    Column("data_period_from", Date, comment="first day (gas: gas day) that may be read; null for no bound"),
    Column("data_period_to", Date, comment="last day (gas: gas day) that may be read; null for no bound"),
    Column("net_user_id", Uuid, nullable=False, comment="who consented"),
    Column("occupied_from", Date, nullable=False, comment="first day of their occupancy, as known at the consent"),
    Column("granted_at", _INSTANT, nullable=False, comment="UTC, inclusive"),
    Column("expires_at", _INSTANT, nullable=False, comment="UTC, exclusive"),
    Column("next_at", _INSTANT, comment="when the timer has to look at it (UTC); null when it has nothing more to do"),
    Column("signalled_at", _INSTANT, comment="when ToBeRenewed was written (UTC); null until then"),
    Column("expired_at", _INSTANT, comment="when the expiry was written (UTC); null until then"),
    Column("withdrawn_at", _INSTANT, comment="when the net user took it back (UTC); null where not"),
    Column("ends_on", Date, comment="first local day without access, for a reason outside; null where there is none"),
    Column("end_reason", String, comment="CUSTOMER_SWITCH, POINT_CLOSED or CONTRACT_ENDED; null where there is none"),
    comment="Mandates, those that are over too.",
)
Index("mandate_of_point", mandate.c.ean)
Index("mandate_of_holder", mandate.c.holder_kbo)
Index("mandate_of_contract", mandate.c.contract_number)
Index("mandate_of_net_user", mandate.c.net_user_id)
Index("mandate_due", mandate.c.next_at, postgresql_where=mandate.c.next_at.is_not(None))

switch: Final = Table(
    "switch",
    metadata,
    Column("ean", String, nullable=False, comment="head point"),
    Column("stream_version", Integer, nullable=False, comment="of the register's event in the point's stream there"),
    Column("kind", String, nullable=False, comment="DEPARTURE, ARRIVAL or CLOSURE"),
    Column("net_user_id", Uuid, comment="who goes or comes; null for a closure"),
    Column("first_day", Date, nullable=False, comment="first local day (gas: gas day) from which it is so"),
    PrimaryKeyConstraint("ean", "stream_version"),
    comment="What the register said that ends mandates, also those that are granted while it is read.",
)
