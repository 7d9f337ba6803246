"""Networks for the benchmarks of offsets: grids with short and long blocks, and real ones, all signals in one cycle."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.demand_runs import demand_cases
from benchmarks.fidelity_cases import FidelityCase, fidelity_cases
from benchmarks.fidelity_flows import turning_flows
from benchmarks.grid_demand import grid_demand
from benchmarks.grid_sumo import grid_plan, write_net
from benchmarks.grids import make_grid
from network_data.demand import DemandScenarios
from network_data.errors import InputError
from network_data.formats.sumo_net import read_sumo_net
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Settings
from optimizer.candidate import Setting, field_setting, timing_plan
from optimizer.flows import head_flows, mean_flows_vph
from optimizer.models import build_model
from optimizer.timings import scaled

SEED, LOAD, HOUR_S = 1, 0.75, 3600.0
LONG_BLOCKS = 3.2
"""How much longer the blocks of the grids called long are: 160 to 540 m, where one offset cannot suit both ways."""
GRIDS = {f"{kind}{side * side}": (side, stretch) for side in (4, 5, 10, 32) for kind, stretch in
         (("grid", 1.0), ("long", LONG_BLOCKS))}  # fmt: skip
REAL = ("cologne8", "acosta100", "pasubio", "ingolstadt21", "arterial4x4")


@dataclass(frozen=True, eq=False, kw_only=True)
class OffsetCase:
    """A network with demand and the plan in the field."""

    name: str
    network: RoadNetwork
    demand: DemandScenarios
    field: TimingPlan
    begin_s: float
    end_s: float

    def in_one_cycle(self) -> TimingPlan:
        """The field's stages and shares, every signal scaled to the longest cycle of the field, rules aside."""
        flows, settings = mean_flows_vph(self.demand), Settings()
        models = [
            build_model(
                self.network, controller, self.field.controllers[c], head_flows(self.network, controller, flows),
                settings, with_stages=False,
            )
            for c, controller in self.network.controllers.items()
        ]  # fmt: skip
        start = [field_setting(model) for model in models]
        cycle_s = max(setting.cycle_s for setting in start)
        for at, (model, setting) in enumerate(zip(models, start, strict=True)):
            durations = scaled(setting.durations_s, model.skeletons[0], cycle_s)
            if durations is not None:
                start[at] = Setting(0, durations, setting.offset_s % cycle_s)
        return timing_plan(models, tuple(start))


def case_names() -> list[str]:
    """All cases."""
    return [*GRIDS, *REAL]


def offset_case(name: str) -> OffsetCase:
    """A case by its name.

    Raises
    ------
    InputError
        Its files are not there.
    """
    return _grid(name) if name in GRIDS else _real(name)


def _grid(name: str) -> OffsetCase:
    side, stretch = GRIDS[name]
    grid = make_grid(side, side, seed=SEED)
    grid = replace(grid, x_m=tuple(stretch * x for x in grid.x_m), y_m=tuple(stretch * y for y in grid.y_m))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.xml"
        write_net(grid, path)
        network = read_sumo_net(path)
    demand = grid_demand(grid, network, load=LOAD, length_s=HOUR_S, seed=SEED)
    return OffsetCase(
        name=name,
        network=network,
        demand=DemandScenarios(scenarios=(demand,), weights=(1.0,)),
        field=grid_plan(grid, network),
        begin_s=0.0,
        end_s=HOUR_S,
    )


def _real(name: str) -> OffsetCase:
    known = fidelity_cases()
    case = known[name] if name in known else FidelityCase(name=name, base=demand_cases()[name].base)
    if reason := case.base.missing():
        raise InputError(name, reason)
    flows = turning_flows(case.network, case.trips, case.base.begin_s, case.base.end_s)
    return OffsetCase(
        name=name,
        network=case.network,
        demand=DemandScenarios(scenarios=(flows,), weights=(1.0,)),
        field=case.field,
        begin_s=case.base.begin_s,
        end_s=case.base.end_s,
    )
