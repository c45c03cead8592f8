"""The words of the API about the body of `POST /readings`."""

from __future__ import annotations

from typing import Any, Final

from services.metering.forms import ARROW, AVRO, CSV, NDJSON

POST_READINGS: Final = f"""Take in readings: one channel of one point and meter for one local day (gas: gas day, 06:00
to 06:00, Europe/Brussels), or a part of it. Each is checked as a whole. What breaks a rule is refused with its line and
the reason; everything else in the body is kept, and on the topic in all in-sync replicas before the answer leaves.

Values are whole numbers in the channel's stored unit: Wh, varh, dm³ or W. A missing value is null (packed:
-2147483648), never zero. A day has 92, 96 or 100 quarters, or 23, 24 or 25 hours; fewer are taken only as a part.

* `{AVRO}`: an Avro object container of `ReadingsRecorded` (codecs null, deflate, snappy, zstandard, bzip2, xz).
  Lines are record numbers.
* `{ARROW}`: an Arrow IPC stream with a row per reading and columns of the same names; `values` packed
  (binary) or a list of whole numbers, `quality` and `gas_factor` one name or a list of code, count, ... Lines are rows.
* `{NDJSON}`: one JSON object per line, fields as below.
* `{CSV}`: the portal's file, Dutch, English or French header. Its rows are parts of their days.

A message id that is left out is made from the SHA-256 of the body, the block and `source_at`: the same body sent again
changes nothing."""

_LINE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["source_at", "ean", "meter_kind", "channel", "day", "values"],
    "additionalProperties": False,
    "properties": {
        "message_id": {"type": "string", "format": "uuid", "description": "Made from the body if left out"},
        "source": {"type": "string", "description": "Your client id, which is also the default"},
        "source_at": {
            "type": "string",
            "format": "date-time",
            "description": "Instant (with zone) at which the source made the values; a later one outranks an earlier",
        },
        "source_sequence": {"type": "integer", "minimum": 0, "default": 0, "description": "Order at equal source_at"},
        "ean": {"type": "string", "description": "18 digits with a GS1 check digit"},
        "meter_id": {"type": "string", "default": "", "description": "Empty for a point measured as a whole"},
        "meter_kind": {"type": "string", "enum": ["DIGITAL", "AMR", "CLASSIC"]},
        "channel": {"type": "string", "description": "Such as OFFTAKE_ACTIVE_QUARTER_HOURLY"},
        "day": {
            "type": "string",
            "format": "date",
            "description": "Local day (gas: gas day); for a monthly channel the first of the month",
        },
        "first_slice": {"type": "integer", "minimum": 0, "default": 0, "description": "Slice of the first value"},
        "values": {
            "type": "array",
            "items": {"type": ["integer", "null"]},
            "description": "One per slice, in Wh, varh, dm³ or W; null is missing",
        },
        "quality": {
            "description": 'One name for all slices ("MEASURED", the default), or runs: [["MEASURED", 90], ...]',
        },
        "gas_factor": {"description": "Gas energy only: PROVISIONAL, DEFINITIVE or CONSTANT, or runs of them"},
        "withdraws": {"type": "boolean", "default": False, "description": "The slices become missing; all null then"},
        "part": {"type": "boolean", "default": False, "description": "Fewer slices than the day has are meant so"},
    },
}
READINGS_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        AVRO: {"schema": {"type": "string", "format": "binary"}},
        ARROW: {"schema": {"type": "string", "format": "binary"}},
        NDJSON: {"schema": _LINE},
        CSV: {"schema": {"type": "string"}},
    },
}
