"""The root of all events."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact, in the past tense. Its fields are its newest Avro schema; the envelope says when and where."""
