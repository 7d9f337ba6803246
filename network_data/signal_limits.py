"""What the settings bound at one signal: `[limits]` and `[change]` for all, `[signals.ID]` for the one, resolved.

Bounds for all signals accept what the field shows; those of a single signal hold strictly.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from network_data.clearance import ClearanceMatrix, clearance_matrix
from network_data.controllers import Controller
from network_data.network import RoadNetwork
from network_data.plans import GREEN, ControllerPlan
from network_data.program_table import ProgramTable
from network_data.settings import Settings
from network_data.settings_signals import SignalSettings

CYCLE_BOUNDS_S = (20.0, 240.0)
"""No cycle outside these, whatever the field runs. [s]"""
TOLERANCE_S = 1e-6
NONE = SignalSettings()


def heads_named(controller: Controller, name: str) -> tuple[int, ...]:
    """Link indices of a movement, a crossing, or a link index written out; empty where the controller has none."""
    if name.isdecimal():
        return (int(name),) if int(name) < controller.n_heads else ()
    return tuple(h.index for h in controller.heads if name in h.movement_ids or name in h.crossing_ids)


@dataclass(frozen=True, slots=True)
class CycleBounds:
    """From low to high, or `today_s` where the field's own cycle may stay; `fixed` where a setting names the one."""

    low_s: float
    high_s: float
    today_s: float
    today_may_stay: bool
    fixed: bool

    def allows(self, cycle_s: float) -> bool:
        """Whether a signal may run this cycle. [s]"""
        inside = self.low_s - TOLERANCE_S <= cycle_s <= self.high_s + TOLERANCE_S
        return inside or (self.today_may_stay and abs(cycle_s - self.today_s) <= TOLERANCE_S)

    @property
    def text(self) -> str:
        """The bounds in words."""
        if self.fixed:
            return f"{self.low_s:g} s"
        span = f"{self.low_s:g} to {self.high_s:g} s"
        return f"{span}, or the field's {self.today_s:g} s" if self.today_may_stay else span


