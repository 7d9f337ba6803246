"""Run the queue simulation in tests: every run is checked for what must hold always.

`run` is the only way the tests simulate; it reads the log and the state at the end and asserts that no vehicle is made
or lost, none passes another in its lane, none leaves on red, storage holds, delays add up and nobody is too fast.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from network_data.network import RoadNetwork
from network_data.plans import OPEN, YELLOW, ControllerPlan, TimingPlan
from network_data.trips import Trips
from sim import _kernels
from sim import _tables as k
from sim.compile import TICKS, CompiledNetwork, compile_network, compile_plan, compile_trips, constants, new_state
from sim.parameters import STREET, SimParameters
from tests.builders import SPACING_M, field_plan

TOTALS = ("delay", "stops", "blocked", "done", "entered", "gate_delay")
SLOWEST_PACE, FASTEST_PACE = 1 / 0.7, 1 / 1.3
"""Bounds of drivers' desired travel time over the limit's [-]."""


@dataclass(frozen=True)
class Passage:
    """One row of the log, in ticks."""

    veh: int
    lane: int
    conn: int
    enter: int
    arrival: int
    leave: int
    delay: int
    step: int
    by_lane: int
    changed: int

    @property
    def changed_lane(self) -> bool:
        """Whether it entered the link by the lane beside the one it left it by."""
        return self.by_lane != self.lane


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run: totals in ticks, the log, and the tables it ran on."""

    totals: dict[str, int]
    log: list[Passage]
    compiled: CompiledNetwork
    plan: TimingPlan
    arrays: k.PlanArrays
    trips: k.TripArrays
    const: np.ndarray
    state: k.State
    begin_s: float

    @property
    def end(self) -> int:
        """Last tick."""
        return int(self.const[k.END])

    def on(self, link: str, lane: int = 0) -> list[Passage]:
        """Passages of a lane, in order of leaving; those who stand there at the end last."""
        at = self.compiled.lane_of[link, lane]
        return [row for row in self.log if row.lane == at]

    def left(self, link: str, lane: int = 0) -> list[Passage]:
        """Passages of a lane that ended before the end."""
        return [row for row in self.on(link, lane) if row.leave < self.end]

    def inside(self) -> int:
        """Vehicles in the network at the end."""
        return int(self.state.lane[: self.compiled.n_lane, k.PRESENT].sum())

    def waiting(self) -> int:
        """Vehicles that wait to enter at the end."""
        return int(self.state.lane[self.compiled.n_lane :, k.PRESENT].sum())


def run(
    network: RoadNetwork,
    vehicles: Trips,
    plan: TimingPlan | None = None,
    *,
    length_s: float,
    begin_s: float = 0.0,
    warmup_s: float = 0.0,
    parameters: SimParameters = STREET,
    spacing_m: float = SPACING_M,
    seed: int = 0,
    saturation_vph: dict[tuple[str, int], float] | None = None,
    start_up_s: dict[tuple[str, int], float] | None = None,
    fetched: int = 0,
) -> Run:
    """Simulate and check all invariants; `fetched` events together, as in large networks."""
    plan = plan if plan is not None else field_plan(network)
    compiled = compile_network(
        network, parameters, spacing_m=spacing_m, saturation_vph=saturation_vph, start_up_s=start_up_s
    )
    arrays = compile_plan(compiled, plan, begin_s=begin_s - warmup_s)
    table = compile_trips(compiled, vehicles, begin_s=begin_s, seed=seed, warmup_s=warmup_s)
    const = constants(parameters, spacing_m=spacing_m, length_s=length_s, warmup_s=warmup_s)
    state = new_state(compiled, arrays, len(table.vehicle), int(const[k.END]))
    state = state._replace(soon=np.empty((fetched, k.N_SOON), np.int32))
    totals, n = np.zeros(k.N_TOTALS, np.int64), np.zeros(1, np.int64)
    log = np.empty((2 * len(table.route) + 1, k.N_LOG), np.int32)
    _kernels.run(compiled.arrays, arrays, table, const, state, k.Results(totals, log, n))
    done = Run(
        totals=dict(zip(TOTALS, totals.tolist(), strict=True)),
        log=[Passage(*row) for row in log[: int(n[0])].tolist()],
        compiled=compiled,
        plan=plan,
        arrays=arrays,
        trips=table,
        const=const,
        state=state,
        begin_s=begin_s - warmup_s,
    )
    check(done)
    return done


def check(done: Run) -> None:
    """All that must hold after any run."""
    nobody_made_or_lost(done)
    times_in_order(done)
    nobody_passes(done)
    nobody_on_red(done)
    storage_holds(done)
    routes_kept(done)
    delays_add_up(done)


def nobody_made_or_lost(done: Run) -> None:
    """Whoever was due entered or waits at a gate; whoever entered is done or inside."""
    due = int((done.trips.vehicle[:, k.DEPART] < done.end).sum())
    assert due == done.totals["entered"] + done.waiting()
    assert done.totals["entered"] == done.totals["done"] + done.inside()
    ended = [row.veh for row in done.log if row.conn < 0 and row.leave < done.end]
    assert len(ended) == len(set(ended)) == done.totals["done"]


def times_in_order(done: Run) -> None:
    """Enter ≤ arrive ≤ leave (who stands at the end may still be driving), and one lane after the other."""
    last: dict[int, int] = {}
    for row in done.log:
        assert row.enter <= row.arrival
        assert row.leave <= done.end
        assert row.leave >= row.arrival or row.leave == done.end
        assert row.enter >= last.get(row.veh, row.enter)
        last[row.veh] = row.leave


