"""Points, holders, events and days that many tests speak of. Invented; each identifier has a valid check digit."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

from eventlog.events import AccessPointRegistered, DataAccessContractSigned
from market.channel import BY_NAME, MeterKind
from market.ean import Ean
from market.kbo import Kbo
from market.local_time import slice_count
from market.quality import GasFactor, Quality
from services.export.domain.series import Block
from services.mandate.domain import ContractNumber

HOUSE = Ean("541448800000000017")
GAS_HOUSE = Ean("541448800000000024")
FACTORY = Ean("541448800000000031")

HOUSE_METER = "1SAG0000000001"
GAS_METER = "7FLO0000000001"

HOLDER_KBO = Kbo("0123456749")
OTHER_KBO = Kbo("0200000043")
CONTRACT = ContractNumber("1000000001")

ORDINARY_DAY = date(2026, 11, 19)
SUNDAY = date(2026, 11, 15)
MARCH_DAY = date(2026, 3, 29)
OCTOBER_DAY = date(2026, 10, 25)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CORRELATION = UUID("00000000-0000-4000-8000-000000000001")

HOUSE_REGISTERED = AccessPointRegistered(ean=HOUSE, energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, 1))
CONTRACT_SIGNED = DataAccessContractSigned(contract_number=CONTRACT, holder_kbo=HOLDER_KBO, valid_from=date(2026, 1, 1))


def block(
    channel: str,
    day: date,
    values: list[int | None] | int,
    *,
    meter_id: str = HOUSE_METER,
    meter_kind: MeterKind = MeterKind.DIGITAL,
    quality: Quality = Quality.MEASURED,
    factor: GasFactor | None = None,
) -> Block:
    """One day of `channel`: one value for every slice of the calendar, or just these; all of one quality."""
    kind = BY_NAME[channel]
    given = values if isinstance(values, list) else [values] * slice_count(kind.energy, kind.resolution, day)
    return Block(
        channel=kind,
        meter_id=meter_id,
        meter_kind=meter_kind,
        day=day,
        values=tuple(given),
        quality=tuple(Quality.MISSING if value is None else quality for value in given),
        gas_factor=() if factor is None else tuple(GasFactor.NONE if v is None else factor for v in given),
    )
