"""Kernels are compiled before the clock that counts starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import packs
from tests.its.jobs import NETWORK

CODE = """
import sys
from numba.core.dispatcher import Dispatcher
from its.cli import app
from its.warm import compile_kernels
import its.optimize_job
from typer.testing import CliRunner

def compiled():
    rooms = {name: module for name, module in sys.modules.items() if name.split(".")[0] in ("sim", "optimizer", "its")}
    found = {(name, key): value for name, module in rooms.items() for key, value in vars(module).items()}
    return {key: len(value.signatures) for key, value in found.items() if isinstance(value, Dispatcher)}

compile_kernels()
before = compiled()
result = CliRunner().invoke(app, sys.argv[1:])
assert result.exit_code == 0, result.output
called = {key: n for key, n in compiled().items() if n != before.get(key, 0)}
assert before and not called, called
"""


@pytest.mark.slow
def test_a_job_compiles_nothing_that_warming_has_not(tmp_path: Path) -> None:
    """After `compile_kernels` a job finds every kernel it calls compiled, for the very types it passes."""
    turns = tmp_path / "turns.csv"
    turns.write_text("from_link,to_link,begin_s,end_s,veh\nW_M1,M1_M2,27000,27300,30\n", encoding="utf-8")
    args = ["optimize", NETWORK, "--turns", turns, "--iterations", "1", "--out", tmp_path / "out"]
    environment = {**os.environ, "PYTHONPATH": str(packs.ROOT)}
    run = [sys.executable, "-c", CODE, *map(str, args)]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
