"""Logs: one JSON object a line on stderr, without personal data."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any, Final

from eventlog.tracing import current_trace_id

_IDENTIFIER: Final = re.compile(r"(?<!\d)\d{18}(?!\d)")
# What PostgreSQL adds to an error: there it shows the row, a name in it included.
_SHOWN_ROW: Final = re.compile(r"^[ \t|]*(?:DETAIL|CONTEXT|QUERY):.*$", re.MULTILINE)
_PERIOD_SECONDS: Final = 10.0


def setup_logging(service: str, *, level: int = logging.INFO) -> None:
    """Send all logs of this process to stderr as JSON: `time` (UTC), `level`, `service`, `logger`, `message`, the facts
    given as `extra={"facts": {...}}`, and `trace_id` inside of a trace. Runs of 18 digits (EANs) are masked wherever
    they stand, and the rows that the database shows with its errors are left out."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    handler.addFilter(RateLimit("aiokafka"))
    handler.addFilter(RateLimit("opentelemetry"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    for name in ("httpx", "httpcore", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)


class JsonFormatter(logging.Formatter):
    """One line of JSON per record."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": _without_rows(record.getMessage()),
            **getattr(record, "facts", {}),
        }
        if (trace_id := current_trace_id()) is not None:
            entry["trace_id"] = trace_id
        if record.exc_info:
            entry["traceback"] = _without_rows(self.formatException(record.exc_info))
        return _IDENTIFIER.sub("<ean>", json.dumps(entry, ensure_ascii=False, default=str))


def _without_rows(text: str) -> str:
    return _SHOWN_ROW.sub("(left out)", text)


class RateLimit(logging.Filter):
    """Lets the same message of a talkative library through once in ten seconds, and says how many were held back."""

    def __init__(self, library: str) -> None:
        super().__init__()
        self._library = library
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name != self._library and not record.name.startswith(f"{self._library}."):
            return True
        what, now = (record.name, str(record.msg)), time.monotonic()
        since, held = self._seen.get(what, (-_PERIOD_SECONDS, 0))
        if now - since < _PERIOD_SECONDS:
            self._seen[what] = (since, held + 1)
            return False
        self._seen[what] = (now, 0)
        if held:
            record.msg, record.args = f"{record.getMessage()} ({held} more like it held back)", ()
        return True
