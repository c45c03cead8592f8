"""The plain peer of answers: FastAPI, SQLAlchemy, a row per value, dicts made JSON by the framework; it asks no token.

python -m peers.plain_answers PORT DATABASE_URL
"""

from __future__ import annotations

import sys
from datetime import date
from typing import Annotated, Any

import sqlalchemy
import uvicorn
from fastapi import FastAPI, Query
from sqlalchemy import BigInteger, Column, Date, DateTime, Integer, MetaData, SmallInteger, Table, select

metadata = MetaData()
reading = Table(
    "plain_reading",
    metadata,
    Column("ean", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", SmallInteger, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("slice", SmallInteger, primary_key=True, autoincrement=False),
    Column("value", Integer),
    Column("quality", SmallInteger, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
)


def create_app(engine: sqlalchemy.Engine) -> FastAPI:
    """Return an app with one route."""
    app = FastAPI()

    @app.get("/blocks")
    def values(
        ean: str, first_day: Annotated[date, Query(alias="from")], last_day: Annotated[date, Query(alias="to")]
    ) -> list[dict[str, Any]]:
        """The values of a point, a dict each."""
        place = reading.c
        query = (
            select(place.day, place.channel, place.slice, place.value, place.quality, place.recorded_at)
            .where(place.ean == int(ean), place.day.between(first_day, last_day))
            .order_by(place.channel, place.day, place.slice)
        )
        with engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    return app


def main(port: int, database_url: str) -> None:
    engine = sqlalchemy.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    uvicorn.run(create_app(engine), host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
