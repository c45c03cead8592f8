"""Writes the hand-made portal files of this folder; knows the layout by heart and nothing of the code under test.

Run it in this folder: `python make_portal_files.py`. Every number is a count, so that no two rows of a file look alike.
Times are written out, never computed by a time zone: what the clocks do on 25-10-2026 and 29-03-2026 stands below.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

HEAD = (
    "Van (datum);Van (tijdstip);Tot (datum);Tot (tijdstip);EAN-code;Meter;Metertype;Register;Volume;Eenheid;"
    "Validatiestatus;"
)
HEAD_EN = (
    "From (date);From (time);Until (date);Until (time);EAN code;Meter;Meter type;Register;Volume;Unit;"
    "Validation status;"
)
DIGITAL_EAN, GAS_EAN, AMR_EAN, SUB_EAN = (
    "541448800000000017",
    "541448800000000024",
    "541448800000000031",
    "541448800000000048",
)

QUARTERS = [f"{hour:02}:{minute:02}:00" for hour in range(24) for minute in (0, 15, 30, 45)]
HOURS = [f"{hour:02}:00:00" for hour in range(24)]


def spans(starts: list[str], first: str, after: str) -> Iterator[tuple[str, str, str, str]]:
    """(start date, start time, end date, end time) of an ordinary day's slices."""
    for start, end in zip(starts, [*starts[1:], "00:00:00"], strict=True):
        yield first, start, after if end == "00:00:00" else first, end


def october_quarters() -> Iterator[tuple[str, str, str, str]]:
    """100 rows: the quarters from 02:00 to 02:45 twice, interleaved, the last summer one back to 02:00."""
    for day, start, end_day, end in spans(QUARTERS, "25-10-2026", "26-10-2026"):
        if start == "02:45:00":
            yield day, "02:45:00", day, "02:00:00"
            yield day, "02:45:00", day, "03:00:00"
        elif start.startswith("02"):
            yield day, start, day, end
            yield day, start, day, end
        else:
            yield day, start, end_day, end


def march_quarters() -> Iterator[tuple[str, str, str, str]]:
    """92 rows: 01:45 runs to 03:00."""
    for day, start, end_day, end in spans(QUARTERS, "29-03-2026", "30-03-2026"):
        if start == "01:45:00":
            yield day, start, day, "03:00:00"
        elif not start.startswith("02"):
            yield day, start, end_day, end


def gas_hours(change: str, first: str, second: str, third: str) -> Iterator[tuple[str, str, str, str]]:
    """From 06:00 of `first` to midnight after `second`; `change` is what the clocks do in the night between."""
    yield from list(spans(HOURS, first, second))[6:]
    for day, start, end_day, end in spans(HOURS, second, third):
        if change == "october" and start == "02:00:00":
            yield day, start, day, "02:00:00"
            yield day, start, day, "03:00:00"
        elif change == "march" and start == "01:00:00":
            yield day, start, day, "03:00:00"
        elif change != "march" or start != "02:00:00":
            yield day, start, end_day, end


def kwh(number: int) -> str:
    return f"{number // 1000},{number % 1000:03}"


def row(span: tuple[str, str, str, str], ean: str, *cells: str) -> str:
    return ";".join((*span, f'="{ean}"', *cells, ""))


def digital(spans_of_day: Iterator[tuple[str, str, str, str]], *, is_sunday: bool) -> list[str]:
    """Offtake 0,001 ... and injection 5,001 ...; every tenth quarter estimated, the twentieth without consumption."""
    lines = []
    for count, span in enumerate(spans_of_day, start=1):
        tariff = "Nacht" if is_sunday or not "07:00:00" <= span[1] < "22:00:00" else "Dag"
        for direction, shift in (("Afname", 0), ("Injectie", 5000)):
            meter = ("1SAG0000000001", "Digitale meter", f"{direction} {tariff}")
            if count == 20:
                lines.append(row(span, DIGITAL_EAN, *meter, "", "kWh", "Geen verbruik"))
            else:
                status = "Geschat" if count % 10 == 0 else "Uitgelezen"
                lines.append(row(span, DIGITAL_EAN, *meter, kwh(count + shift), "kWh", status))
    return lines


def gas(spans_of_hours: Iterator[tuple[str, str, str, str]], words: tuple[str, str], factors: list[str]) -> list[str]:
    """m³ 0,001 ... and kWh 0,011 ...; the third hour without consumption; factors in turn."""
    lines = []
    for count, span in enumerate(spans_of_hours, start=1):
        meter = ("7FLO0000000001", "Digitale meter", "Afname")
        if count == 3:
            lines.append(row(span, GAS_EAN, *meter, "", "m³", words[1], ""))
            lines.append(row(span, GAS_EAN, *meter, "", "kWh", words[1], ""))
            continue
        lines.append(row(span, GAS_EAN, *meter, kwh(count), "m³", words[0], ""))
        factor = factors[count % len(factors)]
        lines.append(row(span, GAS_EAN, *meter, kwh(count * 11), "kWh", words[0], factor))
    return lines


