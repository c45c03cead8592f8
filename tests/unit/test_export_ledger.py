"""The ledger is a chain: whatever is changed in it later shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from eventlog.events import DataDelivered
from services.export.domain.ledger import Delivery, LedgerBroken, enter, stream_of, verify
from tests.examples import HOUSE, ORDINARY_DAY

FIRST = Delivery(
    exchange_id=UUID("00000000-0000-4000-8000-00000000000a"),
    ean=HOUSE,
    channel="operator",
    recipient="kwartier",
    granularity="quarter",
    first_day=ORDINARY_DAY,
    last_day=ORDINARY_DAY,
    value_count=96,
    delivered_at=datetime(2026, 11, 20, 12, 0, 0, 5, tzinfo=UTC),
)


def ledger(*counts: int) -> list[DataDelivered]:
    entries: list[DataDelivered] = []
    for count in counts:
        entries.append(enter(replace(FIRST, value_count=count), entries[-1] if entries else None))
    return entries


def test_the_first_entry_is_hashed_over_its_canonical_form() -> None:
    canonical = (
        '["00000000-0000-4000-8000-00000000000a","541448800000000017","operator","kwartier","quarter",'
        '"2026-11-19","2026-11-19","96","2026-11-20T12:00:00.000005Z",'
        '"0000000000000000000000000000000000000000000000000000000000000000"]'
    )
    [entry] = ledger(96)
    assert entry.previous_hash == "0" * 64
    assert entry.hash == sha256(canonical.encode()).hexdigest()


def test_an_entry_names_the_hash_of_the_one_before() -> None:
    first, second = ledger(96, 0)
    assert second.previous_hash == first.hash
    assert second.hash != first.hash


def test_an_untouched_ledger_holds() -> None:
    assert verify(ledger(96, 0, 2880)) == 3
    assert verify([]) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"exchange_id": UUID("00000000-0000-4000-8000-00000000000b")},
        {"ean": "541448800000000024"},
        {"channel": "api"},
        {"recipient": "somebody"},
        {"granularity": "day"},
        {"first_day": date(2026, 11, 18)},
        {"last_day": date(2026, 11, 20)},
        {"value_count": 95},
        {"delivered_at": datetime(2026, 11, 20, 12, 0, 0, 6, tzinfo=UTC)},
    ],
)
def test_a_changed_field_breaks_the_ledger(change: dict[str, object]) -> None:
    entries = ledger(96, 96, 96)
    entries[1] = replace(entries[1], **change)  # type: ignore[arg-type]
    with pytest.raises(LedgerBroken, match="entry 2 is not what was written"):
        verify(entries)


@for_all(st.integers(0, 3), st.integers(0, 3))
def test_an_entry_removed_or_moved_breaks_the_ledger(taken: int, put: int) -> None:
    entries = ledger(1, 2, 3, 4, 5)
    entry = entries.pop(taken)
    with pytest.raises(LedgerBroken, match="does not follow"):
        verify(entries)
    entries.insert(put, entry)
    if put == taken:
        assert verify(entries) == 5
    else:
        with pytest.raises(LedgerBroken):
            verify(entries)


def test_a_point_has_its_own_ledger() -> None:
    assert stream_of(HOUSE) == "ledger:541448800000000017"
