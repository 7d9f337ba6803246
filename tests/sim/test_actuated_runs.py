"""Actuated controllers inside the queue simulation: they call, extend and skip by the vehicles that are there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from network_data.actuation import ActuatedController
from network_data.actuation_build import from_intervals
from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim import _tables as k
from sim.actuated import shown_program
from sim.simulate import Simulator
from tests.builders import crossing, field_plan, program, trips

pytestmark = pytest.mark.kernel
ROWS = ((30, "Gr"), (3, "yr"), (2, "rr"), (30, "rG"), (3, "ry"), (2, "rr"))


def scene(side_every_s: float) -> tuple[RoadNetwork, TimingPlan, Simulator]:
    """Two roads that cross: one busy, the other with a vehicle now and then."""
    network = crossing(ROWS)
    rows = [(4.0 * n, "wi eo") for n in range(225)]
    rows += [(side_every_s * n, "si no") for n in range(int(900 / side_every_s))]
    return network, field_plan(network), Simulator(network, [trips(network, sorted(rows))], begin_s=0, end_s=900)


def actuated(network: RoadNetwork, least_s: float, most_s: float) -> dict[str, ActuatedController]:
    """The crossing's controller as an actuated one, both greens between the same bounds."""
    one = replace(program(ROWS), min_durations_s=(least_s, None, None, least_s, None, None))
    most = (most_s, None, None, most_s, None, None)
    return {"c": from_intervals(one, most, network, network.controllers["c"])}


def test_minimum_equal_to_maximum_is_the_fixed_plan() -> None:
    """Greens that may neither end early nor late: every vehicle passes when it does under the program itself."""
    network, plan, simulator = scene(20.0)
    fixed, fixed_record = simulator.record(plan, 0)
    same, same_record = simulator.record(plan, 0, actuated(network, 30.0, 30.0))
    assert same == fixed
    assert (same_record.rows == fixed_record.rows).all()


def test_the_busy_road_keeps_the_green_that_the_quiet_one_does_not_need() -> None:
    """With vehicles every 4 s on one road and every 60 s on the other actuation halves the delay of equal splits."""
    network, plan, simulator = scene(60.0)
    fixed = simulator.run([plan])[0][0]
    free = simulator.run([plan], actuated=actuated(network, 5.0, 60.0))[0][0]
    assert free.done_veh >= fixed.done_veh
    assert free.delay_s < 0.5 * fixed.delay_s


def test_actuated_runs_are_the_same_for_any_number_of_threads() -> None:
    """Two realizations on one thread and on two: the same totals, and again the same."""
    network, plan, _ = scene(20.0)
    rng = np.random.default_rng(1)
    rows = sorted([(float(t), "wi eo") for t in rng.uniform(0, 900, 200)] + [(9.0 * n, "si no") for n in range(100)])
    demand = [trips(network, rows), trips(network, rows[::2])]
    controllers = actuated(network, 5.0, 40.0)
    results = [
        Simulator(network, demand, begin_s=0, end_s=900, workers=n).run([plan] * 3, actuated=controllers)
        for n in (1, 2, 2)
    ]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("seed", range(4))
def test_what_was_shown_runs_again_as_a_fixed_program(seed: int) -> None:
    """The greens an actuated controller decided on, given as a fixed program: the same passages, all of them."""
    rng = np.random.default_rng(seed)
    network, plan, _ = scene(20.0)
    n_wi, n_si = rng.integers(50, 450, 2)
    rows = [(float(t), "wi eo") for t in rng.uniform(0, 1800, n_wi)]
    rows += [(float(t), "si no") for t in rng.uniform(0, 1800, n_si)]
    simulator = Simulator(network, [trips(network, sorted(rows))], begin_s=0, end_s=1800)
    one = actuated(network, 5.0, 40.0)
    totals, record = simulator.record(plan, 0, one)
    arrays = simulator.compile(plan, one)
    state = simulator._state(arrays)
    signals = {index: (index, int(arrays.signal[index, k.WINDOW0])) for index in range(2)}
    shown = shown_program(one["c"], signals, state.actuated, state.live, rest="rr", begin_s=0, end_s=1800)
    again, same = simulator.record(TimingPlan(controllers={"c": shown}), 0)
    assert again == totals
    assert sorted(map(tuple, same.rows)) == sorted(map(tuple, record.rows))


def test_an_actuated_controller_has_to_be_in_the_network() -> None:
    """An id that the network does not know is refused by name."""
    network, plan, simulator = scene(20.0)
    with pytest.raises(PlanError, match="'x' is not in the network"):
        simulator.run([plan], actuated={"x": actuated(network, 5.0, 40.0)["c"]})
