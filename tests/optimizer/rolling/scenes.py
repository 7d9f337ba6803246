"""Small streets with demand, loops and observations for the rolling optimizer."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from network_data.demand import Demand
from network_data.detectors import Detector
from network_data.network import RoadNetwork
from network_data.observations import Observation
from network_data.plans import TimingPlan
from tests.builders import Rows, demand, field_plan, two_signals
from tests.network_data.signal_grids import signal_grid

CYCLE_S = 60
SKEWED: Rows = ((17, "Gr"), (3, "yr"), (37, "rG"), (3, "ry"))
"""Little green for the street that needs it."""


@dataclass(frozen=True, eq=False)
class Street:
    """A network with its plan, loops at stop lines, and flows. [veh/h]"""

    network: RoadNetwork
    plan: TimingPlan
    detectors: tuple[Detector, ...]
    flows_vph: Mapping[tuple[str, str], float]

    def demand(self, factor: float = 1.0) -> Demand:
        """The flows for an hour."""
        return demand({pair: factor * vph / 12 for pair, vph in self.flows_vph.items()})

    def seen(
        self,
        time_s: float,
        factor: float = 1.0,
        *,
        dead: Sequence[str] = (),
        occupancy: float = 0.3,
        interval_s: float = CYCLE_S,
    ) -> Observation:
        """What the loops see in a cycle when `factor` times the flows pass, without chance."""
        vph = [
            sum(v for (a, b), v in self.flows_vph.items() if a == d.link_id and b) / self._lanes(d)
            for d in self.detectors
        ]
        return Observation(
            time_s=time_s,
            interval_s=interval_s,
            detector_ids=tuple(d.id for d in self.detectors),
            count_veh=np.array([factor * v * interval_s / 3600 for v in vph], np.float32),
            occupancy=np.full(len(vph), occupancy, np.float32),
            health=np.array([d.id in dead for d in self.detectors], np.uint8),
        )

    def _lanes(self, detector: Detector) -> int:
        return len(self.network.links[detector.link_id].lanes)


def loops(network: RoadNetwork) -> tuple[Detector, ...]:
    """One before the stop line of every lane that ends at a signal."""
    ends = dict.fromkeys(link for links in network.approaches.values() for link in links)
    return tuple(
        Detector(id=f"{link}.{lane.index}", link_id=link, lane=lane.index, pos_m=lane.length_m - 2.0, kind="stopbar")
        for link in ends
        for lane in network.links[link].lanes
    )


def arterial(rows: Rows = SKEWED, *, main_vph: float = 700.0, side_vph: float = 150.0, signals: int = 2) -> Street:
    """An arterial through some signals, each crossed by a side street."""
    network = two_signals(rows, offsets_s=tuple(30.0 * n for n in range(signals)))
    main = sorted(link for link in network.links if link.startswith("a"))
    flows = {("", main[0]): main_vph, (main[-1], ""): main_vph}
    flows |= dict.fromkeys(itertools.pairwise(main), main_vph)
    for name in network.controllers:
        flows |= {("", f"s{name}"): side_vph, (f"s{name}", f"n{name}"): side_vph, (f"n{name}", ""): side_vph}
    return Street(network, field_plan(network), loops(network), flows)


def grid(columns: int, rows: int, *, vph: float = 300.0) -> Street:
    """A grid of signals with the same flow on every street, a tenth of it turning each way."""
    network = signal_grid(columns, rows)
    inner = set(network.controllers)
    flows: dict[tuple[str, str], float] = {}
    for link in network.links.values():
        if link.from_node not in inner:
            flows["", link.id] = vph
        if link.to_node not in inner:
            flows[link.id, ""] = vph
    for c in network.connections:
        flows[c.from_link, c.to_link] = vph * (0.8 if c.direction == "s" else 0.1)
    return Street(network, field_plan(network), loops(network), flows)
