"""Rows of a portal file gathered into blocks: one per point, meter, channel and day. Pure.

Two rows for one slice refuse their block. The 02:xx of an October night that print the same start and end are told
apart by their order: summer first.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from market.channel import Register
from market.ean import Ean
from market.quality import GasFactor, Quality
from market.tariff import day_tariff_mask
from services.metering.block_input import BlockInput, PortalFile, Refusal
from services.metering.portal_csv_rows import Row

_BlockKey = tuple[Ean, str, int, date]


class BlockGatherer:
    """Takes rows in the order of their lines and gives the blocks and refusals of the file at the end."""

    def __init__(self) -> None:
        self._rows: dict[_BlockKey, dict[int, Row]] = {}
        self._conflicts: dict[_BlockKey, tuple[int, int]] = {}
        self._repeated: dict[tuple[_BlockKey, tuple[int, ...]], list[Row]] = {}

    def add(self, row: Row) -> None:
        """Take a row; where its slice is taken already, its block is refused in `close`."""
        place = row.place
        key = row.ean, row.meter_id, row.meaning.code, place.day
        if len(place.indexes) == 1:
            self._put(key, place.indexes[0], row)
        else:
            self._repeated.setdefault((key, place.indexes), []).append(row)

    def close(self, refusals: list[Refusal]) -> PortalFile:
        """Return what the rows make, with `refusals` of lines that never became rows."""
        found = [*refusals, *self._tell_apart()]
        for line, other in self._conflicts.values():
            found.append(Refusal(line, f"line {other} has the same slice: nothing of that register and day is taken"))
        kept = [rows for key, rows in self._rows.items() if key not in self._conflicts]
        return PortalFile(
            blocks=sorted(map(_block, kept), key=lambda block: block.line),
            refusals=sorted(found, key=lambda refusal: refusal.line),
            tariff_mismatch_count=sum(map(_tariff_mismatch_count, kept)),
        )

    def _put(self, key: _BlockKey, index: int, row: Row) -> None:
        first = self._rows.setdefault(key, {}).setdefault(index, row)
        if first is not row:
            self._conflicts.setdefault(key, (row.line, first.line))

    def _tell_apart(self) -> Iterator[Refusal]:
        for (key, indexes), rows in self._repeated.items():
            if len(rows) < len(indexes):
                reason = "this start comes twice that night and stands here once: summer and winter time look the same"
                yield Refusal(rows[0].line, reason)
                continue
            for place, row in enumerate(rows):
                self._put(key, indexes[min(place, len(indexes) - 1)], row)


def _block(rows: dict[int, Row]) -> BlockInput:
    first, last = min(rows), max(rows)
    some = rows[first]
    run = [rows.get(index) for index in range(first, last + 1)]
    return BlockInput(
        ean=some.ean,
        meter_id=some.meter_id,
        meter_kind=some.meaning.meter_kind,
        channel=some.meaning.channel,
        day=some.place.day,
        first_slice=first,
        values=tuple([row.value if row else None for row in run]),
        quality=tuple([row.quality if row else Quality.MISSING for row in run]),
        gas_factor=tuple([row.factor if row else GasFactor.NONE for row in run]) if some.meaning.has_factor else (),
        line=min(row.line for row in rows.values()),
    )


def _tariff_mismatch_count(rows: dict[int, Row]) -> int:
    """How many rows of a quarter-hour block print a tariff that is not on."""
    some = next(iter(rows.values()))
    if some.meaning.tariff is Register.TOTAL or some.meaning.channel.register is not Register.TOTAL:
        return 0
    is_day = day_tariff_mask(some.meaning.meter_kind, some.place.day)
    return sum((row.meaning.tariff is Register.DAY) != is_day[index] for index, row in rows.items())
