"""`its optimize --confirm sumo`: the plan wins in both models, or nothing leaves."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from defusedxml import ElementTree

from its.confirm import Referee, Trial, chosen, confirm_json, confirm_table, ladder_in_sumo, narrowed
from its.referee_runs import SumoRun
from its.sumo_trips import write_routes
from its.verify import VerifyResult
from network_data.errors import InfeasibleError, InputError
from network_data.plans import TimingPlan
from optimizer.optimize import Result, Step
from tests import packs
from tests.builders import NetworkBuilder, field_plan, single_approach, trips, with_offsets
from tests.its.jobs import FILES, NETWORK, its, optimized

NETWORK_1 = single_approach()
FIELD = field_plan(NETWORK_1)


def run(delay_s: float, seed: int = 1, **more: int) -> SumoRun:
    counts = dict.fromkeys(("loaded", "finished", "running", "undeparted", "teleports", "collisions"), 0) | more
    return SumoRun(
        seed=seed, delay_s_per_veh=delay_s, stops_per_veh=1.0, waiting_s_per_veh=1.0, locked=False, signals={}, **counts
    )


def step(name: str, objective: float, shift_s: float) -> Step:
    return Step(name=name, plan=with_offsets(FIELD, shift_s), objective=objective, iterations=1)


def trial(
    one: Step, new: tuple[float, ...], old: tuple[float, ...] = (50.0, 52.0, 51.0), before: float = 40.0
) -> Trial:
    runs = (tuple(run(d, k) for k, d in enumerate(delays)) for delays in (old, new))
    return Trial(one, VerifyResult(old=next(runs), new=next(runs)), one.objective / before)


def result(steps: list[Step], recent: tuple[Step, ...] = ()) -> Result:
    known = {
        "plan": steps[-1].plan, "ladder": tuple(steps), "objective_before": 40.0, "recent": recent, "notes": ("a",),
        "objective_after": steps[-1].objective, "bounds": ({"model": "b"},),
    }  # fmt: skip
    return Result(**{field.name: known.get(field.name) for field in fields(Result)})


def test_the_candidate_that_wins_in_both_models_by_most_is_chosen() -> None:
    """Best in the engine but no better in SUMO loses; so does best in SUMO but no better in the engine."""
    engine, both, sumo = step("stages", 20.0, 1), step("cycle", 30.0, 2), step("splits", 41.0, 3)
    trials = [trial(sumo, (20.0, 21.0, 20.5)), trial(both, (44.0, 46.0, 45.2)), trial(engine, (49.0, 53.0, 51.2))]
    assert [t.wins for t in trials] == [False, True, False]
    assert chosen(trials).step is both
    assert trials[0].reasons == ["no better than the field plan in the engine's simulation"]
    assert "not wholly below 0" in trials[2].reasons[0]
    told = confirm_json(trials, trials[1], 0)
    assert [row["wins"] for row in told["candidates"]] == [False, True, False]
    assert told["field_s_per_veh"] == 51.0
    assert "the plan is: cycle" in confirm_table(told)


def test_teleports_and_collisions_lose() -> None:
    """A plan under which vehicles collide is not confirmed, however fast."""
    one = step("stages", 20.0, 1)
    old, new = (tuple(run(d, k) for k, d in enumerate(x)) for x in ((50.0, 51.0), (20.0, 21.0)))
    crashed = Trial(one, VerifyResult(old=old, new=(new[0], replace(new[1], collisions=1))), 0.5)
    assert not crashed.wins
    with pytest.raises(InfeasibleError, match=r"no candidate wins in both models.*\n.*stages: SUMO: .*1 collisions"):
        chosen([crashed])


def test_without_candidates_the_field_stays() -> None:
    """Where nothing differs from the field there is nothing to confirm."""
    with pytest.raises(InfeasibleError, match="no candidate differs from the field"):
        chosen([])


def test_the_ladder_ends_with_the_chosen_candidate() -> None:
    """An earlier step cuts the ladder, an earlier iteration takes the last step's place, the last changes nothing."""
    steps = [step("offsets", 38.0, 1), step("splits", 35.0, 2), step("stages", 30.0, 3)]
    earlier = step("iteration 7", 30.5, 4)
    made = result(steps, (earlier,))
    assert narrowed(made, trial(steps[2], (40.0, 40.0, 41.0))) is made
    cut = narrowed(made, trial(steps[1], (40.0, 40.0, 41.0)))
    assert [s.name for s in cut.ladder] == ["offsets", "splits"]
    assert (cut.plan, cut.objective_after, cut.bounds) == (steps[1].plan, 35.0, ())
    swapped = narrowed(made, trial(earlier, (40.0, 40.0, 41.0)))
    assert [s.name for s in swapped.ladder] == ["offsets", "splits", "stages"]
    assert swapped.ladder[-1].plan is earlier.plan
    assert "iteration 7" in swapped.notes[-1]


