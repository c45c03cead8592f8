"""How the portal's file says what market words mean: headers, registers with their units, states of a value.

Source of the layout: files made by the operator's portal in 2021 to 2026; see `market.portal_words` for what is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from market.channel import CHANNELS, Channel, Direction, Energy, MeterKind, Quantity, Register, Resolution
from market.portal_words import WORDS, Language, Status
from market.quality import Quality

_PEAKS: Final = frozenset({Quantity.PEAK, Quantity.GAS_PEAK})
_TARIFFS: Final = frozenset({Register.DAY, Register.NIGHT})
_OLDER_DUTCH_COLUMNS: Final = (
    *("Van datum", "Van tijdstip", "Tot datum", "Tot tijdstip", "EAN", "Meter", "Metertype"),
    *("Register", "Volume", "Eenheid", "Validatiestatus"),
)


class UnknownHeader(ValueError):
    """The first line is not a header of the portal's file; the message says which column is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a header promises: the language of the cells, the energy, and which columns follow the eleventh."""

    language: Language
    energy: Energy
    has_factor: bool
    has_description: bool

    @property
    def column_count(self) -> int:
        return 11 + self.has_factor + self.has_description


def read_header(line: str) -> Layout:
    """Return the layout that `line` announces; current and older Dutch, English and French, capitals or not.

    Raises:
        UnknownHeader: no language has these columns in this order.
    """
    columns = [column.strip().casefold() for column in line.split(";")]
    best = 0
    for language, words in WORDS.items():
        fitting = _fitting_count(columns, language)
        best = max(best, fitting)
        rest = columns[11:]
        has_factor = rest[:1] == [words.factor_column.casefold()]
        has_description = rest[has_factor:] == [words.description_column.casefold()]
        if fitting == 11 and len(rest) == has_factor + has_description:
            return Layout(
                language=language,
                energy=Energy.GAS if has_factor else Energy.ELECTRICITY,
                has_factor=has_factor,
                has_description=has_description,
            )
    raise UnknownHeader(f"this is not a header of the portal's file: column {best + 1} is not known or missing")


def _fitting_count(columns: list[str], language: Language) -> int:
    """How many of the first eleven columns fit `language`, counted up to the first that does not."""
    older = _OLDER_DUTCH_COLUMNS if language is Language.NL else WORDS[language].columns
    pairs = zip(columns, WORDS[language].columns, older, strict=False)
    fits = [column in (now.casefold(), then.casefold()) for column, now, then in pairs]
    return (*fits, False).index(False)


def header(language: Language, energy: Energy) -> str:
    """The current header, without a line end."""
    words = WORDS[language]
    factor = (words.factor_column,) if energy is Energy.GAS else ()
    return ";".join((*words.columns, *factor, words.description_column))


def register_label(language: Language, meter_kind: MeterKind, channel: Channel, tariff: Register) -> str:
    """What stands in the column of the register.

    `tariff` is the tariff that is on for a quarter of a digital meter; else the channel's own register.
    """
    words = WORDS[language]
    direction = words.directions[channel.direction]
    if channel.quantity in _PEAKS:
        return words.peak if channel.direction is Direction.OFFTAKE else f"{words.peak} {direction}"
    if channel.energy is Energy.GAS:
        return direction
    if channel.quantity is Quantity.ACTIVE and meter_kind is not MeterKind.AMR:
        return f"{direction} {words.tariffs[tariff]}"
    label = f"{direction} {words.quantities[channel.quantity]}"
    return f"{label} {words.tariffs[tariff]}" if tariff in _TARIFFS else label


@lru_cache(maxsize=64)
def registers(
    language: Language, energy: Energy, meter_kind: MeterKind, resolution: Resolution
) -> Mapping[tuple[str, str], tuple[Channel, Register]]:
    """By what stands as register and unit: the channel, and the tariff that the label claims (TOTAL: none)."""
    table: dict[tuple[str, str], tuple[Channel, Register]] = {}
    for channel in CHANNELS:
        if channel.energy is not energy or channel.resolution is not resolution:
            continue
        if meter_kind is MeterKind.AMR and channel.quantity is Quantity.GAS_VOLUME:
            continue  # the gas of an AMR meter comes in kWh only
        for tariff in _printed_tariffs(meter_kind, channel):
            table[register_label(language, meter_kind, channel, tariff), channel.unit] = (channel, tariff)
    return table


def _printed_tariffs(meter_kind: MeterKind, channel: Channel) -> tuple[Register, ...]:
    if is_split_by_tariff(meter_kind, channel):
        return Register.DAY, Register.NIGHT
    return (channel.register,)


def is_split_by_tariff(meter_kind: MeterKind, channel: Channel) -> bool:
    """Whether each quarter of the channel prints the day or the night register, whichever is on."""
    is_active_quarter = channel.quantity is Quantity.ACTIVE and channel.resolution is Resolution.QUARTER_HOURLY
    return is_active_quarter and meter_kind is not MeterKind.AMR


@lru_cache(maxsize=64)
def qualities(language: Language, meter_kind: MeterKind, resolution: Resolution) -> Mapping[str, Quality]:
    """The quality behind each status word of that kind of meter; months (peaks) know the words of both kinds."""
    digital = {
        Status.READ: Quality.MEASURED,
        Status.ESTIMATED: Quality.ESTIMATED,
        Status.VALIDATED: Quality.MEASURED_VALIDATED,
        Status.NO_CONSUMPTION: Quality.MISSING,
        Status.NO_DATA: Quality.MISSING,
    }
    amr = {
        Status.VALIDATED: Quality.MEASURED_VALIDATED,
        Status.NOT_VALIDATED: Quality.MEASURED_NOT_VALIDATED,
        Status.NO_DATA: Quality.MISSING,
        Status.NO_CONSUMPTION: Quality.MISSING,
    }
    chosen = amr if meter_kind is MeterKind.AMR else digital
    if resolution is Resolution.MONTHLY:
        chosen = {**amr, **digital, Status.PROVISIONAL: Quality.MEASURED}
    words = WORDS[language].statuses
    return {words[status]: quality for status, quality in chosen.items()}


def status_of(quality: Quality, meter_kind: MeterKind) -> Status:
    """The status that a quarter, hour or day of that quality shows on that kind of meter.

    An AMR meter shows how far its validation went; any other one the origin, and that a measured value is validated.
    """
    if quality is Quality.MISSING:
        return Status.NO_DATA if meter_kind is MeterKind.AMR else Status.NO_CONSUMPTION
    if meter_kind is MeterKind.AMR:
        is_validated = quality in (Quality.MEASURED_VALIDATED, Quality.ESTIMATED_VALIDATED)
        return Status.VALIDATED if is_validated else Status.NOT_VALIDATED
    if quality.is_estimated:
        return Status.ESTIMATED
    return Status.VALIDATED if quality is Quality.MEASURED_VALIDATED else Status.READ


def peak_status_of(quality: Quality, meter_kind: MeterKind) -> Status:
    """The status of a month's peak: that of the value, but what was merely measured is `READ` on every meter."""
    return Status.READ if quality is Quality.MEASURED else status_of(quality, meter_kind)
