"""Commands that are sent twice: a caller's `Idempotency-Key` gets the first answer again.

The answer is kept in the transaction of the command, so it is there if and only if the command took effect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import JSON, Column, Connection, DateTime, Integer, MetaData, String, Table, select
from sqlalchemy.dialects.postgresql import insert

KEY_LENGTH_LIMIT: Final = 255

metadata: Final = MetaData()

command_answer: Final = Table(
    "command_answer",
    metadata,
    Column("caller", String, primary_key=True, comment="issuer and subject of who sent the command"),
    Column("idempotency_key", String, primary_key=True, comment="as the caller chose it"),
    Column("request_hash", String, nullable=False, comment="hex SHA-256 of the command"),
    Column("status", Integer, nullable=False, comment="HTTP status that was answered"),
    Column("body", JSON, nullable=False, comment="JSON that was answered"),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    comment="The first answer to each command that carried an Idempotency-Key.",
)


class KeyReused(Exception):
    """The caller has used the key for another command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """One caller's key and the hash of the command that came with it."""

    caller: str
    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command was answered: an HTTP status and a JSON object."""

    status: int
    body: Mapping[str, Any]


def hash_of(command: Mapping[str, Any]) -> str:
    """The hex SHA-256 of a command as JSON, its names in order of the alphabet."""
    return sha256(json.dumps(command, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def find_answer(tx: Connection, request: RequestKey) -> Answer | None:
    """Return what the same command was answered before, or None.

    Raises:
        KeyReused: the key came with another command.
    """
    kept = tx.execute(
        select(command_answer.c.request_hash, command_answer.c.status, command_answer.c.body).where(
            command_answer.c.caller == request.caller, command_answer.c.idempotency_key == request.key
        )
    ).one_or_none()
    if kept is None:
        return None
    if kept.request_hash != request.request_hash:
        raise KeyReused("the Idempotency-Key was used for another command")
    return Answer(kept.status, kept.body)


def keep_answer(tx: Connection, request: RequestKey, answer: Answer, *, recorded_at: datetime) -> None:
    """Keep `answer` for the next time; where another transaction was first, its answer stays."""
    tx.execute(
        insert(command_answer)
        .values(
            caller=request.caller,
            idempotency_key=request.key,
            request_hash=request.request_hash,
            status=answer.status,
            body=dict(answer.body),
            recorded_at=recorded_at,
        )
        .on_conflict_do_nothing()
    )
