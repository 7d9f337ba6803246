"""Offset problems made in code, and their answer by trying everything."""

import itertools

import numpy as np
from numpy.typing import NDArray

from optimizer.offsets.tables import OffsetProblem, offset_problem


def grid_problem(
    columns: int,
    rows: int,
    *,
    cycle_s: int = 30,
    seed: int = 0,
    allowed: dict[str, NDArray[np.bool_]] | None = None,
) -> OffsetProblem:
    """A street grid with smooth tables: one wave around the cycle and one of half its length, at random phases."""
    rng = np.random.default_rng(seed)
    x = np.arange(cycle_s) / cycle_s * 2 * np.pi
    links, tables = [], []
    for i, j in itertools.product(range(columns), range(rows)):
        for a, b in ((i + 1, j), (i, j + 1)):
            if a < columns and b < rows:
                links.append((f"{i}.{j}", f"{a}.{b}"))
                waves = [rng.uniform(20, 200) * (1 + np.cos(k * x - rng.uniform(0, 6))) for k in (1, 2)]
                tables.append(np.sum(waves, axis=0))
    names = [f"{i}.{j}" for i, j in itertools.product(range(columns), range(rows))]
    return offset_problem(cycle_s, names, links, np.array(tables).reshape(len(links), cycle_s), allowed=allowed)


def least_by_trying(problem: OffsetProblem) -> int:
    """The least cost of all offsets; the first signal's is 0 unless a clock tells it."""
    free = problem.n_free if problem.has_clock else problem.n_free - 1
    head = [] if problem.has_clock else [0]
    return min(problem.value([*head, *offsets]) for offsets in itertools.product(range(problem.cycle_s), repeat=free))
