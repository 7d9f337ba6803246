"""What plans let each movement serve, second by second: capacities of many plans side by side, as small integers.

Rows are movements; a movement that may have to give way has a second row behind it for the seconds in which it does.
Levels are uint8 with the plan index innermost: `FULL` is the saturation flow of all lanes of the movement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.errors import PlanError
from network_data.plans import YELLOW as YELLOW_LETTERS
from network_data.plans import ControllerPlan, TimingPlan
from sim import _level_kernels as g
from sim._rows import WIDTH, row_zeros
from sim.filter_inputs import FLOAT, FilterNetwork, lane_use, start_loss_s

MAX_CYCLE_S = 400
OPPOSING_BUNCH = 2.0
"""Those whom a turn gives way to come in half of the time: their flow while it may go, over their mean flow. [-]"""
KEPT_TABLES = 20_000
_KIND = np.zeros(128, np.int8)
for _letters, _kind in ((YELLOW_LETTERS, g.YELLOW), ("s", g.STOP_AND_GO), ("goO", g.PERMITTED), ("G", g.PROTECTED)):
    for _letter in _letters:
        _KIND[ord(_letter)] = _kind


class Levels(NamedTuple):
    """Capacities of a batch of plans; C slots per row, of which each plan uses the first `cycle_s`."""

    level: NDArray[np.uint8]  # (rows × C, WIDTH)
    cycle_s: NDArray[np.int64]  # (controllers + 1, WIDTH); the last one stands for movements without signal
    n_slot: int


class _Table(NamedTuple):
    """The turns of one controller (or of none) as `fill_levels` reads them."""

    lane_start: NDArray[np.int64]
    turn_head: NDArray[np.int64]
    turn_row: NDArray[np.int64]
    turn_values: FLOAT
    first_row: int
    n_row: int


@dataclass(eq=False)
class LevelTables:
    """Makes `Levels` of plans; remembers what each program of each controller lets pass."""

    net: FilterNetwork
    row: NDArray[np.int64]  # (M,) row of the movement
    most_vps: FLOAT  # (rows,) what FULL stands for
    yields: NDArray[np.bool_]  # (M,)
    pace: FLOAT  # (M, 4): 1 / share of the saturation flow that gaps leave = Σ pace[k] · opposing_vps^k
    _tables: list[_Table]
    _known: dict[tuple[int, tuple[object, ...]], NDArray[np.uint8]] = field(default_factory=dict)

    @property
    def n_row(self) -> int:
        """Rows of levels per slot."""
        return len(self.most_vps)

    def batch(self, plans: Sequence[TimingPlan]) -> Levels:
        """Capacities of 1 to WIDTH plans; columns beyond the last plan repeat it.

        Raises
        ------
        PlanError
            A controller without a program, or a cycle that is too long.
        """
        columns = [self._checked(plan) for plan in plans]
        columns += [columns[-1]] * (WIDTH - len(columns))
        n_controller = len(self.net.controllers)
        cycle = np.ones((n_controller + 1, WIDTH), np.int64)
        for p, column in enumerate(columns):
            cycle[:n_controller, p] = [round(program.cycle_s) for program in column]
        n_slot = int(cycle.max())
        cycle[n_controller] = n_slot
        level = row_zeros(self.n_row * n_slot, np.uint8)
        for c, table in enumerate(self._tables):
            for p, column in enumerate(columns):
                free = c == n_controller
                levels = self._levels(c, None if free else column[c], n_slot)
                shift = 0 if free else round(column[c].offset_s) % levels.shape[1]
                g.place_levels(levels, shift, table.first_row, n_slot, p, level)
        return Levels(level, cycle, n_slot)

    def _checked(self, plan: TimingPlan) -> list[ControllerPlan]:
        missing = [c for c in self.net.controllers if c not in plan.controllers]
        if missing:
            raise PlanError("plan", [f"has no program for controller {c!r}; add one" for c in missing])
        column = [plan.controllers[c] for c in self.net.controllers]
        long = [p.controller_id for p in column if not 1 <= round(p.cycle_s) <= MAX_CYCLE_S]
        if long:
            raise PlanError("plan", [f"controller {c!r} has a cycle beyond {MAX_CYCLE_S} s; shorten it" for c in long])
        return column

    def _levels(self, c: int, program: ControllerPlan | None, n_slot: int) -> NDArray[np.uint8]:
        """Levels of one controller's rows over its cycle, from its interval 0 on; (rows, C)."""
        key = (c, (n_slot,) if program is None else program.intervals)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KEPT_TABLES:
                self._known.clear()
            found = self._known[key] = self._made(self._tables[c], program, n_slot)
        return found

    def _made(self, table: _Table, program: ControllerPlan | None, n_slot: int) -> NDArray[np.uint8]:
        n = n_slot if program is None else round(program.cycle_s)
        kinds, duration_s = np.zeros((1, 1), np.int8), np.full(1, float(n))
        if program is not None:
            letters = np.array([list(i.state.encode()) for i in program.intervals], np.uint8)
            kinds = np.ascontiguousarray(_KIND[letters].T)
            duration_s = np.array([i.duration_s for i in program.intervals]) * (n / program.cycle_s)
        level = np.empty((table.n_row, n), np.uint8)
        n_turn = len(table.turn_head)
        g.fill_levels(
            kinds, duration_s, table.lane_start, table.turn_head, table.turn_row, table.turn_values,
            self.most_vps[table.first_row : table.first_row + table.n_row],
            np.empty((2, n_turn, n)), np.empty(max(1, n_turn)), np.empty((table.n_row, n)), level,
        )  # fmt: skip
        return level


