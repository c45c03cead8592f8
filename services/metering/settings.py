"""What metering is told from outside; environment names are the upper-case field names."""

from __future__ import annotations

from datetime import date

from pydantic import PositiveFloat, PositiveInt

from eventlog.settings import Settings


class MeteringSettings(Settings):
    """Settings of metering beside those that every service has. Days are local, ends inclusive.

    Bodies of `POST /readings`: `max_body_bytes` as sent, `max_unpacked_bytes` of an Avro container unpacked,
    `max_record_count` readings in a container, `max_line_count` lines of `max_line_bytes` each in NDJSON and CSV,
    `max_memory_bytes` over all bodies in hand, `arrive_seconds` until a body is here.

    `publish_seconds` is how long Kafka may take to acknowledge a body, `catch_up_seconds` how long `skip_unchanged`
    waits for the store, `ends_seconds` how long Kafka may take to say where the topic ends. `oldest_day`, `days_ahead`
    and `source_ahead_seconds` bound what is plausible. `max_block_days` bounds one answer of `GET /blocks`;
    `settle_seconds` is how long its `changed_after` waits for the store. `rebuild_schema` is where a rebuild lies.
    After `max_parked_in_a_row` bad records in a row the store halts, since then it is not the records.
    """

    service: str = "metering"
    max_body_bytes: PositiveInt = 64 * 2**20
    max_unpacked_bytes: PositiveInt = 64 * 2**20
    arrive_seconds: PositiveFloat = 300.0
    max_record_count: PositiveInt = 100_000
    max_line_count: PositiveInt = 1_000_000
    max_line_bytes: PositiveInt = 16_384
    max_memory_bytes: PositiveInt = 256 * 2**20
    publish_seconds: PositiveFloat = 20.0
    catch_up_seconds: PositiveFloat = 30.0
    ends_seconds: PositiveFloat = 5.0
    oldest_day: date = date(2000, 1, 1)
    days_ahead: int = 1
    source_ahead_seconds: int = 86_400
    max_block_days: PositiveInt = 4_000
    settle_seconds: PositiveFloat = 2.0
    max_parked_in_a_row: PositiveInt = 1_000
