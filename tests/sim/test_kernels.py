"""The queue simulation's kernel beside its naive twin, on random small networks."""

import random
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sim.parameters import STREET, SUMO
from tests import naive
from tests.sim.random_networks import random_network, random_trips
from tests.sim.runs import run

pytestmark = pytest.mark.kernel
LENGTH_S = 90.0


@settings(deadline=None, max_examples=40, derandomize=True)
@example(seed=0, n_nodes=1, n_veh=0)
@example(seed=1, n_nodes=4, n_veh=200)
@given(seed=st.integers(0, 10**9), n_nodes=st.integers(1, 4), n_veh=st.integers(1, 80))
def test_kernel_equals_its_naive_twin(seed: int, n_nodes: int, n_veh: int) -> None:
    """Totals and every row of the log are the same, and every invariant holds."""
    rng = random.Random(seed)
    network = random_network(rng, n_nodes)
    vehicles = random_trips(rng, network, n_veh, LENGTH_S)
    parameters = replace(rng.choice((STREET, SUMO)), n_early=rng.choice((0, 4)), lane_change_veh=rng.choice((0, 2)))

    lanes = [(link.id, lane.index) for link in network.links.values() for lane in link.lanes]
    done = run(
        network, vehicles, length_s=LENGTH_S, warmup_s=rng.choice((0.0, 20.0)), parameters=parameters, seed=seed % 7,
        start_up_s={lane: rng.uniform(0.0, 4.0) for lane in rng.sample(lanes, len(lanes) // 2)},
        fetched=rng.choice((0, 3)),
    )  # fmt: skip
    twin = naive.simulate(done.compiled.arrays, done.arrays, done.trips, done.const)

    assert done.totals == twin.totals
    assert [tuple(vars(row).values()) for row in done.log] == twin.log
