"""Cases of the cycle budget: grids of 1 to 10,000 signals, each in a cycle of 60, 90 and 120 s, with a day's demand.

Today's demand is not the history's: other links carry more, others less. Stop-line loops on every lane count it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.grid_demand import SWING, grid_demand
from benchmarks.grid_sumo import grid_plan, write_net
from benchmarks.grids import Grid, make_grid
from network_data.demand import Demand
from network_data.detectors import Detector
from network_data.errors import PlanError
from network_data.formats.sumo_net import read_sumo_net
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Settings, settings_from
from optimizer.candidate import Setting, field_setting, plan_of
from optimizer.flows import head_flows
from optimizer.models import build_model
from optimizer.timings import scaled

SIDES = {1: (1, 1), 10: (5, 2), 100: (10, 10), 1_000: (40, 25), 10_000: (100, 100)}
"""Columns and rows by number of signals."""
CYCLES_S = (60, 90, 120)
LOAD = 0.55
"""Of capacity in the grid's own cycle of 90 s. With more, plans of 120 s lock the grids (docs/cycle_budget.md). [-]"""
HISTORY_SEED, TODAY_SEED, GRID_SEED = 1, 2, 1
INTERVAL_S, HOUR_S = 900.0, 3600.0
LOOP_BEFORE_M = 2.0
"""From the loops to the stop line. [m]"""


@dataclass(frozen=True, eq=False)
class Network:
    """One grid with the demand of history and of today, the same all day."""

    signals: int
    network: RoadNetwork
    plan: TimingPlan
    history: Demand
    today: Demand

    @cached_property
    def detectors(self) -> tuple[Detector, ...]:
        """A loop before the stop line of every lane that ends at a signal."""
        ends = dict.fromkeys(link for links in self.network.approaches.values() for link in links)
        return tuple(
            Detector(
                id=f"{link}.{lane.index}",
                link_id=link,
                lane=lane.index,
                pos_m=max(0.0, lane.length_m - LOOP_BEFORE_M),
                kind="stopbar",
            )
            for link in ends
            for lane in self.network.links[link].lanes
        )

    @property
    def settings(self) -> Settings:
        """The cycle is the case's; all else may change."""
        return settings_from({"change": {"freeze": ["cycle"]}}, "cycle budget")

    def in_cycle(self, cycle_s: int) -> TimingPlan:
        """The grid's plan with all stages in proportion, in another cycle.

        Raises
        ------
        PlanError
            The rules leave no room for it.
        """
        out = {}
        for name, controller in self.network.controllers.items():
            field = self.plan.controllers[name]
            flows = head_flows(self.network, controller, {})
            model = build_model(self.network, controller, field, flows, Settings(), with_stages=False)
            now = field_setting(model)
            durations = scaled(now.durations_s, model.skeletons[0], cycle_s)
            if durations is None:
                raise PlanError(f"signal {name!r}", f"has no plan of {cycle_s} s; take another cycle")
            program = plan_of(model, Setting(0, durations, now.offset_s % cycle_s))
            out[name] = replace(program, program_id=field.program_id)
        return TimingPlan(controllers=out)


def cycle_network(signals: int) -> Network:
    """The grid of so many signals."""
    grid = make_grid(*SIDES[signals], seed=GRID_SEED)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.xml"
        write_net(grid, path)
        network = read_sumo_net(path)
    return Network(
        signals=signals,
        network=network,
        plan=grid_plan(grid, network),
        history=steady_demand(grid, network, HISTORY_SEED),
        today=steady_demand(grid, network, TODAY_SEED),
    )


def steady_demand(grid: Grid, network: RoadNetwork, seed: int) -> Demand:
    """An hour in which flows stay the same."""
    one = grid_demand(grid, network, load=LOAD / (1 - SWING), length_s=INTERVAL_S, seed=seed)
    n = round(HOUR_S / INTERVAL_S)
    begin_s = np.asarray(INTERVAL_S * np.arange(n), np.float64)
    return Demand(
        begin_s=begin_s,
        end_s=begin_s + INTERVAL_S,
        pairs=one.pairs,
        veh=np.repeat(one.veh, n, axis=1),
        sd_veh=np.repeat(one.sd_veh, n, axis=1),
        support=one.support,
        dispersion=one.dispersion,
    )
