"""What SUMO knows and an estimate must find: turns made and wanted, and what loops anywhere would have counted.

One run per case and seed with loops on every lane (at the stop line, at the upstream end, in the middle) and those of
the case itself; benchmarks then look through as many of them as they like. Runs are kept in the cache folder
(environment variable SIGNAL_CACHE, else `~/.cache/its-signals`).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.cases import Case, cases, resco_case
from benchmarks.fidelity_cases import cache_folder
from its.sumo import COMMON_OPTIONS, Scenario, run_sumo
from network_data.controllers import Controller
from network_data.counting.counts import CountTable
from network_data.demand import Pair
from network_data.detectors import Detector, derive_kind, read_detectors
from network_data.errors import InputError
from network_data.formats.files import iter_xml
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_tls import read_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan

FLOAT = NDArray[np.float64]
INTERVAL_S, AFTER_S = 300.0, 1800.0
STOPBAR_M, ADVANCE_M, LONG_M = 2.0, 5.0, 60.0
VERSION = "2"
"""Part of the name of kept runs: another number makes them anew."""


@dataclass(frozen=True, kw_only=True)
class DemandCase:
    """A network with traffic, the share of it that drives, and SUMO's seed."""

    name: str
    base: Case
    scale: float = 1.0
    seed: int = 42

    @cached_property
    def network(self) -> RoadNetwork:
        """The road network."""
        return read_sumo_net(self.base.network)

    @cached_property
    def field(self) -> TimingPlan:
        """The shipped programs."""
        programs: dict[str, ControllerPlan] = {c: _last(x) for c, x in self.network.controllers.items() if x.programs}
        if self.base.field_plan is not None:
            programs |= read_sumo_programs(self.base.field_plan)
        return TimingPlan(controllers={c: programs[c] for c in self.network.controllers})

    @cached_property
    def own_loops(self) -> tuple[Detector, ...]:
        """The loops that lie in the street; none for networks without."""
        return read_detectors(self.base.detectors, self.network) if self.base.detectors is not None else ()

    @cached_property
    def loops(self) -> tuple[Detector, ...]:
        """Loops anywhere: `s:` at stop lines, `a:` at the upstream end of long lanes, `m:` in the middle; its own."""
        out = list(self.own_loops)
        for link in self.network.links.values():
            for lane in link.lanes if link.drivable else ():
                if lane.kind == "other":
                    continue
                at = {"s": max(0.1, lane.length_m - STOPBAR_M), "m": lane.length_m / 2}
                if lane.length_m > LONG_M:
                    at["a"] = ADVANCE_M
                for letter, pos_m in at.items():
                    kind = {"s": "stopbar", "a": "advance"}.get(letter) or derive_kind(pos_m, lane.length_m)
                    name = f"{letter}:{link.id}:{lane.index}"
                    out.append(Detector(id=name, link_id=link.id, lane=lane.index, pos_m=round(pos_m, 2), kind=kind))  # type: ignore[arg-type]
        return tuple(out)

    @cached_property
    def run(self) -> Run:
        """What happened; SUMO runs where the cache does not know it."""
        folder = cache_folder().parent / "demand"
        source = hashlib.sha256(repr((VERSION, self.scale, self.seed, INTERVAL_S, AFTER_S, self.loops)).encode())
        for path in self.base.files:
            source.update(path.read_bytes() if path.is_file() else b"")
        stem = f"{self.name}.{source.hexdigest()[:12]}"
        counts, turns = folder / f"{stem}.counts.parquet", folder / f"{stem}.turns.parquet"
        if not turns.is_file():
            if reason := self.base.missing():
                raise InputError(self.name, reason)
            folder.mkdir(parents=True, exist_ok=True)
            loop_frame, turn_frame = _simulate(self)
            loop_frame.to_parquet(counts)
            turn_frame.to_parquet(turns)
        return Run(self, pd.read_parquet(counts), pd.read_parquet(turns))


@dataclass(frozen=True, eq=False)
class Run:
    """One SUMO run: counts of all loops to half an hour after the period, and every turn with two times.

    `turns` has from_link, to_link, wanted_s (free flow from the intended departure on) and made_s (NaN: never).
    """

    case: DemandCase
    counts: pd.DataFrame
    turns: pd.DataFrame

    def counted(self, loops: tuple[Detector, ...], *, late: bool = True) -> CountTable:
        """What these loops counted; without `late` to the end of the period only."""
        frame = self.counts[self.counts["detector"].isin({d.id for d in loops})]
        if not late:
            frame = frame[frame["end_s"] <= self.case.base.end_s + 1e-6]
        frame = frame.assign(detector=pd.Categorical(frame["detector"]))
        frame.insert(1, "day", np.full(len(frame), np.datetime64("NaT", "s")))
        return CountTable(frame.reset_index(drop=True))

    def truth(self, column: str, edges_s: FLOAT) -> dict[Pair, FLOAT]:
        """Vehicles per pair of links in each interval between the edges, by `made_s` or `wanted_s`."""
        time_s = self.turns[column].to_numpy()
        slot = np.searchsorted(edges_s, time_s, side="right") - 1
        good = np.isfinite(time_s) & (slot >= 0) & (slot < len(edges_s) - 1)
        out: dict[Pair, FLOAT] = defaultdict(lambda: np.zeros(len(edges_s) - 1))
        kept = self.turns[good]
        for start, goal, k in zip(kept["from_link"], kept["to_link"], slot[good], strict=True):
            out[start, goal][k] += 1
        return out