def amr_quarters(spans_of_day: Iterator[tuple[str, str, str, str]]) -> list[str]:
    registers = (
        ("Afname Actief", 0, "kWh"),
        ("Afname Reactief", 200, "kVArh"),
        ("Afname Capacitief", 400, "kVArh"),
        ("Afname Inductief", 600, "kVArh"),
        ("Injectie Actief", 800, "kWh"),
        ("Injectie Capacitief", 1000, "kVArh"),
        ("Injectie Inductief", 1200, "kVArh"),
    )
    lines = []
    for count, span in enumerate(spans_of_day, start=1):
        for register, shift, unit in registers:
            cells = ("", "AMR-meter", register)
            if count == 7:
                lines.append(row(span, AMR_EAN, *cells, "", unit, "Geen gegevens"))
            else:
                status = "Gevalideerd" if count % 3 else "Ongevalideerd"
                lines.append(row(span, AMR_EAN, *cells, kwh(count + shift), unit, status))
    return lines


def amr_days(days: list[tuple[str, str, str]]) -> list[str]:
    """Day rows end 24 hours of UTC after their start: see the end that stands with each day."""
    registers = (
        ("Afname Actief Dag", 100_000, "kWh"),
        ("Afname Actief Nacht", 200_000, "kWh"),
        ("Afname Reactief", 300_000, "kVArh"),
        ("Afname Capacitief", 400_000, "kVArh"),
        ("Afname Inductief", 500_000, "kVArh"),
    )
    return [
        row((day, "00:00:00", end_day, end), AMR_EAN, "", "AMR-meter", label, kwh(shift + count), unit, "Gevalideerd")
        for count, (day, end_day, end) in enumerate(days, start=1)
        for label, shift, unit in registers
    ]


def sub_head_quarters() -> list[str]:
    registers = (("Productie Actief", 0, "kWh"), ("Productie Capacitief", 300, "kVArh"))
    registers += (("Productie Inductief", 600, "kVArh"), ("Hulpverbruik Actief", 900, "kWh"))
    return [
        row(span, SUB_EAN, "", "AMR-meter", register, kwh(count + shift), unit, "Gevalideerd")
        for count, span in enumerate(spans(QUARTERS, "19-11-2026", "20-11-2026"), start=1)
        for register, shift, unit in registers
    ]


def digital_days(days: list[tuple[str, str]]) -> list[str]:
    registers = (("Afname Dag", 1000), ("Afname Nacht", 2000), ("Injectie Dag", 3000), ("Injectie Nacht", 4000))
    return [
        row((day, "00:00:00", after, "00:00:00"), DIGITAL_EAN, "1SAG0000000001", "Digitale meter", register,
            kwh(shift + count), "kWh", "Uitgelezen")
        for count, (day, after) in enumerate(days, start=1)
        for register, shift in registers
    ]  # fmt: skip


def gas_days(days: list[tuple[str, str]]) -> list[str]:
    lines = []
    for count, (day, after) in enumerate(days, start=1):
        span = (day, "06:00:00", after, "06:00:00")
        meter = ("7FLO0000000001", "Digitale meter", "Afname")
        lines.append(row(span, GAS_EAN, *meter, kwh(count + 1000), "m³", "Uitgelezen", ""))
        lines.append(row(span, GAS_EAN, *meter, kwh(count + 11000), "kWh", "Uitgelezen", "Definitief"))
    return lines


def swapped_meters() -> list[str]:
    """A Thursday on which the meter was changed at 10:00."""
    lines = []
    for count, span in enumerate(spans(QUARTERS, "19-11-2026", "20-11-2026"), start=1):
        meter = "1SAG0000000001" if count <= 40 else "1SAG0000000002"
        tariff = "Dag" if "07:00:00" <= span[1] < "22:00:00" else "Nacht"
        for direction, shift in (("Afname", 0), ("Injectie", 5000)):
            register = f"{direction} {tariff}"
            if count in (41, 42):  # the first half hour of the new meter: nothing yet, and the old one is gone
                cells = ("1SAG0000000001", "Digitale meter", register, "", "kWh", "Geen verbruik")
            else:
                cells = (meter, "Digitale meter", register, kwh(count + shift), "kWh", "Uitgelezen")
            lines.append(row(span, DIGITAL_EAN, *cells))
    return lines


def peaks() -> list[str]:
    months = (("01-09-2026", "01-10-2026", 2950, "Uitgelezen"), ("01-10-2026", "01-11-2026", 3412, "Uitgelezen"))
    months += (("01-11-2026", "01-12-2026", 1204, "Voorlopig"),)
    return [
        row((first, "00:00:00", next_one, "00:00:00"), DIGITAL_EAN, "1SAG0000000001", "Digitale meter", "Piekvermogen",
            kwh(peak), "kW", status)
        for first, next_one, peak, status in months
    ]  # fmt: skip


