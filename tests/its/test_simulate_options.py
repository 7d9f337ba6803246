"""`its simulate` beyond a plan and a demand: saturation flows, queues, actuated control, schedules, parameter sets."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest

from network_data.network import RoadNetwork
from tests import packs
from tests.its.jobs import COUNTED, NETWORK, ROUTES, Job, its, settings_of, strict_json

SHORT = (*COUNTED, "--realizations", "2")
PEAK = ("--routes", str(ROUTES), "--begin", "07:45", "--end", "07:55", "--realizations", "1")
COMMANDS = (packs.ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def simulated(*args: str | Path) -> dict[str, Any]:
    """The JSON of a run that must go well."""
    result = its("simulate", NETWORK, *args, "--json")
    assert result.exit_code == 0, result.output
    return strict_json(result.stdout)


def refused(*args: str | Path) -> str:
    """What stderr says of a run that must end with 2."""
    result = its("simulate", NETWORK, *args, "--json")
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.output
    return result.stderr


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """Two draws of a quarter of an hour."""
    return simulated(*SHORT)


def lane_delays(report: dict[str, Any], link: str) -> list[float]:
    """Delay of the lane groups of a link."""
    return [group["delay_s_per_veh"] for group in report["lane_groups"] if group["link"] == link]


def actuated_program(folder: Path, name: str, extra: str = "", shown: str = "") -> Path:
    """M1's field program as SUMO's actuated type: greens of 6 to 60 s; `extra` stands in its opening tag."""
    net = gzip.decompress(NETWORK.read_bytes()).decode()
    found = re.search(r'<tlLogic id="M1".*?</tlLogic>', net, re.DOTALL)
    assert found is not None
    program = found[0].replace('type="static"', f'type="actuated"{extra}')

    def bounds(phase: re.Match[str]) -> str:
        is_green = "y" not in phase[0].split("state=")[1] and 'duration="1' not in phase[0] + '"'
        wide = re.search(r'duration="(\d\d)"', phase[0])
        return phase[0].replace("state=", f'minDur="6" maxDur="60"{shown} state=') if is_green and wide else phase[0]

    path = folder / name
    path.write_text(f"<additional>{re.sub(r'<phase [^>]*/>', bounds, program)}</additional>", encoding="utf-8")
    return path


def test_a_measured_saturation_flow_holds_its_lane_alone(tmp_path: Path, plain: dict[str, Any]) -> None:
    """At 700 instead of about 1,900 veh/h the lane's vehicles wait longer; nothing else is asked of a manual."""
    path = settings_of(tmp_path, '[saturation]\nconditions = [{ link = "W_M1", measured_vph = 700 }]\n')
    slow = simulated(*SHORT, "--settings", path)
    assert max(lane_delays(slow, "W_M1")) > 2 * max(lane_delays(plain, "W_M1"))
    assert slow["simulated"]["saturation"] == "network"
    assert slow["simulated"]["readings"] == plain["simulated"]["readings"]


def test_a_measured_start_up_time_delays_its_lane(tmp_path: Path, plain: dict[str, Any]) -> None:
    """A queue that takes 8 s to start waits longer than one that takes the usual second."""
    path = settings_of(tmp_path, '[saturation]\nconditions = [{ link = "W_M1", start_up_s = 8 }]\n')
    slow = simulated(*SHORT, "--settings", path)
    assert max(lane_delays(slow, "W_M1")) > 1.05 * max(lane_delays(plain, "W_M1"))


@pytest.mark.parametrize("standard", ["hcm", "khcm"])
def test_a_manual_gives_every_lane_its_flow(tmp_path: Path, standard: str) -> None:
    """Uphill with trucks a lane serves less than level without them; the result names the manual."""
    level = simulated(*SHORT, "--settings", settings_of(tmp_path, f'[saturation]\nstandard = "{standard}"\n'))
    text = (
        f'[saturation]\nstandard = "{standard}"\nconditions = [{{ link = "W_M1", grade = 0.06, heavy_share = 0.4 }}]\n'
    )
    steep = simulated(*SHORT, "--settings", settings_of(tmp_path, text))
    assert level["simulated"]["saturation"] == standard
    assert max(lane_delays(steep, "W_M1")) > max(lane_delays(level, "W_M1"))


def test_conditions_that_cannot_be_used(tmp_path: Path) -> None:
    """All of them at once: unknown links, lanes that are not there, values out of range, a manual that is missing."""
    text = """[saturation]
standard = "hcm"
conditions = [{ link = "nowhere" }, { link = "W_M1", lane = 9 }, { link = "M1_M2", grade = 2.0 }]
"""
    told = refused(*SHORT, "--settings", settings_of(tmp_path, text))
    assert all(part in told for part in ("'nowhere'", "no lane 9", "grade"))
    text = '[saturation]\nbase_vph = 1900\nconditions = [{ link = "W_M1", grade = 0.1 }, { link = "W_M1" }]\n'
    told = refused(*SHORT, "--settings", settings_of(tmp_path, text))
    assert all(part in told for part in ("base_vph", "only measured_vph and start_up_s", "second one"))
    assert "measured_vph" in refused(
        *SHORT, "--settings", settings_of(tmp_path, '[saturation]\nconditions = [{ link = "W_M1", mesured_vph = 9 }]\n')
    )


