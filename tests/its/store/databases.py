"""Databases for the tests of the store: SQLite always, PostgreSQL where Debian's is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

DOCUMENT = {
    "format": "its-plan",
    "version": 1,
    "network_hash": "a" * 64,
    "inputs": {"counts": "b" * 64, "network": "c" * 64},
    "engine": {"its-signals": "0.1.0"},
    "seed": 0,
    "period": {"begin_s": 25_200.0, "end_s": 32_400.0, "days": "weekday"},
    "objective": {"value": 1.0},
    "bounds": [],
    "checks": [],
    "warrants": [],
    "controllers": [
        {
            "id": "J1",
            "cycle_s": 60.0,
            "offset_s": 5.0,
            "barrier_groups": [],
            "intervals": [{"duration_s": 27.0, "state": "Gr"}, {"duration_s": 3.0, "state": "yr"},
                          {"duration_s": 27.0, "state": "rG"}, {"duration_s": 3.0, "state": "ry"}],
            "green_windows": [],
        }
    ],
}  # fmt: skip
"""A small plan document."""


def document(seed: int = 0) -> dict[str, object]:
    """One plan per seed."""
    return {**DOCUMENT, "seed": seed}


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) if Path("/usr/lib/postgresql").is_dir() else []
    return found[-1].parent if found else None


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of its own on a socket in a folder that is removed; yields the URL without a name."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    as_user = []
    if os.geteuid() == 0:  # the server refuses to run as root
        if shutil.which("runuser") is None or subprocess.run(["id", "postgres"], capture_output=True).returncode:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres to run it as")
        as_user = ["runuser", "-u", "postgres", "--"]
    folder = tempfile.mkdtemp(prefix="its-pg-")
    if as_user:
        shutil.chown(folder, "postgres")
    data = f"{folder}/data"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run([*as_user, str(binaries / "initdb"), "-D", data, "-U", "its", "-A", "trust", "-N"], **quiet)
    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=20"
    control = [*as_user, str(binaries / "pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log"]
    try:
        subprocess.run([*control, "-o", options, "start"], **quiet)
        yield f"postgresql://its@/NAME?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **{**quiet, "check": False})
        shutil.rmtree(folder, ignore_errors=True)
