"""What the live watch shows to Prometheus. Gauges of its windows; nothing here is for the record."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from services.metering.arrival import Picture

EVENTS: Final = Counter(
    "watch_events_total",
    "Events that the live watch saw by outcome: counted, passed (of another kind), resent (already known; jumps when a "
    "relay was killed) or undecodable (any increase wants a human).",
    ["outcome"],
)
LAG: Final = Gauge(
    "watch_lag_events",
    "Events that the live watch has not seen yet. High for a while after a start; a steady rise: it cannot keep up.",
)
ARRIVED: Final = Gauge(
    "arrival_blocks_last_hour",
    "Blocks stored in the last hour, new or revised, by source. Far below its usual value: the source delivers less.",
    ["source"],
)
LAST: Final = Gauge(
    "arrival_last_timestamp_seconds",
    "When something of the source was stored last (seconds since 1970, UTC); time() minus it is its age. An age beyond "
    "the source's rhythm: it has fallen silent.",
    ["source"],
)
YESTERDAY: Final = Gauge(
    "arrival_yesterday_blocks",
    "Blocks of the local day before today (gas: gas day) by state: complete, or open (begun, and not complete). "
    "Complete climbs through the day; open that stays wants a look at the source.",
    ["energy", "state"],
)
OLDEST_GAP: Final = Gauge(
    "arrival_oldest_gap_days",
    "Age in days of the oldest day of the last two weeks with a block that is not complete, 0 without one. A steady "
    "rise: something is not delivered any more.",
    ["energy"],
)
_ENERGIES: Final = ("ELECTRICITY", "GAS")


def show(picture: Picture, *, lag: int | None) -> None:
    """Set the gauges to `picture`."""
    LAG.set(lag or 0)
    for source in picture.sources:
        ARRIVED.labels(source.name).set(source.block_count)
        LAST.labels(source.name).set(source.last_at.timestamp())
    for energy in _ENERGIES:
        yesterday = [each for each in picture.days if each.energy == energy and (picture.today - each.day).days == 1]
        YESTERDAY.labels(energy, "complete").set(sum(each.completed_count for each in yesterday))
        YESTERDAY.labels(energy, "open").set(sum(each.open_count for each in yesterday))
        gap = picture.oldest_gaps.get(energy)
        OLDEST_GAP.labels(energy).set((picture.today - gap).days if gap else 0)
