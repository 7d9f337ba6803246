"""`its optimize`: the same inputs give the same bytes; sources, settings and plans; what it refuses."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from its.recognize import load_network
from network_data.formats.sumo_tls import read_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.rings import merge_equal
from tests import packs
from tests.its.jobs import (
    COUNTED,
    COUNTS,
    DETECTORS,
    FILES,
    NETWORK,
    NO_CROSSINGS,
    ROUTES,
    TURNS_HEADER,
    Job,
    its,
    optimized,
    plan_bytes,
    settings_of,
    write_turns,
)


@pytest.mark.slow
def test_same_bytes_for_any_workers_process_and_place(job: Job, tmp_path: Path) -> None:
    """Copies of the inputs elsewhere, two workers, another process with another hash seed: the same plan."""
    files = [Path(shutil.copy(path, tmp_path / f"copy-of-{path.name}")) for path in (NETWORK, DETECTORS, COUNTS)]
    args = [sys.executable, "-m", "its", "optimize", files[0].name, "--detectors", files[1].name, "--counts"]
    args += [files[2].name, *COUNTED[4:], "--iterations", "3", "--workers", "2", "--out", "elsewhere"]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(packs.ROOT), "TZ": "Asia/Seoul"}
    subprocess.run(args, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert plan_bytes(tmp_path / "elsewhere") == plan_bytes(job.out)


def test_same_bytes_a_second_time_over_the_first(job: Job, tmp_path: Path) -> None:
    """A run into a folder with old results replaces them, and makes the same plan again."""
    out = tmp_path / "out"
    shutil.copytree(job.out, out)
    (out / "plan.json").write_text("old", encoding="utf-8")
    again = optimized(out, *COUNTED, "--iterations", "3", "--workers", "2")
    assert plan_bytes(again.out) == plan_bytes(job.out)
    assert {path.name for path in out.iterdir()} == FILES


@pytest.mark.slow
def test_a_run_with_a_time_limit_can_be_replayed(turns: Path, tmp_path: Path) -> None:
    """It says that it is not reproducible and how many iterations it made; these give the same bytes."""
    # a process of its own: the clock of the time limit starts with the process
    args = [sys.executable, "-m", "its", "optimize", str(NETWORK), "--turns", str(turns)]
    environment = {**os.environ, "PYTHONPATH": str(packs.ROOT)}
    limited = [*args, "--time-limit", "8", "--out", str(tmp_path / "limited")]
    subprocess.run(limited, cwd=tmp_path, env=environment, check=True, capture_output=True)
    run = json.loads((tmp_path / "limited" / "run.json").read_text(encoding="utf-8"))
    assert run["reproducible"] is False
    replayed = optimized(tmp_path / "replayed", "--turns", turns, "--iterations", str(run["iterations"]))
    assert replayed.run["reproducible"] is True
    assert plan_bytes(tmp_path / "limited") == plan_bytes(replayed.out)


def test_turns_alone_are_enough(turns: Path, tmp_path: Path) -> None:
    """Without detectors there is no check of today, and the report says so; the period is that of the turns."""
    made = optimized(tmp_path / "out", "--turns", turns, "--iterations", "1", "--seed", "3")
    assert made.plan["period"] == {"begin_s": 27_000, "end_s": 27_300, "days": "weekday"}
    assert made.plan["seed"] == 3
    assert set(made.plan["inputs"]) == {"network", "turns"}
    assert made.run["today"]["detectors"] == []
    assert all(signal["unproven"] for signal in made.run["today"]["signals"].values())
    assert "The input holds no detectors" in made.report
    between = [m for m in made.run["demand"]["movements"] if m["from_link"] and m["to_link"]]
    assert {m["support"] for m in between} == {"measured"}


def test_all_three_sources_together(job: Job, tmp_path: Path) -> None:
    """Turns beside counts measure their movement: it is known better than from the counts alone."""
    turns = write_turns(tmp_path / "turns.csv", job.run, intervals=3)
    made = optimized(tmp_path / "out", *COUNTED, "--turns", turns, "--iterations", "0")
    assert set(made.plan["inputs"]) == {"network", "detectors", "counts", "turns"}
    before, after = (
        {(m["from_link"], m["to_link"]): m for m in x.run["demand"]["movements"] if m["from_link"] and m["to_link"]}
        for x in (job, made)
    )
    assert {m["support"] for m in after.values()} == {"measured"}
    guessed = [pair for pair, m in before.items() if m["support"] == "prior"]
    assert guessed
    changes = [after[pair]["sd_veh_per_h"] - before[pair]["sd_veh_per_h"] for pair in guessed]
    assert max(changes) <= 0  # a turn that nobody makes is known as well as it can be
    assert min(changes) < -1
    assert made.run["today"]["detectors"]


def test_an_earlier_plan_is_the_plan_in_the_field(job: Job, tmp_path: Path) -> None:
    """With --plans plan.json the ladder begins where the earlier one ended; no iterations keep it as it is."""
    made = optimized(tmp_path / "out", *COUNTED, "--plans", job.out / "plan.json", "--iterations", "0")
    assert made.run["ladder"][0]["delay_s_per_veh"] == job.run["ladder"][-1]["delay_s_per_veh"]
    assert {step["delay_s_per_veh"] for step in made.run["ladder"]} == {job.run["ladder"][-1]["delay_s_per_veh"]}
    assert made.plan["inputs"]["plans"] == hashlib.sha256((job.out / "plan.json").read_bytes()).hexdigest()
    assert [c["intervals"] for c in made.plan["controllers"]] == [c["intervals"] for c in job.plan["controllers"]]


def shown(program: ControllerPlan) -> list[str]:
    """The states of a cycle second by second from midnight."""
    return [program.state_at(t) for t in range(round(program.cycle_s))]


def test_fixed_signals_keep_their_program(turns: Path, district_field: TimingPlan, tmp_path: Path) -> None:
    """Fixed signals show every second what they show today, here and in SUMO; others change."""
    settings = settings_of(tmp_path, '[change]\nfixed_signals = ["M1", "N4"]\n')
    made = optimized(tmp_path / "out", "--turns", turns, "--settings", settings, "--iterations", "12")
    exported = read_sumo_programs(made.out / "plan.add.xml")
    changed = {c for c, program in exported.items() if shown(program) != shown(district_field.controllers[c])}
    assert len(changed) > 1
    assert not {"M1", "N4"} & changed
    assert made.plan["inputs"]["settings"] == hashlib.sha256(settings.read_bytes()).hexdigest()


def _cycles(plan: TimingPlan) -> dict[str, Any]:
    return {c: p.cycle_s for c, p in plan.controllers.items()}


def _offsets(plan: TimingPlan) -> dict[str, Any]:
    return {c: p.offset_s % p.cycle_s for c, p in plan.controllers.items()}


def _greens(plan: TimingPlan) -> dict[str, Any]:
    return {c: [p.green_s(k) for k in range(len(p.intervals[0].state))] for c, p in plan.controllers.items()}


def _stages(plan: TimingPlan) -> dict[str, Any]:
    return {c: [i.state for i in merge_equal(p.intervals)] for c, p in plan.controllers.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frozen", "same", "other"),
    [
        (("cycle", "splits", "stages"), (_cycles, _greens), _offsets),
        (("offsets", "cycle", "stages"), (_cycles,), _greens),
        (("offsets", "splits", "stages"), (), _cycles),
        (("cycle",), (_cycles,), _greens),
        (("cycle", "stages", "splits", "offsets"), (_cycles, _offsets, _greens, _stages), None),
    ],
)
def test_what_is_frozen_stays(
    turns: Path,
    district_field: TimingPlan,
    tmp_path: Path,
    frozen: tuple[str, ...],
    same: tuple[Callable[[TimingPlan], dict[str, Any]], ...],
    other: Callable[[TimingPlan], dict[str, Any]] | None,
) -> None:
    """Frozen cycles, greens or offsets equal the field's at every signal; what is not frozen is used."""
    settings = settings_of(tmp_path, f"[change]\nfreeze = {list(frozen)}\n")
    made = optimized(tmp_path / "out", "--turns", turns, "--settings", settings, "--iterations", "40")
    new = TimingPlan(controllers=read_sumo_programs(made.out / "plan.add.xml"))
    for view in same:
        assert view(new) == view(district_field)
    assert other is None or other(new) != other(district_field)