def test_queues_stand_at_the_begin(tmp_path: Path, plain: dict[str, Any]) -> None:
    """The vehicles of the file come on top, and wait."""
    (text,) = re.findall(r"```\n(from_link,to_link,veh\n.*?)```", COMMANDS, re.DOTALL)
    path = tmp_path / "queues.csv"
    path.write_text(text, encoding="utf-8")
    report = simulated(*SHORT, "--queues", path)
    assert report["simulated"]["queued_veh"] == 9
    assert report["network"]["veh"] == pytest.approx(plain["network"]["veh"] + 9)
    assert max(lane_delays(report, "W_M1")) > min(lane_delays(plain, "W_M1"))


def test_queues_that_cannot_be_used(tmp_path: Path) -> None:
    """Every faulty row is named; a route file brings its own vehicles."""
    path = tmp_path / "queues.csv"
    path.write_text(
        "from_link,to_link,veh\nW_M1,M1_M2,3\nW_M1,M1_M2,4\nnowhere,M1_M2,1\nW_M1,S5_M5,1\nW_M1,M1_M2,1.5\n",
        encoding="utf-8",
    )
    told = refused(*SHORT, "--queues", path)
    for part in (
        "row 3: ",
        "row 4: the network has no link 'nowhere'",
        "row 5: no way leads",
        "row 6: ",
        "whole number",
    ):
        assert part in told
    path.write_text("from_link,veh\n", encoding="utf-8")
    assert "to_link" in refused(*SHORT, "--queues", path)
    assert "--routes" in refused(*PEAK, "--queues", path)


def test_an_actuated_program_decides_itself(tmp_path: Path, plain: dict[str, Any]) -> None:
    """Its reading says so, in the text too; with --controllers fixed its interval table runs and that is said."""
    path = actuated_program(tmp_path, "actuated.add.xml")
    live = simulated(*SHORT, "--plans", path, "--controllers", "actuated")
    said = live["simulated"]
    assert said["readings"]["M1"] == "actuated, free (minimum, gap, maximum)"
    assert said["readings"]["M2"] == "fixed time"
    assert said["controllers"] == "actuated, free (minimum, gap, maximum); fixed time"
    assert live["signals"]["M1"]["cycle_s"] is None
    assert live["signals"]["M1"]["delay_s_per_veh"] != plain["signals"]["M1"]["delay_s_per_veh"]
    assert 0 < live["signals"]["M1"]["on_green"] < 1
    assert "M1" not in {crossing["controller"] for crossing in live["crossings"].values()}
    fixed = simulated(*SHORT, "--plans", path)
    assert fixed["simulated"]["readings"]["M1"] == "fixed-time reading of an actuated program"
    assert fixed["network"] == plain["network"]
    table = its("simulate", NETWORK, *SHORT, "--plans", path, "--controllers", "actuated").stdout
    assert "actuated, free (minimum, gap, maximum): M1\n" in table


def test_actuated_runs_are_the_same_every_time(tmp_path: Path) -> None:
    """What controllers decide depends on the vehicles alone."""
    args = (*SHORT, "--plans", actuated_program(tmp_path, "a.add.xml"), "--controllers", "actuated")
    assert simulated(*args) == simulated(*args)


def test_rules_that_are_not_simulated_are_named(tmp_path: Path) -> None:
    """A program with a choice of phases runs by its table, and the notes say why."""
    path = actuated_program(tmp_path, "choice.add.xml", shown=' next="1 2"')
    said = simulated(*SHORT, "--plans", path, "--controllers", "actuated")["simulated"]
    assert said["readings"]["M1"] == "fixed-time reading of an actuated program"
    assert any("'M1'" in note and "next" in note for note in said["notes"])


def test_plans_with_rings_are_coordinated_by_the_settings(tmp_path: Path, job: Job) -> None:
    """A phase that the settings hold in the cycle; every controller and phase that is not there is named."""
    rings = {c["id"]: c["barrier_groups"] for c in job.plan["controllers"] if c["barrier_groups"]}
    name, groups = next(iter(rings.items()))
    phases = [phase["name"] for phase in groups[0]["rings"][0]]
    held = {ring[0]["name"] for ring in groups[0]["rings"]}
    others = {p["name"] for g in groups for ring in g["rings"] for p in ring} - held
    recall = ", ".join(f'"{p}" = "minimum"' for p in sorted(others))
    text = f"[actuation]\ncoordinated = {{ {name} = {sorted(held)} }}\nrecall = {{ {name} = {{ {recall} }} }}\n"
    plan = ("--plans", str(job.out / "plan.json"), "--controllers", "actuated")
    report = simulated(*SHORT, *plan, "--settings", settings_of(tmp_path, text))
    assert report["simulated"]["readings"][name].startswith("actuated-coordinated, cycle ")
    assert report["signals"][name]["cycle_s"] > 0
    text = f'[actuation]\ncoordinated = {{ nowhere = ["1"], {name} = ["{phases[0]}", "no such phase"] }}\n'
    told = refused(*SHORT, *plan, "--settings", settings_of(tmp_path, text))
    assert "'nowhere'" in told
    assert "'no such phase'" in told


