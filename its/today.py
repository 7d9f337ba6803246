"""Does the model reproduce today? Counted against simulated flow at every detector under the plan in the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from network_data.counting.counts import CountTable
from network_data.detectors import Detector
from network_data.network import RoadNetwork
from network_data.turning_flows.estimate import Estimate, geh
from sim.measures import Measures

GEH_LIMIT = 5.0
"""Hourly flows that differ by less count as reproduced (the usual limit of model calibration). [-]"""
SHARE_LIMIT = 0.85
"""Below this share of reproduced detectors a signal's promises are unproven. [-]"""
MIN_COUNTED = 0.5
"""Least share of the period that a detector's sound counts must cover on a day to stand for it. [-]"""


def todays_check(
    network: RoadNetwork,
    detectors: Sequence[Detector],
    counts: Sequence[CountTable],
    estimates: Sequence[Estimate],
    simulated: Measures,
    begin_s: float,
    end_s: float,
) -> dict[str, Any]:
    """Counted against simulated vehicles per detector, and which signals the model misses.

    Loops in the downstream half of a lane are held against what left it, others against what entered it; counts of
    several days are averaged. A detector without sound counts is listed with `counted_veh` None and judges nothing.
    """
    hours = (end_s - begin_s) / 3600
    counted = _counted(counts, begin_s, end_s)
    repaired = {name for estimate in estimates for name in estimate.repaired}
    rows = []
    for detector in detectors:
        lane = network.links[detector.link_id].lanes[detector.lane]
        late = detector.pos_m > lane.length_m / 2
        table = simulated.left_veh if late else simulated.entered_veh
        veh, found = table.get((detector.link_id, detector.lane), 0.0), counted.get(detector.id)
        miss = float(geh(found / hours, veh / hours)) if found is not None else None
        rows.append(
            {
                "detector": detector.id,
                "link": detector.link_id,
                "lane": detector.lane,
                "counted_veh": None if found is None else round(found, 1),
                "simulated_veh": round(veh, 1),
                "geh": None if miss is None else round(miss, 2),
                "ok": None if miss is None else miss < GEH_LIMIT,
                "repaired": detector.id in repaired,
            }
        )
    return {"detectors": rows, "signals": _by_signal(network, rows), "geh_limit": GEH_LIMIT, "share_limit": SHARE_LIMIT}


def _counted(counts: Sequence[CountTable], begin_s: float, end_s: float) -> dict[str, float]:
    """Vehicles per detector in the period, mean over the days that have it; part intervals count in proportion.

    Missing counts are no zeros: what was counted stands for the whole period where it covers enough of it.
    """
    totals: dict[str, list[float]] = {}
    for table in counts:
        frame = table.frame[np.isfinite(table.frame["veh"].to_numpy(float))]
        first, last = frame["begin_s"].to_numpy(float), frame["end_s"].to_numpy(float)
        seen_s = np.maximum(0.0, np.minimum(last, end_s) - np.maximum(first, begin_s))
        parts = frame.assign(veh=frame["veh"].to_numpy(float) * seen_s / (last - first), seen_s=seen_s)
        for name, row in parts.groupby("detector", observed=True)[["veh", "seen_s"]].sum().iterrows():
            share = float(row["seen_s"]) / (end_s - begin_s)
            if share >= MIN_COUNTED:
                totals.setdefault(str(name), []).append(float(row["veh"]) / min(1.0, share))
    return {name: float(np.mean(values)) for name, values in totals.items()}


def _by_signal(network: RoadNetwork, rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    out = {}
    for controller, links in network.approaches.items():
        here = [row for row in rows if row["link"] in links]
        mine = [row for row in here if row["ok"] is not None]
        ok = sum(1 for row in mine if row["ok"])
        share = ok / len(mine) if mine else 0.0
        text = f"{ok} of {len(mine)} detectors on its approaches reproduced"
        text = text if mine else f"no {'sound count' if here else 'detector'} on its approaches"
        out[controller] = {"share_ok": round(share, 3), "unproven": share < SHARE_LIMIT, "text": text}
    return out