def one_junction_turns(tmp_path: Path, network: RoadNetwork) -> Path:
    """A hundred vehicles in a quarter of an hour on every signalled movement."""
    path = tmp_path / "turns.csv"
    rows = [f"{m.from_link},{m.to_link},25200,26100,25" for m in network.movements.values() if m.controller_id]
    path.write_text("\n".join(["from_link,to_link,begin_s,end_s,veh", *rows]), encoding="utf-8")
    return path


def test_a_network_without_crossings_is_said_not_to_be_fit(tmp_path: Path) -> None:
    """Run record, report and plan say it in one line; not where crossings are assumed."""
    source = packs.resco("cologne1") / "cologne1.net.xml"
    demand = one_junction_turns(tmp_path, load_network(source))
    made = optimized(tmp_path / "out", "--turns", demand, "--iterations", "1", network=source)
    assert NO_CROSSINGS in made.run["notes"]
    assert NO_CROSSINGS in made.report
    assert [c["warnings"] for c in made.plan["checks"] if c["rule"] == "walk"] == [[NO_CROSSINGS]]
    settings = settings_of(tmp_path, '[rules]\npedestrians = "assume"\n')
    assumed = optimized(
        tmp_path / "assumed", "--turns", demand, "--iterations", "1", "--settings", settings, network=source
    )
    assert NO_CROSSINGS not in assumed.run["notes"]
    assert NO_CROSSINGS not in assumed.report