def _last(controller: Controller) -> ControllerPlan:
    return controller.programs[-1]


def _simulate(case: DemandCase) -> tuple[pd.DataFrame, pd.DataFrame]:
    base = case.base
    with tempfile.TemporaryDirectory() as name:
        additional, loops, ways = Path(name, "loops.add.xml"), Path(name, "loops.xml"), Path(name, "ways.xml")
        lines = [
            f"<inductionLoop id={quoteattr(d.id)} lane={quoteattr(f'{d.link_id}_{d.lane}')} "
            f'pos="{d.pos_m:.2f}" period="{INTERVAL_S:.10g}" friendlyPos="true" file={quoteattr(str(loops))}/>'
            for d in case.loops
        ]
        additional.write_text("\n".join(["<additional>", *lines, "</additional>"]), encoding="utf-8")
        scenario = Scenario(
            network=base.network,
            routes=base.routes,
            additional=base.base_additional,
            begin_s=base.begin_s,
            end_s=base.end_s + AFTER_S,
            scale=case.scale,
        )
        options = [*scenario.options(additional), "--seed", str(case.seed), *COMMON_OPTIONS]
        options += ["--vehroute-output", str(ways), "--vehroute-output.exit-times", "true"]
        options += ["--vehroute-output.intended-depart", "true", "--vehroute-output.write-unfinished", "true"]
        run_sumo(options)
        return _loop_frame(loops), _turn_frame(ways, case.network)


def _loop_frame(path: Path) -> pd.DataFrame:
    rows = []
    for event, _, element in iter_xml(path):
        if event == "end" and element.tag == "interval":
            x = element.attrib
            veh = float(x["nVehEntered"])  # as a loop in the street: who comes onto it counts, even who stops there
            speed = float(x["speed"]) if veh else np.nan
            rows.append((x["id"], float(x["begin"]), float(x["end"]), veh, float(x["occupancy"]), speed))
            element.clear()
    return pd.DataFrame(rows, columns=["detector", "begin_s", "end_s", "veh", "occupancy_pct", "speed_mps"])


def _turn_frame(path: Path, network: RoadNetwork) -> pd.DataFrame:
    free_s = {link.id: link.length_m / link.speed_mps for link in network.links.values()}
    rows: list[tuple[str, str, float, float]] = []
    intended, departed = np.nan, np.nan
    for event, _, element in iter_xml(path):
        if event == "end" and element.tag == "vehicle":
            departed = float(element.get("depart", "nan"))
            intended = float(element.get("intendedDepart", departed))
            way = element.findall(".//route")[-1]
            links = way.get("edges", "").split()
            exits = [float(x) for x in way.get("exitTimes", "").split()]
            exits += [-1.0] * (len(links) - len(exits))
            rows.append(("", links[0], intended, departed))
            wanted = intended
            for n, link in enumerate(links):
                wanted += free_s[link]
                onward = links[n + 1] if n + 1 < len(links) else ""
                rows.append((link, onward, wanted, exits[n] if exits[n] >= 0 else np.nan))
            element.clear()
    return pd.DataFrame(rows, columns=["from_link", "to_link", "wanted_s", "made_s"])


def demand_cases() -> dict[str, DemandCase]:
    """The cases by name: Bologna whole and at 60 %, and the RESCO networks."""
    known = cases()
    acosta, pasubio = known["bologna_acosta"], known["bologna_pasubio"]
    extra = {
        "ingolstadt1": resco_case("ingolstadt1", "ingolstadt1.rou.xml", 57600, 61200, 0.0),
        "ingolstadt7": resco_case("ingolstadt7", "ingolstadt7.rou.xml", 57600, 61200, 0.0),
        "ingolstadt21": resco_case("ingolstadt21", "ingolstadt21.rou.xml", 57600, 61200, 0.0),
        "arterial4x4": resco_case("arterial4x4", "arterial4x4_1.rou.xml", 0, 3600, 0.0),
    }
    out = [
        DemandCase(name="acosta100", base=acosta),
        DemandCase(name="acosta60", base=acosta, scale=0.6),
        DemandCase(name="pasubio100", base=pasubio),
        DemandCase(name="pasubio60", base=pasubio, scale=0.6),
        *(DemandCase(name=n, base=known[n]) for n in ("cologne8", "cologne3", "cologne1", "grid4x4")),
        *(DemandCase(name=n, base=base) for n, base in extra.items()),
    ]
    return {case.name: case for case in out}
