"""How far a projection has come in each stream of events, and which streams wait behind a parked event."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from eventlog import dead_letter
from eventlog.tables import stream_position


@dataclass(slots=True)
class Streams:
    """What is known of the streams of a run: the highest version seen of each, and which have a parked event."""

    seen: dict[str, int]
    parked: set[str]
    changed: dict[str, int] = field(default_factory=dict)

    def move(self, stream_id: str, version: int) -> None:
        """Note that `version` of the stream was the last one seen."""
        self.seen[stream_id] = self.changed[stream_id] = version


def read_streams(tx: Connection, name: str, stream_ids: set[str]) -> Streams:
    """Return what the projection `name` knows of `stream_ids`."""
    place = stream_position.c
    rows = tx.execute(
        select(place.stream_id, place.stream_version).where(place.projection == name, place.stream_id.in_(stream_ids))
    )
    return Streams(
        seen={row.stream_id: row.stream_version for row in rows},
        parked=dead_letter.parked_streams(tx, name, stream_ids),
    )


def write_streams(tx: Connection, name: str, changed: dict[str, int]) -> None:
    """Write the highest version seen of each stream in `changed`."""
    if not changed:
        return
    rows = insert(stream_position).values(
        [
            {"projection": name, "stream_id": stream_id, "stream_version": version}
            for stream_id, version in sorted(changed.items())
        ]
    )
    tx.execute(
        rows.on_conflict_do_update(
            index_elements=[stream_position.c.projection, stream_position.c.stream_id],
            set_={"stream_version": rows.excluded.stream_version},
        )
    )
