"""Does the model reproduce today? Counted against simulated flow and occupancy at every detector, the field plan on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from network_data.counting.counts import CountTable
from network_data.detectors import Detector
from network_data.network import RoadNetwork
from network_data.settings import Today
from network_data.turning_flows.estimate import Estimate, geh
from sim.measures import Measures

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
    *,
    limits: Today | None = None,
    weights: Sequence[float] | None = None,
    occupancy: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Counted against simulated vehicles and occupancy per detector, and which signals the model misses.

    Parameters
    ----------
    counts : sequence of CountTable
        Of the days that are scenarios.
    simulated : Measures
        Of the field plan. Loops in the downstream half of a lane are held against what left it, others against what
        entered it.
    limits : Today, optional
        From when a detector is a miss, and how many a signal may have; default: those of the settings' defaults.
    weights : sequence of float, optional
        Of the days; all alike by default. Turning demand has a scenario, but no counts.
    occupancy : mapping, optional
        Detector id → simulated occupancy, of `sim.occupancy`. [-]

    Returns
    -------
    dict
        `detectors`: one row each; `signals`: share of detectors met in flow and in occupancy, and whether promises are
        unproven there; the limits. A detector without sound counts has `counted_veh` None and judges nothing.
    """
    limits = limits or Today()
    hours = (end_s - begin_s) / 3600
    shares = list(weights) if weights is not None and counts else [1.0] * len(counts)
    counted = _by_detector(counts, shares, begin_s, end_s, "veh")
    occupied = _by_detector(counts, shares, begin_s, end_s, "occupancy_pct")
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
                "ok": None if miss is None else miss < limits.geh,
                "repaired": detector.id in repaired,
                **_occupancy(occupied.get(detector.id), (occupancy or {}).get(detector.id), limits),
            }
        )
    return {
        "detectors": rows,
        "signals": _by_signal(network, rows, limits),
        "geh_limit": limits.geh,
        "occupancy_limit": limits.occupancy_points / 100,
        "share_limit": limits.share,
        "share_limits": dict(limits.share_of),
    }


def with_occupancy(counts: Sequence[CountTable]) -> bool:
    """Whether any detector tells its occupancy: only then it is worth simulating."""
    return any(
        "occupancy_pct" in table.frame and bool(np.isfinite(table.frame["occupancy_pct"].to_numpy(float)).any())
        for table in counts
    )


def _occupancy(counted_pct: float | None, simulated: float | None, limits: Today) -> dict[str, Any]:
    judged = None
    if counted_pct is not None and simulated is not None:
        judged = abs(counted_pct - 100 * simulated) < limits.occupancy_points
    return {
        "counted_occupancy": None if counted_pct is None else round(counted_pct / 100, 4),
        "simulated_occupancy": None if simulated is None else round(simulated, 4),
        "occupancy_ok": judged,
    }


def _by_detector(
    counts: Sequence[CountTable], weights: Sequence[float], begin_s: float, end_s: float, column: str
) -> dict[str, float]:
    """Vehicles, or mean occupancy, per detector in the period; weighted mean over the days that have it.

    Missing counts are no zeros: what was counted stands for the whole period where it covers enough of it. Vehicles of
    part intervals count in proportion.
    """
    totals: dict[str, list[tuple[float, float]]] = {}
    for table, weight in zip(counts, weights, strict=True):
        if column not in table.frame:
            continue
        frame = table.frame[np.isfinite(table.frame[column].to_numpy(float))]
        first, last = frame["begin_s"].to_numpy(float), frame["end_s"].to_numpy(float)
        seen_s = np.maximum(0.0, np.minimum(last, end_s) - np.maximum(first, begin_s))
        amount = frame[column].to_numpy(float) * seen_s
        if column == "veh":
            amount = amount / (last - first)
        parts = frame.assign(amount=amount, seen_s=seen_s)
        for name, row in parts.groupby("detector", observed=True)[["amount", "seen_s"]].sum().iterrows():
            share = float(row["seen_s"]) / (end_s - begin_s)
            if share >= MIN_COUNTED:
                over = min(1.0, share) if column == "veh" else float(row["seen_s"])
                totals.setdefault(str(name), []).append((float(row["amount"]) / over, weight))
    return {name: sum(v * w for v, w in values) / sum(w for _, w in values) for name, values in totals.items()}


def _by_signal(network: RoadNetwork, rows: Sequence[dict[str, Any]], limits: Today) -> dict[str, dict[str, Any]]:
    """Each signal by the detectors on its approaches: flow first; occupancy where it is counted."""
    out = {}
    on_link: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        on_link.setdefault(str(row["link"]), []).append(row)
    for controller, links in network.approaches.items():
        here = [row for link in links for row in on_link.get(link, ())]
        flow, held = ([row[key] for row in here if row[key] is not None] for key in ("ok", "occupancy_ok"))
        limit = limits.share_of.get(controller, limits.share)
        share, share_held = (sum(x) / len(x) if x else 0.0 for x in (flow, held))
        text = f"{sum(flow)} of {len(flow)} detectors on its approaches reproduced"
        text = text if flow else f"no {'sound count' if here else 'detector'} on its approaches"
        if held:
            text += f", {sum(held)} of {len(held)} in occupancy"
        out[controller] = {
            "share_ok": round(share, 3),
            "share_occupancy_ok": round(share_held, 3) if held else None,
            "limit": limit,
            "unproven": share < limit or bool(held and share_held < limit),
            "text": text,
        }
    return out
