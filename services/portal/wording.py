"""Texts, numbers, days and times in Dutch, English and French; times are Brussels wall time."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from market.local_time import BRUSSELS

_TEXTS = Path(__file__).parent / "texts"


class Language(StrEnum):
    """The languages of the pages; the first is the one without a wish."""

    NL = "nl"
    EN = "en"
    FR = "fr"


@dataclass(frozen=True)
class Wording:
    """How one language says things; read once from its file."""

    language: Language
    texts: Mapping[str, str]
    shape: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The language's own name for itself."""
        return str(self.shape["language"])

    def say(self, key: str, **values: object) -> str:
        """The text `key` with its places filled in.

        Raises:
            KeyError: no such text, or a place without a value.
        """
        return self.texts[key].format(**values)

    def count(self, key: str, number: int, **values: object) -> str:
        """The text `key` for `number` things; `<key>_one` where it is one."""
        return self.say(f"{key}_one" if number == 1 else key, count=self.number(Decimal(number), 0), **values)

    def number(self, value: Decimal, places: int = 3) -> str:
        """`value` with `places` decimals, the language's decimal sign and groups of three."""
        text = f"{value:,.{places}f}"
        return text.translate({ord(","): self.shape["thousands"], ord("."): self.shape["decimal"]})

    def long_day(self, day: date) -> str:
        """Such as `dinsdag 26 oktober 2021`."""
        return f"{self.shape['weekdays'][day.weekday()]} {self.plain_day(day)}"

    def plain_day(self, day: date) -> str:
        """Such as `26 oktober 2021`."""
        return f"{self._number_in_month(day)} {self.shape['months'][day.month - 1]} {day.year}"

    def short_day(self, day: date) -> str:
        """Such as `di 26 okt`."""
        weekday, month = self.shape["weekdays_short"][day.weekday()], self.shape["months_short"][day.month - 1]
        return f"{weekday} {day.day} {month}"

    def month(self, day: date) -> str:
        """Such as `oktober 2021`."""
        return f"{self.shape['months'][day.month - 1]} {day.year}"

    def clock(self, instant: datetime) -> str:
        """Wall time such as `02:15`."""
        return f"{instant.astimezone(BRUSSELS):%H:%M}"

    def season(self, instant: datetime) -> str:
        """Summer or winter time where the wall time of `instant` comes twice, else empty."""
        local = instant.astimezone(BRUSSELS)
        if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
            return ""
        return self.say("winter_time" if local.fold else "summer_time")

    def format_locale(self) -> dict[str, object]:
        """The number format of chart axes, as d3-format wants it."""
        return {
            "decimal": self.shape["decimal"],
            "thousands": self.shape["thousands"],
            "grouping": [3],
            "currency": ["", ""],
        }

    def _number_in_month(self, day: date) -> str:
        return str(self.shape["first_of_month"]) if day.day == 1 else str(day.day)


@cache
def wording(language: Language) -> Wording:
    """The wording of `language`: how it writes and what it says about points, and what it says to people."""
    content = _read(f"{language}.toml")
    texts = {**content.pop("text"), **_read(f"{language}_people.toml")}
    return Wording(language=language, texts=texts, shape=content)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_TEXTS / name).read_text(encoding="utf-8"))


def choose_language(chosen: str | None, accepted: str) -> Language:
    """The language somebody chose, else the best of an `Accept-Language` header, else Dutch."""
    if chosen in set(Language):
        return Language(chosen)
    wishes = sorted((_wish(part) for part in accepted.lower().split(",")), key=lambda wish: -wish[1])
    for tag, weight in wishes:
        if weight > 0 and tag in set(Language):
            return Language(tag)
    return Language.NL


def _wish(part: str) -> tuple[str, float]:
    tag, _, parameter = part.strip().partition(";")
    weight = parameter.strip().removeprefix("q=")
    try:
        return tag.split("-")[0].strip(), float(weight) if weight else 1.0
    except ValueError:
        return "", 0.0
