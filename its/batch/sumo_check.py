"""A second opinion: what runs now and the new plan in SUMO, the same drawn vehicles for both."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from its.batch.field import same
from its.batch.plans import Part, Place, part_of
from its.referee_runs import SumoRun, run_plan
from its.sumo import Scenario
from its.sumo_trips import write_routes
from its.verify import VerifyResult, additional_of
from network_data.demand import DemandScenarios
from network_data.errors import DemandError
from network_data.formats.files import root_tag
from network_data.formats.sumo_tls import write_sumo_programs
from network_data.plans import TimingPlan
from network_data.whole_seconds import to_sumo
from sim.parameters import STREET
from sim.trips import draw_trips

SUMO_SEED = 15_485_863
"""Keeps these draws apart from all others."""
MOST_S = 3600.0
"""Of a longer part of the day SUMO runs the hour in which most vehicles come. [s]"""


def why_not(place: Place) -> str:
    """Why SUMO cannot be asked; empty where it can."""
    task = place.task
    if task.content.gates.sumo == "off":
        return "the project does not ask SUMO"
    if not task.sumo:
        return "SUMO is not installed; it was not asked"
    if task.network.is_dir() or root_tag(task.network) != "net":
        return "the network is none of SUMO's; it was not asked"
    return ""


def in_sumo(place: Place, part: Part, now: TimingPlan, demand: DemandScenarios) -> VerifyResult:
    """Both plans in SUMO on draws of the demand, the days in turn.

    Parameters
    ----------
    now : TimingPlan
        What runs now.
    demand : DemandScenarios
        Where possible of days on which no plan was made.

    Raises
    ------
    OutsideProgramError
        SUMO failed.
    DemandError
        Nobody is on the way.
    """
    old, new = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begin_s, end_s = _busiest(demand, part)
        before = _programs(place, now, folder, "now")
        after = _programs(place, part.plan, folder, "new")
        for n in range(place.task.content.gates.sumo_draws):
            one = part_of(demand.scenarios[n % len(demand.scenarios)], begin_s, end_s)
            seed = SUMO_SEED + place.task.content.search.seed + n
            trips = draw_trips(place.network, one, seed=seed, spacing_m=STREET.spacing_m)
            routes = folder / f"draw{n}.rou.xml"
            if not write_routes(trips, place.network, routes):
                raise DemandError(part.name, "the estimated demand has no vehicle for SUMO to run; mend the counts")
            scenario = Scenario(network=place.task.network, routes=(routes,), begin_s=begin_s, end_s=end_s)
            old.append(_run(place, scenario, before, n + 1))
            new.append(_run(place, scenario, after, n + 1))
    return VerifyResult(old=tuple(old), new=tuple(new))


def _run(place: Place, scenario: Scenario, files: Sequence[Path], seed: int) -> SumoRun:
    return run_plan(scenario, tuple(files), seed, place.network.approaches)


def _programs(place: Place, plan: TimingPlan, folder: Path, name: str) -> tuple[Path, ...]:
    """A plan as SUMO loads it; the field's own as it is there, so that it decides as it does."""
    if same(plan, place.field):
        path = place.task.path("field")
        return additional_of(path, place.network, folder / f"{name}.add.xml") if path is not None else ()
    exported, _ = to_sumo(plan, place.network, place.field, f"its-{name}")
    target = folder / f"{name}.add.xml"
    target.write_text(write_sumo_programs(exported), encoding="utf-8")
    return (target,)


def _busiest(demand: DemandScenarios, part: Part) -> tuple[float, float]:
    """The hour of the part in which most vehicles come in, or all of a shorter part. [s]"""
    if part.end_s - part.begin_s <= MOST_S:
        return part.begin_s, part.end_s
    first = demand.scenarios[0]
    entering = [m for m, (origin, _) in enumerate(first.pairs) if not origin] or list(range(len(first.pairs)))
    flow = sum(one.veh[entering].sum(axis=0) for one in demand.scenarios if one.veh.shape == first.veh.shape)
    starts = [float(t) for t in first.begin_s if t + MOST_S <= part.end_s + 1e-6]
    loads = [float(np.sum(flow, where=(first.begin_s >= t) & (first.begin_s < t + MOST_S))) for t in starts]
    begin_s = starts[int(np.argmax(loads))] if starts else part.begin_s
    return begin_s, min(part.end_s, begin_s + MOST_S)