@dataclass(frozen=True, eq=False)
class SignalLimits:
    """The bounds of one signal; H link indices as the field program has letters."""

    controller: Controller
    field: ControllerPlan
    settings: Settings

    @cached_property
    def own(self) -> SignalSettings:
        """What is said of this signal alone."""
        return self.settings.signals.get(self.controller.id, NONE)

    @cached_property
    def n_heads(self) -> int:
        """Link indices that the field program has letters for."""
        return len(self.field.intervals[0].state)

    @cached_property
    def _today(self) -> ProgramTable:
        return ProgramTable(self.field)

    @cached_property
    def cycle(self) -> CycleBounds:
        """Which cycles are allowed."""
        limits, own, today_s = self.settings.limits, self.own, self.field.cycle_s
        fixed_s = own.cycle_s if own.cycle_s is not None else limits.cycle_s
        if fixed_s is not None:
            return CycleBounds(fixed_s, fixed_s, today_s, today_may_stay=False, fixed=True)
        low_s = own.cycle_min_s if own.cycle_min_s is not None else limits.cycle_min_s
        high_s = own.cycle_max_s if own.cycle_max_s is not None else limits.cycle_max_s
        above = own.cycle_min_s is None or today_s >= low_s
        below = own.cycle_max_s is None or today_s <= high_s
        sane = CYCLE_BOUNDS_S[0] <= today_s <= CYCLE_BOUNDS_S[1]
        return CycleBounds(low_s, max(low_s, high_s), today_s, today_may_stay=above and below and sane, fixed=False)

    def _named(self, values: dict[str, float]) -> dict[int, float]:
        return {k: s for name, s in values.items() for k in heads_named(self.controller, name) if k < self.n_heads}

    @cached_property
    def least_green_s(self) -> NDArray[np.float64]:
        """Least green that the settings ask for, 0 where only `[limits]` does; shape (H,). [s]"""
        out = np.zeros(self.n_heads)
        if self.own.min_green_s is not None:
            for head in self.controller.heads[: self.n_heads]:
                if head.kind not in ("crossing", "dead"):
                    out[head.index] = self.own.min_green_s
        for k, seconds in self._named(self.own.min_greens).items():
            out[k] = seconds
        return out

    @cached_property
    def most_green_s(self) -> NDArray[np.float64]:
        """Longest green on end, infinite where nothing bounds it; shape (H,). [s]"""
        out = np.full(self.n_heads, np.inf)
        for head in self.controller.heads[: self.n_heads]:
            if head.kind not in ("vehicle", "bus"):
                continue
            if self.own.max_green_s is not None:
                out[head.index] = self.own.max_green_s
            elif self.settings.limits.max_green_s is not None:
                today_s = max((run.duration_s for run in self._today.runs(head.index, GREEN)), default=0.0)
                out[head.index] = max(self.settings.limits.max_green_s, today_s)
        for k, seconds in self._named(self.own.max_greens).items():
            out[k] = seconds
        return out

    @cached_property
    def most_red_s(self) -> NDArray[np.float64]:
        """Longest red; shape (H,). [s]"""
        if self.own.max_red_s is not None:
            return np.full(self.n_heads, self.own.max_red_s)
        least_s = self.settings.limits.max_red_s
        return np.array([max(least_s, self._today.longest_red_s(k)) for k in range(self.n_heads)])

    @property
    def cycle_change_s(self) -> float | None:
        """How far the cycle may move from the field's. [s]"""
        return _first(self.own.max_cycle_change_s, self.settings.change.max_cycle_change_s)

    @property
    def green_change_s(self) -> float | None:
        """How far the green of every link index may move from the field's. [s per cycle]"""
        return _first(self.own.max_green_change_s, self.settings.change.max_green_change_s)

    @property
    def offset_change_s(self) -> float | None:
        """How far the offset may move from the field's, around the cycle; 0 where it is to stay. [s]"""
        if self.controller.id in self.settings.change.fixed_offsets:
            return 0.0
        return _first(self.own.max_offset_change_s, self.settings.change.max_offset_change_s)

    @property
    def fixed(self) -> bool:
        """Whether the whole program is to stay."""
        return self.controller.id in self.settings.change.fixed_signals

    @cached_property
    def rounding_s(self) -> NDArray[np.float64]:
        """What whole seconds may add to the cycle (last) and to the green of each link index; shape (H + 1,). [s]"""
        out = np.full(self.n_heads + 1, TOLERANCE_S)
        for state, rows in itertools.groupby(self.field.intervals, key=lambda interval: interval.state):
            duration_s = sum(row.duration_s for row in rows)
            more_s = max(0.0, math.ceil(duration_s - 1e-9) - duration_s)
            out += more_s * np.array([*(letter in GREEN for letter in state), True])
        return out


def _first(own: float | None, general: float | None) -> float | None:
    return own if own is not None else general


MOST_MATRICES = 50_000
_Kept = tuple[Controller, ControllerPlan, Settings, ClearanceMatrix]
_MATRICES: WeakKeyDictionary[RoadNetwork, dict[tuple[int, int], _Kept]] = WeakKeyDictionary()
"""Per network: (controller, field program) by identity → what the matrix was made for last, and the matrix."""


def plan_matrix(
    network: RoadNetwork, controller: Controller, field: ControllerPlan, settings: Settings
) -> ClearanceMatrix:
    """The clearance matrix under the settings, least greens of single signals included.

    It depends on what does not change within a job, and every rule asks for it: the last one of each signal is kept.
    """
    kept = _MATRICES.setdefault(network, {})
    if len(kept) > MOST_MATRICES:
        kept.clear()
    key = (id(controller), id(field))
    known = kept.get(key)
    if known is not None and known[0] is controller and known[1] is field and known[2] is settings:
        return known[3]
    matrix = clearance_matrix(
        controller,
        field,
        min_green_s=settings.limits.min_green_s,
        source=settings.rules.clearance,
        network=network,
    )
    own = SignalLimits(controller, field, settings).least_green_s
    made = dataclasses.replace(matrix, min_green_s=np.maximum(matrix.min_green_s, own))
    kept[key] = (controller, field, settings, made)
    return made
