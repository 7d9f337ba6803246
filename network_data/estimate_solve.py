"""Sparse least squares with non-negative unknowns, robust rows and standard errors: the solver behind the estimate."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

FLOAT = NDArray[np.float64]
TOLERANCE = 1e-7
DENSE_UP_TO = 2500
"""Up to so many unknowns the covariance is inverted outright; beyond, its diagonal is sampled."""
PROBES = 96


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


def solve_nonnegative(
    q: sparse.csc_matrix, b: FLOAT, free: NDArray[np.bool_] | None = None
) -> tuple[FLOAT, NDArray[np.bool_]]:
    """Minimize x'Qx/2 - b'x over x >= 0 by block principal pivoting [1]_.

    Parameters
    ----------
    q : sparse matrix, shape (n, n)
        Symmetric positive definite.
    b : ndarray, shape (n,)
    free : ndarray of bool, shape (n,), optional
        First guess which unknowns are above 0, such as the result for a similar problem.

    Returns
    -------
    x : ndarray, shape (n,)
    free : ndarray of bool, shape (n,)

    References
    ----------
    .. [1] J. Kim and H. Park, "Fast nonnegative matrix factorization: an active-set-like method and comparisons", SIAM
       J. Sci. Comput. 33(6), 2011.
    """
    n = len(b)
    free = np.ones(n, dtype=bool) if free is None else free.copy()
    scale = max(float(np.abs(b).max(initial=0.0)), 1.0)
    fewest, patience = n + 1, 3
    x = np.zeros(n)
    for _ in range(20 + 3 * n):
        members = np.flatnonzero(free)
        x = np.zeros(n)
        if len(members):
            x[members] = splu(
                q[members][:, members].tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}
            ).solve(b[members])
        gradient = q @ x - b
        wrong = np.where(free, x < -TOLERANCE, gradient < -TOLERANCE * scale)
        n_wrong = int(wrong.sum())
        if n_wrong == 0:
            break
        if n_wrong < fewest:
            fewest, patience = n_wrong, 3
            free ^= wrong
        elif patience > 0:
            patience -= 1
            free ^= wrong
        else:  # exchanging one at a time cannot cycle
            last = int(np.flatnonzero(wrong)[-1])
            free[last] = not free[last]
    return np.maximum(x, 0.0), free


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
    factor = splu(q, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(len(groups), PROBES))
    sampled = (signs * (sums @ factor.solve(sums.T @ signs))).mean(axis=1)
    return np.asarray(np.maximum(sampled, 0.01))
