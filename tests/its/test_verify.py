"""Confirming plans in SUMO."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from its.intervals import estimate, t95
from its.referee_runs import SignalRun, SumoRun, first_links
from its.sumo import Scenario
from its.verify import VerifyResult, verify, verify_job
from network_data.errors import InputError, PlanError
from network_data.formats.plan_json import dump_plan, plan_document
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_tls import read_sumo_programs, write_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, Interval, TimingPlan
from tests import packs

BEGIN_S, END_S = 25200.0, 25800.0


def run(seed: int, delay: float, **more: object) -> SumoRun:
    values: dict[str, object] = {
        "seed": seed, "delay_s_per_veh": delay, "stops_per_veh": 1.0, "waiting_s_per_veh": 5.0, "loaded": 100,
        "finished": 90, "running": 10, "undeparted": 0, "teleports": 0, "collisions": 0, "locked": False,
        "signals": {"s": SignalRun(delay_s=delay * 50, veh=50)},
    }  # fmt: skip
    return SumoRun(**(values | more))  # type: ignore[arg-type]


def result(old: list[float], new: list[float], **more: object) -> VerifyResult:
    return VerifyResult(
        old=tuple(run(k, x) for k, x in enumerate(old, 1)), new=tuple(run(k, x, **more) for k, x in enumerate(new, 1))
    )


def cologne1() -> tuple[RoadNetwork, Scenario]:
    packs.sumo()
    folder = packs.resco("cologne1")
    network = folder / "cologne1.net.xml"
    scenario = Scenario(network=network, routes=(folder / "cologne1.rou.xml",), begin_s=BEGIN_S, end_s=END_S)
    return read_sumo_net(network), scenario


def shifted(network: RoadNetwork, path: Path, *, keep_s: float, name: str = "its-0000test") -> Path:
    """The field's programs with every green of more than `keep_s` cut to it, under a new programID."""
    plans = {}
    for controller in network.controllers.values():
        field = controller.programs[-1]
        intervals = tuple(
            Interval(min(i.duration_s, keep_s) if "y" not in i.state else i.duration_s, i.state)
            for i in field.intervals
        )
        plans[controller.id] = ControllerPlan(
            controller_id=controller.id, program_id=name, offset_s=0, intervals=intervals
        )
    path.write_text(write_sumo_programs(TimingPlan(controllers=plans)))
    return path


def test_the_interval_is_students() -> None:
    """Mean and half-width of 1, 2, 3: 2 ± 4.303 / √3, and beyond the table within 0.001 of 1.9996 for 62 degrees."""
    value = estimate([1.0, 2.0, 3.0])
    assert value.mean == 2
    assert value.ci95 == pytest.approx(4.303 / math.sqrt(3))
    assert math.isnan(estimate([1.0]).ci95)
    # t tables: 1.990 for 80, 1.984 for 100 degrees of freedom
    assert t95(80) == pytest.approx(1.990, abs=1e-3)
    assert t95(100) == pytest.approx(1.984, abs=1e-3)


def test_a_plan_is_confirmed_only_where_the_whole_interval_is_below_zero() -> None:
    """A clear gain is confirmed, a doubtful one, one seed, a loss and a run with collisions are not, and say why."""
    assert result([50, 52, 48], [40, 42, 38]).confirmed
    assert result([50, 52, 48], [40, 42, 38]).ratio == pytest.approx(0.8)
    doubtful = result([50, 52, 48], [40, 55, 47])
    assert not doubtful.confirmed
    assert "not wholly below 0" in doubtful.reasons[0]
    assert "give --seeds 2 or more" in result([50], [40]).reasons[0]
    assert not result([40, 42, 38], [50, 52, 48]).confirmed
    crashed = result([50, 52, 48], [40, 42, 38], collisions=1)
    assert crashed.reasons[0] == "seed 1: the new plan has 0 teleports and 1 collisions"


def test_differences_are_paired_by_seed() -> None:
    """Seeds that differ among each other but not in their gain give a narrow interval."""
    change = result([10, 100, 1000], [9, 99, 999]).differences["delay_s_per_veh"]
    assert change.mean == pytest.approx(-1)
    assert change.ci95 == pytest.approx(0, abs=1e-9)


def test_json_has_no_numbers_that_json_does_not_know() -> None:
    """One seed has no interval: null, not NaN."""
    table = result([50], [40]).as_json()
    text = json.dumps(table, allow_nan=False)
    assert json.loads(text)["difference"]["delay_s_per_veh"] == {"mean": -10, "ci95": None, "low": None, "high": None}
    assert json.loads(text)["difference"]["signals"]["s"]["delay_s_per_veh"]["mean"] == -10


def test_delay_equals_the_referees(tmp_path: Path) -> None:
    """Old, new and paired difference are the reference tool's figures for the same plans and seeds."""
    tool = packs.tool("referee.py")
    network, scenario = cologne1()
    plan = shifted(network, tmp_path / "plan.add.xml", keep_s=20)
    ours = verify(network, scenario, new=plan, seeds=2)
    options = ["--net", scenario.network, "--routes", scenario.routes[0], "--begin", BEGIN_S, "--end", END_S]
    options += ["--additional", plan, "--pair", "shipped", "--seeds", 2, "--json", tmp_path / "theirs.json"]
    subprocess.run(
        [sys.executable, tool, *map(str, [*options, "--measure-rejected"])], capture_output=True, check=False
    )
    theirs = json.loads((tmp_path / "theirs.json").read_text())
    for runs, seeds in ((ours.new, theirs["per_seed"]), (ours.old, theirs["pair"]["per_seed"])):
        for mine, other in zip(runs, seeds, strict=True):
            assert mine.delay_s_per_veh == pytest.approx(other["delay"], rel=1e-9)
            assert mine.waiting_s_per_veh == pytest.approx(other["waiting_time"], rel=1e-9)
            assert mine.stops_per_veh == pytest.approx(other["stops"], rel=1e-9)
            assert (mine.loaded, mine.finished, mine.undeparted) == (
                other["loaded"], other["finished"], other["waiting"],
            )  # fmt: skip
    change = theirs["pair"]["difference"]["delay"]
    assert ours.differences["delay_s_per_veh"].mean == pytest.approx(change["mean"], rel=1e-9)
    assert ours.differences["delay_s_per_veh"].ci95 == pytest.approx(change["ci95"], rel=1e-3)


