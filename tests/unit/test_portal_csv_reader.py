"""What the reader of the portal's file takes and what it refuses: the line and the reason, and the rest is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from market.quality import Quality
from services.metering.block_input import PortalFile, Refusal
from services.metering.portal_csv import MAX_REFUSAL_COUNT, read_portal_csv

POWER = (
    "Van (datum);Van (tijdstip);Tot (datum);Tot (tijdstip);EAN-code;Meter;Metertype;Register;Volume;Eenheid;"
    "Validatiestatus;Omschrijving"
)
OLDER = "Van datum;Van tijdstip;Tot datum;Tot tijdstip;EAN;Meter;Metertype;Register;Volume;Eenheid;Validatiestatus"
ENGLISH = (
    "From (date);From (time);Until (date);Until (time);EAN code;Meter;Meter type;Register;Volume;Unit;"
    "Validation status;Description"
)
EAN = '="541448800000000017"'
GOOD = f"19-11-2026;00:00:00;19-11-2026;00:15:00;{EAN};1SAG0000000001;Digitale meter;Afname Nacht;0,041;kWh;Uitgelezen;"
NEXT = f"19-11-2026;00:15:00;19-11-2026;00:30:00;{EAN};1SAG0000000001;Digitale meter;Afname Nacht;0,042;kWh;Uitgelezen;"


def read(*lines: str) -> PortalFile:
    return read_portal_csv("".join(f"{line}\r\n" for line in lines).encode())


def reason_for(row: str) -> str:
    """The reason for which `row` alone is refused, between two rows that are kept."""
    portal_file = read(POWER, GOOD, row, NEXT)
    assert [block.values for block in portal_file.blocks] == [(41, 42)]
    (refusal,) = portal_file.refusals
    assert refusal.line == 3
    return refusal.reason


def test_a_row_becomes_a_part_of_the_block_of_its_day() -> None:
    (block,) = read(POWER, GOOD, NEXT).blocks
    assert (block.ean, block.meter_id, block.channel.name) == (
        "541448800000000017",
        "1SAG0000000001",
        "OFFTAKE_ACTIVE_QUARTER_HOURLY",
    )
    assert (block.day.isoformat(), block.first_slice, block.values, block.line) == ("2026-11-19", 0, (41, 42), 2)
    assert block.quality == (Quality.MEASURED, Quality.MEASURED)
    assert block.gas_factor == ()


@pytest.mark.parametrize(
    "data",
    [
        f"\ufeff{POWER}\r\n{GOOD}\r\n{NEXT}\r\n",
        f"{POWER}\n{GOOD}\n{NEXT}",
        f"{POWER}\r\n{GOOD}\r\n{NEXT}",
        f"{POWER}\r\n{GOOD}\r\n\r\n{NEXT}\n\n",
        f"{OLDER}\n{GOOD[:-1]}\n{NEXT[:-1]}",
        f"{OLDER.replace('EAN', 'EAN-code').replace('Van datum', 'Van Datum')}\n{GOOD[:-1]}\n{NEXT[:-1]}",
        f"{POWER}\n{GOOD}\n{NEXT}".replace("Digitale meter", "Digitale Meter").replace(EAN, "541448800000000017"),
        f"{ENGLISH}\r\n{GOOD}\r\n{NEXT}\r\n".replace("19-11-2026", "19/11/2026")
        .replace("Digitale meter", "Digital meter")
        .replace("Afname Nacht", "Offtake Night")
        .replace("Uitgelezen", "Read"),
    ],
    ids=["bom", "lf", "no last newline", "blank lines", "older", "older, other words", "capitals", "english"],
)
def test_every_known_form_of_a_file_gives_the_same_values(data: str) -> None:
    portal_file = read_portal_csv(data.encode())
    assert portal_file.refusals == []
    assert [(block.values, block.first_slice) for block in portal_file.blocks] == [((41, 42), 0)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf\r\n", "this is not a header of the portal's file: column 1 is not known or missing"),
        (b"ean,day,value\r\n", "this is not a header of the portal's file: column 1 is not known or missing"),
        (
            POWER.replace("Register", "Teller").encode(),
            "this is not a header of the portal's file: column 8 is not known or missing",
        ),
        (
            POWER.replace("Omschrijving", "Opmerking").encode(),
            "this is not a header of the portal's file: column 12 is not known or missing",
        ),
        (
            f"\ufeff{POWER}\r\n".encode("utf-16"),
            "byte 0xff in column 1 is not UTF-8; save the file as UTF-8, not as Latin-1",
        ),
    ],
)
def test_a_file_without_a_known_header_is_refused_as_a_whole(data: bytes, reason: str) -> None:
    assert read_portal_csv(data) == PortalFile(blocks=[], refusals=[Refusal(1, reason)])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (";Uitgelezen;", ";Uitgelezen", "the row has 11 columns, the header has 12"),
        ("0,041", "0;041", "the row has 13 columns, the header has 12"),
        ("017", "018", "the check digit of the EAN is wrong"),
        (EAN, "5.41449E+17", 'the EAN is not printed as ="..." with 18 digits'),
        ("1SAG0000000001", "=cmd()", "the meter number holds signs that a meter number does not have"),
        ("Digitale meter", "Klassieke meter", "the meter type 'Klassieke meter' is not known"),
        (
            "Afname Nacht",
            "Afname Actief",
            "the register 'Afname Actief' is not one of this meter type and this length of time",
        ),
        ("kWh", "kVArh", "the unit 'kVArh' does not fit the register 'Afname Nacht'"),
        ("0,041", "0.041", "the volume is not a number with a decimal comma and three decimals"),
        ("0,041", "-0,041", "the volume is not a number with a decimal comma and three decimals"),
        ("0,041", "0,0410", "the volume is not a number with a decimal comma and three decimals"),
        ("0,041", "1.000,041", "the volume is not a number with a decimal comma and three decimals"),
        ("0,041", "", "the volume is not a number with a decimal comma and three decimals"),
        ("0,041", "٠,٠٤١", "the volume is not a number with a decimal comma and three decimals"),
        ("0,041", "2147483,648", "the volume is greater than 2147483 kWh"),
        ("0,041", "9" * 400 + ",000", "the volume is greater than 2147483 kWh"),
        ("Uitgelezen", "Geen verbruik", "a volume stands beside 'Geen verbruik'"),
        ("Uitgelezen", "Ongevalideerd", "the validation status 'Ongevalideerd' is not one of this meter type"),
        ("00:15:00", "00:30:00", "the end does not fit the start: no quarter, hour, day or month runs like that"),
        ("00:15:00", "01:00:00", "the end does not fit the start: no quarter, hour, day or month runs like that"),
        ("00:00:00", "24:00:00", "nothing starts at this time on this day"),
        ("19-11-2026;00:00", "31-02-2026;00:00", "the start date is not a day of the calendar"),
        ("19-11-2026;00:00", "2026-11-19;00:00", "the start date is not written as DD-MM-YYYY"),
        ("19-11-2026;00:00", "19/11/2026;00:00", "the start date is not written as DD-MM-YYYY"),
        ("19-11-2026;00:00", "19-11-0026;00:00", "the year of the start date is not one of 1990 to 2099"),
    ],
)
def test_a_cell_that_does_not_fit_names_the_line_and_the_reason_and_the_rest_is_kept(
    old: str, new: str, reason: str
) -> None:
    assert reason_for(GOOD.replace(old, new)) == reason


def test_a_latin_1_byte_names_its_line_and_column_and_the_rest_is_kept() -> None:
    labelled = f"{NEXT}Caf\u00e9".replace("00:15:00;19", "00:30:00;19").replace("00:30:00;=", "00:45:00;=")
    data = (
        "\r\n".join((POWER, GOOD, "", NEXT))
        .encode()
        .replace(b"\r\n\r\n", b"\r\n" + labelled.encode("latin-1") + b"\r\n")
    )
    portal_file = read_portal_csv(data)
    assert [block.values for block in portal_file.blocks] == [(41, 42)]
    assert portal_file.refusals == [
        Refusal(3, "byte 0xe9 in column 130 is not UTF-8; save the file as UTF-8, not as Latin-1")
    ]


def test_the_label_of_a_customer_is_neither_kept_nor_named() -> None:
    (block,) = read(POWER, f"{GOOD}Oma's huis").blocks
    assert "Oma" not in repr(block)


def test_a_line_of_absurd_length_is_refused_and_the_rest_is_kept() -> None:
    assert reason_for(GOOD + "x" * 1000) == "the line is longer than 1000 bytes"


def test_a_file_of_too_many_rows_is_read_up_to_the_limit() -> None:
    data = "\n".join((POWER, GOOD, NEXT)).encode()
    portal_file = read_portal_csv(data, max_row_count=1)
    assert [block.values for block in portal_file.blocks] == [(41,)]
    assert portal_file.refusals == [Refusal(3, "the file has more than 1 rows: split it")]


def test_refusals_past_the_limit_are_counted_and_not_listed() -> None:
    portal_file = read(POWER, *["broken"] * (MAX_REFUSAL_COUNT + 7))
    assert len(portal_file.refusals) == MAX_REFUSAL_COUNT + 1
    assert portal_file.refusals[0] == Refusal(2, "the row has 1 column, the header has 12")
    assert portal_file.refusals[-1] == Refusal(
        MAX_REFUSAL_COUNT + 2, "this line and others below, 7 in all, are refused and not listed"
    )


def test_two_rows_for_one_slice_refuse_that_block_and_name_both_lines() -> None:
    doubled = GOOD.replace("0,041", "0,099")
    injection = GOOD.replace("Afname", "Injectie")
    portal_file = read(POWER, GOOD, NEXT, injection, doubled)
    assert [block.channel.name for block in portal_file.blocks] == ["INJECTION_ACTIVE_QUARTER_HOURLY"]
    assert portal_file.refusals == [Refusal(5, "line 2 has the same slice: nothing of that register and day is taken")]


def test_a_day_of_97_quarters_is_refused_whichever_quarter_is_too_many() -> None:
    starts = [f"{hour:02}:{minute:02}:00" for hour in range(24) for minute in (0, 15, 30, 45)]
    rows = [
        GOOD.replace("19-11-2026;00:00:00;19-11-2026;00:15:00", f"19-11-2026;{start};{end}").replace(
            "Nacht", "Dag" if "07:00:00" <= start < "22:00:00" else "Nacht"
        )
        for start, end in zip(starts, [f"19-11-2026;{t}" for t in starts[1:]] + ["20-11-2026;00:00:00"], strict=True)
    ]
    for place in (0, 9, 95):
        portal_file = read(POWER, *rows, rows[place])
        assert portal_file.blocks == []
        assert portal_file.refusals == [
            Refusal(98, f"line {place + 2} has the same slice: nothing of that register and day is taken")
        ]


def test_a_file_with_six_faults_names_each_of_them_and_keeps_the_rest() -> None:
    data = (Path(__file__).parents[1] / "data" / "portal_nl_with_faults.csv").read_bytes()
    portal_file = read_portal_csv(data)
    assert portal_file.refusals == [
        Refusal(11, "the row has 3 columns, the header has 12"),
        Refusal(12, "the check digit of the EAN is wrong"),
        Refusal(13, "the unit 'kVArh' does not fit the register 'Afname Nacht'"),
        Refusal(14, "byte 0xe9 in column 130 is not UTF-8; save the file as UTF-8, not as Latin-1"),
        Refusal(15, "the volume is not a number with a decimal comma and three decimals"),
        Refusal(194, "line 193 has the same slice: nothing of that register and day is taken"),
    ]
    (block,) = portal_file.blocks
    assert block.values == (*range(1, 10), None, None, None, None, None, *range(15, 97))
