"""Sessions and sign-ins under way, on a real database."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from eventlog.database import create_engine, create_tables
from services.portal.sessions import Person, Role, Sessions, form_token
from services.portal.store import metadata

pytestmark = pytest.mark.integration

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TOKEN = "header.payload.signature"


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="portal")
    create_tables(engine, metadata)
    yield engine
    engine.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(engine: Engine, clock: Clock) -> Sessions:
    return Sessions(engine, now=clock, lasts=timedelta(hours=8))


def person(*, expires_at: datetime = NOON + timedelta(hours=1), token: str = TOKEN) -> Person:
    return Person(subject="operator", name="Operator", token=token, expires_at=expires_at)


async def test_who_signed_in_is_known_by_the_id_in_their_browser(sessions: Sessions) -> None:
    session_id = await sessions.start(person())
    viewer = await sessions.find(session_id)
    assert viewer is not None
    assert (viewer.name, viewer.token, viewer.form_token) == ("Operator", TOKEN, form_token(session_id))
    assert await sessions.find("another") is None
    assert await sessions.find("") is None


async def test_a_session_ends_with_the_token_and_at_the_latest_after_its_time(sessions: Sessions, clock: Clock) -> None:
    short = await sessions.start(person(expires_at=NOON + timedelta(hours=1)))
    long = await sessions.start(person(expires_at=NOON + timedelta(days=9)))
    clock.now = NOON + timedelta(hours=1)
    assert await sessions.find(short) is None
    assert await sessions.find(long) is not None
    clock.now = NOON + timedelta(hours=8)
    assert await sessions.find(long) is None


async def test_a_session_that_was_ended_is_gone(sessions: Sessions) -> None:
    session_id = await sessions.start(person())
    await sessions.end(session_id)
    assert await sessions.find(session_id) is None


async def test_ended_sessions_are_removed_when_somebody_signs_in(
    sessions: Sessions, clock: Clock, engine: Engine
) -> None:
    await sessions.start(person())
    await sessions.depart("/")
    clock.now = NOON + timedelta(days=1)
    await sessions.start(person(expires_at=NOON + timedelta(days=2)))
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from session")).scalar_one() == 1
        assert connection.execute(text("select count(*) from sign_in")).scalar_one() == 0


async def test_a_person_is_what_their_token_says(sessions: Sessions) -> None:
    claims = {"roles": ["net_user", "holder", "publisher"], "person_ref": "anouk", "kbo": "0999975176"}
    payload = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    viewer = await sessions.find(await sessions.start(person(token=f"header.{payload}.signature")))
    assert viewer is not None
    assert viewer.roles == (Role.HOLDER, Role.NET_USER)
    assert (viewer.person_ref, viewer.kbo) == ("anouk", "0999975176")
    assert "anouk" not in repr(viewer)


@pytest.mark.parametrize("payload", ["", "e30", "W10", "bm90anNvbg", "!!", "eyJyb2xlcyI6ICJvcGVyYXRvciJ9"])
async def test_a_token_that_says_nothing_gives_no_role(sessions: Sessions, payload: str) -> None:
    viewer = await sessions.find(await sessions.start(person(token=f"header.{payload}.signature")))
    assert viewer is not None
    assert (viewer.roles, viewer.person_ref, viewer.kbo) == ((), "", "")


async def test_who_signs_out_takes_the_ended_sessions_along(sessions: Sessions, clock: Clock, engine: Engine) -> None:
    await sessions.start(person())
    staying = await sessions.start(person(expires_at=NOON + timedelta(hours=3)))
    leaving = await sessions.start(person(expires_at=NOON + timedelta(hours=3)))
    clock.now = NOON + timedelta(hours=2)
    await sessions.end(leaving)
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from session")).scalar_one() == 1
    assert await sessions.find(staying) is not None


async def test_neither_the_id_nor_the_token_is_in_the_table(sessions: Sessions, engine: Engine) -> None:
    session_id = await sessions.start(person())
    departure = await sessions.depart("/")
    with engine.connect() as connection:
        rows = connection.execute(text("select session::text from session union all select sign_in::text from sign_in"))
        stored = " ".join(rows.scalars())
    for secret in (session_id, TOKEN, departure.state, departure.browser):
        assert secret not in stored
        assert secret.encode().hex() not in stored


async def test_a_sign_in_comes_back_once_and_to_the_browser_that_began_it(sessions: Sessions) -> None:
    departure = await sessions.depart("/points/541448800000000017")
    assert await sessions.arrive("another", departure.browser) is None
    arrival = await sessions.arrive(departure.state, departure.browser)
    assert arrival is not None
    assert (arrival.return_to, arrival.nonce) == ("/points/541448800000000017", departure.nonce)
    digest = hashlib.sha256(arrival.code_verifier.encode()).digest()
    assert urlsafe_b64encode(digest).rstrip(b"=").decode() == departure.code_challenge
    assert await sessions.arrive(departure.state, departure.browser) is None


async def test_a_sign_in_of_another_browser_is_not_taken_and_is_spent(sessions: Sessions) -> None:
    departure = await sessions.depart("/")
    assert await sessions.arrive(departure.state, "another") is None
    assert await sessions.arrive(departure.state, departure.browser) is None


async def test_a_sign_in_that_took_too_long_is_not_taken(sessions: Sessions, clock: Clock) -> None:
    departure = await sessions.depart("/")
    clock.now = NOON + timedelta(minutes=10)
    assert await sessions.arrive(departure.state, departure.browser) is None
