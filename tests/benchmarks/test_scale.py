"""The benchmark of large networks: plans kept as text, the best one known, and what the verdict says."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import scale
from benchmarks._scale_cases import Loaded
from benchmarks._scale_known import BEST_KNOWN, best_known, keep, packed, unpacked_plan
from benchmarks._scale_webster import webster_plan
from benchmarks.tables import Cell, Options
from network_data.errors import OutsideProgramError
from network_data.plans import TimingPlan
from network_data.rules import check_plan
from network_data.settings import Settings
from tests.builders import field_plan
from tests.optimizer.scenes import arterial


def test_a_plan_survives_being_packed() -> None:
    """Offsets, durations and states come back as they were."""
    plan = field_plan(arterial()[0])
    found = unpacked_plan(packed(plan))
    for name, program in plan.controllers.items():
        assert found.controllers[name].intervals == program.intervals
        assert found.controllers[name].offset_s == program.offset_s


def test_the_best_plan_belongs_to_its_network(tmp_path: Path) -> None:
    """A plan is kept with its value and found again for the same network only."""
    network, other = arterial()[0], arterial(offsets_s=(0.0, 7.0))[0]
    path = tmp_path / "best.json"
    assert best_known("case", network, path) is None
    keep("case", network, field_plan(network), 12.5, how="test", path=path)
    known = best_known("case", network, path)
    assert known is not None
    assert known.delay_s_per_veh == 12.5
    assert best_known("case", other, path) is None
    assert json.loads(path.read_text())["case"]["signals"] == 2


def test_the_kept_plans_can_be_read() -> None:
    """Every plan in the file unpacks to as many signals as it says."""
    rows = json.loads(BEST_KNOWN.read_text()) if BEST_KNOWN.is_file() else {}
    for row in rows.values():
        assert len(unpacked_plan(row["plan"]).controllers) == row["signals"]


def test_websters_plan_keeps_the_rules() -> None:
    """Own cycles and a common one: both pass the check, and the common one is one."""
    network, flows = arterial(through_vph=900)
    field = field_plan(network)
    for common in (False, True):
        plan = webster_plan(network, field, flows, common=common)
        findings = check_plan(network, plan, field, Settings())
        assert not [f for f in findings if f.severity == "error"]
    assert len({program.cycle_s for program in plan.controllers.values()}) == 1


def test_delays_are_those_of_the_simulation_on_unseen_vehicles() -> None:
    """A plan whose second signal turns red for the platoon costs more than one with a green wave."""
    network, flows = arterial(offsets_s=(0.0, 30.0))
    loaded = Loaded(network, field_plan(network), flows, 0.0, 900.0)
    field = loaded.field
    b = field.controllers["b"] if "b" in field.controllers else list(field.controllers.values())[-1]
    bad = TimingPlan(controllers={**field.controllers, b.controller_id: replace(b, offset_s=58.0)})
    good_s, bad_s = scale.delays_s_per_veh(loaded, [field, bad])
    assert good_s < bad_s


def test_a_case_that_was_measured_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --keep the row of an earlier run with the same code stands; other code or --remake asks for a new one."""
    (tmp_path / "grid100").mkdir()
    row = {"case": "grid100", "verdict": "met", "ours": 31.0}
    (tmp_path / "grid100" / scale.ROW).write_text(json.dumps({"code": scale._code_hash(), "row": row}))
    options = Options(quick=True, keep=tmp_path, say=lambda _: None)
    assert scale.benchmark(options).rows == [row]
    assert scale._kept_row(replace(options, remake=True), "grid100") is None
    monkeypatch.setattr(scale, "_code_hash", lambda: "other")
    assert scale._kept_row(options, "grid100") is None


def test_the_verdict_names_what_is_missed() -> None:
    """Late, far from the best, near to Webster, too much memory: each said where it is promised."""
    row: dict[str, Cell] = {"in_time": True, "over_best": 0.01, "over_webster": -0.2, "gib": 1.0}
    assert scale._verdict("grid100", row) == "met"
    assert scale._verdict("grid100", {**row, "over_best": 0.05}) == "too far from the best"
    assert (
        scale._verdict("grid10000", {**row, "over_webster": -0.1, "gib": 9.0}) == "too near to Webster, too much memory"
    )
    assert scale._verdict("cologne8", {**row, "in_time": False, "over_best": 1.0}) == "too late"


def test_a_process_is_measured_and_its_failure_told(tmp_path: Path) -> None:
    """Wall time, CPU time and memory of the process alone; its last line where it fails."""
    spent = scale.run_process([sys.executable, "-c", "x = bytearray(60 << 20)"], tmp_path / "said.txt")
    assert spent.gib > 60 / 1024
    assert 0 < spent.cpu_s < 10
    with pytest.raises(OutsideProgramError, match="ended with 3: no plan"):
        scale.run_process([sys.executable, "-c", "print('no plan'); raise SystemExit(3)"], tmp_path / "said.txt")
