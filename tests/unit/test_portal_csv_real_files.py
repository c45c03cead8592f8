"""Two files that the operator's portal made. Numbers were counted with cut, sort and uniq, not with our code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from market.channel import BY_NAME, Energy, MeterKind
from market.local_time import slice_count
from market.portal_words import Language
from market.quality import GasFactor, Quality
from services.export.domain.assembly import assemble
from services.export.domain.series import Block, Granularity
from services.export.files.portal_csv import write_portal_csv
from services.metering.block_input import BlockInput, PortalFile
from services.metering.portal_csv import read_portal_csv

REAL = Path(__file__).parents[1] / "data" / "real"
OFFTAKE = BY_NAME["OFFTAKE_ACTIVE_QUARTER_HOURLY"]
INJECTION = BY_NAME["INJECTION_ACTIVE_QUARTER_HOURLY"]
VOLUME = BY_NAME["OFFTAKE_GAS_VOLUME_HOURLY"]
ENERGY = BY_NAME["OFFTAKE_GAS_ENERGY_HOURLY"]


def blocks_of(portal_file: PortalFile, channel: object) -> list[BlockInput]:
    return [block for block in portal_file.blocks if block.channel == channel]


def counted(blocks: Iterable[BlockInput]) -> Counter[Quality]:
    return Counter(quality for block in blocks for quality in block.quality)


def total(blocks: Iterable[BlockInput]) -> int:
    return sum(value or 0 for block in blocks for value in block.values)


def test_the_quarters_of_2021_are_read_as_counted_by_hand() -> None:
    portal_file = read_portal_csv((REAL / "portal_nl_2021_electricity_quarter.csv").read_bytes())
    offtake, injection = blocks_of(portal_file, OFFTAKE), blocks_of(portal_file, INJECTION)
    assert (portal_file.refusals, portal_file.tariff_mismatch_count) == ([], 0)
    assert [block.day.day for block in offtake] == [block.day.day for block in injection] == list(range(12, 32))
    assert counted(offtake) == {Quality.MISSING: 1106, Quality.MEASURED_VALIDATED: 464, Quality.ESTIMATED: 354}
    assert counted(injection) == {Quality.MISSING: 1460, Quality.MEASURED_VALIDATED: 464}
    assert (total(offtake), total(injection)) == (18192, 0)
    assert max(value or 0 for block in offtake for value in block.values) == 253
    assert {len(block.values) for block in offtake[:-1]} == {96}
    assert len(offtake[-1].values) == 100
    assert {block.meter_kind for block in portal_file.blocks} == {MeterKind.DIGITAL}


def test_the_states_of_single_days_of_2021_are_as_counted_by_hand() -> None:
    portal_file = read_portal_csv((REAL / "portal_nl_2021_electricity_quarter.csv").read_bytes())
    offtake = {block.day.day: Counter(block.quality) for block in blocks_of(portal_file, OFFTAKE)}
    assert offtake[14] == {Quality.ESTIMATED: 36, Quality.MEASURED_VALIDATED: 36, Quality.MISSING: 24}
    assert offtake[24] == {Quality.ESTIMATED: 96}
    assert offtake[31] == {Quality.MISSING: 100}


def test_the_hours_of_2022_are_read_as_counted_by_hand() -> None:
    portal_file = read_portal_csv((REAL / "portal_nl_2022_gas_hour.csv").read_bytes())
    volume, energy = blocks_of(portal_file, VOLUME), blocks_of(portal_file, ENERGY)
    assert portal_file.refusals == []
    assert counted(volume) == counted(energy)
    assert counted(energy) == {Quality.MISSING: 1, Quality.MEASURED_VALIDATED: 47, Quality.ESTIMATED: 10}
    assert (total(energy), total(volume)) == (182_085, 16_045)
    assert [(block.day.day, block.first_slice, len(block.values)) for block in energy] == [
        (10, 0, 24),
        (11, 0, 24),
        (12, 0, 10),
    ]
    factors = Counter(factor for block in energy for factor in block.gas_factor)
    assert factors == {GasFactor.NONE: 1, GasFactor.PROVISIONAL: 17, GasFactor.DEFINITIVE: 40}
    assert energy[0].gas_factor[:3] == (GasFactor.NONE, GasFactor.PROVISIONAL, GasFactor.PROVISIONAL)


def download(portal_file: PortalFile, granularity: Granularity, energy: Energy, last_day: date) -> bytes:
    blocks = [whole(block) for block in portal_file.blocks]
    series = assemble(
        blocks, granularity=granularity, first_day=blocks[0].day, last_day=last_day, today=date(2027, 1, 1)
    )
    return write_portal_csv(
        series, ean=portal_file.blocks[0].ean, energy=energy, language=Language.NL, last_day=last_day
    )


def whole(block: BlockInput) -> Block:
    left = slice_count(block.channel.energy, block.channel.resolution, block.day) - len(block.values)
    assert block.first_slice == 0
    return Block(
        channel=block.channel,
        meter_id=block.meter_id,
        meter_kind=block.meter_kind,
        day=block.day,
        values=(*block.values, *(None,) * left),
        quality=(*block.quality, *(Quality.MISSING,) * left),
        gas_factor=(*block.gas_factor, *(GasFactor.NONE,) * left) if block.gas_factor else (),
    )


def test_the_file_of_2021_leaves_with_the_current_header_and_the_same_rows() -> None:
    data = (REAL / "portal_nl_2021_electricity_quarter.csv").read_text("utf-8-sig")
    rows = [row.replace("Digitale Meter", "Digitale meter") + ";\r\n" for row in data.split("\n")[1:]]
    header = (
        "\ufeffVan (datum);Van (tijdstip);Tot (datum);Tot (tijdstip);EAN-code;Meter;Metertype;Register;Volume;Eenheid;"
        "Validatiestatus;Omschrijving\r\n"
    )
    written = download(read_portal_csv(data.encode()), Granularity.QUARTER, Energy.ELECTRICITY, date(2021, 10, 31))
    assert written.decode() == header + "".join(rows)


def test_the_file_of_2022_leaves_with_cubic_metres_first_and_its_last_day_filled_with_missing_rows() -> None:
    data = (REAL / "portal_nl_2022_gas_hour.csv").read_text("utf-8-sig")
    rows = [row.replace("Digitale Meter", "Digitale meter") + ";" for row in data.split("\n")[1:]]
    swapped = [row for energy, volume in zip(rows[::2], rows[1::2], strict=True) for row in (volume, energy)]
    clock = [f"{hour:02}:00:00" for hour in range(16, 24)]
    ends = [("12-01-2022", time) for time in clock[1:]] + [("13-01-2022", "00:00:00")]
    missing = [
        f'12-01-2022;{start};{day};{end};="541448812345678912";7FLO12345678;Digitale meter;Afname;;{unit};'
        "Geen verbruik;;"
        for start, (day, end) in zip(clock, ends, strict=True)
        for unit in ("m³", "kWh")
    ]
    written = download(read_portal_csv(data.encode()), Granularity.HOUR, Energy.GAS, date(2022, 1, 12))
    assert written.decode().split("\r\n")[1:] == [*swapped, *missing, ""]
