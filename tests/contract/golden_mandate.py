"""The examples of what mandate publishes, written by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from eventlog.events import (
    ConsentSessionOpened,
    ConsentSessionUsed,
    DataAccessContractEnded,
    DataAccessContractSigned,
    Event,
    MandateEnded,
    MandateExpired,
    MandateGranted,
    MandateToBeRenewed,
    MandateWithdrawn,
    ReturnRootRegistered,
)
from market.ean import Ean

POINT: Final = Ean("541448800000000017")
MANDATE_ID: Final = UUID("00000000-0000-4000-8000-000000000021")
SESSION_ID: Final = "AbCdEfGhIjKlMnOpQrStUv"

MANDATE: Final[dict[tuple[str, int], Event]] = {
    ("DataAccessContractSigned", 1): DataAccessContractSigned(
        contract_number="1000000001",
        holder_kbo="0123456749",
        valid_from=date(2026, 1, 1),
        holder_name="Energiecoach België NV",
    ),
    ("DataAccessContractEnded", 1): DataAccessContractEnded(contract_number="1000000001", ended_on=date(2026, 12, 1)),
    ("ReturnRootRegistered", 1): ReturnRootRegistered(contract_number="1000000001", root="https://holder.example/"),
    ("ConsentSessionOpened", 1): ConsentSessionOpened(
        session_id=SESSION_ID,
        contract_number="1000000001",
        holder_kbo="0123456749",
        reference_number="order-1",
        flow="B2C",
        services='[{"type": "VH_kwartier_uur", "from": "2026-01-01", "to": null}]',
        number_of_eans=2,
        return_url_success="https://holder.example/thanks",
        return_url_failed="https://holder.example/sorry",
        enterprise_number="",
        valid_to=datetime(2026, 12, 4, 12, 0, tzinfo=UTC),
    ),
    ("ConsentSessionUsed", 1): ConsentSessionUsed(
        session_id=SESSION_ID, used_at=datetime(2026, 11, 20, 12, 5, tzinfo=UTC)
    ),
    ("MandateGranted", 1): MandateGranted(
        ean=POINT,
        mandate_id=MANDATE_ID,
        session_id=SESSION_ID,
        contract_number="1000000001",
        holder_kbo="0123456749",
        reference_number="order-1",
        data_service_type="VH_kwartier_uur",
        data_period_from=date(2026, 1, 1),
        data_period_to=None,
        net_user_id=UUID("00000000-0000-4000-8000-000000000011"),
        occupied_from=date(2026, 1, 1),
        granted_at=datetime(2026, 11, 20, 12, 5, tzinfo=UTC),
        # the local midnight that ends 20 November 2029
        expires_at=datetime(2029, 11, 20, 23, 0, tzinfo=UTC),
    ),
    ("MandateToBeRenewed", 1): MandateToBeRenewed(
        ean=POINT, mandate_id=MANDATE_ID, signalled_at=datetime(2029, 8, 20, 22, 0, 1, tzinfo=UTC)
    ),
    ("MandateExpired", 1): MandateExpired(
        ean=POINT, mandate_id=MANDATE_ID, expired_at=datetime(2029, 11, 20, 23, 0, 1, tzinfo=UTC)
    ),
    ("MandateWithdrawn", 1): MandateWithdrawn(
        ean=POINT, mandate_id=MANDATE_ID, withdrawn_at=datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
    ),
    ("MandateEnded", 1): MandateEnded(
        ean=POINT,
        mandate_id=MANDATE_ID,
        reason="CUSTOMER_SWITCH",
        ends_on=date(2026, 12, 1),
        ended_at=datetime(2026, 11, 21, 8, 0, tzinfo=UTC),
    ),
}