@pytest.fixture
def bad(tmp_path: Path) -> Callable[[str, str], str]:
    """Writes a file and returns its path."""

    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize(
    ("option", "name", "text", "says"),
    [
        (
            "--turns",
            "turns.csv",
            TURNS_HEADER + "\nW_M1,M1_M2,27000,27900,x\nnope,M1_M2,27000,27900,3\n",
            ["turns.csv: row 2: veh is 'x'", "turns.csv: row 3: no link 'nope'"],
        ),
        (
            "--detectors",
            "detectors.csv",
            "detector,link,lane,pos_m\nM1.W.s1,W_M1,9,5\nb,W_M0,0,5\n",
            ["detectors.csv: row 2: ", "detectors.csv: row 3: "],
        ),
        (
            "--counts",
            "counts.csv",
            "detector,begin,end,veh\nM1.W.s1,2026-04-23T07:30:00,2026-04-23T07:35:00,x\n",
            ["counts.csv: row 2: veh is 'x'"],
        ),
        ("--settings", "s.toml", "[limits]\ncycle_maxs = 90\n", ["s.toml: unknown key", "did you mean 'cycle_max_s'"]),
        ("--settings", "s.toml", '[change]\nfixed_signals = ["M9"]\n', ["s.toml: [change] fixed_signals", "'M9'"]),
        (
            "--plans",
            "p.add.xml",
            '<additional><tlLogic id="M9" type="static" programID="1" offset="0"><phase duration="9" state="G"/>'
            "</tlLogic></additional>",
            ["p.add.xml: controller 'M9' is not in the network"],
        ),
        ("--plans", "p.json", "{", ["p.json: is not JSON"]),
        ("--plans", "missing", "", ["missing"]),
    ],
)
def test_bad_input_ends_with_2_names_file_and_row_and_writes_nothing(
    bad: Callable[[str, str], str], tmp_path: Path, option: str, name: str, text: str, says: list[str]
) -> None:
    """Exit code 2, every fault of the file with its place, no traceback, no folder."""
    options = {**dict(zip(COUNTED[::2], COUNTED[1::2], strict=True)), "--iterations": "1", option: bad(name, text)}
    result = its("optimize", NETWORK, *(x for pair in options.items() for x in pair), "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert [text for text in says if text not in result.stderr] == []
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_network_ends_with_2(turns: Path, tmp_path: Path) -> None:
    """The routes in place of the network: what it is and what is known."""
    result = its("optimize", ROUTES, "--turns", turns, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "is no network of a known format (it is SUMO routes)" in result.stderr


def test_bad_input_leaves_earlier_results_alone(job: Job, bad: Callable[[str, str], str], tmp_path: Path) -> None:
    """What an earlier run wrote into the same folder stays as it is."""
    out = tmp_path / "out"
    shutil.copytree(job.out, out)
    result = its("optimize", NETWORK, "--turns", bad("t.csv", TURNS_HEADER), "--out", out)
    assert result.exit_code == 2
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {p.name: p.read_bytes() for p in job.out.iterdir()}


def test_results_that_cannot_all_be_written_are_not_written_at_all(turns: Path, tmp_path: Path) -> None:
    """A folder in the place of run.json: no other file is written or replaced."""
    out = tmp_path / "out"
    (out / "run.json").mkdir(parents=True)
    (out / "plan.json").write_text("old", encoding="utf-8")
    result = its("optimize", NETWORK, "--turns", turns, "--iterations", "0", "--out", out)
    assert result.exit_code == 2
    assert "run.json" in result.stderr
    assert {p.name for p in out.iterdir()} == {"run.json", "plan.json"}
    assert (out / "plan.json").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("[limits]\nmin_green_s = 60\ncycle_max_s = 60\n", ["is impossible at node M1", "minimum-green (M1)", "60 s"]),
    ],
)
def test_impossible_settings_end_with_3_and_name_controller_and_rules(
    turns: Path, tmp_path: Path, settings: str, says: list[str]
) -> None:
    """No plan keeps the rules: which signal, which rules, nothing written."""
    path = settings_of(tmp_path, settings)
    result = its(
        "optimize", NETWORK, "--turns", turns, "--settings", path, "--iterations", "1", "--out", tmp_path / "out"
    )
    assert result.exit_code == 3
    assert [text for text in says if text not in result.stderr] == []
    assert not (tmp_path / "out").exists()
