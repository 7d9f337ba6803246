"""`python -m benchmarks demand_scale`: one 15-minute estimate of a grid of 10,000 signals with 100,000 detectors.

The network is built in memory; vehicles are conserved, turning shares differ from junction to junction, counts are
drawn by chance. What is laid out once per network is timed apart from the estimate that comes with every 15 minutes.
"""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from benchmarks.grids import LEGS, SPEED_MPS, Grid, make_grid
from benchmarks.tables import Cell, Column, Options, Table
from network_data.counting.counts import CountTable
from network_data.demand import Pair
from network_data.detectors import Detector
from network_data.network import Connection, Lane, Link, Node, RoadNetwork
from network_data.turning_flows.estimate import Estimate, Estimator, geh

FLOAT = NDArray[np.float64]
SIZES = {"1,024 signals": 32, "10,000 signals": 100}
"""Columns and rows of the grids."""
N_DETECTOR_PER_SIGNAL = 10
BEGIN_S, LENGTH_S = 8 * 3600.0, 900.0
ENTRY_VPH = (100.0, 700.0)
TURN_SHARES = {"r": 0.15, "s": 0.7, "l": 0.15}
CONCENTRATION = 12.0
"""Of the Dirichlet distribution that a junction's turning shares are drawn from. [-]"""
MIDWAY = 0.03
"""Of the vehicles on a link, those that end there; as many begin there. [-]"""
MOST_S, MOST_GIB = 5.0, 4.0


@dataclass(frozen=True, eq=False)
class Scene:
    """A grid with detectors, what they counted now and a quarter of an hour before, and the flows counted now. [veh]"""

    network: RoadNetwork
    detectors: tuple[Detector, ...]
    counts: CountTable
    before: CountTable
    truth: dict[Pair, float]


def grid_network(grid: Grid) -> RoadNetwork:
    """The grid as the engine sees it, without programs."""
    nodes = {
        grid.node(i, j): Node(id=grid.node(i, j), kind="grid", x_m=x_m, y_m=y_m)
        for i, x_m in enumerate(grid.x_m)
        for j, y_m in enumerate(grid.y_m)
    }
    links: dict[str, Link] = {}
    for i, j in grid.signals.values():
        for leg in range(LEGS):
            here, there = nodes[grid.node(i, j)], nodes[grid.node(*grid.neighbour(leg, i, j))]
            street = grid.street(leg, i, j)
            length_m = max(abs(here.x_m - there.x_m) + abs(here.y_m - there.y_m) - 10.0, 20.0)
            lanes = tuple(
                Lane(index=n, length_m=length_m, speed_mps=SPEED_MPS[street], width_m=3.2, kind="general")
                for n in range(len(grid.lanes(leg, i, j)))
            )
            for a, b in ((here, there), (there, here)):
                name = f"{a.id}_{b.id}"
                if name not in links:
                    shape = ((a.x_m, a.y_m), (b.x_m, b.y_m))
                    links[name] = Link(
                        id=name, from_node=a.id, to_node=b.id, lanes=lanes, name="", priority=1, shape=shape
                    )
    connections = tuple(
        Connection(
            movement_id=f"{grid.link(turn.leg, i, j)}>{grid.link(turn.exit_leg, i, j, out=True)}",
            node_id=grid.node(i, j),
            from_link=grid.link(turn.leg, i, j),
            from_lane=turn.lane,
            to_link=grid.link(turn.exit_leg, i, j, out=True),
            to_lane=turn.to_lane,
            direction=turn.turn,
            length_m=12.0,
            speed_mps=8.0,
            wait_m=0.0,
            kind="general",
            right_of_way="M",
            controller_id=grid.node(i, j),
            link_index=number,
            yields_to=(),
            conflicts=(),
            yields_to_crossings=(),
        )
        for i, j in grid.signals.values()
        for number, turn in enumerate(grid.turns(i, j))
    )
    return RoadNetwork(nodes=nodes, links=links, connections=connections, crossings=(), controllers={})


