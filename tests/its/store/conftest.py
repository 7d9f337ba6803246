"""A store on each kind of database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from its.store import Store
from tests.its.store.databases import postgres_server

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a running server."""
    with postgres_server() as url:
        yield url


def fresh_postgres(url: str) -> str:
    """A new empty database on the server."""
    import psycopg

    name = f"its{next(NUMBERS)}"
    with psycopg.connect(url.replace("/NAME", "/postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.replace("/NAME", f"/{name}")


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database."""
    if request.param == "sqlite":
        return str(tmp_path / "store.db")
    return fresh_postgres(request.getfixturevalue("postgres"))


@pytest.fixture
def store(where: str) -> Iterator[Store]:
    """An empty store."""
    opened = Store.open(where, actor="tester")
    yield opened
    opened.close()
