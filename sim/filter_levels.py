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
from scipy.optimize import minimize_scalar

from network_data.errors import PlanError
from network_data.plans import YELLOW as YELLOW_LETTERS
from network_data.plans import ControllerPlan, TimingPlan
from sim import _level_kernels as g
from sim._rows import WIDTH, row_zeros
from sim.filter_inputs import FLOAT, LEAST_VPH, FilterNetwork, LaneTurn, lane_use, start_loss_s

MAX_CYCLE_S = 400
KEPT_TABLES = 20_000
_KIND = np.zeros(128, np.int8)
for _letters, _kind in ((YELLOW_LETTERS, g.YELLOW), ("s", g.STOP_AND_GO), ("goO", g.PERMITTED), ("G", g.PROTECTED)):
    for _letter in _letters:
        _KIND[ord(_letter)] = _kind


class Levels(NamedTuple):
    """Capacities of a batch of plans: per clock (controller) its slots one after the other, in each its movements.

    Row r of clock c in second t of the clock (0 ≤ t < cycle_s) is `level[first[c] + t * stride[c] + r]`. The last clock
    stands for movements without signal: it has one slot. Clocks that stand `apart` have only room for a few slots
    there, to be filled when needed; plan p's level is `apart[start[c, p] + t * rows + r]`.
    """

    level: NDArray[np.uint8]  # (rows, WIDTH)
    cycle_s: NDArray[np.int64]  # (clocks, WIDTH)
    first: NDArray[np.int64]  # (clocks,)
    stride: NDArray[np.int64]  # (clocks,)
    apart: NDArray[np.uint8]  # flat
    start: NDArray[np.int64]  # (clocks, WIDTH), −1 where the clock's levels stand side by side

    @property
    def n_slot(self) -> int:
        """Slots of the longest cycle."""
        return int(self.cycle_s.max())

    @property
    def alike(self) -> NDArray[np.bool_]:
        """Whether all plans have one cycle; shape (clocks,)."""
        return np.asarray((self.cycle_s == self.cycle_s[:, :1]).all(axis=1))


class _Table(NamedTuple):
    """The turns of one controller (or of none) as `fill_levels` reads them."""

    lane_start: NDArray[np.int64]
    turn_lane: NDArray[np.int64]
    turn_head: NDArray[np.int64]
    turn_row: NDArray[np.int64]
    turn_values: FLOAT
    mv_start: NDArray[np.int64]
    mv_turn: NDArray[np.int64]
    mv_flow: FLOAT
    foe_start: NDArray[np.int64]
    foe_head: NDArray[np.int64]
    foe_vps: FLOAT
    foe_most_vps: FLOAT
    most_vps: FLOAT  # (rows,)

    @property
    def n_row(self) -> int:
        """Rows per second."""
        return len(self.most_vps)


