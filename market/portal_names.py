"""The names of the portal's files.

Dutch and English names of digital meters and the Dutch ones of AMR quarters were read off real files; the rest is ours.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Final

from market.channel import Direction, Energy, MeterKind
from market.ean import Ean
from market.portal_words import Language

_DIGITAL: Final = {
    Language.NL: "Verbruikshistoriek",
    Language.EN: "Consumption_history",
    Language.FR: "Historique_consommation",
}
_AMR: Final = {
    Language.NL: ("Historiek_afname", "Historiek_injectie", "Historiek_submeting"),
    Language.EN: ("History_offtake", "History_injection", "History_submetering"),
    Language.FR: ("Historique_prelevement", "Historique_injection", "Historique_sous-comptage"),
}
_ENERGY: Final = {
    Language.NL: {Energy.ELECTRICITY: "elektriciteit", Energy.GAS: "gas"},
    Language.EN: {Energy.ELECTRICITY: "electricity", Energy.GAS: "gas"},
    Language.FR: {Energy.ELECTRICITY: "electricite", Energy.GAS: "gaz"},
}
_ROWS: Final = {
    Language.NL: {
        "quarter": "kwartiertotalen",
        "hour": "uurtotalen",
        "day": "dagtotalen",
        "month": "maandpieken",
        "month-total": "maandtotalen",
    },
    Language.EN: {
        "quarter": "15 minute totals",
        "hour": "hourly totals",
        "day": "daily totals",
        "month": "monthly peaks",
        "month-total": "monthly totals",
    },
    Language.FR: {
        "quarter": "totaux 15 minutes",
        "hour": "totaux horaires",
        "day": "totaux journaliers",
        "month": "pointes mensuelles",
        "month-total": "totaux mensuels",
    },
}
_SUB_HEAD: Final = frozenset({Direction.PRODUCTION, Direction.AUXILIARY})


def portal_file_name(
    *,
    ean: Ean,
    energy: Energy,
    meter_kind: MeterKind,
    directions: Collection[Direction],
    granularity: str,
    language: Language,
    first_day: date,
    last_day: date,
    extension: str = "csv",
) -> str:
    """The name of a file of `granularity` (quarter, hour, day, month or month-total); days are inclusive."""
    kind = _DIGITAL[language] if meter_kind is not MeterKind.AMR else _AMR[language][_amr_place(directions)]
    energy_name = _ENERGY[language][energy]
    rows = _ROWS[language][granularity]
    return f"{kind}_{energy_name}_{ean}_{first_day:%Y%m%d}_{last_day:%Y%m%d}_{rows}.{extension}"


def _amr_place(directions: Collection[Direction]) -> int:
    if _SUB_HEAD.intersection(directions):
        return 2
    return 1 if set(directions) == {Direction.INJECTION} else 0
