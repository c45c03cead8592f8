"""What the quarter-hour store counts of its own, beside what every projection counts."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

BLOCKS: Final = Counter(
    "metering_readings_applied_total",
    "Readings by what they did: new (made a block), revised (changed one; rises with corrections), unchanged "
    "(outranked, or nothing new in them) or repeated (sent before, content and all; a rise: a publisher sends twice).",
    ["effect"],
)
CONFLICTS: Final = Counter(
    "metering_conflicting_messages_total",
    "Messages with the id of an earlier one about the same block but another content. Both are kept and compete by "
    "order; any increase means that a publisher gives an id twice.",
)
