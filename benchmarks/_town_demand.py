"""A declared synthetic demand for a town that has signals but no counts: from the class of its roads and their lanes.

Nothing of it is measured. Class is read off the speed limit, as SALT networks state no other. Vehicles start where
roads leave the map and along every road by class, lanes and length; they turn towards larger roads, rather straight on;
they end by the kilometre. Whoever would meet an approach with more than `MOST_V_OVER_C` goes another way, as drivers
that know the town do; the whole is scaled to one load at the busiest approaches. The course of the day is a fixed table
of 24 hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import spsolve

from network_data.demand import Demand
from network_data.network import Link, RoadNetwork
from network_data.plans import TimingPlan

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadClass:
    """A class of roads: from which speed on, and how it draws and sheds traffic.

    `draws` weighs a lane where drivers choose; `starts_vph_km` begin on a kilometre of lane, `enters_vph` on a lane at
    the edge of the map; `ends_after_m` is the mean way until a trip ends.
    """

    name: str
    from_mps: float
    draws: float
    starts_vph_km: float
    enters_vph: float
    ends_after_m: float


CLASSES = (
    RoadClass(name="arterial", from_mps=15.0, draws=1.0, starts_vph_km=20, enters_vph=300, ends_after_m=6000),
    RoadClass(name="collector", from_mps=11.0, draws=0.5, starts_vph_km=40, enters_vph=150, ends_after_m=3000),
    RoadClass(name="local", from_mps=8.0, draws=0.15, starts_vph_km=30, enters_vph=60, ends_after_m=700),
    RoadClass(name="alley", from_mps=0.0, draws=0.02, starts_vph_km=6, enters_vph=15, ends_after_m=300),
)
"""From the fastest to the slowest."""
TURN_WEIGHTS = {"s": 1.0, "r": 0.5, "l": 0.45, "t": 0.01}
"""How readily drivers turn, before the size of the road they would come to. [-]"""
SATURATION_VPH = 1700.0
PERMITTED = 0.35
"""What a lane discharges in a green that yields, of what it does otherwise. [-]"""
SPREAD = 0.3
"""Standard deviation over mean of starts and entries from road to road. [-]"""
BUSY_SHARE = 0.05
"""The load is set where this share of the signal approaches with traffic is busier. [-]"""
MOST_V_OVER_C = 0.9
BENDS = 60
HOURS = (
    0.14, 0.09, 0.06, 0.06, 0.09, 0.22, 0.52, 0.92, 1.00, 0.84, 0.78, 0.80,
    0.82, 0.82, 0.83, 0.86, 0.92, 0.98, 1.00, 0.86, 0.68, 0.54, 0.42, 0.26,
)  # fmt: skip
"""Demand of each hour of a weekday over that of the busiest. [-]"""


@dataclass(frozen=True, eq=False, kw_only=True)
class TownFlows:
    """Hourly flows at the busiest hour: entries by link, turns by (from, to), ends by link. [veh/h]"""

    links: tuple[str, ...]
    turns: tuple[tuple[str, str], ...]
    entering_vph: FLOAT
    turning_vph: FLOAT
    ending_vph: FLOAT


def class_of(link: Link) -> RoadClass:
    """By the fastest lane."""
    speed_mps = max((lane.speed_mps for lane in link.lanes), default=0.0)
    return next(c for c in CLASSES if speed_mps >= c.from_mps)


def town_flows(network: RoadNetwork, plan: TimingPlan, *, load: float, seed: int) -> TownFlows:
    """Flows of the busiest hour.

    Parameters
    ----------
    network : RoadNetwork
        The town.
    plan : TimingPlan
        Its greens tell what an approach can serve.
    load : float
        Degree of saturation that only `BUSY_SHARE` of the signal approaches exceed. [-]
    seed : int
        Of what differs from road to road.
    """
    links = tuple(network.links)
    index = {name: n for n, name in enumerate(links)}
    turns, weight = _turns(network)
    a, b = (np.array([index[pair[k]] for pair in turns], np.int64) for k in (0, 1))
    starts_vph, ends = _sources(network, set(b.tolist()), seed)
    capacity_vph = _capacity_vph(network, plan, turns)
    flow = np.zeros(len(turns))
    bent = np.ones(len(turns))
    for _ in range(BENDS):
        share = _shares(a, weight * bent, len(links)) * (1 - ends)[a]
        flow = _solved(a, b, share, starts_vph)[a] * share
        flow *= load / _busy(flow, capacity_vph)
        over = flow / (MOST_V_OVER_C * capacity_vph)
        bent *= np.clip(over, 1.0, None) ** -0.5
    through = _solved(a, b, share, starts_vph)
    factor = load / _busy(through[a] * share, capacity_vph)
    turning = through[a] * share * factor
    gone = np.bincount(a, weights=turning, minlength=len(links))
    return TownFlows(
        links=links,
        turns=turns,
        entering_vph=starts_vph * factor,
        turning_vph=turning,
        ending_vph=np.maximum(0.0, through * factor - gone),
    )


def _turns(network: RoadNetwork) -> tuple[tuple[tuple[str, str], ...], FLOAT]:
    """Every turn that cars may make, and how readily they do."""
    weight: dict[tuple[str, str], float] = {}
    for c in network.connections:
        if c.kind == "general":
            target = network.links[c.to_link]
            draws = class_of(target).draws * len(target.lanes)
            weight[c.from_link, c.to_link] = max(
                weight.get((c.from_link, c.to_link), 0.0), TURN_WEIGHTS.get(c.direction.lower(), 0.3) * draws
            )
    return tuple(weight), np.array(list(weight.values()))


def _sources(network: RoadNetwork, reached: set[int], seed: int) -> tuple[FLOAT, FLOAT]:
    """Vehicles that start on each link per hour, and the share of those on it that end there."""
    rng = np.random.default_rng(seed)
    starts, ends = [], []
    for n, link in enumerate(network.links.values()):
        of, lanes = class_of(link), len(link.lanes)
        length_m = max((lane.length_m for lane in link.lanes), default=0.0)
        vph = of.starts_vph_km * lanes * length_m / 1000 if n in reached else of.enters_vph * lanes
        starts.append(vph * rng.gamma(SPREAD**-2, SPREAD**2))
        ends.append(1 - np.exp(-length_m / of.ends_after_m))
    return np.array(starts), np.array(ends)


def _shares(a: INT, weight: FLOAT, n_links: int) -> FLOAT:
    total = np.bincount(a, weights=weight, minlength=n_links)
    share: FLOAT = weight / np.maximum(total[a], 1e-12)
    return share


def _solved(a: INT, b: INT, share: FLOAT, starts_vph: FLOAT) -> FLOAT:
    """Flow of every link: what starts there and what turns into it."""
    n = len(starts_vph)
    into = csr_array((share, (b, a)), shape=(n, n))
    flow: FLOAT = spsolve((eye_array(n) - into).tocsc(), starts_vph)
    return np.maximum(flow, 0.0)


def _capacity_vph(network: RoadNetwork, plan: TimingPlan, turns: tuple[tuple[str, str], ...]) -> FLOAT:
    """What each turn's lanes can serve, a lane shared evenly among its turns; infinite where no signal stands."""
    on_lane: dict[tuple[str, int], set[str]] = defaultdict(set)
    for c in network.connections:
        on_lane[c.from_link, c.from_lane].add(c.to_link)
    served: dict[tuple[str, str], float] = defaultdict(float)
    for c in network.connections:
        program = plan.controllers.get(c.controller_id or "")
        if program is None or c.link_index is None:
            continue
        green_s = program.green_s(c.link_index, "G") + PERMITTED * program.green_s(c.link_index, "g")
        vph = SATURATION_VPH * green_s / program.cycle_s / len(on_lane[c.from_link, c.from_lane])
        served[c.from_link, c.to_link] += max(vph, 20.0)
    return np.array([served.get(turn, np.inf) for turn in turns])


