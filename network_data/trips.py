"""Single vehicles with departure and route: what the simulation moves, drawn from a demand or read from a file."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BUS, CAR = 1, 0


@dataclass(frozen=True, eq=False)
class Trips:
    """V vehicles in order of departure; the route of vehicle v is `route_link[route_start[v]:route_start[v + 1]]`.

    `route_link` indexes `links`. `kind` is 0 for cars, 1 for vehicles that may use bus lanes. `length_m` is the vehicle
    with its gap to the next; stops on the way (buses) are given as seconds to be added on a link, else `dwell_s` is
    empty. Who is `standing` (nobody where it is empty) stands in its first link's queue already when it departs.
    """

    links: tuple[str, ...]
    depart_s: NDArray[np.float64]  # (V,)
    route_start: NDArray[np.int64]  # (V + 1,)
    route_link: NDArray[np.int32]  # (sum of route lengths,)
    kind: NDArray[np.int8]  # (V,)
    length_m: NDArray[np.float64]  # (V,)
    dwell_s: NDArray[np.float64]  # (sum of route lengths,) or (0,)
    ids: tuple[str, ...] = ()
    standing: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))  # (V,) or (0,)

    def __len__(self) -> int:
        return len(self.depart_s)
