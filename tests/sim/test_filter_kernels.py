"""The filters' kernels beside their naive twins, on small networks of all kinds."""

import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim import _profile_kernels as c
from sim import _rows
from sim.platoons import TRANSYT
from sim.profile import Profile
from sim.wave import Wave
from tests import naive_filters
from tests.builders import demand, field_plan, left_turn, merge, single_approach, two_signals, with_offsets
from tests.sim.random_networks import random_network


def random_flows(rng: random.Random, network: RoadNetwork, *, busy: float):
    """Flows on most pairs of links, more than fits where `busy` is above 1; some trips end on the way."""
    pairs: dict[tuple[str, str], float] = {}
    for link in network.links:
        if not network.incoming[link] or rng.random() < 0.2:
            pairs["", link] = busy * rng.choice((0, 10, 30, 60))
        for target in network.outgoing[link]:
            pairs[link, target] = rng.choice((0, 5, 20, 40))
        if not network.outgoing[link] or rng.random() < 0.3:
            pairs[link, ""] = rng.choice((1, 10))
    return demand(pairs, intervals=2, interval_s=120)


def plans_of(network: RoadNetwork, rng: random.Random) -> list[TimingPlan]:
    """The programs found, at other offsets."""
    plan = field_plan(network)
    return [with_offsets(plan, {k: float(rng.randrange(60)) for k in plan.controllers}) for _ in range(3)]


@settings(deadline=None, max_examples=25, derandomize=True)
@example(seed=0, n_nodes=1, busy=0.5)
@example(seed=7, n_nodes=4, busy=2.0)
@given(seed=st.integers(0, 10**9), n_nodes=st.integers(1, 4), busy=st.sampled_from((0.2, 1.0, 2.0)))
def test_wave_kernel_equals_its_naive_twin(seed: int, n_nodes: int, busy: float) -> None:
    """Delays of links and outside agree to what whole grains make, with spillback and without."""
    rng = random.Random(seed)
    network = random_network(rng, n_nodes)
    wave = Wave(network, random_flows(rng, network, busy=busy))
    plans = plans_of(network, rng)
    result = wave.run(plans)

    for n in (0, 2):
        delay, outside = naive_filters.NaiveWave(wave, plans[n]).run(wave.n_step)
        # a grain is 1/2048 vehicle; what is held back of one flow delays others, so single links may differ by more
        np.testing.assert_allclose(result.delay_s[n], delay.sum() + outside.sum(), rtol=5e-3, atol=3.0)
        np.testing.assert_allclose(result.link_delay_s[n], delay, rtol=2e-2, atol=10.0)


@pytest.mark.parametrize("network", [single_approach(), left_turn(), merge(), two_signals(offsets_s=(0.0, 20.0))])
@pytest.mark.parametrize("dispersion", [None, TRANSYT])
def test_profile_kernel_equals_its_naive_twin(network: RoadNetwork, dispersion) -> None:
    """Mean cyclic queues of all movements are the same."""
    rng = random.Random(3)
    profile = Profile(network, random_flows(rng, network, busy=0.4), dispersion=dispersion)
    plan = field_plan(network)
    period = profile.periods(profile.levels.batch([plan]), max_sweeps=12)[0]
    state, sweeps = period.state, period.sweeps
    queues = np.zeros(len(profile.net.movements))
    queues[profile.layout.order.movement] = state.result[int(c.QUEUE) :: int(c.RESULT), 0]

    expected = naive_filters.naive_profile(profile, plan, sweeps=sweeps)
    np.testing.assert_allclose(queues, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.kernel
def test_rows_are_the_same_compiled_or_not() -> None:
    """Every operation on rows gives the bits that numpy gives."""
    from numba import njit

    def work(a, b, whole_numbers, small, out):
        row = np.uint64(1)
        x = _rows.load(a, row) + _rows.load(b, row) * np.float32(0.3)
        y = _rows.load(whole_numbers, row) - _rows.load(small, row) / _rows.splat(np.float32(7))
        z = _rows.least(x, y) + _rows.most(x, y) * _rows.where_above(x, y, x, y)
        z += _rows.whole(z) + _rows.gaps_left(_rows.load(b, np.uint64(0)))
        if _rows.any_above(x, y):
            z -= x
        _rows.store(out, row, z)
        _rows.store(whole_numbers, np.uint64(0), _rows.whole(x))

    rng = np.random.default_rng(1)
    arguments = []
    for _ in range(2):
        arguments.append(
            (
                _rows.row_zeros(2) + rng.random((2, 16), np.float32) * 100,
                _rows.row_zeros(2) + rng.random((2, 16), np.float32),
                _rows.row_zeros(2, np.int16) + np.arange(16, dtype=np.int16) * 40,
                _rows.row_zeros(2, np.uint8) + np.arange(16, dtype=np.uint8) * 15,
                _rows.row_zeros(2),
            )
        )
        rng = np.random.default_rng(1)
    njit(error_model="numpy")(work)(*arguments[0])
    work(*arguments[1])

    for compiled, plain in zip(*arguments, strict=True):
        np.testing.assert_array_equal(compiled, plain)
