"""Commands over HTTP: tried again when another came in between, and answered the same when they are sent twice.

A caller's `Idempotency-Key` gets the first answer again. The answer is kept in the transaction of the command, so it is
there if and only if the command took effect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import JSON, Column, Connection, DateTime, Integer, MetaData, String, Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Engine

from eventlog.event_store import StreamChanged
from eventlog.problems import Problem
from eventlog.trust import Caller

KEY_LENGTH_LIMIT: Final = 255
MAX_COMMAND_BYTES: Final = 65_536
_RETRIES: Final = 3

metadata: Final = MetaData()

command_answer: Final = Table(
    "command_answer",
    metadata,
    Column("caller", String, primary_key=True, comment="issuer and subject of who sent the command"),
    Column("idempotency_key", String, primary_key=True, comment="as the caller chose it"),
    Column("request_hash", String, nullable=False, comment="hex SHA-256 of the command"),
    Column("status", Integer, nullable=False, comment="HTTP status that was answered"),
    Column("body", JSON, nullable=False, comment="JSON that was answered"),
    Column("recorded_at", DateTime(timezone=True), nullable=False, comment="when it was answered first (UTC)"),
    comment="The first answer to each command that carried an Idempotency-Key.",
)


class KeyReused(Problem):
    """The caller has used the key for another command: 422."""

    def __init__(self) -> None:
        super().__init__(
            422, "IdempotencyKeyReused", "the Idempotency-Key was used for another command; choose a new one"
        )


class Busy(Problem):
    """Others changed the same thing each time we tried: 503, and safe to send again."""

    def __init__(self) -> None:
        super().__init__(503, "Busy", "others change the same thing now; try again", headers={"Retry-After": "1"})


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


def request_key(caller: Caller, header: str | None, command: Mapping[str, Any]) -> RequestKey | None:
    """The key that `caller` sent with `command` (its JSON) in the header `Idempotency-Key`; None without one."""
    if not header:
        return None
    canonical = json.dumps(command, sort_keys=True, separators=(",", ":"))
    digest = sha256(canonical.encode()).hexdigest()
    return RequestKey(caller=f"{caller.issuer} {caller.subject}", key=header, request_hash=digest)


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
        raise KeyReused
    return Answer(kept.status, kept.body)


def keep_answer(tx: Connection, request: RequestKey, answer: Answer, *, recorded_at: datetime) -> None:
    """Keep `answer` for the next time.

    Raises:
        StreamChanged: the same command was carried out in between: roll back, its answer is there at the next try.
    """
    kept = tx.execute(
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
        .returning(command_answer.c.status)
    )
    if kept.first() is None:
        raise StreamChanged("the same command was carried out in between")


def answer_once(
    engine: Engine, work: Callable[[Connection], Answer], *, request: RequestKey | None, now: datetime
) -> Answer:
    """Return what `work` answers, or answered before to the same `request`; one transaction, four tries.

    Raises:
        KeyReused: the key came with another command; nothing is written.
        Busy: others came in between each time; nothing is written.
    """
    for _ in range(1 + _RETRIES):
        with suppress(StreamChanged):
            return _answer(engine, work, request, now)
    raise Busy


def _answer(engine: Engine, work: Callable[[Connection], Answer], request: RequestKey | None, now: datetime) -> Answer:
    with engine.begin() as tx:
        if request is None:
            return work(tx)
        kept = find_answer(tx, request)
        if kept is not None:
            return kept
        answer = work(tx)
        keep_answer(tx, request, answer, recorded_at=now)
        return answer
