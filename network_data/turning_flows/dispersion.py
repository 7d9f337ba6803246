"""How clumped traffic arrives: variance over mean of short counts around their trend."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from network_data.detectors import Detector
from network_data.turning_flows.series import DaySeries, cross_sections
from network_data.turning_flows.unknowns import Unknowns

FLOAT = NDArray[np.float64]
SPAN_S = 300.0
TREND_S = 3600.0
FEWEST = 5
"""Fewest intervals a trend is fitted to."""
LOWEST, HIGHEST = 1.0, 20.0
LEAST_VEH = 2.0
"""Loops with fewer vehicles an interval tell nothing of clumping. [veh]"""


def dispersion(
    unknowns: Unknowns, detectors: tuple[Detector, ...], series: DaySeries, begin_s: float, end_s: float
) -> float:
    """Variance over mean of 5-minute counts around their trend, median over entry links (else all links). [-]

    Poisson arrivals have 1; the result is clipped to 1-20. The trend is a straight line per hour.
    """
    within = (series.begin_s >= begin_s - 1e-6) & (series.end_s <= end_s + 1e-6)
    if not within.any():
        return LOWEST
    interval_s = float(np.median(series.end_s - series.begin_s))
    group = max(round(SPAN_S / interval_s), 1)
    if int(within.sum()) // group < FEWEST:
        return LOWEST
    at_gates: list[float | None] = []
    elsewhere: list[float | None] = []
    by_link: dict[str, list[Detector]] = defaultdict(list)
    for detector in detectors:
        if detector.id in series.row:
            by_link[detector.link_id].append(detector)
    for link, loops in by_link.items():
        for section in cross_sections(loops):
            if link in unknowns.entry and section[0].kind != "stopbar":
                veh = series.veh[[series.row[d.id] for d in section]][:, within].sum(axis=0)
                value = _index(veh, group, max(round(TREND_S / (interval_s * group)), FEWEST))
                (at_gates if link in unknowns.gates_in else elsewhere).append(value)
    for values in (at_gates, elsewhere):
        known = [value for value in values if value is not None]
        if known:
            return float(np.clip(np.median(known), LOWEST, HIGHEST))
    return LOWEST


def _index(veh: FLOAT, group: int, window: int) -> float | None:
    """Variance over mean around straight lines through windows of the counts; None if there is too little."""
    whole = veh[: len(veh) // group * group].reshape(-1, group).sum(axis=1)
    square, freedom, level = 0.0, 0, []
    for first in range(0, len(whole), window):
        part = whole[first : first + window]
        at = np.flatnonzero(np.isfinite(part))
        if len(at) >= FEWEST:
            line = np.polyfit(at, part[at], 1)
            square += float(((part[at] - np.polyval(line, at)) ** 2).sum())
            freedom += len(at) - 2
            level.append(float(part[at].mean()))
    if not freedom or float(np.mean(level)) < LEAST_VEH:
        return None
    return square / freedom / float(np.mean(level))
