"""Queues made by a law that is known: what the estimates of saturation flow and start-up loss are held against."""

from __future__ import annotations

import numpy as np

from network_data.discharge.greens import FLOAT, Greens

START = (0.55, 0.25, 0.15, 0.05)
"""How a start-up loss spreads over the first four vehicles. [-]"""


def made_lane(
    rng: np.random.Generator,
    *,
    headway_s: float = 2.0,
    loss_s: float = 2.0,
    cycles: float = 40,
    cycle_s: float = 90.0,
    green_s: float = 40.0,
    queue_veh: float = 10.0,
    arrivals_vps: float = 0.12,
    spread: float = 0.25,
) -> tuple[Greens, FLOAT, FLOAT]:
    """Greens, times on and off the loop: in each cycle a Poisson queue, then arrivals at random."""
    start = 10.0 + cycle_s * np.arange(cycles)
    off: list[float] = []
    for begin in start:
        queue = rng.poisson(queue_veh) if np.isfinite(queue_veh) else 10**6
        t, n = float(begin), 0
        while True:
            mean = headway_s + (loss_s * START[n] if n < len(START) else 0.0)
            t += (
                mean * rng.lognormal(-(spread**2) / 2, spread) if n < queue else 1.0 + rng.exponential(1 / arrivals_vps)
            )
            if t > begin + green_s + 2:
                break
            off.append(t)
            n += 1
    leave = np.array(off)
    return Greens.of(start, start + green_s), leave - 0.7, leave
