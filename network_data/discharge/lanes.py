"""Saturation flow and start-up loss of every lane with a stop-bar loop, with a range, or why the data cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from network_data.controllers import Controller
from network_data.detectors import Detector
from network_data.discharge.counts import HOUR_S, CountDischarge, count_discharge
from network_data.discharge.greens import FLOAT, Greens, LaneSignals, lane_signals, program_greens
from network_data.discharge.headways import QueueDischarge, Range, departures, queue_discharge
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan

Basis = Literal["headways", "counts", "none"]
Lane = tuple[str, int]
PLAUSIBLE_VPH = (900.0, 2600.0)
"""What one lane can discharge at saturation; beyond it a loop joins vehicles, counts twice, or no queue ever stood."""
MODEL_ERROR = 0.03
"""Beside chance: who counts as queued at its tail is not the same to every observer, by so much of the flow on 60 lanes
of SUMO's Bologna (docs/discharge.md). In quadrature within the ranges from headways. [-]"""
DAY_S = 86_400.0
WIDEST = 0.2
"""Half of a range over its value, at most: wider ones tell less than a manual does. [-]"""


@dataclass(frozen=True, eq=False)
class Actuations:
    """One loop: when vehicles came onto it and left it, local seconds after midnight, in order of leaving."""

    on_s: FLOAT
    off_s: FLOAT

    def __post_init__(self) -> None:
        fits = self.on_s.shape == self.off_s.shape and self.on_s.ndim == 1
        if not (fits and np.isfinite(self.on_s).all() and np.isfinite(self.off_s).all()):
            raise DemandError("actuations", "need a finite time of coming for each of leaving; mend the records")
        if (self.off_s < self.on_s).any() or (np.diff(self.off_s) < 0).any():
            raise DemandError(
                "actuations", "a vehicle leaves the loop before it comes, or out of order; sort the records"
            )


@dataclass(frozen=True, eq=False)
class LoopCounts:
    """One loop: vehicles per interval, and its occupancy as a share of the interval where known [-]."""

    begin_s: FLOAT
    end_s: FLOAT
    veh: FLOAT
    occupancy: FLOAT | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneDischarge:
    """A lane; ranges are 95 % intervals. `basis` "none": the data cannot tell, for the `reason`.

    `startup_loss_s` is what the first four vehicles lose against saturation headways; `end_use_s` how long behind the
    end of green the last of a queue left.
    """

    link: str
    lane: int
    detector: str
    basis: Basis
    saturation_vph: Range | None = None
    startup_loss_s: Range | None = None
    end_use_s: Range | None = None
    n_greens: int = 0
    n_saturated: int = 0
    n_headways: float = 0.0
    reason: str = ""


def lane_discharges(
    network: RoadNetwork,
    plan: TimingPlan,
    detectors: Sequence[Detector],
    data: Mapping[str, Actuations | LoopCounts],
    *,
    begin_s: float,
    end_s: float,
    days: int = 1,
    greens: Mapping[Lane, Greens] | None = None,
) -> dict[Lane, LaneDischarge]:
    """What stop-bar loops say of the lanes they lie in, by (link, lane).

    Parameters
    ----------
    plan : TimingPlan
        What ran in the period, the same in every cycle; actuated controllers need `greens`.
    data : mapping
        Detector id → single actuations or counts. Loops without data, advance and mid-block loops are left out; of two
        loops on a lane the one nearer to the stop line counts.
    begin_s, end_s : float
        Period, local seconds after midnight. [s]
    days : int
        How many days the data hold: times of the n-th (from 0) are n · 86,400 s later, in `greens` too.
    greens : mapping, optional
        (link, lane) → greens as the controller recorded them, instead of the plan's.

    Raises
    ------
    DemandError
        Actuations or counts that are no such.
    """
    signals = lane_signals(network)
    nearest: dict[Lane, Detector] = {}
    for d in detectors:
        if d.kind == "stopbar" and d.id in data:
            lane = (d.link_id, d.lane)
            if lane not in nearest or d.pos_m > nearest[lane].pos_m:
                nearest[lane] = d
    out = {}
    for lane, d in nearest.items():
        shown, reason = _greens_of(lane, signals, network.controllers, plan, greens or {}, begin_s, end_s)
        if days > 1 and lane not in (greens or {}):
            shown = Greens.of(
                *(np.concatenate([t + n * DAY_S for n in range(days)]) for t in (shown.start_s, shown.end_s))
            )
        out[lane] = _unknown(d, reason) if reason else _judged(d, shown, data[d.id])
    return out


