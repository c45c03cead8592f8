"""The words of the portal's file in each of its languages; only what is printed, no rule about it.

Dutch and English were read off real files; French, `Totaal`, `Constant` and the peak registers other than
offtake are ours, and so are the English words of AMR meters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from market.channel import Direction, MeterKind, Quantity, Register
from market.quality import GasFactor


class Language(StrEnum):
    """The languages in which the portal's file is written and read."""

    NL = "nl"
    EN = "en"
    FR = "fr"


class Status(StrEnum):
    """What the column of the validation status can say."""

    READ = "read"
    ESTIMATED = "estimated"
    VALIDATED = "validated"
    NOT_VALIDATED = "not validated"
    PROVISIONAL = "provisional"
    NO_CONSUMPTION = "no consumption"
    NO_DATA = "no data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language: eleven columns from the printed start to the status, the two that may follow, and the cells."""

    columns: tuple[str, ...]
    factor_column: str
    description_column: str
    date_separator: str
    meter_kinds: Mapping[MeterKind, str]
    directions: Mapping[Direction, str]
    quantities: Mapping[Quantity, str]
    tariffs: Mapping[Register, str]
    peak: str
    statuses: Mapping[Status, str]
    factors: Mapping[GasFactor, str]


_DUTCH: Final = Words(
    columns=(
        *("Van (datum)", "Van (tijdstip)", "Tot (datum)", "Tot (tijdstip)", "EAN-code", "Meter", "Metertype"),
        *("Register", "Volume", "Eenheid", "Validatiestatus"),
    ),
    factor_column="Calorische bovenwaarde",
    description_column="Omschrijving",
    date_separator="-",
    meter_kinds={MeterKind.DIGITAL: "Digitale meter", MeterKind.AMR: "AMR-meter"},
    directions={
        Direction.OFFTAKE: "Afname",
        Direction.INJECTION: "Injectie",
        Direction.PRODUCTION: "Productie",
        Direction.AUXILIARY: "Hulpverbruik",
    },
    quantities={
        Quantity.ACTIVE: "Actief",
        Quantity.REACTIVE: "Reactief",
        Quantity.INDUCTIVE: "Inductief",
        Quantity.CAPACITIVE: "Capacitief",
    },
    tariffs={Register.TOTAL: "Totaal", Register.DAY: "Dag", Register.NIGHT: "Nacht"},
    peak="Piekvermogen",
    statuses={
        Status.READ: "Uitgelezen",
        Status.ESTIMATED: "Geschat",
        Status.VALIDATED: "Gevalideerd",
        Status.NOT_VALIDATED: "Ongevalideerd",
        Status.PROVISIONAL: "Voorlopig",
        Status.NO_CONSUMPTION: "Geen verbruik",
        Status.NO_DATA: "Geen gegevens",
    },
    factors={
        GasFactor.NONE: "",
        GasFactor.PROVISIONAL: "Voorlopig",
        GasFactor.DEFINITIVE: "Definitief",
        GasFactor.CONSTANT: "Constant",
    },
)

_ENGLISH: Final = Words(
    columns=(
        *("From (date)", "From (time)", "Until (date)", "Until (time)", "EAN code", "Meter", "Meter type"),
        *("Register", "Volume", "Unit", "Validation status"),
    ),
    factor_column="Caloric upper value",
    description_column="Description",
    date_separator="/",
    meter_kinds={MeterKind.DIGITAL: "Digital meter", MeterKind.AMR: "AMR meter"},
    directions={
        Direction.OFFTAKE: "Offtake",
        Direction.INJECTION: "Injection",
        Direction.PRODUCTION: "Production",
        Direction.AUXILIARY: "Auxiliary",
    },
    quantities={
        Quantity.ACTIVE: "Active",
        Quantity.REACTIVE: "Reactive",
        Quantity.INDUCTIVE: "Inductive",
        Quantity.CAPACITIVE: "Capacitive",
    },
    tariffs={Register.TOTAL: "Total", Register.DAY: "Day", Register.NIGHT: "Night"},
    peak="Peak power",
    statuses={
        Status.READ: "Read",
        Status.ESTIMATED: "Estimated",
        Status.VALIDATED: "Validated",
        Status.NOT_VALIDATED: "Not validated",
        Status.PROVISIONAL: "Provisional",
        Status.NO_CONSUMPTION: "No consumption",
        Status.NO_DATA: "No data",
    },
    factors={
        GasFactor.NONE: "",
        GasFactor.PROVISIONAL: "Provisional",
        GasFactor.DEFINITIVE: "Definitive",
        GasFactor.CONSTANT: "Constant",
    },
)

_FRENCH: Final = Words(
    columns=(
        *("De (date)", "De (heure)", "À (date)", "À (heure)", "Code EAN", "Compteur", "Type de compteur"),
        *("Registre", "Volume", "Unité", "Statut de validation"),
    ),
    factor_column="Pouvoir calorifique supérieur",
    description_column="Description",
    date_separator="/",
    meter_kinds={MeterKind.DIGITAL: "Compteur numérique", MeterKind.AMR: "Compteur AMR"},
    directions={
        Direction.OFFTAKE: "Prélèvement",
        Direction.INJECTION: "Injection",
        Direction.PRODUCTION: "Production",
        Direction.AUXILIARY: "Auxiliaire",
    },
    quantities={
        Quantity.ACTIVE: "Actif",
        Quantity.REACTIVE: "Réactif",
        Quantity.INDUCTIVE: "Inductif",
        Quantity.CAPACITIVE: "Capacitif",
    },
    tariffs={Register.TOTAL: "Total", Register.DAY: "Jour", Register.NIGHT: "Nuit"},
    peak="Puissance de pointe",
    statuses={
        Status.READ: "Relevé",
        Status.ESTIMATED: "Estimé",
        Status.VALIDATED: "Validé",
        Status.NOT_VALIDATED: "Non validé",
        Status.PROVISIONAL: "Provisoire",
        Status.NO_CONSUMPTION: "Pas de consommation",
        Status.NO_DATA: "Pas de données",
    },
    factors={
        GasFactor.NONE: "",
        GasFactor.PROVISIONAL: "Provisoire",
        GasFactor.DEFINITIVE: "Définitif",
        GasFactor.CONSTANT: "Constant",
    },
)

WORDS: Final[Mapping[Language, Words]] = {Language.NL: _DUTCH, Language.EN: _ENGLISH, Language.FR: _FRENCH}
