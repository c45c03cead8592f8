"""Whatever blocks there are, written and read back they are the same; and no bytes make the reader raise."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from market.channel import BY_NAME, Channel, Energy, MeterKind, Quantity, Resolution
from market.ean import Ean
from market.local_time import slice_count
from market.portal_words import Language
from market.quality import GasFactor, Quality
from services.export.domain.assembly import assemble
from services.export.domain.series import Block, Granularity
from services.export.files.portal_csv import write_portal_csv
from services.metering.block_input import BlockInput
from services.metering.portal_csv import read_portal_csv

EAN = Ean("541448800000000017")
STATES = {
    MeterKind.DIGITAL: (Quality.MEASURED, Quality.ESTIMATED, Quality.MEASURED_VALIDATED),
    MeterKind.AMR: (Quality.MEASURED_VALIDATED, Quality.MEASURED_NOT_VALIDATED),
}
# What each kind of meter has; AMR has all three reactive series, so that none is derived.
NAMES = {
    (MeterKind.DIGITAL, Granularity.QUARTER): ("OFFTAKE_ACTIVE_QUARTER_HOURLY", "INJECTION_ACTIVE_QUARTER_HOURLY"),
    (MeterKind.AMR, Granularity.QUARTER): (
        "OFFTAKE_ACTIVE_QUARTER_HOURLY",
        "OFFTAKE_INDUCTIVE_QUARTER_HOURLY",
        "PRODUCTION_ACTIVE_QUARTER_HOURLY",
    ),
    (MeterKind.DIGITAL, Granularity.HOUR): ("OFFTAKE_GAS_VOLUME_HOURLY", "OFFTAKE_GAS_ENERGY_HOURLY"),
    (MeterKind.AMR, Granularity.HOUR): ("OFFTAKE_GAS_ENERGY_HOURLY", "INJECTION_GAS_ENERGY_HOURLY"),
    (MeterKind.DIGITAL, Granularity.DAY): (
        "OFFTAKE_ACTIVE_DAY_DAILY",
        "OFFTAKE_ACTIVE_NIGHT_DAILY",
        "INJECTION_ACTIVE_DAY_DAILY",
        "INJECTION_ACTIVE_NIGHT_DAILY",
    ),
    (MeterKind.AMR, Granularity.DAY): (
        "OFFTAKE_ACTIVE_DAY_DAILY",
        "OFFTAKE_ACTIVE_NIGHT_DAILY",
        "OFFTAKE_CAPACITIVE_DAILY",
    ),
}
DAYS_AROUND_CHANGES = st.sampled_from([date(2026, 3, 28), date(2026, 10, 24), date(2027, 3, 27), date(2026, 12, 30)])


@st.composite
def blocks_of_a_point(draw: st.DrawFn) -> tuple[Granularity, list[Block]]:
    """Two days of every channel of a meter; values drawn, so that neighbours differ."""
    kind, granularity = draw(st.sampled_from(sorted(NAMES)))
    start = draw(DAYS_AROUND_CHANGES)
    seed = draw(st.integers(0, 2_000_000_000))
    channels = [BY_NAME[name] for name in NAMES[kind, granularity]]
    return granularity, [
        draw(block(channel, kind, start + timedelta(days=offset), seed + place))
        for offset in (0, 1)
        for place, channel in enumerate(channels)
    ]


@st.composite
def block(draw: st.DrawFn, channel: Channel, kind: MeterKind, day: date, seed: int) -> Block:
    count = slice_count(channel.energy, channel.resolution, day)
    missing = draw(st.sets(st.integers(0, count - 1), max_size=10))
    step = draw(st.integers(1, 999_983))
    states = draw(st.lists(st.sampled_from(STATES[kind]), min_size=count, max_size=count))
    factor = draw(st.sampled_from(GasFactor))
    values = tuple(None if i in missing else (seed + step * i) % 2_147_483_648 for i in range(count))
    has_factor = channel.quantity is Quantity.GAS_ENERGY
    return Block(
        channel=channel,
        meter_id="" if kind is MeterKind.AMR else "1SAG0000000001",
        meter_kind=kind,
        day=day,
        values=values,
        quality=tuple(Quality.MISSING if v is None else state for v, state in zip(values, states, strict=True)),
        gas_factor=tuple(GasFactor.NONE if v is None else factor for v in values) if has_factor else (),
    )


def as_read(entry: Block, last_day: date) -> BlockInput:
    """What a reader sees of a block: the last gas day of a list ends at local midnight."""
    is_cut = entry.channel.resolution is Resolution.HOURLY and entry.day == last_day
    until = 18 if is_cut else len(entry.values)
    return BlockInput(
        ean=EAN,
        meter_id=entry.meter_id,
        meter_kind=entry.meter_kind,
        channel=entry.channel,
        day=entry.day,
        first_slice=0,
        values=entry.values[:until],
        quality=entry.quality[:until],
        gas_factor=entry.gas_factor[:until],
    )


@settings(max_examples=60, deadline=None)
@given(blocks_of_a_point(), st.sampled_from(Language))
def test_blocks_that_are_written_and_read_back_are_the_same(
    point: tuple[Granularity, list[Block]], language: Language
) -> None:
    granularity, blocks = point
    first_day, last_day = blocks[0].day, blocks[-1].day
    series = assemble(blocks, granularity=granularity, first_day=first_day, last_day=last_day, today=date(2028, 1, 1))
    energy = blocks[0].channel.energy
    portal_file = read_portal_csv(
        write_portal_csv(series, ean=EAN, energy=energy, language=language, last_day=last_day)
    )
    assert (portal_file.refusals, portal_file.tariff_mismatch_count) == ([], 0)
    found = {(entry.day, entry.channel): forget_line(entry) for entry in portal_file.blocks}
    assert found == {(entry.day, entry.channel): as_read(entry, last_day) for entry in blocks}


def forget_line(entry: BlockInput) -> BlockInput:
    return BlockInput(
        **{field: getattr(entry, field) for field in BlockInput.__dataclass_fields__ if field != "line"}, line=0
    )


DUTCH = (
    "Van (datum);Van (tijdstip);Tot (datum);Tot (tijdstip);EAN-code;Meter;Metertype;Register;Volume;Eenheid;"
    "Validatiestatus;Omschrijving"
)
ENGLISH = (
    "From (date);From (time);Until (date);Until (time);EAN code;Meter;Meter type;Register;Volume;Unit;"
    "Validation status;Caloric upper value;Description"
)
CELLS = st.sampled_from(
    [
        *("25-10-2026", "26/10/2026", "02:45:00", "02:00:00", "00:00:00", '="541448800000000017"', "1SAG1"),
        *("Digitale meter", "AMR meter", "Afname Nacht", "Offtake", "0,041", "", "kWh", "m³", "Uitgelezen", "Read"),
        *("Geen verbruik", "Voorlopig", "31-12-9999", "00-00-0000", "²,000", "\x00", "'", "=1+1", "é"),
    ]
) | st.text(max_size=12)  # fmt: skip
ROWS = st.lists(CELLS, max_size=14).map(";".join)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([DUTCH, ENGLISH]), st.lists(ROWS, max_size=12), st.binary(max_size=20))
def test_no_rows_make_the_reader_raise(header: str, rows: list[str], tail: bytes) -> None:
    data = "\n".join((header, *rows, "")).encode("utf-8", "surrogatepass") + tail
    portal_file = read_portal_csv(data)
    assert all(refusal.line > 1 and "\n" not in refusal.reason for refusal in portal_file.refusals)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_raise(data: bytes) -> None:
    portal_file = read_portal_csv(data)
    assert portal_file.blocks == []
    assert len(portal_file.refusals) == 1


def test_each_energy_has_its_header() -> None:
    for energy in Energy:
        data = write_portal_csv([], ean=EAN, energy=energy, language=Language.EN, last_day=date(2026, 1, 1))
        assert data.count(b"\r\n") == 1
        assert (b"Caloric upper value" in data) == (energy is Energy.GAS)