def with_faults() -> list[str]:
    """A Thursday of offtake and a Saturday of injection: five lines that cannot be taken, and a day of 97 quarters."""
    lines = []
    for count, span in enumerate(spans(QUARTERS, "19-11-2026", "20-11-2026"), start=1):
        tariff = "Dag" if "07:00:00" <= span[1] < "22:00:00" else "Nacht"
        cells = ("1SAG0000000001", "Digitale meter", f"Afname {tariff}", kwh(count), "kWh", "Uitgelezen")
        lines.append(row(span, DIGITAL_EAN, *cells))
    lines[9] = "19-11-2026;02:15:00;19-11-2026"  # line 11: a broken line
    lines[10] = lines[10].replace(DIGITAL_EAN, "541448800000000018")  # line 12: a wrong check digit
    lines[11] = lines[11].replace("kWh", "kVArh")  # line 13: a unit that does not fit
    lines[12] += "Caf\udce9"  # line 14: a Latin-1 byte
    lines[13] = lines[13].replace("0,014", "0.014")  # line 15: a decimal point
    injection = []
    for count, span in enumerate(spans(QUARTERS, "21-11-2026", "22-11-2026"), start=1):
        cells = ("1SAG0000000001", "Digitale meter", "Injectie Nacht", kwh(count), "kWh", "Uitgelezen")
        injection.append(row(span, DIGITAL_EAN, *cells))
    return [*lines, *injection, injection[-1]]  # line 194: the 97th quarter


def in_english(lines: list[str]) -> list[str]:
    words = {
        "Digitale meter": "Digital meter",
        "Afname": "Offtake",
        "Injectie": "Injection",
        "Dag": "Day",
        "Nacht": "Night",
        "Uitgelezen": "Read",
        "Geschat": "Estimated",
        "Geen verbruik": "No consumption",
        "Voorlopig": "Provisional",
        "Definitief": "Definitive",
    }
    english = []
    for line in lines:
        cells = line.split(";")
        for place in (0, 2):
            cells[place] = cells[place].replace("-", "/")
        text = ";".join(cells)
        for dutch, word in words.items():
            text = text.replace(dutch, word)
        english.append(text)
    return english


def write(name: str, head: str, lines: list[str]) -> None:
    text = "".join(f"{line}\r\n" for line in (head, *lines))
    (Path(__file__).parent / name).write_bytes(b"\xef\xbb\xbf" + text.encode(errors="surrogateescape"))


def main() -> None:
    power, power_en = f"{HEAD}Omschrijving", f"{HEAD_EN}Description"
    heat = f"{HEAD}Calorische bovenwaarde;Omschrijving"
    heat_en = f"{HEAD_EN}Caloric upper value;Description"
    october = digital(october_quarters(), is_sunday=True)
    dutch, states = ("Uitgelezen", "Geen verbruik"), ["Voorlopig", "Definitief", ""]
    gas_october = gas(gas_hours("october", "24-10-2026", "25-10-2026", "26-10-2026"), dutch, states)
    write("portal_nl_digital_quarter_october.csv", power, october)
    write("portal_en_digital_quarter_october.csv", power_en, in_english(october))
    write("portal_nl_digital_quarter_march.csv", power, digital(march_quarters(), is_sunday=True))
    thursday = spans(QUARTERS, "19-11-2026", "20-11-2026")
    write("portal_nl_digital_quarter_weekday.csv", power, digital(thursday, is_sunday=False))
    write("portal_nl_digital_quarter_swap.csv", power, swapped_meters())
    write("portal_nl_digital_month_peak.csv", power, peaks())
    days = [("24-10-2026", "25-10-2026"), ("25-10-2026", "26-10-2026"), ("26-10-2026", "27-10-2026")]
    write("portal_nl_digital_day.csv", power, digital_days(days))
    write("portal_nl_gas_hour_october.csv", heat, gas_october)
    write("portal_en_gas_hour_october.csv", heat_en, in_english(gas_october))
    march = gas_hours("march", "28-03-2026", "29-03-2026", "30-03-2026")
    write("portal_nl_gas_hour_march.csv", heat, gas(march, dutch, states))
    write("portal_nl_gas_day.csv", heat, gas_days(days))
    write("portal_nl_amr_quarter_october.csv", power, amr_quarters(october_quarters()))
    write("portal_nl_amr_quarter_march.csv", power, amr_quarters(march_quarters()))
    amr_october = [("25-10-2026", "25-10-2026", "23:00:00"), ("26-10-2026", "27-10-2026", "00:00:00")]
    write("portal_nl_amr_day_october.csv", power, amr_days(amr_october))
    amr_march = [("29-03-2026", "30-03-2026", "01:00:00"), ("30-03-2026", "31-03-2026", "00:00:00")]
    write("portal_nl_amr_day_march.csv", power, amr_days(amr_march))
    write("portal_nl_sub_head_quarter.csv", power, sub_head_quarters())
    write("portal_nl_with_faults.csv", power, with_faults())


if __name__ == "__main__":
    main()