def test_the_job_prints_writes_and_tells_by_its_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The field plan against itself is not confirmed: exit code 3, differences of exactly 0, verify.json written."""
    network, scenario = cologne1()
    plan = shifted(network, tmp_path / "plan.add.xml", keep_s=90)
    code = verify_job(
        scenario.network,
        scenario.routes,
        plan,
        against_path=plan,
        begin_s=BEGIN_S,
        end_s=END_S,
        seeds=2,
        as_json=True,
        out=tmp_path / "out",
    )
    printed = json.loads(capsys.readouterr().out)
    assert code == 3
    assert printed == json.loads((tmp_path / "out" / "verify.json").read_text())
    assert printed["difference"]["delay_s_per_veh"] == {"mean": 0, "ci95": 0, "low": 0, "high": 0}
    signal = printed["new"]["signals"]["GS_cluster_357187_359543"]
    # all traffic of this network passes its one signal
    assert signal["veh"] == pytest.approx(printed["new"]["loaded"], rel=0.2)
    assert signal["delay_s_per_veh"]["mean"] == pytest.approx(printed["new"]["delay_s_per_veh"]["mean"], rel=0.5)


def test_a_plan_document_runs_as_its_programs(tmp_path: Path) -> None:
    """plan.json and a SUMO file with the same programs give the same runs."""
    network, scenario = cologne1()
    field = TimingPlan(controllers={x.id: x.programs[-1] for x in network.controllers.values()})
    additional = shifted(network, tmp_path / "plan.add.xml", keep_s=15)
    plan = TimingPlan(controllers=read_sumo_programs(additional))
    document = plan_document(
        network, plan, field, inputs={}, engine={}, seed=0, period=(BEGIN_S, END_S), objective={}, bounds=[], checks=[]
    )
    (tmp_path / "plan.json").write_bytes(dump_plan(document))
    result = verify(network, scenario, new=tmp_path / "plan.json", old=additional, seeds=1)
    assert result.new[0] == result.old[0]


def test_programs_that_sumo_would_stop_at_are_refused_before(tmp_path: Path) -> None:
    """A programID in use, a signal that is not there and states too short: all in one error."""
    network, scenario = cologne1()
    used = next(iter(network.controllers.values())).programs[-1].program_id
    plan = shifted(network, tmp_path / "plan.add.xml", keep_s=20, name=used)
    text = plan.read_text().replace("</additional>", "")
    plan.write_text(text + '<tlLogic id="ghost" programID="1"><phase duration="9" state="G"/></tlLogic></additional>')
    with pytest.raises(PlanError) as caught:
        verify(network, scenario, new=plan)
    assert len(caught.value.faults) == 2
    assert "uses this programID already" in caught.value.faults[0]
    assert "has no such signal" in caught.value.faults[1]
    plan.write_text(
        text.replace(f'programID="{used}"', 'programID="n"').replace('state="', 'state="G" comment="') + "</additional>"
    )
    with pytest.raises(PlanError, match="states have 1 letters, the signal needs"):
        verify(network, scenario, new=plan)


def test_a_missing_route_file_is_bad_input(tmp_path: Path) -> None:
    """What the user can mend is told as such, not as a failure of SUMO."""
    with pytest.raises(InputError, match=r"no\.rou\.xml: no such file"):
        verify_job(tmp_path / "no.net.xml", [tmp_path / "no.rou.xml"], tmp_path / "plan.json")


def test_routes_without_a_vehicle_confirm_nothing(tmp_path: Path) -> None:
    """Two empty runs have no delay to compare: bad input, not a plan that is no better."""
    network, scenario = cologne1()
    empty = tmp_path / "empty.rou.xml"
    empty.write_text("<routes/>")
    with pytest.raises(InputError, match=r"empty\.rou\.xml: SUMO found no vehicle"):
        verify(network, replace(scenario, routes=(empty,)), new=shifted(network, tmp_path / "p.add.xml", keep_s=20))


def test_waiting_vehicles_are_booked_where_they_want_to_enter(tmp_path: Path) -> None:
    """Vehicles by inline, named and missing routes, flows by number, scaled copies by suffix."""
    path = tmp_path / "r.xml"
    path.write_text(
        """<routes><route id="r" edges="c d"/><vehicle id="a" depart="0"><route edges="x y"/></vehicle>
        <trip id="b" depart="0" from="m" to="n"/><flow id="f" from="p" to="q" period="3"/>
        <vehicle id="v" depart="0" route="r"/></routes>"""
    )
    wanted = {"a", "a.1", "b", "f.12", "f.12.1", "v", "gone"}
    assert first_links([path], wanted) == {
        "a": "x", "a.1": "x", "b": "m", "f.12": "p", "f.12.1": "p", "v": "c",
    }  # fmt: skip
