"""What every command over HTTP needs: the database, the key for persons, time, ids and chance; all from outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine
from starlette.responses import JSONResponse

from eventlog.idempotency import Answer, RequestKey, answer_once, request_key
from eventlog.trust import Caller
from services.register import store
from services.register.bodies import NetUserBody
from services.register.domain.refusals import RegistrationRefused
from services.register.personal_data import hash_command, hash_reference
from services.register.store import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where commands are taken. `clock` gives the time in UTC, `random_bytes` as many as asked, good for keys."""

    engine: Engine
    person_key: bytes = field(repr=False)
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    random_bytes: Callable[[int], bytes]

    def request_key(self, caller: Caller, header: str | None, command: Mapping[str, Any]) -> RequestKey | None:
        """The key that came with `command`, which is kept as a keyed hash: it may hold personal data."""
        found = request_key(caller, header, {})
        if found is None:
            return None
        canonical = json.dumps(command, sort_keys=True, separators=(",", ":"))
        return replace(found, request_hash=hash_command(canonical, self.person_key))

    def answer(self, work: Callable[[Connection], Answer], request: RequestKey | None) -> Answer:
        """Return what `work` answers in one transaction, or answered before to the same `request`."""
        return answer_once(self.engine, work, request=request, now=self.clock())

    def reference(self, *, person_ref: str | None, kbo: str | None) -> Reference:
        """Return how a net user is found by one of the two."""
        if person_ref is None:
            return Reference(kbo=kbo or "")
        return Reference(person_ref_hmac=hash_reference(person_ref, self.person_key))

    def find(self, tx: Connection, body: NetUserBody) -> UUID:
        """Return the id of the net user that `body` names.

        Raises:
            RegistrationRefused: nobody has this reference.
        """
        if body.net_user_id is not None:
            return body.net_user_id
        known = store.find_net_user(tx, self.reference(person_ref=body.person_ref, kbo=body.kbo))
        if known is None:
            raise RegistrationRefused("the register does not know this net user; register them first")
        return known.net_user_id


def to_response(answer: Answer) -> JSONResponse:
    """Return `answer` as an HTTP response."""
    return JSONResponse(dict(answer.body), status_code=answer.status)
