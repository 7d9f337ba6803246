"""How well one list of delays agrees with another: rank correlation, error, bias and regret."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import spearmanr

FEWEST = 5
"""With fewer plans nothing is said of their ranks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Agreement of a model with SUMO over the plans of a family; all ratios. [-]

    `rank` is Spearman's rank correlation (None where it is not defined), `error` the mean of the absolute and `bias`
    the mean of the signed relative difference, `regret` SUMO's delay of the plan that the model ranks first, over the
    least that SUMO gives to any, minus 1.
    """

    n: int
    rank: float | None
    error: float
    bias: float
    regret: float


def score(model_s: ArrayLike, sumo_s: ArrayLike) -> Score | None:
    """Compare delays of the same plans; None where there are fewer than `FEWEST`.

    Parameters
    ----------
    model_s, sumo_s : array_like, shape (P,)
        Delay of every plan by the model, and by SUMO. [s/veh]
    """
    model, sumo = np.asarray(model_s, float), np.asarray(sumo_s, float)
    if model.shape != sumo.shape or model.ndim != 1:
        raise ValueError(f"delays have the shapes {model.shape} and {sumo.shape}; give one number per plan to both")
    if len(model) < FEWEST:
        return None
    relative = model / sumo - 1
    return Score(
        n=len(model),
        rank=_rank(model, sumo),
        error=float(np.abs(relative).mean()),
        bias=float(relative.mean()),
        regret=float(sumo[int(np.argmin(model))] / sumo.min() - 1),
    )


def _rank(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman's rank correlation; None where one of the two never changes."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(spearmanr(a, b).statistic)


def approach_error(model: dict[str, float], sumo: dict[str, tuple[float, float]]) -> float | None:
    """Mean absolute difference of approach delays, weighted by SUMO's vehicles, over their mean delay. [-]

    Parameters
    ----------
    model : dict
        Link → delay. [s/veh]
    sumo : dict
        Link → (delay [s/veh], vehicles).
    """
    both = [(model.get(link, 0.0), delay, veh) for link, (delay, veh) in sumo.items() if veh > 0]
    total = sum(delay * veh for _, delay, veh in both)
    return sum(abs(mine - delay) * veh for mine, delay, veh in both) / total if total > 0 else None
