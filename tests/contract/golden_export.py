"""The examples of export's events, written by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from eventlog.events import DataDelivered, DataRefused, Event, HolderCredentialIssued, HolderCredentialRevoked
from market.ean import Ean

POINT: Final = Ean("541448800000000017")
HOLDER: Final = "0123456749"

EXPORT: Final[dict[tuple[str, int], Event]] = {
    ("DataDelivered", 1): DataDelivered(
        exchange_id=UUID("00000000-0000-4000-8000-000000000003"),
        ean=POINT,
        channel="operator",
        recipient="kwartier",
        granularity="quarter",
        first_day=date(2026, 11, 19),
        last_day=date(2026, 11, 19),
        value_count=96,
        delivered_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
        previous_hash="0" * 64,
        hash="f" * 64,
    ),
    ("DataDelivered", 2): DataDelivered(
        exchange_id=UUID("00000000-0000-4000-8000-000000000004"),
        ean=POINT,
        channel="api",
        recipient=HOLDER,
        granularity="daily,hourly_quarterhourly",
        first_day=date(2026, 10, 25),
        last_day=date(2026, 10, 25),
        value_count=102,
        delivered_at=datetime(2026, 11, 20, 12, 0, 1, tzinfo=UTC),
        previous_hash="f" * 64,
        hash="e" * 64,
        mandate_ids=(UUID("00000000-0000-4000-8000-0000000000aa"), UUID("00000000-0000-4000-8000-0000000000bb")),
    ),
    ("DataRefused", 1): DataRefused(
        exchange_id=UUID("00000000-0000-4000-8000-000000000005"),
        holder_kbo=HOLDER,
        ean="541448800000000055",
        channel="api",
        granularity="daily",
        first_day=date(2026, 11, 19),
        last_day=date(2026, 11, 19),
        refused_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
        previous_hash="0" * 64,
        hash="d" * 64,
    ),
    ("HolderCredentialIssued", 1): HolderCredentialIssued(
        client_id="00000000-0000-4000-8000-000000000006",
        holder_kbo=HOLDER,
        contract_number="1000000001",
        environment="live",
        secret_hmac="a" * 64,
        subscription_key_hmac="b" * 64,
        thumbprint="c" * 40,
        issued_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
    ),
    ("HolderCredentialRevoked", 1): HolderCredentialRevoked(
        client_id="00000000-0000-4000-8000-000000000006", revoked_at=datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    ),
}
