"""Splits for a given cycle in closed form: the largest common reserve of capacity, by linear programming."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver import pywraplp

from network_data.controllers import Controller
from optimizer.flows import HeadFlows, permitted_share
from optimizer.skeleton import Skeleton

LEAST_FLOW_VPH = 20.0
"""Flow that is planned for where the demand has none. [veh/h]"""


def green_weights(controller: Controller, skeleton: Skeleton, flows: HeadFlows) -> NDArray[np.float64]:
    """How much of each interval counts as green for each link index; shape (H, N). [-]"""
    weights = np.zeros((controller.n_heads, len(skeleton.states)))
    for n, state in enumerate(skeleton.states):
        for k, letter in enumerate(state):
            if letter == "G":
                weights[k, n] = 1.0
            elif letter == "g":
                weights[k, n] = permitted_share(controller, flows, state, k)
    return weights


def best_splits(
    controller: Controller, skeleton: Skeleton, flows: HeadFlows, cycle_s: int
) -> tuple[NDArray[np.int64], float] | None:
    """Whole-second durations that leave every head the largest common reserve of capacity.

    Returns
    -------
    (durations, reserve) or None
        reserve is least capacity over flow among the heads [-]; None where no durations fit the cycle.
    """
    solver = pywraplp.Solver.CreateSolver("GLOP")
    durations = [
        solver.NumVar(1, cycle_s, "") if skeleton.stretch[i] else solver.NumVar(float(s), float(s), "")
        for i, s in enumerate(skeleton.start_s)
    ]
    total = solver.Constraint(float(cycle_s), float(cycle_s))
    for duration in durations:
        total.SetCoefficient(duration, 1.0)
    for row, low, high in zip(skeleton.member, skeleton.least_s, skeleton.most_s, strict=True):
        span = solver.Constraint(float(low), float(high))
        for i in np.flatnonzero(row):
            span.SetCoefficient(durations[i], 1.0)
    reserve = solver.NumVar(0, 10, "")
    for share, weights in _heads_to_serve(controller, skeleton, flows):
        capacity = solver.Constraint(0.0, solver.infinity())
        for i in np.flatnonzero(weights):
            capacity.SetCoefficient(durations[i], float(weights[i]))
        capacity.SetCoefficient(reserve, -float(share * cycle_s))
    solver.Objective().SetCoefficient(reserve, 1.0)
    solver.Objective().SetMaximization()
    if solver.Solve() not in (pywraplp.Solver.OPTIMAL, pywraplp.Solver.FEASIBLE):
        return None
    whole = _whole(np.array([d.solution_value() for d in durations]), skeleton, cycle_s)
    return None if whole is None else (whole, reserve.solution_value())


def _heads_to_serve(
    controller: Controller, skeleton: Skeleton, flows: HeadFlows
) -> list[tuple[float, NDArray[np.float64]]]:
    """Per head that is not always green: share of the time it needs, and the weight of each interval as its green.

    Heads with the same greens are joined: the one that needs most stands for all.
    """
    weights = green_weights(controller, skeleton, flows)
    needs: dict[bytes, tuple[float, NDArray[np.float64]]] = {}
    for k, head in enumerate(controller.heads):
        used = int(np.count_nonzero(weights[k]))
        if head.kind == "vehicle" and 0 < used < len(skeleton.states):
            share = max(flows.flow_vph[k], LEAST_FLOW_VPH) / flows.saturation_vph[k]
            key = weights[k].tobytes()
            if key not in needs or needs[key][0] < share:
                needs[key] = (float(share), weights[k])
    return list(needs.values())


def _whole(values: NDArray[np.float64], skeleton: Skeleton, cycle_s: int) -> NDArray[np.int64] | None:
    """Round durations to whole seconds that keep the cycle and every span; None where that fails."""
    floor = np.floor(values + 1e-6).astype(np.int64)
    missing = int(cycle_s - floor.sum())
    order = np.argsort(-(values - floor), kind="stable")
    for i in order[:missing]:
        floor[i] += 1
    return repaired(floor, skeleton)


def repaired(durations: NDArray[np.int64], skeleton: Skeleton) -> NDArray[np.int64] | None:
    """Move seconds between stretchable intervals until every span holds; None where it does not come right."""
    out = np.maximum(durations, 1)
    surplus = int(out.sum() - durations.sum())
    free = np.flatnonzero(skeleton.stretch)
    for _ in range(60):
        sums = skeleton.member @ out
        short = skeleton.least_s - sums
        over = sums - skeleton.most_s
        if surplus == 0 and (short <= 0).all() and (over <= 0).all():
            return out
        row = (
            skeleton.member[int(np.argmax(np.maximum(short, over)))] if (short > 0).any() or (over > 0).any() else None
        )
        inside = np.zeros(len(out), bool) if row is None else row.astype(bool)
        grow = row is not None and bool(short.max() >= over.max())
        takers = [i for i in free if bool(inside[i]) == grow] if row is not None else []
        givers = [i for i in free if out[i] > 1 and (row is None or bool(inside[i]) != grow)]
        if not givers or (row is not None and not takers):
            return None
        giver = max(givers, key=lambda i: int(out[i]))
        out[giver] -= 1
        if surplus > 0:
            surplus -= 1
        elif takers:
            out[min(takers, key=lambda i: int(out[i]))] += 1
    return None


def scaled(durations: NDArray[np.int64], skeleton: Skeleton, cycle_s: int) -> NDArray[np.int64] | None:
    """The same proportions in another cycle; None where the rules leave no room."""
    free = skeleton.stretch
    fixed = int(durations[~free].sum())
    before = int(durations[free].sum())
    if before <= 0 or cycle_s - fixed < int(free.sum()):
        return None
    values = durations.astype(np.float64)
    values[free] *= (cycle_s - fixed) / before
    return _whole(values, skeleton, cycle_s)