def _unknown(d: Detector, reason: str) -> LaneDischarge:
    return LaneDischarge(link=d.link_id, lane=d.lane, detector=d.id, basis="none", reason=reason)


def _greens_of(
    lane: Lane,
    signals: Mapping[Lane, LaneSignals],
    controllers: Mapping[str, Controller],
    plan: TimingPlan,
    recorded: Mapping[Lane, Greens],
    begin_s: float,
    end_s: float,
) -> tuple[Greens, str]:
    none = Greens.of([], [])
    mine = signals.get(lane)
    if mine is None:
        return none, "no signal controls the lane"
    if mine.reason:
        return none, mine.reason
    if lane in recorded:
        return recorded[lane], ""
    program = plan.controllers[mine.controller_id]
    if program.actuated:
        return none, "its controller is actuated; give the greens that it recorded"
    shown = program_greens(program, mine.indices, begin_s, end_s, yields=controllers[mine.controller_id].yields)
    return shown, "" if len(shown) else "it never has a green of its own: its turns yield, or do not share their greens"


def _judged(d: Detector, greens: Greens, data: Actuations | LoopCounts) -> LaneDischarge:
    if isinstance(data, Actuations):
        found = queue_discharge(departures(greens, data.off_s, data.on_s))
        return _unknown(d, "too few vehicles queued") if found is None else _from_headways(d, found)
    counted = count_discharge(greens, data.begin_s, data.end_s, data.veh, data.occupancy)
    if counted is None:
        why = "no plateau shows without occupancy" if data.occupancy is None else "it was seldom saturated"
        return _unknown(d, why)
    return _from_counts(d, counted)


def _from_headways(d: Detector, found: QueueDischarge) -> LaneDischarge:
    h = found.headway_s
    more_s, less_s = (float(np.hypot(side, MODEL_ERROR * h.value)) for side in (h.high - h.value, h.value - h.low))
    flow = Range(value=HOUR_S / h.value, low=HOUR_S / (h.value + more_s), high=HOUR_S / max(h.value - less_s, 0.5))
    reason = _doubt(flow)
    if reason:
        return _unknown(d, reason)
    return LaneDischarge(
        link=d.link_id,
        lane=d.lane,
        detector=d.id,
        basis="headways",
        saturation_vph=flow,
        startup_loss_s=found.startup_loss_s,
        end_use_s=found.end_use_s,
        n_greens=found.n_green,
        n_saturated=found.n_saturated,
        n_headways=found.n_headway,
    )


def _from_counts(d: Detector, found: CountDischarge) -> LaneDischarge:
    reason = _doubt(found.saturation_vph)
    if reason:
        return _unknown(d, reason)
    return LaneDischarge(
        link=d.link_id,
        lane=d.lane,
        detector=d.id,
        basis="counts",
        saturation_vph=found.saturation_vph,
        n_saturated=found.n_saturated,
    )


def _doubt(flow: Range) -> str:
    """Why a figure is not believed."""
    low, high = PLAUSIBLE_VPH
    if not low <= flow.value <= high:
        return f"{flow.value:.0f} veh/h is nothing one lane discharges: the loop joins vehicles, or no queue stood"
    if flow.high - flow.low > 2 * WIDEST * flow.value:
        return f"the range {flow.low:.0f} to {flow.high:.0f} veh/h is too wide to tell more than a manual"
    return ""
