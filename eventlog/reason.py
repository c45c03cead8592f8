"""Why a record was parked, or a projection halted at it: a rule that has a name, and words for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """Every rule by which a record can be bad. The names are stable: metrics, alerts and `kwartier parked` use them.

    They are stored as text without a constraint, so that an older process can write beside a newer one.
    """

    # whatever the topic
    UNDECODABLE = "undecodable"
    UNKNOWN_SCHEMA = "unknown_schema"
    WRONG_PARTITION = "wrong_partition"
    BAD_STREAM = "bad_stream"
    VERSION_GAP = "version_gap"
    BEHIND_PARKED = "behind_parked"
    UNUSABLE = "unusable"
    PARK_LIMIT = "park_limit"
    MISSING_FROM_LOG = "missing_from_log"
    # readings
    NO_VALUE = "no_value"
    NOT_A_READING = "not_a_reading"
    KEY_NOT_EAN = "key_not_ean"
    KEY_DIFFERS = "key_differs"
    METER_KIND_UNKNOWN = "meter_kind_unknown"
    CHANNEL_UNKNOWN = "channel_unknown"
    TEXT_TOO_LONG = "text_too_long"
    SOURCE_AT_OUT_OF_RANGE = "source_at_out_of_range"
    DAY_OUT_OF_RANGE = "day_out_of_range"
    MONTH_NOT_ON_FIRST = "month_not_on_first"
    VALUES_DAMAGED = "values_damaged"
    VALUES_EMPTY = "values_empty"
    SLICES_OUTSIDE_DAY = "slices_outside_day"
    QUALITY_MISSING = "quality_missing"
    QUALITY_MISFIT = "quality_misfit"
    FACTOR_MISFIT = "factor_misfit"
    FACTOR_UNEXPECTED = "factor_unexpected"
    WITHDRAWAL_WITH_VALUES = "withdrawal_with_values"


@dataclass(frozen=True, slots=True)
class Reason:
    """The rule that a record breaks, and how, in words that hold nothing of its content."""

    rule: Rule
    text: str

    def __str__(self) -> str:
        return self.text
