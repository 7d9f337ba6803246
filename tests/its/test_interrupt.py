"""A run that is interrupted leaves the best legal plan so far: tried by sending signals to a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from its.interrupt import listening
from tests import packs
from tests.its.jobs import FILES, NETWORK, its


def searching(turns: Path, out: Path) -> subprocess.Popen[str]:
    """A process of `its optimize` that has begun to search and would do so for minutes."""
    command = [sys.executable, "-m", "its", "optimize", str(NETWORK), "--turns", str(turns), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--time-limit", "300", "--workers", "1"],
        cwd=packs.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "searching" in line:
            return process
    raise AssertionError("the process ended before it searched")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_the_first_signal_ends_the_run_with_a_plan(
    number: signal.Signals, code: int, turns: Path, tmp_path: Path
) -> None:
    """Five files, a plan that passes the check, the signal in the record, and the shell's exit code."""
    out = tmp_path / "out"
    process = searching(turns, out)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "ending with the best plan so far" in said
    assert {path.name for path in out.iterdir()} == FILES
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert run["interrupted"] == number.name
    assert run["reproducible"] is False
    assert its("check", out / "plan.json", "--network", NETWORK).exit_code == 0


@pytest.mark.slow
def test_the_second_signal_breaks_off(turns: Path, tmp_path: Path) -> None:
    """Nothing is written, no half file stays."""
    out = tmp_path / "out"
    process = searching(turns, out)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    for line in process.stderr:
        if "ending with" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not out.exists() or not list(out.iterdir())


def test_signals_are_taken_in_order_and_given_back() -> None:
    """The first asks, the second raises; afterwards the handlers are those of before."""
    before = signal.getsignal(signal.SIGTERM)
    said: list[str] = []
    with listening(said.append) as state:
        assert not state.asked()
        assert state.exit_code == 0
        os.kill(os.getpid(), signal.SIGTERM)
        assert state.asked()
        assert (state.name, state.exit_code) == ("SIGTERM", 143)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before
    assert len(said) == 1


def test_other_threads_take_no_signals() -> None:
    """A job in a worker thread runs on as before."""
    states = []

    def work() -> None:
        with listening(print) as state:
            states.append(state.asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert states == [False]
