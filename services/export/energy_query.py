"""The query of `GET /api/mandate/energy`: lenient in what it takes, exact in what it means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from eventlog.problems import Problem
from market.ean import Ean, InvalidEan, parse_ean
from services.export.domain.access import Detail
from services.export.instants import InvalidInstant, parse_instant

LONGEST_SPAN: Final = timedelta(days=184, hours=1)
_LAST: Final = timedelta(hours=24)
_PERIOD_TYPES: Final = {"readtime": False, "inserttime": True}
_DETAILS: Final = {each.value: each for each in Detail}
_OLD_SELECTORS: Final = {
    "vh_dag": frozenset({Detail.DAILY}),
    "vh_kwartier_uur": frozenset({Detail.SLICES}),
}
_LISTS: Final = frozenset({"granularity", "complexenergytypes", "dataservicetypes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyQuery:
    """What a holder asks for. With `is_insert_time` the bounds are of when values were recorded, not of when they were
    measured. `details` None is all that the mandate allows. Instants are UTC."""

    ean: Ean
    is_insert_time: bool
    start: datetime
    end: datetime
    details: frozenset[Detail] | None
    reference_number: str | None
    has_active: bool
    has_reactive: bool

    @property
    def granularity(self) -> str:
        """The details as they are named in a ledger."""
        return ",".join(sorted(self.details or frozenset(Detail)))


def by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return query parameters by their names in small letters; empty ones are absent, lists said twice are joined."""
    found: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.lower(), value.strip()
        if not text:
            continue
        if key in _LISTS and key in found:
            found[key] += f",{text}"
        else:
            found.setdefault(key, text)
    return found


def read_energy_query(parameters: Mapping[str, str], now: datetime) -> EnergyQuery:
    """Return the question in `parameters` (names in small letters), asked at `now`.

    Raises:
        Problem: 400; its list of messages names every parameter that is wrong.
    """
    wrong: list[str] = []
    ean = _ean(parameters.get("ean"), wrong)
    is_insert_time = _period_type(parameters.get("periodtype"), wrong)
    details = _details(parameters, wrong)
    has_active, has_reactive = _energy_types(parameters.get("complexenergytypes"), wrong)
    start, end = _bounds(parameters, now, wrong)
    if wrong:
        raise Problem(400, "ValidationError", "the request is not valid", validation_errors=wrong)
    return EnergyQuery(
        ean=ean,
        is_insert_time=is_insert_time,
        start=start,
        end=end,
        details=details,
        reference_number=parameters.get("referencenumber"),
        has_active=has_active,
        has_reactive=has_reactive,
    )


def _ean(text: str | None, wrong: list[str]) -> Ean:
    if text is None:
        wrong.append("ean: this parameter is required")
        return Ean("")
    try:
        return parse_ean(text)
    except InvalidEan as error:
        wrong.append(f"ean: {error}")
        return Ean("")


def _period_type(text: str | None, wrong: list[str]) -> bool:
    found = _PERIOD_TYPES.get((text or "").lower())
    if found is None:
        wrong.append("periodType: this parameter is required, readTime or insertTime")
    return bool(found)


def _details(parameters: Mapping[str, str], wrong: list[str]) -> frozenset[Detail] | None:
    text = parameters.get("granularity")
    if text is None:
        return _OLD_SELECTORS.get(parameters.get("dataservicetype", "").lower())
    names = split(text)
    if not names or not _DETAILS.keys() >= set(names):
        wrong.append("granularity: daily, hourly_quarterhourly, or both with a comma")
        return None
    return frozenset(_DETAILS[name] for name in names)


def _energy_types(text: str | None, wrong: list[str]) -> tuple[bool, bool]:
    names = split(text or "active")
    if not names or not {"active", "reactive"} >= set(names):
        wrong.append("complexEnergyTypes: active, reactive, or both with a comma")
    return "active" in names, "reactive" in names


def split(text: str) -> Sequence[str]:
    """Return the parts of a list with commas, in small letters."""
    return [each.strip().lower() for each in text.split(",") if each.strip()]


def _bounds(parameters: Mapping[str, str], now: datetime, wrong: list[str]) -> tuple[datetime, datetime]:
    end = _instant("to", parameters, wrong) or now.astimezone(UTC)
    start = _instant("from", parameters, wrong) or end - _LAST
    if start > end:
        wrong.append("from: it is after to")
    elif end - start > LONGEST_SPAN:
        wrong.append("to: at most 184 days and one hour after from")
    return start, end


def _instant(name: str, parameters: Mapping[str, str], wrong: list[str]) -> datetime | None:
    text = parameters.get(name)
    if text is None:
        return None
    try:
        return parse_instant(text)
    except InvalidInstant as error:
        wrong.append(f"{name}: {error}")
        return None
