"""The quality benchmark: its methods, its demands, what it keeps, and what it concludes from the rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import quality
from benchmarks._quality_bounds import BOUNDS, Bound, bounds_table, judged
from benchmarks._quality_methods import METHODS, chosen_methods, inputs_of
from benchmarks._quality_runs import FULL, Demand, Judge, Run, demands_of
from benchmarks._quality_store import Store, hash_of, programs_hash
from benchmarks._quality_tools import (
    Logic,
    Stage,
    actuated,
    common_yellow_s,
    joined,
    network_with,
    programs_in_force,
    write_logics,
)
from benchmarks.cases import cases, low_cases
from benchmarks.tables import Cell
from network_data.errors import InputError
from tests import packs

STAGES = (
    Stage(state="GGgr", duration_s=30),
    Stage(state="yygr", duration_s=3),
    Stage(state="rrGr", duration_s=6, least_s=4, most_s=20),
    Stage(state="rryr", duration_s=4),
    Stage(state="rrrG", duration_s=20),
    Stage(state="rrry", duration_s=3),
)
LOGIC = Logic(signal="a", offset_s=70, stages=STAGES)


def row(case: str, method: str, delay_s: float | None, **more: Cell) -> dict[str, Cell]:
    """A row of the table at full demand."""
    return {"case": case, "method": method, "label": method, "delay_100_s_per_veh": delay_s, **more}


def test_every_method_of_the_issue_is_there() -> None:
    """Shipped, the tool at three cycles, each also coordinated; actuated; the engine at three limits by three rules."""
    known = chosen_methods((), quick=False)
    assert len(known) == 2 + 6 + 1 + 9
    assert {m.least_cycle_s for m in known if m.adapted} == {None, 60, 90}
    assert {(m.left_turns, m.time_limit_s) for m in known if m.kind == "engine"} == {
        (turns, limit_s) for turns in ("keep", "warrant", "free") for limit_s in (5, 60, 600)
    }
    assert {m.remark for m in METHODS.values() if m.left_turns == "free"} == {"not for the street"}
    assert not any(m.remark for m in METHODS.values() if m.left_turns != "free")


def test_methods_come_in_the_order_of_the_table_with_the_shipped_plan() -> None:
    """Whatever order they are asked in; unknown ones are all named."""
    assert [m.name for m in chosen_methods(("keep60", "webster"), quick=False)] == ["shipped", "webster", "keep60"]
    with pytest.raises(InputError, match="(?s)no method 'keep61'.*no method 'x'"):
        chosen_methods(("keep61", "x"), quick=False)


def test_demands_shift_departures_and_bologna_has_two_more() -> None:
    """90 and 110 % with departures moved by up to 300 s; 60 and 80 % only where the network is saturated."""
    assert demands_of("cologne1", ()) == (
        Demand(scale=1.0),
        Demand(scale=0.9, shift_s=300),
        Demand(scale=1.1, shift_s=300),
    )
    assert [d.key for d in demands_of("bologna_acosta", ())] == ["100", "90", "110", "60", "80"]
    assert demands_of("cologne1", (1.0,)) == (FULL,)
    with pytest.raises(InputError, match=r"no scale 0\.7; known are 1, 0\.9, 1\.1, 0\.6, 0\.8"):
        demands_of("cologne1", (0.7,))


def test_changes_between_greens_are_told_from_stages() -> None:
    """A stage begins where a link gets the right of way; a turn that had to yield and is protected now is one too."""
    assert LOGIC.greens == (True, False, True, False, True, False)
    assert LOGIC.cycle_s == 66
    assert common_yellow_s({"a": LOGIC}) == 3


def test_equal_neighbours_are_one_stage() -> None:
    """Durations add up, and so do limits; where one states none, its duration stands for it."""
    pieces = [
        Stage(state="G", duration_s=2),
        Stage(state="G", duration_s=3, least_s=1, most_s=9),
        Stage(state="r", duration_s=4),
    ]
    assert joined(pieces) == (Stage(state="G", duration_s=5, least_s=3, most_s=11), Stage(state="r", duration_s=4))


def test_actuated_greens_keep_the_field_s_limits() -> None:
    """Stated limits hold; else 5 s to 50 s, and never less than the field's green; changes are as they are."""
    made = actuated({"a": LOGIC})["a"].stages
    assert [(s.least_s, s.most_s) for s in made] == [
        (5, 50),
        (None, None),
        (4, 20),
        (None, None),
        (5, 50),
        (None, None),
    ]
    (long,) = actuated(
        {"a": Logic(signal="a", offset_s=0, stages=(*STAGES[:0], Stage(state="G", duration_s=70)))}
    ).values()
    assert long.stages[0].most_s is None  # always green: no stage begins


