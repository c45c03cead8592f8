"""Tables that register keeps beside those of every service: the answers to commands that came with a key."""

from __future__ import annotations

from eventlog.idempotency import metadata

__all__ = ["metadata"]
