"""A relay as a process of its own: python -m tests.faults.drill.publishing."""

from __future__ import annotations

import asyncio
import sys

from eventlog.database import create_engine
from eventlog.kafka import KafkaAccess
from eventlog.logs import setup_logging
from eventlog.relay import relay
from tests.faults.drill import seams

FROZEN_SECONDS = 8  # a waiting relay takes over from one that said nothing for so long


def main() -> None:
    """Arguments: the URL of the service's schema, bootstrap, topic, the service's name."""
    database_url, bootstrap, topic, source = sys.argv[1:]
    setup_logging(source)
    engine = create_engine(database_url, application_name=f"{source}-relay")
    seams.watch_engine(engine, also=source)
    seams.obey()
    kafka = KafkaAccess(bootstrap)
    asyncio.run(relay(engine, topic=topic, source=source, kafka=kafka, frozen_seconds=FROZEN_SECONDS))


if __name__ == "__main__":
    main()
