"""Loops that fail, put between the simulation and the engine: dead ones tell nothing, stuck ones are always covered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from its.adapt.field import Field
from network_data.detectors import Detector
from network_data.observations import Observation

DEAD_SHARE = 0.05


class FaultyField:
    """A field some of whose loops fail for the whole run."""

    def __init__(self, field: Field, dead: Sequence[int] = (), stuck: Sequence[int] = ()) -> None:
        self._field, self._dead, self._stuck = field, np.array(dead, np.int64), np.array(stuck, np.int64)

    @property
    def detector_ids(self) -> tuple[str, ...]:
        """See `Field`."""
        return self._field.detector_ids

    @property
    def time_s(self) -> float:
        """See `Field`."""
        return self._field.time_s

    def observe(self) -> Observation | None:
        """See `Field`; what failed tells nothing, or that it is covered."""
        seen = self._field.observe()
        if seen is None:
            return None
        count, occupancy = seen.count_veh.copy(), seen.occupancy.copy()
        count[self._dead] = occupancy[self._dead] = 0.0
        count[self._stuck], occupancy[self._stuck] = 0.0, 1.0
        return replace(seen, count_veh=count, occupancy=occupancy)

    def show(self, states: Mapping[str, str]) -> None:
        """See `Field`."""
        self._field.show(states)

    def close(self) -> None:
        """See `Field`."""
        self._field.close()


def dead_loops(n_detectors: int, seed: int) -> list[int]:
    """One loop in twenty, at least one, drawn by the seed."""
    rng = np.random.default_rng(seed)
    return sorted(rng.choice(n_detectors, max(1, round(DEAD_SHARE * n_detectors)), replace=False).tolist())


def busiest_loop(detectors: Sequence[Detector], counted: Mapping[str, float]) -> list[int]:
    """The loop at a stop line that counts most."""
    stops = [n for n, detector in enumerate(detectors) if detector.kind == "stopbar"]
    return [max(stops, key=lambda n: counted.get(detectors[n].id, 0.0))] if stops else []
