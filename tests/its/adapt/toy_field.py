"""A field made by hand for the tests of the closed loop: point queues behind loops, one lane per approach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from network_data.detectors import Detector
from network_data.network import RoadNetwork
from network_data.observations import Observation
from network_data.plans import GREEN

TRAVEL_S, HEADWAY_S = 24, 2


def loops(network: RoadNetwork, links: Sequence[str]) -> tuple[Detector, ...]:
    """An advance loop and one at the stop line on each link."""
    out = []
    for link in links:
        length_m = network.links[link].length_m
        out.append(Detector(id=f"{link}.a", link_id=link, lane=0, pos_m=5.0, kind="advance"))
        out.append(Detector(id=f"{link}.s", link_id=link, lane=0, pos_m=length_m - 2, kind="stopbar"))
    return tuple(out)


class ToyField:
    """Vehicles enter links at given seconds, reach the stop line 24 s later and leave under green, one in 2 s.

    `heads` tells the (controller, link index) that each link obeys. `delay_s` grows while they wait. Between the two
    seconds that `holds` gives for a link nobody leaves it, whatever its signal shows.
    """

    def __init__(
        self,
        enters_s: Mapping[str, Sequence[int]],
        heads: Mapping[str, tuple[str, int]],
        states: Mapping[str, str],
        *,
        end_s: int,
        holds: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self._holds = dict(holds or {})
        self._enters, self._heads, self._end_s = {k: set(v) for k, v in enters_s.items()}, heads, end_s
        self.detector_ids = tuple(f"{link}.{kind}" for link in enters_s for kind in "as")
        self.time_s, self.shown, self.history = 0.0, dict(states), dict[str, list[str]]()
        self._queue, self._rest = dict.fromkeys(enters_s, 0), dict.fromkeys(enters_s, 0)
        self.delay_s, self.left = 0, dict.fromkeys(enters_s, 0)

    def observe(self) -> Observation | None:
        """One second."""
        if self.time_s >= self._end_s:
            return None
        t = int(self.time_s)
        count, covered = np.zeros(len(self.detector_ids), np.float32), np.zeros(len(self.detector_ids), np.float32)
        for n, (link, enters) in enumerate(self._enters.items()):
            signal, head = self._heads[link]
            count[2 * n] = t in enters
            self._queue[link] += t - TRAVEL_S in enters
            self._rest[link] = max(0, self._rest[link] - 1)
            held_from_s, held_to_s = self._holds.get(link, (0, 0))
            goes = self.shown[signal][head] in GREEN and not held_from_s <= t < held_to_s
            if self._queue[link] and goes and not self._rest[link]:
                self._queue[link] -= 1
                self.left[link] += 1
                self._rest[link] = HEADWAY_S
                count[2 * n + 1] = 1
            elif self._queue[link]:
                covered[2 * n + 1] = 1.0
            self.delay_s += self._queue[link]
        for signal, state in self.shown.items():
            self.history.setdefault(signal, []).append(state)
        self.time_s += 1.0
        return Observation(
            time_s=self.time_s,
            interval_s=1.0,
            detector_ids=self.detector_ids,
            count_veh=count,
            occupancy=covered,
            health=np.zeros(len(count), np.uint8),
        )

    def show(self, states: Mapping[str, str]) -> None:
        """What signals show from now on."""
        self.shown.update(states)

    def close(self) -> None:
        """Nothing to let go of."""
