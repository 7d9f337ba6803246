"""Network delay by closed forms: every lane group before a signal on its own, quarter hour by quarter hour.

What an engineer does with a table of volumes: true turning flows per quarter hour, the manual's saturation flows, each
period begun with the queues that the one before left. Nothing is known of offsets, and junctions without signals are
free.
"""

from __future__ import annotations

from collections import defaultdict

from network_data.demand import Demand, Pair
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim.closed_forms import Formula, closed_form_over_periods

PERIOD_S = 900.0
FORMULAS: dict[str, Formula] = {"Webster": "webster", "HCM 7": "hcm", "KHCM": "khcm"}
"""Name in the table → formula. Webster's formula ends at v/c 1: the HCM's stands in above."""


def period_flows_vph(demand: Demand) -> list[dict[Pair, float]]:
    """Turning flows of quarter hours. [veh/h]"""
    length_s = float(demand.end_s[-1] - demand.begin_s[0])
    n = max(1, round(length_s / PERIOD_S))
    hours = length_s / n / 3600
    middle_s = (demand.begin_s + demand.end_s) / 2 - demand.begin_s[0]
    period = (middle_s * n // length_s).astype(int)
    return [
        {pair: float(veh[period == t].sum()) / hours for pair, veh in zip(demand.pairs, demand.veh, strict=True)}
        for t in range(n)
    ]


def closed_form_delays(
    network: RoadNetwork, plan: TimingPlan, demand: Demand
) -> dict[str, tuple[float, dict[str, float]]]:
    """Delay per vehicle that enters the network, and per vehicle on each signal approach, by formula. [s/veh]"""
    flows = period_flows_vph(demand)
    periods = closed_form_over_periods(network, plan, flows)
    entered = sum(vph for row in flows for (origin, _), vph in row.items() if not origin)
    out = {}
    for name, formula in FORMULAS.items():
        delay: dict[str, float] = defaultdict(float)
        flow: dict[str, float] = defaultdict(float)
        for groups in periods:
            for group in groups.values():
                delay[group.link] += group.delay_s(formula) * group.flow_vph
                flow[group.link] += group.flow_vph
        by_link = {link: total / flow[link] for link, total in delay.items() if flow[link] > 0}
        out[name] = (sum(delay.values()) / max(1.0, entered), by_link)
    return out
