"""The command line: what it accepts, what it passes on, how it ends."""

import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from its.cli import app, paths, seconds
from its.requests import DemandSource, OptimizeRequest, SimulateRequest
from network_data.errors import DemandError, InfeasibleError, OutsideProgramError, SignalError

COMMANDS = ("optimize", "simulate", "check", "verify", "makecounts")
TURNS = ("--turns", "t.csv")
COUNTED = ("--detectors", "d.csv", "--counts", "c.parquet")


def its(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


class Recorder:
    """Stands in for a job: keeps what it was called with and returns or raises what it was told to."""

    def __init__(self, outcome: int | BaseException = 0) -> None:
        self.outcome = outcome
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> int:
        self.args, self.kwargs = args, kwargs
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """One recorder in the place of every command's job."""
    recorder = Recorder()
    modules = {"optimize": "optimize_job", "simulate": "simulate_job"}
    for command in COMMANDS:
        module = ModuleType(f"its.{modules.get(command, command)}")
        setattr(module, f"{command}_job", recorder)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return recorder


def test_help_names_every_command() -> None:
    """`its --help` lists the five commands."""
    text = its("--help").output
    assert all(command in text for command in COMMANDS)


def test_help_is_quick() -> None:
    """Help comes without loading the engine: within a second, and with no heavy module."""
    code = (
        "import sys; from its.cli import app; from typer.testing import CliRunner; CliRunner().invoke(app, ['--help']);"
        "print(sorted({'numpy', 'numba', 'pandas', 'ortools', 'networkx', 'pydantic'} & set(sys.modules)))"
    )
    begin_s = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert time.monotonic() - begin_s < 3  # 0.2 s alone; the machine may be busy


def test_version() -> None:
    """`--version` prints the installed version."""
    result = its("--version")
    assert result.exit_code == 0
    assert result.output.startswith("its 0.")


def test_optimize_passes_every_option_on(job: Recorder, tmp_path: Path) -> None:
    """All options of the contract arrive in the request, times as seconds."""
    result = its(
        "optimize", "n.net.xml", *COUNTED, *TURNS, "--plans", "p.xml", "--begin", "07:00", "--end", "28800",
        "--days", "2024-05-13..2024-05-17", "--settings", "s.toml", "--seed", "3", "--time-limit", "30",
        "--iterations", "10", "--workers", "4", "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (request,) = job.args
    assert isinstance(request, OptimizeRequest)
    assert request.source == DemandSource(
        detectors=Path("d.csv"),
        counts=Path("c.parquet"),
        turns=Path("t.csv"),
        begin_s=25_200,
        end_s=28_800,
        days="2024-05-13..2024-05-17",
    )
    assert (request.network, request.plans, request.settings) == (Path("n.net.xml"), Path("p.xml"), Path("s.toml"))
    assert (request.seed, request.time_limit_s, request.iterations, request.workers) == (3, 30, 10, 4)
    assert request.out == tmp_path / "out"
    assert not request.out.exists()  # the job writes, not the command line


def test_defaults_of_the_contract(job: Recorder) -> None:
    """Seed 0, weekdays, no warm-up, four realizations."""
    assert its("simulate", "n", *TURNS).exit_code == 0
    assert job.args == (
        SimulateRequest(
            network=Path("n"), source=DemandSource(turns=Path("t.csv"), days="weekday"), realizations=4, seed=0
        ),
    )


def test_simulate_takes_routes(job: Recorder) -> None:
    """`--routes` is a comma list and stands alone."""
    assert its("simulate", "n", "--routes", "a.xml, b.xml", "--json").exit_code == 0
    assert job.args[0].source.routes == (Path("a.xml"), Path("b.xml"))
    assert job.args[0].as_json


def test_check_verify_makecounts_pass_their_options_on(job: Recorder, tmp_path: Path) -> None:
    """The three other commands hand over paths and numbers."""
    assert its("check", "plan.json", "--network", "n", "--settings", "s.toml", "--json").exit_code == 0
    assert job.args == (Path("plan.json"), Path("n"), Path("s.toml"), True)
    options = ("--routes", "a,b", "--additional", "x,y", "--begin", "0", "--end", "01:00")
    assert its("verify", "n", *options, "--plans", "new", "--against", "old", "--seeds", "2").exit_code == 0
    assert job.args[:3] == (Path("n"), (Path("a"), Path("b")), Path("new"))
    assert job.kwargs["additional_paths"] == (Path("x"), Path("y"))
    assert (job.kwargs["begin_s"], job.kwargs["end_s"], job.kwargs["seeds"], job.kwargs["scale"]) == (0, 3600, 2, 1)
    assert its("makecounts", "n", *options, "--out", str(tmp_path)).exit_code == 0
    assert (job.kwargs["interval_s"], job.kwargs["seed"], job.kwargs["out"]) == (300, 42, tmp_path)
    assert (job.kwargs["detectors_path"], job.kwargs["scale"]) == (None, 1.0)
    assert its("makecounts", "n", *options, "--detectors", "d", "--scale", "0.6", "--out", str(tmp_path)).exit_code == 0
    assert (job.kwargs["detectors_path"], job.kwargs["scale"]) == (Path("d"), 0.6)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (
            ("optimize", "n", "--out", "o"),
            "no demand; give --detectors and --counts together, or --turns, or all three",
        ),
        (("optimize", "n", "--out", "o", "--counts", "c"), "--counts without --detectors"),
        (("optimize", "n", "--out", "o", "--detectors", "d"), "--detectors without --counts"),
        (("optimize", "n", "--out", "o", "--detectors", "d", *TURNS), "--detectors without --counts"),
        (("optimize", "n", *TURNS), "--out"),
        (("optimize", "n", *TURNS, "--out", "o", "--time-limit", "nan"), "--time-limit"),
        (("optimize", "n", *TURNS, "--out", "o", "--time-limit", "inf"), "give a finite one"),
        (("optimize", "n", *TURNS, "--out", "o", "--time-limit", "0"), "--time-limit"),
        (("optimize", "n", *TURNS, "--out", "o", "--begin", "25:99"), "seconds after midnight or HH:MM"),
        (("optimize", "n", *TURNS, "--out", "o", "--begin", "nan"), "outside the day"),
        (("optimize", "n", *TURNS, "--out", "o", "--begin", "-5"), "outside the day"),
        (("optimize", "n", *TURNS, "--out", __file__), "is a file; name a folder"),
        (("optimize", "n", *TURNS, "--out", "o", "--routes", "r"), "--routes"),
        (("simulate", "n"), "or --routes alone"),
        (("simulate", "n", "--routes", "r", *TURNS), "--routes does not go with counts or turns"),
        (("simulate", "n", "--routes", "r,,s"), "has an empty name"),
        (
            ("simulate", "n", *TURNS, "--begin", "08:00", "--end", "07:00"),
            "--begin 28800 s is not before --end 25200 s",
        ),
        (("simulate", "n", *TURNS, "--realizations", "0"), "--realizations"),
        (("check", "p"), "--network"),
        (("verify", "n", "--routes", "r"), "--plans"),
        (("makecounts", "n", "--out", "o"), "--routes"),
        (("timetable",), "timetable"),
        (("simulate", "n", *TURNS, "--jsn"), "--jsn"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_to_give(job: Recorder, args: tuple[str, ...], says: str) -> None:
    """Missing, contradicting and misspelt options never reach the job."""
    result = its(*args)
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())
    assert job.args == ()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DemandError("counts.csv", ["row 3: veh is 'x'; give a number", "row 9: ends before it begins"]), 2),
        (InfeasibleError("controller 'A': minimum greens need 190 s"), 3),
        (OutsideProgramError("sumo ended with code 1"), 4),
        (SignalError("something else"), 2),
        (PermissionError(13, "Permission denied", "out/plan.json"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_exit_codes(job: Recorder, error: BaseException, code: int) -> None:
    """Each kind of error has its exit code and its text on stderr, all faults of it, no traceback."""
    job.outcome = error
    result = its("simulate", "n", *TURNS)
    assert result.exit_code == code
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    for fault in getattr(error, "faults", []):
        assert f"counts.csv: {fault}" in result.stderr


def test_the_code_of_the_job_is_the_code_of_the_command(job: Recorder) -> None:
    """A job that says 3 (check found errors) ends the command with 3."""
    job.outcome = 3
    assert its("check", "p", "--network", "n").exit_code == 3


@pytest.mark.parametrize(
    ("text", "value_s"), [("25200", 25_200), ("07:00", 25_200), ("7:00:30", 25_230), ("24:00", 86_400), ("1.5", 1.5)]
)
def test_times(text: str, value_s: float) -> None:
    """Seconds, or hours and minutes with or without seconds."""
    assert seconds(text) == value_s


def test_one_path_is_a_list_of_one() -> None:
    """No comma, no list."""
    assert paths("a.xml") == (Path("a.xml"),)


def test_a_folder_that_nobody_can_write_into_is_refused_before_any_work(job: Recorder) -> None:
    """The kernel's own folder takes no files, not even from root, whom no rights hold back."""
    if not Path("/proc").is_dir():
        pytest.skip("no /proc here")
    result = its("optimize", "n", *TURNS, "--out", "/proc/plans")
    assert result.exit_code == 2
    assert "cannot write into '/proc'" in " ".join(result.stderr.split())
    assert job.args == ()
