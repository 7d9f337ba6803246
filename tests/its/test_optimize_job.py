"""`its optimize` on the bundled example: the five files and what they say."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import socket
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import get_args

import jsonschema
import numpy as np
import pytest
from defusedxml import ElementTree

import network_data.formats.plan_json as plan_json_module
from its.sumo import run_sumo
from network_data.demand import Support
from network_data.formats.sumo_tls import read_sumo_programs
from network_data.network import RoadNetwork
from tests import packs
from tests.its.jobs import COUNTS, DAY, DETECTORS, FILES, NETWORK, NO_CROSSINGS, Job, its

STEPS = ["field plan", "offsets", "splits", "cycle", "stages"]


def test_five_files_and_nothing_else(job: Job) -> None:
    """DIR holds plan.json, plan.add.xml, plan.csv, report.html and run.json, no temporary files."""
    assert {path.name for path in job.out.iterdir()} == FILES


def test_the_ladder_and_the_files_are_printed(job: Job) -> None:
    """Stdout has the ladder in total and per signal and where the files are; progress is plain lines on stderr."""
    lines = job.result.stdout.splitlines()
    assert [line for line in lines if line.startswith("field plan ")]
    for signal in job.run["ladder"][0]["signals"]:
        assert any(line.startswith(f"{signal} ") for line in lines)
    assert {Path(line) for line in lines[-5:]} == {job.out / name for name in FILES}
    stages = ("read", "compile", "optimize", "measure", "write")
    assert all(re.search(rf"^\[ *\d+\.\d s\] {stage}: ", job.result.stderr, re.MULTILINE) for stage in stages)
    assert "\x1b" not in job.result.output


def test_what_was_assumed_is_said_on_the_terminal(job: Job) -> None:
    """Nobody has to open a file to learn what was repaired and assumed, nor which signals' gains are unproven."""
    notes = [*job.run["notes"], *job.run["demand"]["notes"]]
    assert notes
    said = [note for note in notes if f"note: {note}" in job.result.stderr]
    assert said == notes or (len(said) >= 10 and "more in report.html and run.json" in job.result.stderr)
    missed = [signal for signal, today in job.run["today"]["signals"].items() if today["unproven"]]
    assert bool(missed) == ("; unproven at" in job.result.stderr)


