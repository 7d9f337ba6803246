"""Saturation flow and start-up loss from stop-bar loops, against what SUMO's vehicles really did.

Instant loops stand at the stop line of every lane before a signal and at the begin of its link, so it is known of every
vehicle how long it was held up: the truth is what a surveyor with perfect eyes would write down by the method of the
HCM, the mean headway behind the fourth vehicle of those that queued. The estimates see the stop line's loop alone: its
single actuations, or its counts and occupancy in five minutes.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from benchmarks.cases import Case, cases
from benchmarks.tables import Cell, Column, Options, Table
from its.recognize import load_field_plan
from its.sumo import COMMON_OPTIONS, Scenario, run_sumo
from network_data.detectors import Detector
from network_data.discharge.greens import FLOAT, lane_signals, program_greens
from network_data.discharge.headways import START_PLACES
from network_data.discharge.lanes import Actuations, Lane, LaneDischarge, LoopCounts, lane_discharges
from network_data.formats.files import iter_xml
from network_data.formats.sumo_net import read_sumo_net
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim.lane_groups import lane_groups
from sim.saturation import lane_saturations

HELD_S = 4.0
"""Who took so much longer over the link than the fastest tenth has queued. [s]"""
STOP_M, COUNT_S = 4.0, 300.0
BLOCKED_S = 5.0
"""Longer headways in a queue come from outside: no room behind the junction, somebody who crosses. [s]"""
SHORT_M = 30.0
"""Delays on shorter links tell nothing of queues. [m]"""
LEAST_TRUE = 30
"""Headways that the surveyor needs before he writes a figure down. [-]"""
COLUMNS = (
    Column(key="case", heading="network"),
    Column(key="basis", heading="from"),
    Column(key="lanes", heading="lanes"),
    Column(key="true", heading="with truth"),
    Column(key="judged", heading="of them told"),
    Column(key="error", heading="median error %", spec=".1f"),
    Column(key="bias", heading="bias %", spec="+.1f"),
    Column(key="contains", heading="range holds it %", spec=".0f"),
    Column(key="width", heading="range ± %", spec=".1f"),
    Column(key="hcm", heading="HCM's error %", spec=".1f"),
    Column(key="loss", heading="start-up error s", spec=".2f"),
)


@dataclass(frozen=True)
class Truth:
    """Of a lane: saturation flow and start-up loss of the vehicles that queued."""

    vph: float
    loss_s: float
    n: int


def benchmark(options: Options) -> Table:
    """Estimates from single actuations and from counts, per network."""
    rows: list[Mapping[str, Cell]] = []
    chosen = [c for c in cases().values() if options.only in (None, c.name)]
    for case in chosen[2:3] if options.quick and options.only is None else chosen:
        if reason := case.missing():
            options.say(f"{case.name}: {reason}")
            continue
        options.say(case.name)
        rows += _rows(case)
    return Table(
        title="Saturation flow from stop-bar loops, against queued vehicles of SUMO (HCM's method, perfect eyes)",
        columns=COLUMNS,
        rows=rows,
        notes=(
            f"truth: {LEAST_TRUE} headways and more behind the fourth of vehicles held up by {HELD_S:g} s or more; "
            f"headways beyond {BLOCKED_S:g} s come from outside and are left out",
            "HCM's error: its saturation flow without any local factor, on the same lanes",
        ),
    )


def _rows(case: Case) -> list[Mapping[str, Cell]]:
    network = read_sumo_net(case.network)
    plan = load_field_plan(case.field_plan, network)
    begin_s, end_s = case.begin_s, case.end_s
    signals = lane_signals(network)
    passed, entered = _passages(case, network, list(signals))
    truth = {lane: t for lane in signals if (t := _truth(network, plan, lane, passed, entered, begin_s, end_s))}
    detectors = [
        Detector(id=f"{a}:{b}", link_id=a, lane=b, pos_m=network.links[a].lanes[b].length_m - STOP_M, kind="stopbar")
        for a, b in signals
    ]
    single = {f"{a}:{b}": Actuations(on, off) for (a, b), (on, off, _) in passed.items()}
    counts = {name: _counted(a, begin_s, end_s) for name, a in single.items()}
    hcm = {
        lane: float(one.of_mix_vph({i: 1 / len(one.equivalents) for i in one.equivalents}))
        for lane, one in lane_saturations(network, lane_groups(network)).items()
    }
    out: list[Mapping[str, Cell]] = []
    for basis, data in (("actuations", single), ("5 min counts", counts)):
        found = lane_discharges(network, plan, detectors, data, begin_s=begin_s, end_s=end_s)
        out.append({"case": case.name, "basis": basis, "lanes": len(signals), **_scores(truth, found, hcm)})
    return out


def _scores(
    truth: Mapping[Lane, Truth], found: Mapping[Lane, LaneDischarge], hcm: Mapping[Lane, float]
) -> dict[str, Cell]:
    told = {lane: one for lane, one in found.items() if one.saturation_vph is not None and lane in truth}
    errors, widths, inside, losses = [], [], [], []
    for lane, one in told.items():
        flow = one.saturation_vph
        if flow is None:
            continue
        errors.append(flow.value / truth[lane].vph - 1)
        widths.append((flow.high - flow.low) / 2 / flow.value)
        inside.append(flow.low <= truth[lane].vph <= flow.high)
        if one.startup_loss_s is not None:
            losses.append(abs(one.startup_loss_s.value - truth[lane].loss_s))
    by_hand = [abs(hcm[lane] / t.vph - 1) for lane, t in truth.items() if lane in told]
    return {
        "true": len(truth),
        "judged": len(told),
        "error": 100 * float(np.median(np.abs(errors))) if errors else None,
        "bias": 100 * float(np.mean(errors)) if errors else None,
        "contains": 100 * float(np.mean(inside)) if inside else None,
        "width": 100 * float(np.median(widths)) if widths else None,
        "hcm": 100 * float(np.median(by_hand)) if by_hand else None,
        "loss": float(np.median(losses)) if losses else None,
    }


Passed = dict[Lane, tuple[FLOAT, FLOAT, list[str]]]


def _passages(case: Case, network: RoadNetwork, lanes: Sequence[Lane]) -> tuple[Passed, dict[tuple[str, str], float]]:
    """Times on and off the loop of each lane and who it was; when each vehicle entered each link."""
    links = {link for link, _ in lanes if network.links[link].length_m > SHORT_M}
    begins = [
        (link, lane.index) for link in sorted(links) for lane in network.links[link].lanes if lane.kind != "other"
    ]
    with tempfile.TemporaryDirectory() as folder:
        additional, result = Path(folder, "instant.add.xml"), Path(folder, "instant.xml")
        lines = [_loop(f"s:{a}:{b}", a, b, network.links[a].lanes[b].length_m - STOP_M, result) for a, b in lanes]
        lines += [_loop(f"b:{a}:{b}", a, b, 0.5, result) for a, b in begins]
        additional.write_text("\n".join(["<additional>", *lines, "</additional>"]), encoding="utf-8")
        scenario = Scenario(
            network=case.network, routes=case.routes, additional=case.base_additional, begin_s=case.begin_s,
            end_s=case.end_s,
        )  # fmt: skip
        run_sumo([*scenario.options(additional), "--seed", "42", *COMMON_OPTIONS])
        return _read(result)


def _loop(name: str, link: str, lane: int, pos_m: float, result: Path) -> str:
    place = f'lane={quoteattr(f"{link}_{lane}")} pos="{max(0.05, pos_m):.2f}"'
    return f"<instantInductionLoop id={quoteattr(name)} {place} file={quoteattr(str(result))}/>"


def _read(path: Path) -> tuple[Passed, dict[tuple[str, str], float]]:
    came: dict[tuple[Lane, str], float] = {}
    rows: dict[Lane, list[tuple[float, float, str]]] = defaultdict(list)
    entered: dict[tuple[str, str], float] = {}
    for event, _, element in iter_xml(path):
        if event != "end" or element.tag != "instantOut":
            continue
        kind, link, lane_text = element.attrib["id"].split(":", 1)[0], *element.attrib["id"][2:].rsplit(":", 1)
        lane, who, at_s = (link, int(lane_text)), element.attrib["vehID"], float(element.attrib["time"])
        if kind == "b" and element.attrib["state"] == "enter":
            entered[link, who] = at_s
        elif kind == "s" and element.attrib["state"] == "enter":
            came[lane, who] = at_s
        elif kind == "s" and element.attrib["state"] == "leave" and (lane, who) in came:
            rows[lane].append((at_s, came.pop((lane, who)), who))
        element.clear()
    passed = {}
    for lane, mine in rows.items():
        mine.sort()
        passed[lane] = (np.array([r[1] for r in mine]), np.array([r[0] for r in mine]), [r[2] for r in mine])
    return passed, entered


def _truth(
    network: RoadNetwork,
    plan: TimingPlan,
    lane: Lane,
    passed: Passed,
    entered: Mapping[tuple[str, str], float],
    begin_s: float,
    end_s: float,
) -> Truth | None:
    signals = lane_signals(network)[lane]
    if lane not in passed or signals.reason:
        return None
    _, off, who = passed[lane]
    took = np.array([t - entered.get((lane[0], v), np.nan) for t, v in zip(off, who, strict=True)])
    if np.isfinite(took).sum() < LEAST_TRUE:
        return None
    held = took - np.nanpercentile(took, 10) > HELD_S
    controller = network.controllers[signals.controller_id]
    program = plan.controllers[signals.controller_id]
    greens = program_greens(program, signals.indices, begin_s, end_s, yields=controller.yields)
    headways, losses = [], []
    for a, b in zip(greens.start_s, greens.end_s, strict=True):
        mine = np.flatnonzero((off >= a) & (off <= b))
        n = len(mine) if held[mine].all() else int(np.argmin(held[mine]))
        if n >= START_PLACES:
            losses.append(off[mine[START_PLACES - 1]] - a)  # blocked starts drop out by the median
            own = np.diff(off[mine[START_PLACES - 1 : n]])
            headways += list(own[own < BLOCKED_S])
    if len(headways) < LEAST_TRUE:
        return None
    h = float(np.mean(headways))
    return Truth(vph=3600 / h, loss_s=float(np.median(losses)) - START_PLACES * h, n=len(headways))


def _counted(a: Actuations, begin_s: float, end_s: float) -> LoopCounts:
    """What a loop with a counter would have said of the same vehicles."""
    edges = np.arange(begin_s, end_s + 1, COUNT_S)
    veh = np.histogram(a.off_s, edges)[0].astype(np.float64)
    on = [np.maximum(0, np.minimum(a.off_s, y) - np.maximum(a.on_s, x)).sum() for x, y in pairwise(edges)]
    return LoopCounts(edges[:-1], edges[1:], veh, np.array(on) / COUNT_S)
