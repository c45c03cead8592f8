"""Composition root of the rebuild: a process that makes the store again, compares, says so and ends."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from typing import Final, NoReturn

from eventlog.database import create_engine, in_schema
from eventlog.logs import setup_logging
from eventlog.rebuild import RebuildStopped
from eventlog.registered import use_schema_registry
from eventlog.settings import read_settings
from eventlog.topics import load_topics
from services.metering import store
from services.metering.projector import BlockProjection
from services.metering.rebuild import Comparison, NoRoom, empty_store, rebuild
from services.metering.settings import MeteringSettings

_log: Final = logging.getLogger(__name__)


def run_rebuild() -> NoReturn:
    """Make the store again beside the live one, compare them, say so on stdout, and end with exit code 0 or 1."""
    settings = read_settings(MeteringSettings)
    use_schema_registry(settings.schema_registry)
    setup_logging(settings.service)
    try:
        comparison = rebuild_beside(settings)
    except (NoRoom, RebuildStopped) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    sys.stdout.write("".join(f"{line}\n" for line in comparison.lines()))
    sys.exit(0 if comparison.is_identical else 1)


def rebuild_beside(settings: MeteringSettings, *, topic: str = store.TOPIC) -> Comparison:
    """Return how the store compares with one made again from offset 0, which lies beside it meanwhile.

    Raises:
        NoRoom: there is no schema for it.
        RebuildStopped: the log does not give what the live store once had from it.
    """
    url = settings.database_url.get_secret_value()
    with empty_store(url, settings.rebuild_schema) as engine:
        beside = BlockProjection(
            engine=engine,
            database_url=in_schema(url, settings.rebuild_schema),
            partition_count=load_topics(settings.topics_profile)[store.TOPIC].partitions,
            publishes=False,
            topic=topic,
        )
        live = create_engine(url, application_name="metering-rebuild")
        try:
            return asyncio.run(rebuild(live, beside, kafka=settings.kafka, note=_log_each_second()))
        finally:
            beside.close()
            live.dispose()


def _log_each_second() -> Callable[[str], None]:
    logged_at = 0.0

    def note(line: str) -> None:
        nonlocal logged_at
        if time.monotonic() - logged_at >= 1:
            logged_at = time.monotonic()
            _log.info("%s", line)

    return note
