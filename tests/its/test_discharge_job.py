"""`its discharge`: saturation flows from loops, and the settings by which the other jobs take them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import load_settings
from tests.its.jobs import NETWORK, its, strict_json
from tests.network_data.discharge.made import made_lane


@pytest.fixture
def loops(tmp_path: Path, district: RoadNetwork, district_field: TimingPlan) -> list[str | Path]:
    """A stop-bar loop on W_M1's lane 1 with actuations and recorded greens of a lane that discharges 1,800 veh/h."""
    greens, on_s, off_s = made_lane(np.random.default_rng(1), queue_veh=15.0)
    length_m = district.links["W_M1"].lanes[1].length_m
    tables: dict[str, list[tuple[object, ...]]] = {
        "detectors.csv": [("detector", "link", "lane", "pos_m"), ("d", "W_M1", 1, length_m - 2)],
        "actuations.csv": [("detector", "on_s", "off_s"), *(("d", a, b) for a, b in zip(on_s, off_s, strict=True))],
        "greens.csv": [
            ("link", "lane", "start_s", "end_s"),
            *(("W_M1", 1, a, b) for a, b in zip(greens.start_s, greens.end_s, strict=True)),
        ],
    }
    for name, rows in tables.items():
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(rows)
    return ["--detectors", tmp_path / "detectors.csv", "--actuations", tmp_path / "actuations.csv",
            "--greens", tmp_path / "greens.csv"]  # fmt: skip


def test_measured_flows_become_settings(loops: list[str | Path], tmp_path: Path, turns: Path) -> None:
    """The table names the group, the settings its lane, and its simulate takes them."""
    out = tmp_path / "saturation.toml"
    result = its("discharge", NETWORK, *loops, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    said = strict_json(result.stdout)
    (lane,) = said["lanes"]
    assert lane["basis"] == "headways"
    low, high = lane["saturation_range_vph"]
    assert low < 1800 < high
    assert lane["startup_loss_s"] == pytest.approx(2.0, abs=0.6)
    settings = load_settings(out).saturation
    measured = {(c.link, c.lane): c.measured_vph for c in settings.conditions}
    assert measured["W_M1", 1] == pytest.approx(lane["saturation_vph"], abs=0.5)
    assert settings.standard == "hcm"
    starts = {(c.link, c.lane): c.start_up_s for c in settings.conditions}
    assert starts["W_M1", 1] == pytest.approx(3600 / lane["saturation_vph"], abs=3.0)  # of the order of a headway
    used = its("simulate", NETWORK, "--turns", turns, "--settings", out, "--realizations", "1", "--json")
    assert used.exit_code == 0, used.output
    assert strict_json(used.stdout)["simulated"]["saturation"] == "hcm"


def test_the_table_for_people(loops: list[str | Path]) -> None:
    """One line for the group with a loop; the others are counted."""
    result = its("discharge", NETWORK, *loops, "--standard", "khcm")
    assert result.exit_code == 0, result.output
    assert "1 of 1 lanes" in result.stdout
    assert "without one follow the KHCM" in result.stdout


def test_what_it_needs(loops: list[str | Path]) -> None:
    """Neither actuations nor counts, or both, is a usage error; files at fault end with 2."""
    assert its("discharge", NETWORK, *loops[:2]).exit_code == 2
    result = its("discharge", NETWORK, *loops[:2], "--actuations", loops[1])
    assert result.exit_code == 2
    assert "lacks the columns" in result.stderr


def test_counts_of_any_layout(loops: list[str | Path], tmp_path: Path) -> None:
    """A table whose columns the settings name is read as the engine's own layout is."""
    rows = [(300 * k, 60, 70.0) for k in range(12)]
    own, other, settings = (tmp_path / name for name in ("own.csv", "other.csv", "table.toml"))
    lines = [f"d,{at},{at + 300},{veh},{pct}" for at, veh, pct in rows]
    own.write_text("\n".join(["detector,begin_s,end_s,veh,occupancy_pct", *lines]), encoding="utf-8")
    lines = [f"d,{at},{12 * veh},{pct / 100}" for at, veh, pct in rows]
    other.write_text("\n".join(["loop,from,flow,share", *lines]), encoding="utf-8")
    settings.write_text(
        '[counts]\ndetector = "loop"\nbegin_s = "from"\ninterval_s = 300\nveh = "flow"\nunits = "veh/h"\n'
        'occupancy = "share"\noccupancy_units = "share"\n',
        encoding="utf-8",
    )
    said = []
    plain: list[str | Path] = []
    for table, more in ((own, plain), (other, ["--settings", settings])):
        result = its("discharge", NETWORK, *loops[:2], *loops[4:], "--counts", table, *more, "--json")
        assert result.exit_code == 0, result.output
        said.append(strict_json(result.stdout))
    assert said[0] == said[1]