def test_steps_with_the_same_plan_share_their_figure_in_sumo() -> None:
    """The field's own is the base; what was not run has none."""
    one = step("stages", 30.0, 3)
    told = ladder_in_sumo([trial(one, (40.8, 40.8, 40.8))], FIELD, [FIELD, with_offsets(FIELD, 9), one.plan])
    assert told[0] == {"delay_s_per_veh": 51.0, "change": 0.0}
    assert told[1] is None
    assert told[2] is not None
    assert told[2]["change"] == pytest.approx(-0.2)


def referee(path: Path) -> Referee:
    return Referee(
        path, NETWORK_1, None, FIELD, plans=None, begin_s=0.0, end_s=900.0, seed=0, workers=2,
    )  # type: ignore[arg-type]  # fmt: skip


def test_too_little_time_for_sumo_is_refused_with_what_it_takes(tmp_path: Path) -> None:
    """Half of the limit is the most; the error names a limit that does."""
    with referee(tmp_path / "net.xml") as judge:
        judge.run_s = 20.0
        with pytest.raises(InputError, match=r"one run of SUMO takes 20.0 s here.*give --time-limit"):
            judge.reserve_s(60.0)
        judge.run_s = 1.0
        assert judge.reserve_s(60.0) < 30.0


def test_vehicles_go_as_they_were_drawn_and_cars_keep_off_bus_lanes(tmp_path: Path) -> None:
    """Departure and route arrive; who would have to use a bus lane is left out and counted."""
    b = NetworkBuilder()
    for name, ends in (("in", "a c"), ("out", "c z"), ("bus", "c y")):
        b.link(name, ends, kinds={0: "bus"} if name == "bus" else None)
    b.turn("in out")
    b.turn("in bus", kind="bus")
    network = b.build()
    path = tmp_path / "r.xml"
    assert write_routes(trips(network, [(3.5, "in out"), (4, "in bus"), (5, "bus"), (6, "out")]), network, path) == 2
    root = ElementTree.parse(path).getroot()
    assert root is not None
    rows = [(v.get("depart"), v.find("route").get("edges")) for v in root.iter("vehicle")]
    assert rows == [("3.50", "in out"), ("6.00", "out")]
    assert np.isclose(float(root.find("vType").get("length")) + 2.5, 5.8)


def test_without_sumo_the_job_ends_at_once_with_4(turns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read, with the way to install it."""
    monkeypatch.setenv("SUMO_HOME", str(tmp_path / "nowhere"))
    told = its("optimize", NETWORK, "--turns", turns, "--confirm", "sumo", "--out", tmp_path / "out")
    assert told.exit_code == 4
    assert "its-signals[sumo]" in told.stderr
    assert "read" not in told.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["gmns", "plain"])
def test_networks_that_sumo_cannot_drive_are_refused(text: str, turns: Path, tmp_path: Path) -> None:
    """A folder, or a file of another kind: exit code 2, said why."""
    packs.sumo()
    path = tmp_path / "net"
    if text == "gmns":
        path.mkdir()
    else:
        path.write_text("<routes/>", encoding="utf-8")
    told = its("optimize", path, "--turns", turns, "--confirm", "sumo", "--out", tmp_path / "out")
    assert told.exit_code == 2
    assert "is no SUMO network" in told.stderr


@pytest.mark.slow
def test_the_plan_and_each_step_of_the_ladder_in_both_models(turns: Path, tmp_path: Path) -> None:
    """Five minutes of the example: every step has its delay in SUMO, the last one wins in both."""
    packs.sumo()
    job = optimized(tmp_path / "out", "--turns", turns, "--iterations", "150", "--confirm", "sumo")
    assert {path.name for path in job.out.iterdir()} == FILES
    told, ladder = job.run["confirm"], job.run["ladder"]
    assert told["draws"] == 4
    assert told["model"].startswith("SUMO 1.")
    won = [row for row in told["candidates"] if row["wins"]]
    assert told["chosen"] in [row["step"] for row in won]
    assert all(row["sumo"] is not None for row in ladder)
    assert ladder[0]["sumo"]["change"] == 0
    assert ladder[-1]["sumo"]["delay_s_per_veh"] < ladder[0]["sumo"]["delay_s_per_veh"]
    assert ladder[-1]["delay_s_per_veh"] < ladder[0]["delay_s_per_veh"]
    assert "SUMO s/veh" in job.result.stdout
    assert isinstance(FIELD, TimingPlan)
