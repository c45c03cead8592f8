"""A connection that breaks in the middle of a commit: whatever became of it, each record takes effect once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine

from eventlog.database import create_engine, create_tables
from tests.effects import CopiedOffsets, Offsets, consuming, effects, has, in_order, values
from tests.faults.commit_cutter import CommitCutter, Cut, commit_cutter
from tests.topics import make_topic, send, until

pytestmark = [pytest.mark.integration, pytest.mark.fault]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, effects)
    yield engine
    engine.dispose()


@dataclass
class Arming:
    """Arms the cutter in the middle of the second run."""

    cutter: CommitCutter
    cut: Cut
    place: str
    run_count: int = 0

    def reach(self, place: str) -> None:
        if place == "fetched":
            self.run_count += 1
        if place == self.place and self.run_count == 2:
            self.run_count += 1
            self.cutter.cut = self.cut


@pytest.mark.parametrize("cut", Cut)
@pytest.mark.parametrize(("kind", "place"), [(Offsets, "written"), (CopiedOffsets, "copying")], ids=["rows", "copy"])
async def test_a_commit_whose_answer_is_lost_is_asked_of_the_database(
    engine: Engine, kafka_bootstrap: str, kind: type[Offsets], place: str, cut: Cut
) -> None:
    topic = await make_topic(kafka_bootstrap, 1)
    await send(kafka_bootstrap, topic, values(12), partition=0)
    async with commit_cutter(engine.url) as (cutter, url):
        through = create_engine(url.render_as_string(hide_password=False), application_name="member")
        member = kind(through, topic, reach=Arming(cutter, cut, place).reach)
        async with consuming(member, kafka_bootstrap, max_run_records=3):
            await until(lambda: has(engine, 12))
        through.dispose()
        assert cutter.cut_count == 1
    assert in_order(engine) == [(0, offset) for offset in range(12)]
    # After the cut the partition is claimed again; a run that was committed after all is not applied once more.
    assert member.epochs == ([1, 2, 2, 2] if cut is Cut.BEFORE else [1, 2, 2])