def test_plan_json_keeps_its_schema(job: Job) -> None:
    """The document validates against the schema in the repository."""
    schema = json.loads(Path(plan_json_module.__file__).with_name("plan.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(job.plan)


def test_plan_json_says_what_it_was_made_from(job: Job, district: RoadNetwork) -> None:
    """Network hash, inputs by their SHA-256, versions, seed, period, checks, objective; every signal."""
    plan = job.plan
    assert plan["network_hash"] == district.hash
    files = {"network": NETWORK, "detectors": DETECTORS, "counts": COUNTS}
    assert plan["inputs"] == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert plan["engine"]["numpy"] == np.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", plan["engine"]["its-signals"])
    assert plan["seed"] == 0
    assert plan["period"] == {"begin_s": 27_000, "end_s": 27_900, "days": DAY}
    assert all(check["passed"] for check in plan["checks"])
    assert {"conflicting-green", "yellow", "clearance", "minimum-green", "walk"} <= {c["rule"] for c in plan["checks"]}
    assert plan["objective"]["after_s_per_veh"] <= plan["objective"]["before_s_per_veh"]
    assert [c["id"] for c in plan["controllers"]] == list(district.controllers)


def test_plan_json_describes_every_controller(job: Job, district: RoadNetwork) -> None:
    """Intervals and rings add up to the cycle, the offset lies in it, all that is signalled has a green window."""
    for c in job.plan["controllers"]:
        assert sum(i["duration_s"] for i in c["intervals"]) == c["cycle_s"]
        assert 40 <= c["cycle_s"] <= 180
        assert 0 <= c["offset_s"] < c["cycle_s"]
        for n_ring in range(max(len(g["rings"]) for g in c["barrier_groups"])):
            rings = [g["rings"][n_ring] for g in c["barrier_groups"]]
            splits = [p["green_s"] + p["yellow_s"] + p["red_clearance_s"] for ring in rings for p in ring]
            assert sum(splits) == pytest.approx(c["cycle_s"])
        phases = [p for g in c["barrier_groups"] for ring in g["rings"] for p in ring]
        assert all(p["min_green_s"] <= p["green_s"] <= p["max_green_s"] for p in phases)
        heads = district.controllers[c["id"]].heads
        signalled = {name for head in heads for name in (*head.movement_ids, *head.crossing_ids)}
        assert {window["movement"] for window in c["green_windows"]} == signalled
        kinds = {window["kind"] for window in c["green_windows"] if window["movement"].startswith("x:")}
        assert kinds <= {"walk", "clearance"}
        assert all(0 <= w["start_s"] < c["cycle_s"] and w["start_s"] < w["end_s"] for w in c["green_windows"])


def test_plan_json_is_sorted_and_names_no_place_or_time(job: Job) -> None:
    """Keys are sorted; no clock times, durations of the run, hosts or paths."""
    text = (job.out / "plan.json").read_text(encoding="utf-8")
    assert text == json.dumps(job.plan, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    places = [str(job.out), str(packs.ROOT), DETECTORS.name, COUNTS.name, "/", "\\"]
    assert [
        place for place in (*places, socket.gethostname()) if len(place) > 4 or place in "/\\" if place in text
    ] == []
    assert re.search(r"\d\d:\d\d|\dT\d\d", text) is None
    assert not {"wall_s", "timings_s", "time_limit_s", "workers", "date", "time"} & set(job.plan)


def test_plan_csv_has_a_row_per_phase(job: Job) -> None:
    """As many rows as the document has phases."""
    rows = list(csv.DictReader((job.out / "plan.csv").read_text(encoding="utf-8").splitlines()))
    phases = Counter(
        c["id"] for c in job.plan["controllers"] for g in c["barrier_groups"] for ring in g["rings"] for _ in ring
    )
    assert Counter(row["controller"] for row in rows) == phases


def test_plan_add_xml_is_what_sumo_takes(job: Job, district: RoadNetwork) -> None:
    """One static program per controller, a fresh id, whole seconds, neighbouring states distinct, known letters."""
    root = ElementTree.parse(job.out / "plan.add.xml").getroot()
    assert root is not None
    assert [element.get("id") for element in root] == list(district.controllers)
    (program_id,) = {element.get("programID") for element in root}
    assert re.fullmatch(r"its-[0-9a-f]{8}", str(program_id))
    assert program_id == "its-" + hashlib.sha256((job.out / "plan.json").read_bytes()).hexdigest()[:8]
    assert program_id == job.run["program_id"]
    for element in root:
        assert element.tag == "tlLogic"
        assert element.get("type") == "static"
        assert str(element.get("offset")).isdecimal()
        phases = element.findall("phase")
        assert all(str(phase.get("duration")).isdecimal() for phase in phases)
        states = [str(phase.get("state")) for phase in phases]
        assert all(a != b for a, b in pairwise([*states, states[0]]))
        assert set("".join(states)) <= set("GgyrsoO")
        assert {len(state) for state in states} == {district.controllers[str(element.get("id"))].n_heads}


def test_plan_add_xml_is_the_plan_of_plan_json(job: Job) -> None:
    """At every second after midnight both files show the same state."""
    programs = read_sumo_programs(job.out / "plan.add.xml")
    documents = {c["id"]: c for c in job.plan["controllers"]}
    for name, program in programs.items():
        cycle_s, offset_s = documents[name]["cycle_s"], documents[name]["offset_s"]
        states = [i["state"] for i in documents[name]["intervals"] for _ in range(round(i["duration_s"]))]
        shown = [program.state_at(27_000 + t) for t in range(round(cycle_s))]
        assert shown == [states[round(27_000 + t - offset_s) % round(cycle_s)] for t in range(round(cycle_s))]


@pytest.mark.slow
def test_sumo_loads_the_plan(job: Job) -> None:
    """SUMO runs a minute under the new programs."""
    packs.sumo()
    run_sumo(["-n", str(NETWORK), "-a", str(job.out / "plan.add.xml"), "--begin", "27000", "--end", "27060"])


@pytest.mark.parametrize("name", ["plan.json", "plan.add.xml"])
def test_the_plan_passes_its_check(job: Job, name: str) -> None:
    """`its check` finds no errors in what the job wrote."""
    result = its("check", job.out / name, "--network", NETWORK, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["ok"] is True


def test_the_ladder_has_five_steps(job: Job, district: RoadNetwork) -> None:
    """Delay, stops and worst queue of every step, in total and per signal; the last is the plan, none is worse."""
    ladder = job.run["ladder"]
    assert [step["step"] for step in ladder] == STEPS
    assert sum(step["iterations"] for step in ladder) == job.run["iterations"] == 3
    for step in ladder:
        assert set(step["signals"]) == set(district.controllers)
        for area in (step, *step["signals"].values()):
            assert {"veh", "delay_s_per_veh", "stops_per_veh", "queue_max_veh", "spillback_s"} <= set(area)
            assert area["delay_s_per_veh"] > 0
    delays = [step["delay_s_per_veh"] for step in ladder]
    assert min(delays) == delays[-1]
    assert {c: s["cycle_s"] for c, s in ladder[-1]["signals"].items()} == {
        c["id"]: c["cycle_s"] for c in job.plan["controllers"]
    }


def test_the_objective_is_the_delay_by_default(job: Job) -> None:
    """Before and after are the delays of the first and last step, in plan.json too."""
    objective, ladder = job.run["objective"], job.run["ladder"]
    assert objective["before"] == pytest.approx(ladder[0]["delay_s_per_veh"], abs=1e-3)
    assert objective["after"] == pytest.approx(ladder[-1]["delay_s_per_veh"], abs=1e-3)
    assert job.plan["objective"]["after_s_per_veh"] == pytest.approx(objective["after"], abs=1e-3)


def test_the_demand_says_how_sure_it_is(job: Job, district: RoadNetwork) -> None:
    """Every movement has flow, standard error and support, and where nothing constrains flows a note says so."""
    demand = job.run["demand"]
    assert {(m["from_link"], m["to_link"]) for m in demand["movements"]} >= {
        (m.from_link, m.to_link) for m in district.movements.values()
    }
    assert {m["support"] for m in demand["movements"]} <= set(get_args(Support))
    assert all(m["veh_per_h"] >= 0 and m["sd_veh_per_h"] >= 0 for m in demand["movements"])
    assert demand["scenarios"] == [DAY]
    assert demand["fit"][0]["geh_below_5"] / demand["fit"][0]["detectors"] > 0.9
    assert any("no count constrains" in note for note in demand["notes"])
    assert any("counts missing" in note and "repaired" in note for note in demand["notes"])


def test_today_has_every_detector_and_signal(job: Job, district: RoadNetwork) -> None:
    """Counted and simulated vehicles per detector; the stuck loop judges nothing; every signal has a verdict."""
    today = job.run["today"]
    names = [row["detector"] for row in csv.DictReader(DETECTORS.read_text(encoding="utf-8").splitlines())]
    rows = {row["detector"]: row for row in today["detectors"]}
    assert list(rows) == names
    assert set(today["signals"]) == set(district.controllers)
    assert rows["M2.E.s2"]["counted_veh"] is None  # stuck at 4 vehicles since the 17th
    assert rows["M5.S.s1"]["repaired"]  # restarts at 7 every morning
    judged = [row for row in rows.values() if row["counted_veh"] is not None]
    assert len(judged) >= 90
    assert all(row["simulated_veh"] >= 0 and row["ok"] == (row["geh"] < 5) for row in judged)
    for signal in today["signals"].values():
        shares = [signal[key] for key in ("share_ok", "share_occupancy_ok") if signal[key] is not None]
        assert signal["unproven"] == (min(shares) < signal["limit"])


def test_run_json_records_the_run(job: Job) -> None:
    """Seed, versions, inputs, settings, timings per stage, compile time apart, and that it can be repeated."""
    run = job.run
    assert run["reproducible"] is True
    assert run["seed"] == 0
    assert run["inputs"] == job.plan["inputs"]
    assert run["versions"] == job.plan["engine"]
    assert run["settings"]["limits"]["cycle_max_s"] == 180
    assert {"read", "compile", "optimize", "measure"} <= set(run["timings_s"])
    assert run["compile_s"] >= 0
    assert run["losses"] == {}  # the example's programs run whole seconds
    assert isinstance(run["notes"], list)
    assert NO_CROSSINGS not in run["notes"]
    assert set(run["after"]) >= {"network", "signals", "movements", "lane_groups", "crossings", "classes"}


class References(HTMLParser):
    """Collects what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.found += [str(values[name]) for name in ("src", "href", "xlink:href", "srcset") if name in values]
        self.headings += [str(values["id"])] if tag == "h2" and values.get("id") else []


def test_the_report_is_self_contained(job: Job) -> None:
    """It loads nothing: every reference points into the page itself."""
    page = References()
    page.feed(job.report)
    assert page.found
    assert [target for target in page.found if not target.startswith(("#", "data:"))] == []
    assert re.search(r"@import|url\((?!#|['\"]?data:)", job.report) is None


def test_the_report_opens_with_today_then_the_ladder(job: Job, district: RoadNetwork) -> None:
    """Today, ladder, signals, assumptions, in this order; every signal and its new program's id occur."""
    page = References()
    page.feed(job.report)
    order = [page.headings.index(name) for name in ("today", "ladder", "signals", "assumptions")]
    assert order == sorted(order)
    assert order[0] == 0
    assert all(name in job.report for name in (*district.controllers, job.run["program_id"]))
    assert NO_CROSSINGS not in job.report
