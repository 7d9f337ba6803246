"""Does the model reproduce today? Counted against simulated flow at every detector under the plan in the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from network_data.counts import CountTable
from network_data.detectors import Detector
from network_data.estimate import Estimate, geh
from network_data.network import RoadNetwork
from sim.measures import Measures

GEH_LIMIT = 5.0
"""Hourly flows that differ by less count as reproduced (the usual limit of model calibration). [-]"""
SHARE_LIMIT = 0.85
"""Below this share of reproduced detectors a signal's promises are unproven. [-]"""


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
    several days are averaged.
    """
    hours = (end_s - begin_s) / 3600
    counted = _counted(counts, begin_s, end_s)
    repaired = {name for estimate in estimates for name in estimate.repaired}
    rows = []
    for detector in detectors:
        if detector.id not in counted:
            continue
        lane = network.links[detector.link_id].lanes[detector.lane]
        late = detector.pos_m > lane.length_m / 2
        table = simulated.left_veh if late else simulated.entered_veh
        veh = table.get((detector.link_id, detector.lane), 0.0)
        miss = float(geh(counted[detector.id] / hours, veh / hours))
        rows.append(
            {
                "detector": detector.id,
                "link": detector.link_id,
                "lane": detector.lane,
                "counted_veh": round(counted[detector.id], 1),
                "simulated_veh": round(veh, 1),
                "geh": round(miss, 2),
                "ok": miss < GEH_LIMIT,
                "repaired": detector.id in repaired,
            }
        )
    return {"detectors": rows, "signals": _by_signal(network, rows), "geh_limit": GEH_LIMIT, "share_limit": SHARE_LIMIT}


def _counted(counts: Sequence[CountTable], begin_s: float, end_s: float) -> dict[str, float]:
    """Vehicles per detector in the period, mean over the days that have it; part intervals count in proportion."""
    totals: dict[str, list[float]] = {}
    for table in counts:
        frame = table.frame
        first, last = frame["begin_s"].to_numpy(float), frame["end_s"].to_numpy(float)
        share = np.maximum(0.0, np.minimum(last, end_s) - np.maximum(first, begin_s)) / (last - first)
        inside = frame.assign(part=frame["veh"].to_numpy(float) * share)[share > 0]
        for name, veh in inside.groupby("detector", observed=True)["part"].sum().items():
            totals.setdefault(str(name), []).append(float(veh))
    return {name: float(np.mean(values)) for name, values in totals.items()}


def _by_signal(network: RoadNetwork, rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    out = {}
    for controller, links in network.approaches.items():
        mine = [row for row in rows if row["link"] in links]
        ok = sum(1 for row in mine if row["ok"])
        share = ok / len(mine) if mine else 0.0
        text = f"{ok} of {len(mine)} detectors on its approaches reproduced"
        text = text if mine else "no detector on its approaches"
        out[controller] = {"share_ok": round(share, 3), "unproven": share < SHARE_LIMIT, "text": text}
    return out
