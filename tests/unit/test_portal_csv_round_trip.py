"""Files with a current header come out byte for byte as they went in; tests/data/make_portal_files.py made them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from market.channel import Energy
from market.local_time import slice_bounds, slice_count
from market.portal_words import Language
from market.quality import GasFactor, Quality
from services.export.domain.assembly import assemble
from services.export.domain.series import Block, Granularity, Series, Slice
from services.export.files.portal_csv import write_portal_csv
from services.metering.block_input import BlockInput, PortalFile
from services.metering.portal_csv import read_portal_csv

DATA = Path(__file__).parents[1] / "data"
QUARTER, HOUR, DAY = Granularity.QUARTER, Granularity.HOUR, Granularity.DAY


def stored(block: BlockInput) -> Block:
    """The block as the store keeps it: the whole day, slices that never came in missing."""
    after = slice_count(block.channel.energy, block.channel.resolution, block.day) - block.first_slice
    pad = after - len(block.values)
    factor = (GasFactor.NONE,)
    return Block(
        channel=block.channel,
        meter_id=block.meter_id,
        meter_kind=block.meter_kind,
        day=block.day,
        values=(None,) * block.first_slice + block.values + (None,) * pad,
        quality=(Quality.MISSING,) * block.first_slice + block.quality + (Quality.MISSING,) * pad,
        gas_factor=factor * block.first_slice + block.gas_factor + factor * pad if block.gas_factor else (),
    )


def read(name: str) -> tuple[bytes, PortalFile]:
    data = (DATA / name).read_bytes()
    portal_file = read_portal_csv(data)
    assert portal_file.refusals == []
    assert portal_file.tariff_mismatch_count == 0
    return data, portal_file


def write(portal_file: PortalFile, granularity: Granularity, language: Language, last_day: date) -> bytes:
    blocks = portal_file.blocks
    first_day = min(block.day for block in blocks)
    series = assemble(
        map(stored, blocks), granularity=granularity, first_day=first_day, last_day=last_day, today=date(2027, 1, 1)
    )
    energy = blocks[0].channel.energy
    return write_portal_csv(series, ean=blocks[0].ean, energy=energy, language=language, last_day=last_day)


@pytest.mark.parametrize(
    ("name", "granularity", "last_day"),
    [
        ("portal_nl_digital_quarter_october.csv", QUARTER, date(2026, 10, 25)),
        ("portal_en_digital_quarter_october.csv", QUARTER, date(2026, 10, 25)),
        ("portal_nl_digital_quarter_march.csv", QUARTER, date(2026, 3, 29)),
        ("portal_nl_digital_quarter_weekday.csv", QUARTER, date(2026, 11, 19)),
        ("portal_nl_digital_quarter_swap.csv", QUARTER, date(2026, 11, 19)),
        ("portal_nl_digital_day.csv", DAY, date(2026, 10, 26)),
        ("portal_nl_gas_hour_october.csv", HOUR, date(2026, 10, 25)),
        ("portal_en_gas_hour_october.csv", HOUR, date(2026, 10, 25)),
        ("portal_nl_gas_hour_march.csv", HOUR, date(2026, 3, 29)),
        ("portal_nl_gas_day.csv", DAY, date(2026, 10, 26)),
        ("portal_nl_amr_quarter_october.csv", QUARTER, date(2026, 10, 25)),
        ("portal_nl_amr_quarter_march.csv", QUARTER, date(2026, 3, 29)),
        ("portal_nl_amr_day_october.csv", DAY, date(2026, 10, 26)),
        ("portal_nl_amr_day_march.csv", DAY, date(2026, 3, 30)),
        ("portal_nl_sub_head_quarter.csv", QUARTER, date(2026, 11, 19)),
    ],
)
def test_a_file_with_a_current_header_comes_out_byte_for_byte(
    name: str, granularity: Granularity, last_day: date
) -> None:
    data, portal_file = read(name)
    assert write(portal_file, granularity, Language(name[7:9]), last_day) == data


@pytest.mark.parametrize("name", ["portal_nl_digital_quarter_october.csv", "portal_nl_amr_quarter_october.csv"])
def test_a_file_written_in_french_reads_back_to_the_same_blocks(name: str) -> None:
    _, portal_file = read(name)
    french = write(portal_file, QUARTER, Language.FR, date(2026, 10, 25))
    assert french.startswith("\ufeffDe (date);De (heure);".encode())
    assert read_portal_csv(french).blocks == portal_file.blocks


def test_the_peak_file_comes_out_byte_for_byte() -> None:
    data, portal_file = read("portal_nl_digital_month_peak.csv")
    series = Series(
        channel=portal_file.blocks[0].channel,
        meter_id=portal_file.blocks[0].meter_id,
        meter_kind=portal_file.blocks[0].meter_kind,
        granularity=Granularity.MONTH,
        slices=tuple(month(block, is_running=block.day == date(2026, 11, 1)) for block in portal_file.blocks),
        total=None,
    )
    assert [block.values for block in portal_file.blocks] == [(2950,), (3412,), (1204,)]
    last_day = date(2026, 11, 30)
    ean = portal_file.blocks[0].ean
    assert (
        write_portal_csv([series], ean=ean, energy=Energy.ELECTRICITY, language=Language.NL, last_day=last_day) == data
    )


def month(block: BlockInput, *, is_running: bool) -> Slice:
    start, end = slice_bounds(block.channel.energy, block.channel.resolution, block.day)
    return Slice(
        start=start,
        end=end,
        day=block.day,
        value=block.values[0],
        quality=block.quality[0],
        is_running=is_running,
    )


def test_the_hundred_quarters_of_october_keep_their_order() -> None:
    _, portal_file = read("portal_nl_digital_quarter_october.csv")
    offtake, injection = portal_file.blocks
    # Printed 02:00 02:00 02:15 02:15 ...: the 9th, 11th, 13th and 15th row are summer, the four between them winter.
    # The 10th row is estimated and the 20th (a quarter past four) missing.
    assert offtake.values[:20] == (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 10, 12, 14, 16, 17, 18, 19, None)
    assert injection.values[96:] == (5097, 5098, 5099, 5100)
    assert offtake.quality[12] is Quality.ESTIMATED
    assert (offtake.first_slice, len(offtake.values), len(injection.values)) == (0, 100, 100)


def test_the_changed_hours_of_gas_lie_in_the_day_that_began_before() -> None:
    _, october = read("portal_nl_gas_hour_october.csv")
    _, march = read("portal_nl_gas_hour_march.csv")
    assert [(block.day.isoformat(), len(block.values)) for block in october.blocks] == [
        ("2026-10-24", 25),
        ("2026-10-24", 25),
        ("2026-10-25", 18),
        ("2026-10-25", 18),
    ]
    assert [(block.day.isoformat(), len(block.values)) for block in march.blocks] == [
        ("2026-03-28", 23),
        ("2026-03-28", 23),
        ("2026-03-29", 18),
        ("2026-03-29", 18),
    ]
    volume, energy = october.blocks[:2]
    assert volume.values == (1, 2, None, *range(4, 26))
    assert energy.values == (11, 22, None, *range(44, 276, 11))
    assert energy.gas_factor[:4] == (GasFactor.DEFINITIVE, GasFactor.NONE, GasFactor.NONE, GasFactor.DEFINITIVE)
    assert volume.gas_factor == ()


def test_rows_of_a_swapped_meter_belong_to_the_meter_that_measured() -> None:
    _, portal_file = read("portal_nl_digital_quarter_swap.csv")
    old, _, new, _ = portal_file.blocks
    assert (old.meter_id, old.first_slice, len(old.values), old.values[38:]) == (
        "1SAG0000000001",
        0,
        42,
        (39, 40, None, None),
    )
    assert (new.meter_id, new.first_slice, len(new.values), new.values[0]) == ("1SAG0000000002", 42, 54, 43)