@dataclass(eq=False)
class LevelTables:
    """Makes `Levels` of plans; remembers what each program of each controller lets pass."""

    net: FilterNetwork
    row: NDArray[np.int64]  # (M,) row of the movement among those of its clock
    most_vps: FLOAT  # (M,) what FULL stands for
    yields: NDArray[np.bool_]  # (M,)
    giving: FLOAT  # (M,) what a movement reaches of its saturation flow if it has to give way and nobody comes [-]
    gap_s: float  # gaps leave (1 − gap_s · q)^GAP_POWER of that at q veh/s against it [s]
    _tables: list[_Table]
    _known: dict[tuple[int, tuple[object, ...]], NDArray[np.uint8]] = field(default_factory=dict)

    @property
    def clock_rows(self) -> NDArray[np.int64]:
        """Rows of levels per second of each clock."""
        return np.array([table.n_row for table in self._tables], np.int64)

    def batch(self, plans: Sequence[TimingPlan], *, slots_apart: int = 0) -> Levels:
        """Capacities of 1 to WIDTH plans; columns beyond the last plan repeat it.

        Parameters
        ----------
        slots_apart : int
            If above 0, clocks whose plans have different cycles stand apart, with room for so many slots.

        Raises
        ------
        PlanError
            A controller without a program, or a cycle that is too long.
        """
        columns = [self._checked(plan) for plan in plans]
        columns += [columns[-1]] * (WIDTH - len(columns))
        n_clock = len(self._tables)
        tables = [
            [self._levels(c, column[c] if c + 1 < n_clock else None) for column in columns] for c in range(n_clock)
        ]
        cycle = np.array([[len(table) for table in row] for row in tables], np.int64)
        rows = self.clock_rows
        apart = (cycle != cycle[:, :1]).any(axis=1) & (slots_apart > 0)
        stride = np.where(apart, -(-rows // WIDTH) * WIDTH, rows)
        first = np.concatenate([[0], np.cumsum(stride * np.where(apart, slots_apart, cycle.max(axis=1)))])
        level = row_zeros(int(first[-1]), np.uint8)
        start, parts, at = np.full((n_clock, WIDTH), -1, np.int64), [], 0
        for c, row in enumerate(tables):
            for p, table in enumerate(row):
                shift = round(columns[p][c].offset_s) % len(table) if c + 1 < n_clock else 0
                if apart[c]:
                    start[c, p] = at
                    parts += [table[len(table) - shift :].ravel(), table[: len(table) - shift].ravel()]
                    at += table.size
                else:
                    g.place_levels(table, shift, first[c], p, level)
        parts.append(np.zeros(WIDTH, np.uint8))
        return Levels(level, cycle, first[:-1], stride, np.concatenate(parts), start)

    def forget(self) -> None:
        """Forget what programs let pass."""
        self._known.clear()

    def _checked(self, plan: TimingPlan) -> list[ControllerPlan]:
        missing = [c for c in self.net.controllers if c not in plan.controllers]
        if missing:
            raise PlanError("plan", [f"has no program for controller {c!r}; add one" for c in missing])
        column = [plan.controllers[c] for c in self.net.controllers]
        long = [p.controller_id for p in column if not 1 <= round(p.cycle_s) <= MAX_CYCLE_S]
        if long:
            raise PlanError("plan", [f"controller {c!r} has a cycle beyond {MAX_CYCLE_S} s; shorten it" for c in long])
        return column

    def _levels(self, c: int, program: ControllerPlan | None) -> NDArray[np.uint8]:
        """Levels of one controller's rows over its cycle, from its interval 0 on; (C, rows)."""
        key = (c, () if program is None else program.intervals)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KEPT_TABLES:
                self._known.clear()
            found = self._known[key] = self._made(self._tables[c], program)
        return found

    def _made(self, table: _Table, program: ControllerPlan | None) -> NDArray[np.uint8]:
        n = 1 if program is None else round(program.cycle_s)
        kinds, duration_s = np.zeros((1, 1), np.int8), np.full(1, float(n))
        if program is not None:
            letters = np.frombuffer("".join(i.state for i in program.intervals).encode(), np.uint8)
            kinds = np.ascontiguousarray(_KIND[letters.reshape(len(program.intervals), -1)].T)
            duration_s = np.array([i.duration_s for i in program.intervals]) * (n / program.cycle_s)
        level = np.empty((n, table.n_row), np.uint8)
        n_turn = len(table.turn_head)
        g.fill_levels(
            kinds, duration_s, table.lane_start, table.turn_lane, table.turn_head, table.turn_row, table.turn_values,
            table.mv_start, table.mv_turn, table.mv_flow, table.foe_start, table.foe_head, table.foe_vps,
            table.foe_most_vps, self.gap_s, table.most_vps, np.empty((6, n_turn, n)), np.empty((6, n_turn)),
            np.empty((table.n_row, n)), level,
        )  # fmt: skip
        return level


def level_tables(net: FilterNetwork, flow_vps: FLOAT) -> LevelTables:
    """Tables for flows of each movement; shape (M,). [veh/s]"""
    parameters, n_movement = net.parameters, len(net.movements)
    yields = np.array([bool(foes) for foes in net.mv_foes], bool).reshape(n_movement)
    most, headway_sum, n_lane = np.zeros(n_movement), np.zeros(n_movement), np.zeros(n_movement)
    for turn in net.turns:
        most[turn.movement] += 1 / turn.headway_s
        headway_sum[turn.movement] += turn.headway_s
        n_lane[turn.movement] += 1
    giving = np.minimum(1.0, headway_sum / np.maximum(1.0, n_lane) / parameters.follow_up_s)
    clock = _clocks(net)
    row = np.zeros(n_movement, np.int64)
    movements: list[list[int]] = [[] for _ in range(len(net.controllers) + 1)]
    rows = [0] * len(movements)
    for m, c in enumerate(clock):
        row[m], rows[c] = rows[c], rows[c] + 1 + int(yields[m])
        movements[c].append(m)
    turns: list[list[int]] = [[] for _ in movements]
    for k, turn in enumerate(net.turns):
        turns[clock[turn.movement]].append(k)
    flows = _Flows(
        use_vps=lane_use(net, flow_vps),
        flow_vps=np.maximum(flow_vps, LEAST_VPH / 3600),
        most_vps=most,
        giving=giving,
        yields=yields,
        row=row,
        first_head={turn.movement: turn.head for turn in reversed(net.turns)},
    )
    return LevelTables(
        net=net,
        row=row,
        most_vps=most,
        yields=yields,
        giving=giving,
        gap_s=gap_decay_s(parameters.critical_gap_s, parameters.follow_up_s),
        _tables=[_table(net, flows, own, mine) for own, mine in zip(movements, turns, strict=True)],
    )


def _clocks(net: FilterNetwork) -> list[int]:
    """Controller of each movement, or their number: all movements of a link stand under one."""
    of_link = {int(k): int(c) for k, c in zip(net.mv_link, net.mv_clock, strict=True) if c >= 0}
    return [of_link.get(int(k), len(net.controllers)) for k in net.mv_link]


@dataclass(frozen=True, eq=False)
class _Flows:
    """What tables need to know of movements (M,), and flows of turns."""

    use_vps: FLOAT  # (turns,)
    flow_vps: FLOAT
    most_vps: FLOAT
    giving: FLOAT
    yields: NDArray[np.bool_]
    row: NDArray[np.int64]
    first_head: dict[int, int]


def _table(net: FilterNetwork, flows: _Flows, movements: list[int], turns: list[int]) -> _Table:
    """The table of one controller's (or no controller's) movements and their turns."""
    mine = [net.turns[k] for k in turns]
    new_lane = [n == 0 or turn.lane != mine[n - 1].lane for n, turn in enumerate(mine)]
    foes = [net.mv_foes[turn.movement] for turn in mine]
    movement_of = np.searchsorted(np.array(movements, np.int64), [turn.movement for turn in mine])
    values = [_values(net, flows, k, turn) for k, turn in zip(turns, mine, strict=True)]
    own = np.array(movements, np.int64)
    return _Table(
        lane_start=np.append(np.flatnonzero(new_lane), len(mine)),
        turn_lane=np.cumsum(new_lane, dtype=np.int64) - 1,
        turn_head=np.array([turn.head for turn in mine], np.int64),
        turn_row=np.array([flows.row[turn.movement] for turn in mine], np.int64),
        turn_values=np.array(values, np.float64).reshape(len(mine), 9),
        mv_start=np.searchsorted(np.sort(movement_of), np.arange(len(own) + 1)),
        mv_turn=np.argsort(movement_of, kind="stable"),
        mv_flow=flows.flow_vps[own],
        foe_start=np.cumsum([0, *(len(x) for x in foes)]),
        foe_head=np.array([flows.first_head[j] for x in foes for j in x], np.int64),
        foe_vps=np.array([flows.flow_vps[j] for x in foes for j in x], np.float64),
        foe_most_vps=np.array([flows.most_vps[j] for x in foes for j in x], np.float64),
        most_vps=np.repeat(flows.most_vps[own], 1 + flows.yields[own]),
    )


def _values(net: FilterNetwork, flows: _Flows, k: int, turn: LaneTurn) -> tuple[float, ...]:
    return (
        flows.use_vps[k],
        turn.headway_s,
        flows.giving[turn.movement],
        start_loss_s(net.parameters, turn.headway_s),
        turn.yellow_use_s,
        float(turn.yields),
        float(turn.places),
        net.parameters.stop_on_red_s,
        float(turn.aside),
    )


def harders_share(opposing_vps: FLOAT, critical_gap_s: float, follow_up_s: float) -> FLOAT:
    """Capacity of a stream that gives way, over what it has with nobody against it. [-]

    Harders: q e^(−q t_c) / (1 − e^(−q t_f)) veh/s, 1 / t_f of it without opposing flow q.
    """
    q = np.maximum(opposing_vps, 1e-9)
    return np.asarray(follow_up_s * q * np.exp(-q * critical_gap_s) / -np.expm1(-q * follow_up_s))


def gap_decay_s(critical_gap_s: float, follow_up_s: float) -> float:
    """The g for which (1 − g q)^GAP_POWER comes nearest to Harders' share for q up to 2,500 veh/h.

    The kernels can evaluate that without exponential and division; with gaps of 4.8 and 2.13 s it is at most 0.005 off.
    """
    q = np.linspace(0.0, 0.7, 141)
    wanted = harders_share(q, critical_gap_s, follow_up_s)

    def error(decay_s: float) -> float:
        return float(np.square(np.maximum(0.0, 1 - decay_s * q) ** g.GAP_POWER - wanted).sum())

    return float(minimize_scalar(error, bounds=(0.0, critical_gap_s), method="bounded").x)
