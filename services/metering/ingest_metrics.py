"""What ingest counts. No label ever holds an EAN or a sender."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

READINGS: Final = Counter(
    "ingest_readings_total",
    "Readings (blocks) by media type and outcome: accepted (on the topic), unchanged (equal to the current block, not "
    "published) or refused (a rule is broken; a rise means that a sender has changed something).",
    ["media_type", "outcome"],
)
INDEXES: Final = Counter(
    "ingest_indexes_total",
    "Indexes and period volumes by outcome: accepted (on the topic) or refused (a rule is broken; a rise means that a "
    "sender has changed something).",
    ["outcome"],
)
BODY_BYTES: Final = Counter(
    "ingest_body_bytes_total",
    "Bytes of the bodies that were read to their end, as sent, by media type.",
    ["media_type"],
)
TURNED_AWAY: Final = Counter(
    "ingest_turned_away_total",
    "Bodies of which nothing was taken, by reason: unreadable, too_large (the senders'), kafka (no acknowledgement in "
    "time), memory (too much at once) or store_behind (skip_unchanged waited in vain).",
    ["reason"],
)
PUBLISH_SECONDS: Final = Histogram(
    "ingest_publish_seconds",
    "Seconds from the first send of a body until all in-sync replicas have it. A rise means that Kafka is slow.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0),
)
MEMORY_BYTES: Final = Gauge(
    "ingest_memory_bytes", "Bytes reserved for the bodies in hand; at the limit new ones are turned away."
)
TARIFF_MISMATCHES: Final = Counter(
    "ingest_tariff_mismatch_rows_total",
    "Rows of portal files that were kept although their day or night register disagrees with the calendar.",
)