def _busy(flow_vph: FLOAT, capacity_vph: FLOAT) -> float:
    """The degree of saturation that only few approaches exceed."""
    used = (flow_vph / capacity_vph)[np.isfinite(capacity_vph) & (flow_vph > 1.0)]
    return float(np.quantile(used, 1 - BUSY_SHARE)) if len(used) else 1.0


def demand_of(flows: TownFlows, *, begin_s: float, end_s: float, step_s: float = 900.0) -> Demand:
    """The flows as a demand of a part of the day, by the table of hours."""
    edges_s = np.append(np.arange(begin_s, end_s, step_s), end_s)
    level = np.array([HOURS[int(t // 3600) % 24] for t in edges_s[:-1]])
    pairs = [("", x) for x in flows.links] + list(flows.turns) + [(x, "") for x in flows.links]
    vph = np.concatenate([flows.entering_vph, flows.turning_vph, flows.ending_vph])
    veh = vph[:, None] / 3600 * level * np.diff(edges_s)
    return Demand(
        begin_s=edges_s[:-1],
        end_s=edges_s[1:],
        pairs=tuple(pairs),
        veh=veh,
        sd_veh=np.sqrt(veh),
        support=tuple("prior" for _ in pairs),
        label="synthetic",
    )


def turns_csv(demand: Demand) -> str:
    """The demand as a table for `--turns`; what is nearly nothing is left out."""
    lines = ["from_link,to_link,begin_s,end_s,veh"]
    for (a, b), row in zip(demand.pairs, demand.veh, strict=True):
        lines += [
            f"{a},{b},{begin:g},{end:g},{veh:.4f}"
            for begin, end, veh in zip(demand.begin_s, demand.end_s, row, strict=True)
            if veh > 1e-4
        ]
    return "\n".join([*lines, ""])


def summary(flows: TownFlows, network: RoadNetwork) -> Mapping[str, float]:
    """Vehicles that start in the busiest hour, and vehicle-kilometres of each class of roads."""
    out = {"starts_vph": float(flows.entering_vph.sum())}
    index = {name: n for n, name in enumerate(flows.links)}
    through = np.zeros(len(flows.links))
    for (a, _), vph in zip(flows.turns, flows.turning_vph, strict=True):
        through[index[a]] += vph
    through += flows.ending_vph
    for of in CLASSES:
        out[f"{of.name}_veh_km"] = sum(
            through[index[x.id]] * max(lane.length_m for lane in x.lanes) / 1000
            for x in network.links.values()
            if x.lanes and class_of(x) is of
        )
    return out
