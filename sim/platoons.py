"""How platoons spread on their way: Robertson's recursion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.filter_inputs import FLOAT

TRANSYT_ALPHA, TRANSYT_BETA = 0.35, 0.8


@dataclass(frozen=True, slots=True)
class Dispersion:
    """How platoons spread over a travel time T: Robertson's recursion with head βT and factor F = 1 / (1 + αβT).

    Without alpha both follow from the spread of drivers' speeds: the standard deviation of travel times is
    `speed_spread` · T (see `robertson`). TRANSYT's own values (0.35, 0.8) are of streets with parking and friction.
    """

    alpha: float | None = None
    beta: float = TRANSYT_BETA
    speed_spread: float = 0.07

    def of(self, travel_s: FLOAT) -> tuple[FLOAT, FLOAT]:
        """Lag of the platoon's head [s] and F [-] for travel times [s]."""
        if self.alpha is None:
            _, beta, factor = robertson(travel_s, np.maximum(1e-3, self.speed_spread * travel_s), 1.0)
            return beta * travel_s, factor
        return self.beta * travel_s, 1 / (1 + self.alpha * self.beta * travel_s)


TRANSYT = Dispersion(alpha=TRANSYT_ALPHA)


def robertson(travel_s: FLOAT, sd_s: FLOAT, step_s: float) -> tuple[FLOAT, FLOAT, FLOAT]:
    """Robertson's parameters from the mean and standard deviation of travel times, for any step.

    Parameters
    ----------
    travel_s, sd_s : ndarray or float
        Mean and standard deviation of the travel time. [s]
    step_s : float
        Step of the recursion. [s]

    Returns
    -------
    alpha, beta, factor : ndarray
        q_down(t) = factor · q_up(t − β T_a) + (1 − factor) · q_down(t − step). [-]

    Notes
    -----
    β = (2 T_a + n − √(n² + 4σ²)) / (2 T_a), α = (1 − β) / β, F = n (√(n² + 4σ²) − n) / (2σ²) [1]_.

    References
    ----------
    .. [1] M. Yu and M. Van Aerde, "Implementing TRANSYT's macroparticle simulation in microscopic simulation
       environments", 1995; worked example: NPTEL 543 Traffic engineering, platoon dispersion.
    """
    root = np.sqrt(step_s**2 + 4 * np.square(sd_s))
    beta = (2 * travel_s + step_s - root) / (2 * travel_s)
    return (1 - beta) / beta, beta, step_s * (root - step_s) / (2 * np.square(sd_s))


def disperse(upstream: FLOAT, factor: float, lag_steps: int) -> FLOAT:
    """One platoon down a link, by Robertson's recursion on a line (not around a cycle).

    Parameters
    ----------
    upstream : ndarray, shape (T,)
        Vehicles per step.
    factor : float
        F, in (0, 1]; 1 shifts the platoon and leaves it as it is. [-]
    lag_steps : int
        Steps until the first arrive.

    Returns
    -------
    ndarray, shape (T,)
        Vehicles per step; what arrives later is cut off.
    """
    out, y = np.zeros(len(upstream)), 0.0
    for t in range(len(upstream)):
        came = upstream[t - lag_steps] if t >= lag_steps else 0.0
        y = out[t] = factor * came + (1 - factor) * y
    return out
