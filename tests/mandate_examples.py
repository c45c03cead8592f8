"""A session, a consent and a mandate that tests of mandate speak of."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from eventlog.events import ConsentSessionOpened, MandateGranted
from market.channel import Energy, MeterKind
from market.ean import Ean
from services.mandate.domain.consent import PointUse
from tests.examples import HOUSE, NOON

SESSION_ID = "AbCdEfGhIjKlMnOpQrStUv"
NET_USER = UUID("00000000-0000-4000-8000-000000000011")
OTHER_NET_USER = UUID("00000000-0000-4000-8000-000000000012")
MANDATE_ID = UUID("00000000-0000-4000-8000-000000000021")
OTHER_MANDATE_ID = UUID("00000000-0000-4000-8000-000000000022")
LATER = NOON + timedelta(minutes=5)

SESSION_OPENED = ConsentSessionOpened(
    session_id=SESSION_ID,
    contract_number="1000000001",
    holder_kbo="0123456749",
    reference_number="order-1",
    flow="B2C",
    services='[{"type": "VH_kwartier_uur", "from": "2026-01-01", "to": null}, '
    '{"type": "IG", "from": null, "to": null}]',
    number_of_eans=2,
    return_url_success="",
    return_url_failed="",
    enterprise_number="",
    valid_to=datetime(2026, 12, 4, 12, 0, tzinfo=UTC),
)
GRANTED = MandateGranted(
    ean=HOUSE,
    mandate_id=MANDATE_ID,
    session_id=SESSION_ID,
    contract_number="1000000001",
    holder_kbo="0123456749",
    reference_number="order-1",
    data_service_type="VH_kwartier_uur",
    data_period_from=date(2026, 1, 1),
    data_period_to=None,
    net_user_id=NET_USER,
    occupied_from=date(2026, 3, 1),
    granted_at=LATER,
    expires_at=datetime(2029, 11, 20, 23, 0, tzinfo=UTC),
)


def use(
    ean: Ean = HOUSE,
    *,
    energy: Energy = Energy.ELECTRICITY,
    meter_kind: MeterKind = MeterKind.DIGITAL,
    is_whole: bool = True,
    first_on: date = date(2026, 3, 1),
    last_on: date | None = None,
) -> PointUse:
    """The net user's time at a point, as the register has it."""
    return PointUse(
        ean=ean,
        energy=energy,
        meter_kind=meter_kind,
        net_user_id=NET_USER,
        is_whole=is_whole,
        first_on=first_on,
        last_on=last_on,
    )