def level_tables(net: FilterNetwork, flow_vps: FLOAT) -> LevelTables:
    """Tables for flows of each movement; shape (M,). [veh/s]"""
    use_vps = lane_use(net, flow_vps)
    parameters, n_controller = net.parameters, len(net.controllers)
    n_movement = len(net.movements)
    lane_total = np.zeros(len(net.lanes))
    yields = np.array([bool(foes) for foes in net.mv_foes], bool).reshape(n_movement)
    clock_of_link: dict[int, int] = {}
    for m in range(n_movement):
        if net.mv_clock[m] >= 0:
            clock_of_link[int(net.mv_link[m])] = int(net.mv_clock[m])
    for k, turn in enumerate(net.turns):
        lane_total[turn.lane] += use_vps[k]
    clock = [clock_of_link.get(int(link), n_controller) for link in net.mv_link]
    row = np.zeros(n_movement, np.int64)
    at, starts = 0, []
    for c in range(n_controller + 1):
        starts.append(at)
        for m in (m for m in range(n_movement) if clock[m] == c):
            row[m] = at
            at += 1 + int(yields[m])
    starts.append(at)
    most = np.zeros(at)
    headway_sum, headway_n = np.zeros(n_movement), np.zeros(n_movement)
    for turn in net.turns:
        for r in range(row[turn.movement], row[turn.movement] + 1 + int(yields[turn.movement])):
            most[r] += 1 / turn.headway_s
        headway_sum[turn.movement] += turn.headway_s
        headway_n[turn.movement] += 1
    headway = headway_sum / np.maximum(1.0, headway_n)
    opposing = np.array([OPPOSING_BUNCH * sum(flow_vps[j] for j in foes) for foes in net.mv_foes]).reshape(n_movement)
    pace = gap_pace(headway, parameters.critical_gap_s, parameters.follow_up_s)
    share = 1 / np.maximum(1.0, np.polynomial.polynomial.polyval(opposing, pace.T, tensor=False))
    tables = []
    for c in range(n_controller + 1):
        mine = [k for k, turn in enumerate(net.turns) if clock[turn.movement] == c]
        lanes = [net.turns[k].lane for k in mine]
        edges = [n for n in range(len(mine)) if n == 0 or lanes[n] != lanes[n - 1]]
        values = [
            (
                use_vps[k] / lane_total[turn.lane],
                turn.headway_s,
                share[turn.movement] / turn.headway_s,
                start_loss_s(parameters, turn.headway_s),
                turn.yellow_use_s,
                float(yields[turn.movement] and turn.yields),
                float(turn.places),
                parameters.stop_on_red_s,
            )
            for k in mine
            for turn in (net.turns[k],)
        ]
        tables.append(
            _Table(
                lane_start=np.array([*edges, len(mine)], np.int64),
                turn_head=np.array([net.turns[k].head for k in mine], np.int64),
                turn_row=np.array([row[net.turns[k].movement] - starts[c] for k in mine], np.int64),
                turn_values=np.array(values).reshape(len(mine), 8),
                first_row=starts[c],
                n_row=starts[c + 1] - starts[c],
            )
        )
    return LevelTables(net=net, row=row, most_vps=most, yields=yields, pace=pace, _tables=tables)


def gap_pace(headway_s: FLOAT, critical_gap_s: float, follow_up_s: float) -> FLOAT:
    """Coefficients of what gaps leave of a turn's saturation flow; shape (M, 4).

    Harders' capacity of a stream that gives way to q veh/s is q e^(−q t_c) / (1 − e^(−q t_f)). Its inverse is a power
    series in q; times the saturation flow, and cut after the third power (3 % too much at 1,000 veh/h, more where next
    to nothing is left), it is what the kernels evaluate: one division, no exponential.
    """
    gap, rest = critical_gap_s, critical_gap_s - follow_up_s
    series = np.array([gap - rest, (gap**2 - rest**2) / 2, (gap**3 - rest**3) / 6, (gap**4 - rest**4) / 24])
    return np.asarray(series[None, :] / headway_s[:, None])
