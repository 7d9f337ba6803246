"""What the benchmark of large networks runs on: street grids with complete turning counts, and the judged networks."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import Case, cases, counts_of
from benchmarks.grid_demand import grid_demand
from benchmarks.grid_sumo import grid_plan, write_net
from benchmarks.grids import make_grid
from its.inputs import DemandSource, load_demand, load_field_plan, load_network
from network_data.demand import Demand, DemandScenarios
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_tls import write_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan

LOAD = 0.6
"""Share of the approaches' capacity under the field's programs. [-]"""
SEED = 1
GRIDS = {"grid100": (100, 3600.0, 10.0), "grid1024": (1024, 3600.0, 60.0), "grid10000": (10_000, 1800.0, 900.0)}
"""Signals, length of the period and time limit of each grid. [-], [s], [s]"""
STREETS = {"cologne8": 60.0, "acosta": 60.0, "pasubio": 60.0}
"""Time limits of the judged networks. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleCase:
    """Files for `its optimize`, and what it may take; `most_share` is the promise against the best plan known."""

    name: str
    network: Path
    plans: Path | None
    source: DemandSource
    time_limit_s: float

    @property
    def options(self) -> list[object]:
        """The command line of `its optimize` but for its output and time limit."""
        out: list[object] = [self.network]
        out += ["--plans", self.plans] if self.plans is not None else []
        for name, path in self.source.files.items():
            out += [f"--{name}", path]
        if self.source.begin_s is not None:
            out += ["--begin", self.source.begin_s, "--end", self.source.end_s]
        return out


@dataclass(frozen=True, eq=False)
class Loaded:
    """A case as the judge reads it."""

    network: RoadNetwork
    field: TimingPlan
    demand: DemandScenarios
    begin_s: float
    end_s: float


def known_cases() -> tuple[str, ...]:
    """Names of all cases, small ones first."""
    return (*STREETS, *GRIDS)


def prepare(name: str, folder: Path) -> ScaleCase:
    """Write a case's files.

    Raises
    ------
    InputError
        The judged network is not installed, or the data pack is absent.
    OutsideProgramError
        SUMO is missing or failed.
    """
    return _grid(name, folder) if name in GRIDS else _street(_named(name), folder)


def _named(name: str) -> Case:
    return cases()[name if name in cases() else f"bologna_{name}"]


def _street(case: Case, folder: Path) -> ScaleCase:
    detectors, counts = counts_of(case, folder)
    return ScaleCase(
        name=case.name,
        network=case.network,
        plans=case.field_plan,
        source=DemandSource(detectors=detectors, counts=counts, begin_s=case.begin_s, end_s=case.end_s),
        time_limit_s=STREETS[case.name.removeprefix("bologna_")],
    )


def _grid(name: str, folder: Path) -> ScaleCase:
    n_signal, length_s, limit_s = GRIDS[name]
    side = math.isqrt(n_signal)
    grid = make_grid(side, side, seed=SEED)
    write_net(grid, folder / "net.xml")
    network = read_sumo_net(folder / "net.xml")
    programs = write_sumo_programs(grid_plan(grid, network))
    (folder / "programs.add.xml").write_text(programs, encoding="utf-8")
    write_turns(grid_demand(grid, network, load=LOAD, length_s=length_s, seed=SEED), folder / "turns.csv")
    return ScaleCase(
        name=name,
        network=folder / "net.xml",
        plans=folder / "programs.add.xml",
        source=DemandSource(turns=folder / "turns.csv"),
        time_limit_s=limit_s,
    )


def write_turns(demand: Demand, path: Path) -> None:
    """Every movement, entry and exit of every interval as turning counts."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["from_link", "to_link", "begin_s", "end_s", "veh"])
        for (origin, target), veh in zip(demand.pairs, demand.veh, strict=True):
            for begin_s, end_s, n in zip(demand.begin_s, demand.end_s, veh, strict=True):
                rows.writerow([origin, target, f"{begin_s:g}", f"{end_s:g}", f"{n:.3f}"])


def load(case: ScaleCase) -> Loaded:
    """Read a case as `its optimize` does."""
    network = load_network(case.network)
    field = load_field_plan(case.plans, network, at_s=case.source.begin_s or 0.0)
    demand = load_demand(case.source, network, field)
    return Loaded(network, field, demand.scenarios, demand.begin_s, demand.end_s)
