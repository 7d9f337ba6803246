"""Nominal costs of what a step does, in CPU nanoseconds of a core at 2.6 GHz: the budget is counted in these.

Measured on grids of 100 to 10,000 signals (docs/cycle_budget.md) and rounded up: they need not be exact, only the same
everywhere, so that decisions do not depend on the machine.
"""

from __future__ import annotations

from typing import Protocol

SAFE = 0.8
"""Of a budget, what is planned with. [-]"""
DRAW_NS = 130.0
"""Per link on vehicles' routes."""
RUN_NS = ((3_000, 170.0), (20_000, 270.0), (1 << 60, 600.0))
"""Per link on vehicles' routes, by lanes of the network: what the processor's caches hold."""
PROPOSE_NS = 300_000.0
"""Per signal for which the polygons look for better seconds."""
PREPARE_NS = 45_000.0
"""Per signal of the network, to lay polygons out."""
HAND_OVER_NS = 2_200_000.0
"""Per signal that is checked and brought from one program to the next."""
DRAWS, FEW_SIGNALS = (4, 24), 240
"""Draws of the next minutes beyond which more tell little: in large networks, and most in small ones, where so many
draws times signals are wanted."""
DISTRICT = 400
"""Signals of a district: so many that what it saves stands out from chance."""


def draw(n_steps: int) -> float:
    """Drawing vehicles. [ns]"""
    return DRAW_NS * n_steps


def run(n_steps: int, n_lane: int) -> float:
    """Running a plan on them. [ns]"""
    return next(ns for most, ns in RUN_NS if n_lane <= most) * n_steps


def hand_over(budget_ms: float, share: float) -> int:
    """Signals that may change in one step."""
    return max(1, int(share * SAFE * budget_ms * 1e6 / HAND_OVER_NS))


class _Work(Protocol):
    units: float
    used: float


def draws_for(work: _Work, run_units: float, draw_units: float, n_signal: int) -> int:
    """How many draws leave room to judge two proposals on each of them."""
    least = PREPARE_NS * n_signal
    one = draw_units + 3 * run_units
    wanted = min(DRAWS[1], max(DRAWS[0], FEW_SIGNALS // n_signal))
    return int(max(1.0, min(wanted, (0.6 * work.units - least) / one)))