def grid_detectors(network: RoadNetwork, n_detector: int, seed: int) -> tuple[Detector, ...]:
    """A loop at the stop line of every lane before a signal, and upstream loops on whole links up to the number."""
    rng = np.random.default_rng(seed)
    out = []
    approaches = list(dict.fromkeys(c.from_link for c in network.connections))
    for name in approaches:
        for lane in network.links[name].lanes:
            at = lane.length_m - 2.0
            out.append(Detector(id=f"{name}.{lane.index}.s", link_id=name, lane=lane.index, pos_m=at, kind="stopbar"))
    for k in rng.permutation(len(approaches)):
        name = approaches[k]
        lanes = network.links[name].lanes
        if len(out) + len(lanes) <= n_detector:
            out += [
                Detector(id=f"{name}.{lane.index}.a", link_id=name, lane=lane.index, pos_m=5.0, kind="advance")
                for lane in lanes
            ]
    return tuple(out)


def make_scene(n: int, seed: int = 1) -> Scene:
    """A grid of n × n signals."""
    grid = make_grid(n, n, seed=seed)
    network = grid_network(grid)
    detectors = grid_detectors(network, N_DETECTOR_PER_SIGNAL * n * n, seed)
    rng = np.random.default_rng(seed + 1)
    links = list(network.links)
    index = {link: i for i, link in enumerate(links)}
    lanes_of: dict[Pair, list[int]] = {}
    direction: dict[Pair, str] = {}
    for c in network.connections:
        lanes_of.setdefault((c.from_link, c.to_link), []).append(c.from_lane)
        direction[c.from_link, c.to_link] = c.direction
    pairs = list(lanes_of)
    tail = np.array([index[a] for a, _ in pairs])
    head = np.array([index[b] for _, b in pairs])
    weight = rng.gamma(np.array([CONCENTRATION * TURN_SHARES[direction[pair]] for pair in pairs]))
    share = weight / np.bincount(tail, weight, minlength=len(links))[tail]
    entering = np.zeros(len(links))
    gates = ~np.isin(np.arange(len(links)), head)
    entering[gates] = rng.uniform(*ENTRY_VPH, int(gates.sum())) * LENGTH_S / 3600
    # flow f = entries + what turns in, of which MIDWAY ended before; as many begin midway
    onward = sparse.csr_matrix((share * (1 - MIDWAY), (head, tail)), shape=(len(links), len(links)))
    flow = splu((sparse.identity(len(links)) * (1 - MIDWAY) - onward).tocsc()).solve(entering)
    earlier, wanted = rng.poisson(flow[tail] * (1 - MIDWAY) * share, (2, len(pairs)))
    return Scene(
        network,
        detectors,
        _counted(network, detectors, pairs, lanes_of, wanted, entering, index, rng),
        _counted(network, detectors, pairs, lanes_of, earlier, entering, index, rng),
        {pair: float(veh) for pair, veh in zip(pairs, wanted, strict=True)},
    )


def _counted(
    network: RoadNetwork,
    detectors: tuple[Detector, ...],
    pairs: list[Pair],
    lanes_of: dict[Pair, list[int]],
    veh: NDArray[np.int64],
    entering: FLOAT,
    index: dict[str, int],
    rng: np.random.Generator,
) -> CountTable:
    """Counts by lane: at the stop line what turns from it, upstream a part of what comes onto the link."""
    at_stop: dict[tuple[str, int], float] = {}
    comes = entering.copy()
    for pair, n in zip(pairs, veh, strict=True):
        comes[index[pair[1]]] += n
        split = rng.multinomial(n, np.full(len(lanes_of[pair]), 1 / len(lanes_of[pair])))
        for lane, part in zip(lanes_of[pair], split, strict=True):
            at_stop[pair[0], lane] = at_stop.get((pair[0], lane), 0.0) + float(part)
    value = [
        at_stop.get((d.link_id, d.lane), 0.0)
        if d.kind == "stopbar"
        else round(comes[index[d.link_id]] / len(network.links[d.link_id].lanes))
        for d in detectors
    ]
    frame = pd.DataFrame(
        {
            "detector": pd.Categorical([d.id for d in detectors]),
            "day": np.full(len(detectors), np.datetime64("NaT", "s")),
            "begin_s": BEGIN_S,
            "end_s": BEGIN_S + LENGTH_S,
            "veh": np.array(value, dtype=float),
            "occupancy_pct": np.nan,
            "speed_mps": np.nan,
        }
    )
    return CountTable(frame)


COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="detectors", heading="detectors"),
    Column(key="layout_s", heading="laid out\nonce [s]", spec=".1f"),
    Column(key="first_s", heading="first\nestimate [s]", spec=".2f"),
    Column(key="estimate_s", heading="every further\none [s]", spec=".2f"),
    Column(key="cpu_s", heading="its pro-\ncessor [s]", spec=".2f"),
    Column(key="memory_gib", heading="memory\n[GiB]", spec=".2f"),
    Column(key="geh3_pct", heading="GEH < 3\n[%]", spec=".1f"),
    Column(key="rmse_vph", heading="RMSE\n[veh/h]", spec=".1f"),
    Column(key="cover_pct", heading="truth in\nrange [%]", spec=".1f"),
    Column(key="width_vph", heading="width\n[veh/h]", spec=".0f"),
    Column(key="holds", heading="holds"),
)


def _row(name: str, n: int) -> dict[str, Cell]:
    scene = make_scene(n)
    start = time.perf_counter()
    estimator = Estimator(scene.network, scene.detectors, plan=None, n_thread=2)
    estimator.prepare()
    laid = time.perf_counter()
    estimator.estimate(scene.before, BEGIN_S, BEGIN_S + LENGTH_S)
    first, used = time.perf_counter(), time.process_time()
    found = estimator.estimate(scene.counts, BEGIN_S, BEGIN_S + LENGTH_S)
    again, used = time.perf_counter(), time.process_time() - used
    memory_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "case": name,
        "detectors": len(scene.detectors),
        "layout_s": laid - start,
        "first_s": first - laid,
        "estimate_s": again - first,
        "cpu_s": used,
        "memory_gib": memory_gib,
        **_quality(scene, found),
        "holds": again - first < MOST_S and memory_gib < MOST_GIB,
    }


def _quality(scene: Scene, found: Estimate) -> dict[str, Cell]:
    number = {pair: n for n, pair in enumerate(found.demand.pairs)}
    rows = np.array([number[pair] for pair in scene.truth])
    truth = np.array(list(scene.truth.values()))
    flow = found.demand.veh.sum(axis=1)[rows]
    low, high = found.demand.total_low_veh[rows], found.demand.total_high_veh[rows]
    hourly = 3600 / LENGTH_S
    return {
        "geh3_pct": 100 * float((geh(flow * hourly, truth * hourly) < 3).mean()),
        "rmse_vph": hourly * float(np.sqrt(((flow - truth) ** 2).mean())),
        "cover_pct": 100 * float(((truth >= np.floor(low)) & (truth <= np.ceil(high))).mean()),
        "width_vph": hourly * float((high - low).mean()),
    }


def benchmark(options: Options) -> Table:
    """Measure all sizes (or the chosen one)."""
    chosen = options.chosen(list(SIZES), ["1,024 signals"])
    rows = [_row(name, SIZES[name]) for name in chosen]
    return Table(
        title="One 15-minute estimate, loops on every approach",
        columns=COLUMNS,
        rows=rows,
        notes=["memory: the most the whole process held, the scene included"],
        failed=any(row["holds"] is False for row in rows),
    )