def nobody_passes(done: Run) -> None:
    """In each lane the order of leaving is the order of joining and of arriving, at least the spacing apart.

    Those who came from the lane beside it are let in anywhere, while they were on both lanes' link.
    """
    joined = joining(done)
    by_lane: dict[int, list[Passage]] = defaultdict(list)
    for row in done.log:
        by_lane[row.lane].append(row)
        assert row.changed_lane == (row.changed < k.NEVER)
        assert not row.changed_lane or row.arrival <= row.changed <= row.leave
    for lane, everybody in by_lane.items():
        assert all(one.leave <= other.leave for one, other in pairwise(everybody))
        rows = [row for row in everybody if not row.changed_lane]
        spacing = int(done.compiled.arrays.lane[lane, k.SPACING])
        for one, other in pairwise(rows):
            assert other.arrival >= one.arrival + spacing
            assert joined[one.veh, lane, one.step] <= joined[other.veh, lane, other.step]


def joining(done: Run) -> dict[tuple[int, int, int], int]:
    """(vehicle, lane, step) → tick at which it took its place there: when it left the place before."""
    out, last = {}, {}
    for row in done.log:
        entry = row.enter - int(done.const[k.ENTRY_LOSS])
        if done.trips.vehicle[row.veh, k.STANDING]:
            entry = row.enter  # as if it had driven the link: it took its place at the begin
        out[row.veh, row.lane, row.step] = last.get(row.veh, entry)
        last[row.veh] = row.leave
    return out


def nobody_on_red(done: Run) -> None:
    """Stop lines are passed in green or in the first seconds of yellow, as the plan's interval table has it."""
    network = done.compiled.network
    for row in done.log:
        if row.conn < 0 or row.leave >= done.end or row.lane >= done.compiled.n_real_lane:
            continue
        c = network.connections[row.conn]
        if c.controller_id is None or c.link_index is None:
            continue
        use_s = int(done.compiled.arrays.conn[row.conn, k.USE]) / TICKS
        since_s = _since_open_s(done.plan.controllers[c.controller_id], c.link_index, done.begin_s + row.leave / TICKS)
        assert since_s is not None, f"{row} leaves on red"
        assert since_s <= use_s + 1e-6, f"{row} leaves {since_s} s into yellow"


def _since_open_s(program: ControllerPlan, index: int, at_s: float) -> float | None:
    """Seconds of yellow before a second of the clock, 0 when open; None when red. Ends belong to what they end."""
    if any(program.state_at(at_s + x)[index] in OPEN for x in (-0.05, 0.05)):
        return 0.0
    back_s = 0.05
    while program.state_at(at_s - back_s)[index] in YELLOW:
        back_s += 0.1
    return back_s - 0.05 if back_s > 0.05 and program.state_at(at_s - back_s)[index] in OPEN else None


def storage_holds(done: Run) -> None:
    """No lane ever holds more places than it has, those on the way to it not counted; a vehicle takes its length."""
    joined = joining(done)
    steps: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in done.log:
        storage = int(done.compiled.arrays.lane[row.lane, k.STORAGE])
        slots = min(int(done.trips.vehicle[row.veh, k.SLOTS]), storage)
        entered = joined[row.veh, row.lane, row.step]
        if row.changed_lane:
            steps[row.by_lane] += [(entered, slots), (row.changed, -slots)]
            entered = row.changed
        steps[row.lane] += [(entered, slots), (row.leave, -slots)]
    for lane, changes in steps.items():
        inside = 0
        for _, slots in sorted(changes):  # at equal times those who leave go first
            inside += slots
            assert 0 <= inside <= done.compiled.arrays.lane[lane, k.STORAGE] + k.ON_WAY


def routes_kept(done: Run) -> None:
    """Each vehicle drives its route, link by link, over connections that exist."""
    pairs = {index: pair for pair, index in done.compiled.pair_of.items()}
    for row in done.log:
        here, there = pairs[int(done.trips.route[row.step])]
        assert done.compiled.lane_link[row.lane] == here
        if row.conn >= 0:
            c = done.compiled.network.connections[row.conn]
            assert (c.from_link, c.to_link) == (here, there)
        else:
            assert there == ""


def delays_add_up(done: Run) -> None:
    """The total delay is what the log books and the waits to enter; nobody is faster than it wants to be."""
    depart = done.trips.vehicle[:, k.DEPART]
    counted = depart >= done.const[k.COUNT_FROM]
    booked = sum(row.delay for row in done.log if counted[row.veh])
    entries = int(done.const[k.ENTRY_LOSS]) * _entered(done, counted)
    assert done.totals["delay"] == booked + entries + done.totals["gate_delay"]
    assert all(row.delay >= 0 for row in done.log)


def _entered(done: Run, counted: np.ndarray) -> int:
    """Counted vehicles that entered: all due less those that wait at gates."""
    waiting = 0
    for gate in range(done.compiled.n_lane, len(done.state.lane)):
        veh = int(done.state.lane[gate, k.HEAD])
        while veh >= 0:
            waiting += int(counted[veh])
            veh = int(done.state.veh[veh, k.NEXT])
    due = counted & (done.trips.vehicle[:, k.DEPART] < done.end)
    return int(due.sum()) - waiting
