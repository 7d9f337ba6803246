"""Databases of the store: SQLite in WAL mode, every commit on disk; PostgreSQL by URL. Migrated when opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import NullPool

from network_data.errors import InputError

BUSY_MS = 30_000
"""How long a writer waits for another one. [ms]"""
LOCK_KEY = 0x1750_57A7E5
"""Number of PostgreSQL's advisory lock: one writer of the chain at a time."""
HOW = "give a file, sqlite:///FILE or postgresql://USER@HOST/NAME"


def open_engine(where: str, *, password: Callable[[], str] | None = None) -> Engine:
    """The engine of a database, migrated to the newest form.

    Parameters
    ----------
    where : str
        A file, `sqlite:///FILE` or `postgresql://USER@HOST/NAME`.
    password : callable, optional
        Gives the one for PostgreSQL; no text, so that no traceback shows it.

    Raises
    ------
    InputError
        No such kind of database, or it cannot be reached.
    """
    shown = where
    try:
        url = make_url(where if "://" in where else f"sqlite:///{Path(where)}")
        shown = url.render_as_string(hide_password=True)
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
            url = url.set(password=password()) if password is not None else url
        elif url.get_backend_name() != "sqlite":
            raise InputError("plan store", f"{shown} is neither SQLite nor PostgreSQL; {HOW}")
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise InputError("plan store", f"{shown!r} names no database; {HOW}") from None
    except ModuleNotFoundError as error:
        raise InputError(
            "plan store", f"needs {error.name}; install it with: pip install 'its-signals[postgres]'"
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connected)
        event.listen(engine, "begin", _sqlite_begun)
    reason = ""
    try:
        _migrate(engine)
    except OperationalError as error:
        reason = str(error.orig).splitlines()[0] if error.orig else "no reason given"
    if reason:  # raised out here: the driver's frames know the password
        engine.dispose()
        raise InputError("plan store", f"{shown} cannot be opened: {reason}; check path, rights and server")
    return engine


def lock_for_writing(connection: Connection) -> None:
    """Wait until this transaction is the only writer; SQLite's transactions begin as such."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})


def _sqlite_connected(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver's guess
    # the wait comes first: of two that open a new store at once, one switches to the write-ahead log
    for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begun(connection: Connection) -> None:
    reading = connection.get_execution_options().get("its_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        lock_for_writing(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
