"""How sure the flows are: their covariance under all equations, and ranges that know a flow cannot be negative."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import solve_triangular
from scipy.sparse.linalg import SuperLU, splu
from scipy.special import ndtr, ndtri

from network_data.turning_flows.program import Program

FLOAT = NDArray[np.float64]
LEVEL = 0.9
"""Share of ranges that shall hold the truth. [-]"""
DENSE_UP_TO = 5000
"""Up to so many unknowns dense algebra is faster."""
COLUMNS = 256
"""Right-hand sides solved at once."""


def factor(q: sparse.csc_matrix) -> SuperLU:
    """LU factors of a symmetric positive definite matrix."""
    return splu(q.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})


def variances(information: sparse.csc_matrix, sums: sparse.csr_matrix) -> FLOAT:
    """Variances of sums of unknowns, one per row of `sums`, whose inverse covariance is known. [veh²]"""
    n, n_sum = information.shape[0], sums.shape[0]
    if n <= DENSE_UP_TO:
        # L⁻¹ of the sums: half the work of an inverse
        lower = np.linalg.cholesky(information.toarray())
        half = solve_triangular(lower, sums.T.toarray(), lower=True, check_finite=False)
        return np.asarray((half**2).sum(axis=0))
    lu = factor(information)
    wide = sums.T.tocsc()
    out = np.zeros(n_sum)
    for first in range(0, n_sum, COLUMNS):
        part = wide[:, first : first + COLUMNS].toarray()
        out[first : first + COLUMNS] = (part * lu.solve(part)).sum(axis=0)
    return np.maximum(out, 0.0)


def highest_density(mean: FLOAT, sd: FLOAT, level: float = LEVEL) -> tuple[FLOAT, FLOAT]:
    """The shortest ranges that hold `level` of normal distributions cut off below 0.

    Parameters
    ----------
    mean, sd : ndarray
        Of the normal distribution before it is cut.

    Returns
    -------
    low, high : ndarray
        Where the shortest range would reach below 0, it begins there.
    """
    mean, sd = np.asarray(mean, dtype=float), np.maximum(np.asarray(sd, dtype=float), 1e-9)
    below = ndtr(-mean / sd)  # cut off
    kept = 1.0 - below
    # inside: symmetric about the mean, holding level of what is kept
    half = ndtri(0.5 + level * kept / 2)
    low, high = mean - half * sd, mean + half * sd
    touches = low < 0
    top = mean + sd * ndtri(np.clip(below + level * kept, 0.0, 1.0 - 1e-12))
    return np.where(touches, 0.0, low), np.where(touches, np.maximum(top, 0.0), high)


@dataclass(frozen=True, eq=False)
class LeftOut:
    """What each count would have been expected to be, had it not been counted."""

    z: FLOAT  # (m,) deviation in standard errors [-]
    leverage: FLOAT  # (m,) share of the fit that each count makes itself [-]


def left_out(program: Program, x: FLOAT, rows: slice) -> LeftOut:
    """Deviation of some rows from what all others say, without solving again: residual over what the others leave."""
    matrix = program.rows.matrix[rows]
    variance = variances(program.information(), matrix)
    own = program.rows.sd[rows] ** 2 / np.maximum(program.weight[rows], 1e-9)
    leverage = np.clip(variance / own, 0.0, 1.0 - 1e-6)
    residual = program.rows.target[rows] - matrix @ x
    return LeftOut(residual / np.sqrt(own * (1.0 - leverage)), leverage)
