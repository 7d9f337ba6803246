"""Sparse least squares with non-negative unknowns, robust rows and standard errors: the solver behind the estimate."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu

FLOAT = NDArray[np.float64]
TOLERANCE = 1e-6
MAX_STEPS = 80
DENSE_UP_TO = 2500
"""Up to so many unknowns the covariance is inverted outright; beyond, its diagonal is sampled."""
PROBES = 96
PIN_ROUNDS, PIN_FROM, PIN_WEIGHT = 4, 0.02, 1e8
SMALL = 1500
"""Up to so many unknowns minimum degree orders better than column ordering."""
LEAST_VARIANCE = 0.01


@dataclass
class Rows:
    """Equations `sum of coefficients times unknowns = target`, each with a standard error, gathered one by one."""

    n_unknown: int
    i: list[int] = field(default_factory=list)
    j: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    target: list[float] = field(default_factory=list)
    sd: list[float] = field(default_factory=list)

    def add(self, terms: dict[int, float] | list[tuple[int, float]], target: float, sd: float) -> int:
        """Append one equation; returns its number."""
        row = len(self.target)
        for j, value in terms.items() if isinstance(terms, dict) else terms:
            self.i.append(row)
            self.j.append(j)
            self.value.append(value)
        self.target.append(target)
        self.sd.append(sd)
        return row

    def matrix(self) -> sparse.csr_matrix:
        """The coefficients, rows by unknowns."""
        return sparse.csr_matrix((self.value, (self.i, self.j)), shape=(len(self.target), self.n_unknown))


def solve_nonnegative(q: sparse.csc_matrix, b: FLOAT, tolerance: float = TOLERANCE) -> FLOAT:
    """Minimize x'Qx/2 - b'x over x >= 0: Mehrotra's predictor-corrector interior-point method [1]_.

    Parameters
    ----------
    q : sparse matrix, shape (n, n)
        Symmetric positive definite.
    b : ndarray, shape (n,)
    tolerance : float
        Largest complementarity and residual left, relative to the problem's scale. [-]

    Returns
    -------
    ndarray, shape (n,)

    References
    ----------
    .. [1] S. Mehrotra, "On the implementation of a primal-dual interior point method", SIAM J. Optim. 2(4), 1992.
    """
    n = len(b)
    if n == 0:
        return np.zeros(0)
    # from the free minimum, moved inside: a third of the steps that a constant start takes
    free = _factor(q + sparse.diags(1e-6 * q.diagonal())).solve(b)
    scale = max(float(np.abs(free).mean()), 1e-6)
    x = np.maximum(free, scale)
    z = scale / x
    target = tolerance * n * max(1.0, float(np.abs(b).max()) * 1e-3)
    for _ in range(MAX_STEPS):
        residual = q @ x - b - z
        gap = float(x @ z)
        if gap < target and float(np.abs(residual).max()) < tolerance * max(1.0, float(np.abs(b).max())):
            break
        factor = _factor(q + sparse.diags(z / x))
        dx = factor.solve(-residual - z)
        dz = -z - z / x * dx
        reach = min(_step(x, dx), _step(z, dz))
        ahead = float((x + reach * dx) @ (z + reach * dz))
        centre = (ahead / gap) ** 3 * gap / n
        push = (centre - dx * dz) / x
        dx = factor.solve(-residual - z + push)
        dz = push - z - z / x * dx
        step = 0.995 * min(_step(x, dx), _step(z, dz))
        x, z = x + step * dx, z + step * dz
    return np.where(x < z, 0.0, x)


def solve_pinned(q: sparse.csc_matrix, b: FLOAT) -> FLOAT:
    """Nearly the minimum of x'Qx/2 - b'x over x >= 0, for problems whose free minimum is nearly there.

    Unknowns that come out negative are pinned to 0, a few times over; none is released again.
    """
    pinned = np.zeros(len(b), dtype=bool)
    x = np.zeros(len(b))
    for _ in range(PIN_ROUNDS):
        hold = sparse.diags(np.where(pinned, PIN_WEIGHT, 0.0), format="csc")
        x = _factor(q + hold).solve(np.where(pinned, 0.0, b))
        below = (x < -PIN_FROM) & ~pinned
        if not below.any():
            break
        pinned |= below
    return np.maximum(x, 0.0)


def _factor(q: sparse.csc_matrix) -> SuperLU:
    """LU factors of a symmetric positive definite matrix."""
    order = "MMD_AT_PLUS_A" if q.shape[0] <= SMALL else "COLAMD"
    return splu(q.tocsc(), permc_spec=order, options={"SymmetricMode": True})


def _step(value: FLOAT, change: FLOAT) -> float:
    """Longest step up to 1 that keeps all values above 0."""
    down = change < 0
    return min(1.0, float((-value[down] / change[down]).min())) if down.any() else 1.0


def normal_equations(rows: Rows, weight: FLOAT) -> tuple[sparse.csc_matrix, FLOAT]:
    """Q and b of the weighted least-squares problem of some rows."""
    a = rows.matrix()
    weighted = sparse.diags(weight) @ a
    return (a.T @ weighted).tocsc(), np.asarray(weighted.T @ np.asarray(rows.target))


def variances(q: sparse.csc_matrix, groups: list[tuple[int, ...]], seed: int = 0) -> FLOAT:
    """Variances of sums of unknowns whose information matrix is Q: exact for small problems, sampled for large ones."""
    n = q.shape[0]
    j = np.fromiter((j for group in groups for j in group), dtype=np.int64)
    i = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    sums = sparse.csr_matrix((np.ones(len(j)), (i, j)), shape=(len(groups), n))
    if n <= DENSE_UP_TO:
        half = sums @ np.linalg.inv(q.toarray())
        return np.asarray(sums.multiply(half).sum(axis=1)).ravel()
    factor = _factor(q)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(len(groups), PROBES))
    sampled = (signs * (sums @ factor.solve(sums.T @ signs))).mean(axis=1)
    return np.asarray(np.maximum(sampled, LEAST_VARIANCE))