def test_written_programs_are_read_again(tmp_path: Path) -> None:
    """Offset within the cycle, limits only where actuated."""
    path = write_logics({"a": LOGIC}, "p", tmp_path / "p.add.xml")
    (logic,) = ElementTree.parse(path).getroot()
    assert (logic.get("type"), logic.get("offset"), logic.get("programID")) == ("static", "4", "p")
    assert [phase.get("state") for phase in logic] == [stage.state for stage in STAGES]
    assert not any(phase.get("minDur") for phase in logic)
    path = write_logics(actuated({"a": LOGIC}), "p", tmp_path / "q.add.xml", actuated=True)
    assert [p.get("maxDur") for p in ElementTree.parse(path).getroot()[0]] == ["50", None, "20", None, "50", None]


def test_a_plan_is_known_by_what_it_shows(tmp_path: Path) -> None:
    """The name of a program changes nothing, its offset does."""
    one = write_logics({"a": LOGIC}, "p", tmp_path / "1")
    same = write_logics({"a": LOGIC}, "q", tmp_path / "2")
    later = write_logics({"a": Logic(signal="a", offset_s=71, stages=STAGES)}, "p", tmp_path / "3")
    assert programs_hash(one) == programs_hash(same) != programs_hash(later)
    assert programs_hash(None) == "shipped"


def test_the_store_survives_a_file_that_was_cut_off(tmp_path: Path) -> None:
    """What cannot be read is not there."""
    store = Store(tmp_path)
    key = hash_of("x", 1)
    assert store.load("runs", key) is None
    store.save("runs", key, {"delay": 1.5})
    assert store.load("runs", key) == {"delay": 1.5}
    (tmp_path / "runs" / f"{key}.json").write_text('{"delay": 1')
    assert store.load("runs", key) is None


def test_hours_with_less_traffic_are_cases_of_their_own() -> None:
    """The real loops count the share that drives, in SUMO; plans made for it meet 90 and 110 % of that share."""
    for name, case in low_cases().items():
        assert name == f"{name.rsplit('_', 1)[0]}_{100 * case.share:.0f}"
        assert case.counts is None
        assert case.detectors is not None
        assert [d.key for d in demands_of(name, ())] == ["100", "90", "110"]
    assert [case.share for case in low_cases().values()] == [0.6, 0.8, 0.6, 0.8]


def test_bounds_of_the_issue() -> None:
    """Limits of keep and free, the order of the three, and Bologna below the best other fixed plan."""
    limits = {(b.case, b.method): b.at_most_s for b in BOUNDS if b.at_most_s is not None}
    assert limits == {
        ("cologne8", "keep60"): 42, ("cologne1", "keep60"): 39, ("cologne3", "keep60"): 36, ("grid4x4", "keep60"): 60,
        ("cologne8", "free60"): 30, ("cologne1", "free60"): 28, ("cologne3", "free60"): 25,
    }  # fmt: skip
    factors = {(b.case, b.percent): b.factor for b in BOUNDS if b.factor is not None}
    assert factors == {
        ("bologna_pasubio", 60): 0.85, ("bologna_pasubio", 80): 0.85, ("bologna_pasubio", 100): 0.92,
        ("bologna_acosta", 60): 0.85, ("bologna_acosta", 80): 0.85, ("bologna_acosta", 100): 0.97,
        ("bologna_pasubio_60", 100): 0.85, ("bologna_pasubio_80", 100): 0.85,
        ("bologna_acosta_60", 100): 0.85, ("bologna_acosta_80", 100): 0.85,
    }  # fmt: skip


def test_bounds_are_computed_from_the_rows() -> None:
    """Met at the limit, not met above it or where the check rejects; without the row nobody knows."""
    limit = Bound(case="c", method="keep60", at_most_s=40)

    def verdict(*rows: dict[str, Cell]) -> object:
        return judged(limit, {(str(r["case"]), str(r["method"])): r for r in rows})["verdict"]

    assert verdict(row("c", "keep60", 40.0)) == "met"
    assert verdict(row("c", "keep60", 40.1)) == "not met"
    assert verdict(row("c", "keep60", 30.0, check_ok=False)) == "not met: rejected by the check"
    assert verdict(row("c", "keep60", None)) == "not measured"
    assert verdict(row("d", "keep60", 30.0)) == "not measured"


def test_the_best_other_fixed_plan_is_known_when_all_are() -> None:
    """One that is missing leaves it open, one that could not be made does not; actuated control is no fixed plan."""
    bound = Bound(case="c", method="keep60", factor=0.5)
    others = [m.name for m in METHODS.values() if m.fixed]
    rows = {("c", name): row("c", name, 100.0 + n) for n, name in enumerate(others)}
    rows["c", "keep60"] = row("c", "keep60", 50.0)
    rows["c", "actuated"] = row("c", "actuated", 1.0)
    assert judged(bound, rows)["bound"] == 50
    assert judged(bound, rows)["verdict"] == "met"
    rows["c", others[0]] = row("c", others[0], None, error="failed")
    assert judged(bound, rows)["bound"] == 50.5
    del rows["c", others[1]]
    assert judged(bound, rows)["verdict"] == "not measured"


