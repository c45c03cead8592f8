"""A house, its net users, a holder with a mandate: fixed facts for the tests of what may leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from market.channel import Energy
from services.export.domain.permissions import AllocationPoint, Contract, Mandate, Occupancy, PointFacts
from tests.examples import CONTRACT, GAS_HOUSE, HOLDER_KBO, HOUSE

ANNA = UUID("00000000-0000-4000-8000-00000000000a")
BART = UUID("00000000-0000-4000-8000-00000000000b")
MANDATE_ID = UUID("00000000-0000-4000-8000-0000000000aa")
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

GRANTED = Mandate(
    mandate_id=MANDATE_ID,
    ean=HOUSE,
    contract_number=CONTRACT,
    holder_kbo=HOLDER_KBO,
    reference_number="ref-1",
    data_service_type="VH_onbepaald",
    data_period_from=None,
    data_period_to=None,
    net_user_id=ANNA,
    occupied_from=date(2025, 3, 1),
    granted_at=datetime(2026, 1, 10, 9, 30, tzinfo=UTC),
    expires_at=datetime(2029, 1, 10, 23, 0, tzinfo=UTC),
)
SIGNED = Contract(contract_number=CONTRACT, holder_kbo=HOLDER_KBO, valid_from=date(2026, 1, 1))
HOME = PointFacts(
    ean=HOUSE,
    energy=Energy.ELECTRICITY,
    allocation_points=(AllocationPoint(allocation_point_id="1", added_on=date(2019, 1, 1)),),
    occupancies=(Occupancy(allocation_point_id="1", net_user_id=ANNA, first_on=date(2025, 3, 1)),),
    mandates=(GRANTED,),
    contracts=(SIGNED,),
)
GAS_HOME = replace(HOME, ean=GAS_HOUSE, energy=Energy.GAS, mandates=(replace(GRANTED, ean=GAS_HOUSE),))


def with_mandate(facts: PointFacts = HOME, **changes: Any) -> PointFacts:
    """The same facts, with the mandate changed."""
    return replace(facts, mandates=(replace(facts.mandates[0], **changes),))


def with_stays(*stays: Occupancy, facts: PointFacts = HOME, **changes: Any) -> PointFacts:
    """The same facts, with these occupancies instead."""
    return replace(facts, occupancies=stays, **changes)