def schedule_of(folder: Path, text: str) -> Path:
    """A schedule file."""
    path = folder / "day.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_schedule_switches_plans(tmp_path: Path, job: Job, plain: dict[str, Any], district: RoadNetwork) -> None:
    """The example of the documents: every controller's switch with the cycles it costs, in JSON and as a table."""
    (text,) = re.findall(r"```toml\n(method = .*?)```", COMMANDS, re.DOTALL)
    (tmp_path / "plan.add.xml").write_bytes((job.out / "plan.add.xml").read_bytes())
    path = schedule_of(tmp_path, text)
    report = simulated(*SHORT, "--schedule", path)
    made = report["simulated"]["transitions"]
    assert report["simulated"]["schedule"] == "shortway"
    assert {t["controller"] for t in made} <= set(district.controllers)
    assert made
    for one in made:
        assert one["switch_s"] == 27_300 <= one["left_s"] <= one["in_step_s"]
        assert (one["cycles_lost"] > 0) == (one["error_s"] > 0)
        assert report["signals"][one["controller"]]["cycle_s"] is None
    assert report["network"]["delay_s_per_veh"] != plain["network"]["delay_s_per_veh"]
    table = its("simulate", NETWORK, *SHORT, "--schedule", path).stdout
    assert "cycles lost" in table
    assert "07:35" in table


def test_a_schedule_that_never_switches_is_its_plan(tmp_path: Path, plain: dict[str, Any]) -> None:
    """One program all day: the figures of the plan itself."""
    path = schedule_of(tmp_path, '[[plans]]\nat = "00:00"\nprogram = "field"\n')
    report = simulated(*SHORT, "--schedule", path)
    assert report["simulated"]["transitions"] == []
    assert report["network"] == plain["network"]
    assert report["signals"] == plain["signals"]


def test_schedules_that_cannot_be_used(tmp_path: Path) -> None:
    """All faults of a file together; missing files, keys and methods; options that do not go with it."""
    text = """
[[plans]]
at = "09:00"
[[plans]]
at = "07:00"
plan = "missing.json"
[[plans]]
at = "10:00"
program = "none such"
[[plans]]
at = "11:00"
plan = "a"
program = "b"
"""
    told = refused(*SHORT, "--schedule", schedule_of(tmp_path, text))
    assert all(part in told for part in ("missing.json", "'none such'", "keep one", "stands after 09:00"))
    told = refused(*SHORT, "--schedule", schedule_of(tmp_path, 'methd = "add"\n[[plans]]\nat = "25:00"\nplam = "x"\n'))
    assert all(part in told for part in ("'methd'", "'25:00'", "plam"))
    assert "method" in refused(*SHORT, "--schedule", schedule_of(tmp_path, 'method = "hop"\n[[plans]]\nat = "00:00"\n'))
    assert "plans" in refused(*SHORT, "--schedule", schedule_of(tmp_path, "plans = []\n"))
    assert "is not TOML" in refused(*SHORT, "--schedule", schedule_of(tmp_path, "= =\n"))
    assert "cannot be opened" in refused(*SHORT, "--schedule", tmp_path / "none.toml")
    path = schedule_of(tmp_path, '[[plans]]\nat = "00:00"\n')
    assert "--plans" in refused(*SHORT, "--schedule", path, "--plans", NETWORK)
    assert "actuated" in refused(*SHORT, "--schedule", path, "--controllers", "actuated")


def test_parameter_sets_and_exact_vehicles() -> None:
    """Route files are exact vehicles under SUMO's parameters unless told otherwise; both are said."""
    default, street, sumo = (
        simulated(*PEAK, *more) for more in ((), ("--parameters", "street"), ("--parameters", "sumo"))
    )
    assert default == sumo
    assert sumo["simulated"]["demand"] == "exact vehicles"
    assert (sumo["simulated"]["parameters"], street["simulated"]["parameters"]) == ("sumo", "street")
    assert sumo["network"]["veh"] == street["network"]["veh"]
    assert sumo["network"]["delay_s_per_veh"] != street["network"]["delay_s_per_veh"]
    table = its("simulate", NETWORK, *PEAK).stdout
    assert "exact vehicles" in table
    assert "to be held against SUMO only" in table
    assert "SUMO only" not in its("simulate", NETWORK, *PEAK, "--parameters", "street").stdout