def test_the_table_of_bounds_fails_where_one_is_not_met() -> None:
    """Only lines of the cases that ran; what is not measured does not fail."""
    table = bounds_table([row("cologne1", "keep60", 39.5)], ["cologne1"])
    assert {line["case"] for line in table.rows} == {"cologne1"}
    assert table.failed
    assert not bounds_table([], ["cologne1"]).failed


def test_rows_from_elsewhere_are_joined_behind_their_case() -> None:
    """Adaptive rows stand behind the others of their case; doubles and nameless ones are refused, all at once."""
    rows = [row("a", "shipped", 1.0), row("b", "shipped", 2.0)]
    out = quality.joined(rows, [row("b", "adaptive", 1.5), row("a", "adaptive", 0.5)])
    assert [(r["case"], r["method"]) for r in out] == [
        ("a", "shipped"), ("a", "adaptive"), ("b", "shipped"), ("b", "adaptive"),
    ]  # fmt: skip
    with pytest.raises(InputError, match="(?s)no 'label'.*a has 'shipped' already"):
        quality.joined(rows, [{"case": "a", "method": "x"}, row("a", "shipped", 3.0)])


def test_rows_of_the_closed_loop_come_from_its_file(tmp_path: Path) -> None:
    """Those of the cases at hand, under the same seeds, at demands without shifted departures; others are told."""
    common = {"case": "cologne1", "seeds": 5, "ci95": 0.5, "teleports": 0, "collisions": 0, "findings": 0}
    rows = [
        common | {"method": "adapt", "label": "adapt, kept", "scale": 1.0, "delay_s_per_veh": 30.0},
        common | {"method": "adapt", "label": "adapt, kept", "scale": 0.9, "delay_s_per_veh": 20.0},
        common | {"method": "adapt_free", "label": "adapt, free", "scale": 1.0, "delay_s_per_veh": 25.0, "seeds": 10},
        common | {"method": "max-pressure", "label": "max-pressure", "scale": 1.0, "delay_s_per_veh": 25.0},
        common | {"method": "adapt", "label": "adapt, kept", "scale": 1.0, "delay_s_per_veh": 30.0, "case": "other"},
    ]
    (tmp_path / "adapt.json").write_text(json.dumps({"rows": rows}))
    found, notes = quality.adaptive_rows(tmp_path / "adapt.json", 5, ["cologne1"])
    assert [(r["method"], r["delay_100_s_per_veh"]) for r in found] == [("adapt", 30.0)]
    assert "delay_90_s_per_veh" not in found[0]
    assert notes == ["cologne1 adapt, free: 10 seeds, not the 5 of this table: left out"]


def test_programs_in_force_and_the_network_with_them(tmp_path: Path) -> None:
    """Bologna's programs stand in an additional file; the tools get a network that holds them, one per signal."""
    packs.data_pack()
    case = cases()["bologna_acosta"]
    logics = programs_in_force(case)
    assert len(logics) == 7
    assert all(
        stage.state != after.state
        for logic in logics.values()
        for stage, after in zip(logic.stages, logic.stages[1:], strict=False)
    )
    root = ElementTree.parse(network_with(case, logics, "field", tmp_path / "n.net.xml")).getroot()
    found = [e.get("id") for e in root.findall("tlLogic") if e.get("id") in logics]
    assert sorted(str(x) for x in found) == sorted(logics)


@pytest.mark.slow
def test_delay_and_check_are_the_referee_s(tmp_path: Path) -> None:
    """At 110 % with shifted departures: the same delay as the referee beside the data pack measures, to the digit."""
    packs.sumo()
    packs.resco("cologne1")
    tool = packs.tool("referee.py")
    case = cases()["cologne1"]
    store = Store(tmp_path)
    inputs = inputs_of(case, store)
    judge = Judge(inputs, case.routes, store)
    demand = Demand(scale=1.1, shift_s=300)
    judge.run([Run(plan=None, demand=demand, seed=seed) for seed in (1, 2)], print)
    result = tmp_path / "referee.json"
    options = ["--net", case.network, "--routes", case.routes[0], "--begin", case.begin_s, "--end", case.end_s]
    options += ["--scale", 1.1, "--shift", 300, "--seeds", 2, "--no-emissions", "--json", result]
    subprocess.run([sys.executable, str(tool), *map(str, options)], check=True, capture_output=True)
    theirs = json.loads(result.read_text())["summary"]["delay"]["mean"]
    assert judge.summary(None, demand, 2)["mean"] == pytest.approx(theirs, abs=1e-9)
    assert judge.missing([Run(plan=None, demand=demand, seed=1)]) == []
