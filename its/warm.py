"""Compile the kernels before the clock that counts starts."""

from __future__ import annotations

import time

import numpy as np

from its._street import CYCLE_S, small_street
from network_data.demand import DemandScenarios
from network_data.settings import Settings
from optimizer.candidate import field_setting
from optimizer.flows import head_flows, mean_flows_vph
from optimizer.large.judge import Judge
from optimizer.large.places import places_of
from optimizer.large.polish import polish_of
from optimizer.models import build_model
from optimizer.moves import Neighbourhood
from optimizer.offsets.link_tables import problem_of
from optimizer.offsets.solve import solve_offsets
from optimizer.offsets.tables import offset_problem
from optimizer.optimize import realizations_of
from optimizer.search import Evaluator
from sim import _kernels, trips
from sim import _tables as k
from sim.actuated import actuated_state
from sim.compile import join_controllers
from sim.link_costs import link_costs
from sim.profile import Profile
from sim.simulate import Simulator

COMPILED_FROM_S = 1.0
"""CPU time from which on something was compiled: a warm cache takes some tenths. [s]"""


def compile_kernels(*, polygons: bool = False, offsets: bool = True) -> float:
    """Call every kernel once on next to nothing; returns the seconds it took.

    By the clock where kernels had to be compiled; else of the processor, well below one: waiting for other jobs is no
    compiling.

    `polygons`: also those that large networks need; `offsets`: those that set all offsets at once.
    """
    begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
    lane = np.zeros((1, k.N_LANE), np.int32)
    lane[0, k.STORAGE] = 2
    lane[0, [k.BLOCKER, k.LEFT, k.RIGHT]] = -1
    const = np.zeros(k.N_CONST, np.int32)
    const[k.END] = 2
    plan = join_controllers([])
    _kernels.run(
        k.NetworkArrays(
            lane,
            np.zeros((0, k.N_CONN), np.int32),
            np.zeros((0, k.N_FOE), np.int32),
            np.zeros((0, k.N_PAIR), np.int32),
            np.zeros((0, k.N_WAY), np.int32),
        ),
        plan,
        k.TripArrays(np.zeros((0, k.N_VEHICLE), np.int32), *(np.zeros(0, np.int32) for _ in range(3))),
        const,
        k.State(
            np.zeros(2, np.int32),
            np.zeros(2, np.int32),
            np.zeros((2, k.N_LANE_STATE), np.int32),
            np.zeros((0, k.N_VEH_STATE), np.int32),
            np.zeros((0, 2), np.int32),
            np.zeros(2 + k.ON_WAY, np.int32),
            np.zeros((0, k.N_SIGNAL_STATE), np.int32),
            np.zeros(0, np.int32),
            np.zeros((0, 5), np.int32),
            actuated_state(plan.actuated),
            np.zeros((0, k.N_SOON), np.int32),
        ),
        k.Results(np.zeros(k.N_TOTALS, np.int64), np.zeros((0, k.N_LOG), np.int32), np.zeros(1, np.int64)),
    )
    empty = np.zeros(0, np.int64)
    trips._walk(
        0, 0.0, np.zeros(1), np.zeros(2, np.int64), empty, np.zeros((0, 1)), np.zeros(1), np.ones(1), np.zeros(1), empty
    )
    if offsets:
        _coordinate()
    if polygons:
        _polish()
    cpu_s = time.process_time() - begin_cpu_s
    return time.perf_counter() - begin_s if cpu_s > COMPILED_FROM_S else cpu_s


def _coordinate() -> None:
    """Offsets from the tables of a street, which is a tree, and of a ring, which is not."""
    network, plan, demand = small_street()
    solve_offsets(problem_of(link_costs(Profile(network, demand), plan, cycle_s=round(CYCLE_S))), seed=0, nodes=0)
    delay_s = np.random.default_rng(0).random((5, 6))
    ring = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"), ("a", "c")]
    solve_offsets(offset_problem(6, ("a", "b", "c", "d"), ring, delay_s), seed=0, nodes=100, annealings=1)


def _polish() -> None:
    """Better seconds for a street by queue polygons."""
    network, plan, demand = small_street()
    demands, settings = DemandScenarios(scenarios=(demand,), weights=(1.0,)), Settings()
    vehicles = realizations_of(demands, seed=0, warmup_s=0.0, network=network)
    simulator = Simulator(network, vehicles, begin_s=float(demand.begin_s[0]), end_s=float(demand.end_s[-1]))
    flows = mean_flows_vph(demands)
    models = [
        build_model(network, controller, plan.controllers[c], head_flows(network, controller, flows), settings)
        for c, controller in network.controllers.items()
    ]
    hood = Neighbourhood(models, settings, tuple(field_setting(model) for model in models))
    judge = Judge(Evaluator(simulator, models, settings.objective), places_of(network), vehicles)
    polish = polish_of(demands, judge, hood, n=2)
    (known,) = judge.judged([hood.field], collect=True)
    polish.propose(hood.field, known, np.random.default_rng(0), what=frozenset(("offsets", "splits")))
