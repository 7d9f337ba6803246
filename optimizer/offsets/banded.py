"""Offsets under green bands: as a constraint, or the widest bands first and the other signals by the tables."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from network_data.errors import InfeasibleError
from optimizer.bandwidth.progression import widest_bands
from optimizer.offsets.bands import Band, band_s
from optimizer.offsets.bounds import CycleBound
from optimizer.offsets.cp_sat import solve_exactly
from optimizer.offsets.solve import OffsetSolution, solution_of, solve_offsets
from optimizer.offsets.tables import OffsetProblem, with_allowed

MODEL = "offset tables and green bands of at least {least} s; cycle and splits fixed"
EXACT_UP_TO = 60
"""Signals up to which CP-SAT improves all offsets under the bands; else streets keep their widest bands."""
WALKS = 200

Allowed = Mapping[str, NDArray[np.bool_]]


def keeps_bands(bands: Sequence[Band], offsets_s: Mapping[str, int], cycle_s: int) -> bool:
    """Whether every band is as wide as it asks for."""
    return all(band_s(band, offsets_s, cycle_s) >= band.least_s for band in bands)


def offsets_in_waves(
    problem: OffsetProblem, bands: Sequence[Band], allowed: Allowed, *, seed: int = 0, effort: float = 4.0
) -> OffsetSolution:
    """The widest bands on the streets; the streets against each other and all other signals by the tables.

    Raises
    ------
    InfeasibleError
        No offsets leave the bands asked for.
    """
    n = problem.cycle_s
    street = {stop.signal for band in bands for stop in band.stops}
    held = {name: int(np.argmax(mask)) for name, mask in allowed.items() if name in street and mask.sum() == 1}
    waves = widest_bands(bands, n, held_s=held, effort=effort, seed=seed)
    if waves is None:
        narrow = min(bands, key=lambda band: band.attainable_s - band.least_s)
        free = widest_bands([replace(band, least_s=0) for band in bands], n, held_s=held, effort=effort, seed=seed)
        most = "; together the widest are " + " and ".join(f"{w} s" for w in free.widths_s) if free is not None else ""
        raise InfeasibleError(
            f"no offsets leave green bands of {narrow.least_s} s from {narrow.stops[0].signal} to "
            f"{narrow.stops[-1].signal}, whose shortest green is {narrow.attainable_s} s{most}; "
            "ask for less in [bandwidth]"
        )
    masks = dict(allowed)
    for name, offset_s in waves.offsets_s.items():
        masks[name] = np.arange(n) == offset_s
    found = solve_offsets(with_allowed(problem, masks), seed=seed, start_s=None, nodes=0)
    model = MODEL.format(least=min(band.least_s for band in bands))
    return replace(found, method="widest bands, then " + found.method, status="feasible", model=model)


def offsets_with_bands(
    problem: OffsetProblem, bands: Sequence[Band], allowed: Allowed, *, seed: int = 0, effort: float = 2.0
) -> OffsetSolution:
    """Offsets of low cost among those that keep the bands; the bound holds for all that keep them.

    Raises
    ------
    InfeasibleError
        No offsets leave the bands asked for.
    """
    began_s = time.process_time()
    first = offsets_in_waves(problem, bands, allowed, seed=seed)
    known = problem.start([first.offsets_s[name] for name in problem.signals])
    bound = CycleBound(problem)
    bound.improve(walks=WALKS)
    least, method = bound.value, first.method
    if problem.n_free <= EXACT_UP_TO:
        exact = solve_exactly(problem, bound, known, bands=bands, effort=effort, seed=seed)
        known, least, method = exact.offset, exact.bound, "cycle bound, CP-SAT with bands"
    model = MODEL.format(least=min(band.least_s for band in bands))
    return replace(solution_of(problem, known, least, method, began_s), model=model)
