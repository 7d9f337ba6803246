"""How long loops are occupied in a simulated run: by hand for single vehicles, beside SUMO for a real junction."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.cases import resco_case
from its.makecounts import count_with_sumo, loops_before_signals
from its.sumo import Scenario
from network_data.detectors import Detector
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_routes import read_routes
from sim.occupancy import GAP_M, LOOP_M, occupancies
from sim.parameters import STREET, SUMO
from sim.simulate import Simulator
from tests import packs
from tests.builders import V50_MPS, field_plan, single_approach, trips

IDEAL = dataclasses.replace(STREET, speed_spread=0.0, dawdle=0.0)
CAR_M = 6.0
RED_THEN_GREEN = ((60, "r"), (60, "G"))


def loop(pos_m: float, name: str = "d") -> Detector:
    """A loop on the approach of 500 m."""
    return Detector(id=name, link_id="in", lane=0, pos_m=pos_m, kind="stopbar")


def run(rows: tuple[tuple[float, str], ...], departs: list[float], *, end_s: float = 120.0) -> Simulator:
    """Cars of 6 m with their gap on the approach, drivers all alike."""
    network = single_approach(rows=rows, length_m=500.0)
    made = trips(network, [(t, "in out") for t in departs], length_m=CAR_M)
    return Simulator(network, [made], begin_s=0.0, end_s=end_s, parameters=IDEAL)


def test_a_free_vehicle_covers_a_loop_for_its_length_over_its_speed() -> None:
    """4.5 m of car and 2 m of loop at 50 km/h, of 120 s."""
    simulator = run(((120, "G"),), [10.0])
    found = occupancies(simulator, field_plan(simulator.compiled.network), [loop(250.0)])
    assert found["d"] == pytest.approx((CAR_M - GAP_M + LOOP_M) / V50_MPS / 120, rel=0.02)


def test_who_stands_on_it_covers_it_until_the_green() -> None:
    """A car comes to the stop line after 36 s and stands there to the 60th second; a loop 100 m before sees it pass."""
    simulator = run(RED_THEN_GREEN, [0.0])
    found = occupancies(simulator, field_plan(simulator.compiled.network), [loop(498.0), loop(400.0, "early")])
    assert found["d"] == pytest.approx((61.0 + 1.2 - 36.0) / 120, abs=1.5 / 120)
    assert found["early"] == pytest.approx((CAR_M - GAP_M + LOOP_M) / V50_MPS / 120, rel=0.02)


def test_a_loop_under_the_queue_is_covered_until_the_wave_comes_back() -> None:
    """Eight cars stand on 48 m: a loop under the fifth is free at once behind it, not before the wave is there."""
    simulator = run(RED_THEN_GREEN, [float(t) for t in range(8)])
    plan = field_plan(simulator.compiled.network)
    at = {n: loop(500 - CAR_M * n + 4, f"d{n}") for n in (1, 5, 12)}
    found = occupancies(simulator, plan, list(at.values()))
    assert found["d5"] > 0.1
    assert found["d5"] <= found["d1"] + 0.1
    assert found["d12"] == pytest.approx(8 * (CAR_M - GAP_M + LOOP_M) / V50_MPS / 120, rel=0.05)  # nobody stands there


def test_occupancies_lie_between_nothing_and_always() -> None:
    """Oversaturated, at every place of the lane; and a lane that nobody uses is at nothing."""
    simulator = run(((20, "G"), (40, "r")), [float(t) for t in np.arange(0, 600, 2.0)], end_s=600.0)
    plan = field_plan(simulator.compiled.network)
    places = [loop(float(x), f"d{x}") for x in range(0, 501, 50)]
    found = occupancies(simulator, plan, places)
    assert all(0 <= x <= 1 for x in found.values())
    assert found["d500"] > 0.6
    unused = occupancies(run(((60, "G"),), []), field_plan(single_approach(rows=((60, "G"),))), [loop(250.0)])
    assert unused == {"d": 0.0}


def test_realizations_by_their_weights() -> None:
    """An empty day that stands for three of four leaves a quarter."""
    network = single_approach(rows=RED_THEN_GREEN, length_m=500.0)
    days = [trips(network, [(0.0, "in out")], length_m=CAR_M), trips(network, [], length_m=[])]
    simulator = Simulator(network, days, begin_s=0.0, end_s=120.0, parameters=IDEAL)
    alone = Simulator(network, days[:1], begin_s=0.0, end_s=120.0, parameters=IDEAL)
    plan = field_plan(network)
    whole = occupancies(alone, plan, [loop(498.0)])["d"]
    assert occupancies(simulator, plan, [loop(498.0)], weights=(0.25, 0.75))["d"] == pytest.approx(whole / 4)
    assert occupancies(simulator, plan, [loop(498.0)])["d"] == pytest.approx(whole / 2)


@pytest.mark.slow
def test_loops_of_a_real_network_beside_sumo() -> None:
    """cologne8, the same vehicles: 33 stop-bar loops within 4 points (root mean square) and correlated by 0.95."""
    packs.sumo()
    packs.resco("cologne8")
    case = resco_case("cologne8", "cologne8.rou.xml", 25200, 28800, 49)
    network = read_sumo_net(case.network)
    loops = [x for x in loops_before_signals(network) if x.kind == "stopbar"]
    scenario = Scenario(network=case.network, routes=case.routes, begin_s=case.begin_s, end_s=case.end_s)
    sumo = {str(r[0]): float(str(r[4])) / 100 for r in count_with_sumo(loops, scenario, interval_s=3600)}
    made = read_routes(list(case.routes), network, begin_s=case.begin_s, end_s=case.end_s, seed=0)
    simulator = Simulator(network, [made], begin_s=case.begin_s, end_s=case.end_s, parameters=SUMO)
    places = [Detector(id=x.detector, link_id=x.link, lane=x.lane, pos_m=x.pos_m, kind="stopbar") for x in loops]
    found = occupancies(simulator, field_plan(network), places, loop_m=0.0)
    ours, theirs = (np.array([values[d.id] for d in places]) for values in (found, sumo))
    assert float(np.sqrt(((ours - theirs) ** 2).mean())) < 0.04
    assert float(np.corrcoef(ours, theirs)[0, 1]) > 0.95
