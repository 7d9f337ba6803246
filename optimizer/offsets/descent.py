"""Coordinate descent: one signal after the other takes its best offset, until none improves. A millisecond or so."""

from __future__ import annotations

import numpy as np

from optimizer.offsets._kernels import descend
from optimizer.offsets.tables import INTS, OffsetProblem

MAX_SWEEPS = 200


def coordinate_descent(problem: OffsetProblem, start: INTS, *, order: INTS | None = None) -> INTS:
    """Offsets from which no single change gains anything.

    Parameters
    ----------
    start : ndarray, shape (N,), of `problem.start`
    order : ndarray, optional
        In which order signals are looked at; default as they come.

    Returns
    -------
    ndarray, shape (N,)
        Offsets, the clock behind where there is one. [s]
    """
    first, other, table2 = problem.arcs
    offset = start.copy()
    chosen = np.arange(problem.n_free, dtype=np.int32) if order is None else order
    descend(first, other, table2, chosen, problem.n_free, offset, MAX_SWEEPS)
    return offset
