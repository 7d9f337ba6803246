"""`its optimize` takes saturation flows and actuated control from the settings, as `its simulate` does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.its.jobs import NETWORK, Job, its, optimized, settings_of
from tests.its.test_simulate_options import actuated_program


def rows_of(job: Job, link: str) -> list[float]:
    """Delay of the lane groups of a link under the new plan."""
    return [g["delay_s_per_veh"] for g in job.run["after"]["lane_groups"] if g["link"] == link]


def test_measured_saturation_flows_reach_simulation_and_splits(turns: Path, tmp_path: Path) -> None:
    """A lane that serves 900 instead of some 1,900 veh/h waits longer, and the closed form knows less reserve."""
    slow = settings_of(tmp_path, '[saturation]\nconditions = [{ link = "W_M1", measured_vph = 900 }]\n')
    args = ("--turns", turns, "--iterations", "0")
    plain = optimized(tmp_path / "plain", *args)
    made = optimized(tmp_path / "slow", *args, "--settings", slow)
    assert max(rows_of(made, "W_M1")) > 1.2 * max(rows_of(plain, "W_M1"))
    assert made.run["ladder"][0]["delay_s_per_veh"] > plain.run["ladder"][0]["delay_s_per_veh"]
    assert made.run["field_actuated"] is None


def test_a_manual_changes_what_the_plan_is_judged_by(turns: Path, tmp_path: Path) -> None:
    """The KHCM's flows are others than the network's: so is the delay of the field plan."""
    args = ("--turns", turns, "--iterations", "0")
    plain = optimized(tmp_path / "plain", *args)
    made = optimized(tmp_path / "khcm", *args, "--settings", settings_of(tmp_path, '[saturation]\nstandard = "khcm"\n'))
    assert made.run["ladder"][0]["delay_s_per_veh"] != plain.run["ladder"][0]["delay_s_per_veh"]


def test_conditions_the_network_does_not_have_end_with_2(turns: Path, tmp_path: Path) -> None:
    """Nothing is written, and the fault names the link."""
    bad = settings_of(tmp_path, '[saturation]\nconditions = [{ link = "nowhere", measured_vph = 900 }]\n')
    out = tmp_path / "out"
    result = its("optimize", NETWORK, "--turns", turns, "--iterations", "0", "--settings", bad, "--out", out)
    assert result.exit_code == 2
    assert "nowhere" in result.stderr
    assert not out.exists()


def test_the_gain_is_also_told_over_the_actuated_field(turns: Path, tmp_path: Path) -> None:
    """A program that decides itself in the field is simulated so, beside its interval table."""
    field = actuated_program(tmp_path, "actuated.add.xml")
    made = optimized(tmp_path / "out", "--turns", turns, "--iterations", "0", "--plans", field)
    over = made.run["field_actuated"]
    assert over["controllers"] == ["M1"]
    assert over["fixed_delay_s_per_veh"] == pytest.approx(made.run["ladder"][0]["delay_s_per_veh"], abs=1e-3)
    assert over["delay_s_per_veh"] != over["fixed_delay_s_per_veh"]
    assert over["change"] == pytest.approx(over["after_delay_s_per_veh"] / over["delay_s_per_veh"] - 1, abs=1e-3)
    assert any("actuated as in the field" in note for note in made.run["notes"])
    assert "actuated as in the field" in made.report
