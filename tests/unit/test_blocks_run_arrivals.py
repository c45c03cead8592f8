"""What a run brought, counted by source, day and energy; late by the market's deadlines alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from eventlog.events import RunArrival
from market.channel import BY_NAME, Energy, MeterKind, Resolution
from market.deadline import readings_due_at
from services.metering.run_arrivals import COLUMNS, run_arrivals

POWER, GAS = "OFFTAKE_ACTIVE_QUARTER_HOURLY", "OFFTAKE_GAS_ENERGY_HOURLY"
THURSDAY = date(2026, 11, 19)
POWER_DUE = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)  # midnight in Brussels after Friday
FIRST, COMPLETING, REVISING = "is_first", "is_completing", "is_revising"


def told(
    *effects: str,
    source: str = "a",
    day: date = THURSDAY,
    channel: str = POWER,
    kind: MeterKind = MeterKind.DIGITAL,
    at: datetime = POWER_DUE,
) -> pl.DataFrame:
    """One reading with its effects."""
    row = {"record_offset": 0, "source": source, "day": day, "channel": BY_NAME[channel].code, "meter_kind": kind.value}
    given = {name: name in effects for name in (FIRST, COMPLETING, REVISING)}
    frame = pl.DataFrame([{**row, "recorded_at": at, **given}])
    return frame.with_columns(pl.col("recorded_at").cast(pl.Datetime("us", "UTC"))).select(COLUMNS)


def counts(*frames: pl.DataFrame) -> list[tuple[str, date, str, int, int, int, int]]:
    return [
        (each.source, each.day, each.energy, each.new_count, each.completed_count, each.late_count, each.revised_count)
        for each in run_arrivals(frames)
    ]


def test_a_run_that_changed_nothing_brought_nothing() -> None:
    assert run_arrivals([]) == ()
    assert run_arrivals([told()]) == ()


def test_groups_are_ordered_by_source_day_and_energy() -> None:
    friday = THURSDAY + timedelta(days=1)
    frames = [told(FIRST, source="b"), told(FIRST, channel=GAS), told(FIRST, day=friday), told(FIRST), told(FIRST)]
    assert counts(*frames) == [
        ("a", THURSDAY, "ELECTRICITY", 2, 0, 0, 0),
        ("a", THURSDAY, "GAS", 1, 0, 0, 0),
        ("a", friday, "ELECTRICITY", 1, 0, 0, 0),
        ("b", THURSDAY, "ELECTRICITY", 1, 0, 0, 0),
    ]


def test_channels_and_kinds_of_meter_of_one_energy_are_one_group() -> None:
    injection = "INJECTION_ACTIVE_QUARTER_HOURLY"
    assert run_arrivals([told(FIRST, COMPLETING), told(REVISING, channel=injection), told(REVISING, COMPLETING)]) == (
        RunArrival(
            source="a",
            day=THURSDAY,
            energy="ELECTRICITY",
            new_count=1,
            completed_count=2,
            late_count=0,
            revised_count=2,
        ),
    )


@pytest.mark.parametrize(
    ("seconds", "late_counts"), [((0, 0), 0), ((1, 1), 2), ((0, 1), 1)], ids=["all in time", "all late", "one late"]
)
def test_a_new_block_is_late_when_its_record_was_appended_after_the_instant(
    seconds: tuple[int, int], late_counts: int
) -> None:
    frames = [told(FIRST, at=POWER_DUE + timedelta(microseconds=each)) for each in seconds]
    assert counts(*frames) == [("a", THURSDAY, "ELECTRICITY", 2, 0, late_counts, 0)]


def test_a_revision_is_never_late() -> None:
    assert counts(told(REVISING, at=POWER_DUE + timedelta(days=9)), told(FIRST)) == [
        ("a", THURSDAY, "ELECTRICITY", 1, 0, 0, 1)
    ]


@pytest.mark.parametrize(
    ("energy", "resolution", "kind", "day", "due_at"),
    [
        (Energy.ELECTRICITY, Resolution.QUARTER_HOURLY, MeterKind.DIGITAL, date(2026, 11, 20), "2026-11-21T23:00"),
        # Friday's quarters of an AMR meter: until Monday ends. Before All Saints (a Sunday), until Monday too.
        (Energy.ELECTRICITY, Resolution.QUARTER_HOURLY, MeterKind.AMR, date(2026, 11, 20), "2026-11-23T23:00"),
        (Energy.ELECTRICITY, Resolution.QUARTER_HOURLY, MeterKind.AMR, date(2026, 10, 30), "2026-11-02T23:00"),
        # Wednesday 11 November is Armistice: Tuesday's are due on Thursday.
        (Energy.ELECTRICITY, Resolution.QUARTER_HOURLY, MeterKind.AMR, date(2026, 11, 10), "2026-11-12T23:00"),
        # The day of 25 hours: the next day ends in winter time.
        (Energy.ELECTRICITY, Resolution.DAILY, MeterKind.DIGITAL, date(2026, 10, 25), "2026-10-26T23:00"),
        (Energy.ELECTRICITY, Resolution.MONTHLY, MeterKind.DIGITAL, date(2026, 10, 1), "2026-11-01T23:00"),
        # A gas day ends at six, local time; then 72 hours.
        (Energy.GAS, Resolution.HOURLY, MeterKind.AMR, date(2026, 11, 19), "2026-11-23T05:00"),
        (Energy.GAS, Resolution.HOURLY, MeterKind.DIGITAL, date(2026, 7, 1), "2026-07-05T04:00"),
    ],
)
def test_readings_are_due(energy: Energy, resolution: Resolution, kind: MeterKind, day: date, due_at: str) -> None:
    assert readings_due_at(energy, resolution, kind, day) == datetime.fromisoformat(due_at).replace(tzinfo=UTC)
