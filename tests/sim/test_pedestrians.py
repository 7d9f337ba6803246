"""Waits at crossings: the expectation against people sent at every tenth of a second, and the HCM's formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_data.errors import NetworkError, SettingsError
from network_data.network import Crossing, RoadNetwork
from network_data.plans import GREEN, ControllerPlan
from sim.measures import measure
from sim.pedestrians import crossing_measures, hcm_pedestrian_delay_s, mean_wait_s, waits_s
from sim.persons import BUS_PERSONS, CAR_PERSONS, People
from sim.simulate import Simulator
from tests.builders import field_plan, program, single_approach, trips


def sent_waits_s(plan: ControllerPlan, index: int, step_s: float = 0.1) -> np.ndarray:
    """The wait of somebody who comes in the middle of every step of the cycle, looked up in the shown states."""
    n = round(plan.cycle_s / step_s)
    walk = np.array([plan.state_at(plan.offset_s + (i + 0.5) * step_s)[index] in GREEN for i in range(n)])
    if not walk.any():
        return np.array([])
    twice = np.concatenate([walk, walk])
    return np.array([(np.argmax(twice[i:]) - 0.5 * (not walk[i])) * step_s for i in range(n)])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from("GgryR")), min_size=1, max_size=8))
def test_the_mean_wait_is_that_of_people_at_every_second(rows: list[tuple[int, str]]) -> None:
    """Exact expectation and longest wait of any table, walks that run over the end of the cycle included."""
    plan = program(tuple(rows))
    sent = sent_waits_s(plan, 0)
    if not len(sent):
        assert mean_wait_s(plan, 0) is None
        assert waits_s(plan, 0) is None
        return
    # 1e-9: the wait falls in a straight line within each step, so the middle of a step is its mean
    assert mean_wait_s(plan, 0) == pytest.approx(sent.mean(), abs=1e-9)
    assert max(waits_s(plan, 0) or [0.0]) == pytest.approx(sent.max() + 0.05 * (sent.max() > 0), abs=1e-9)


def test_one_walk_is_the_formula_of_the_hcm() -> None:
    """90 s, walk 20 s: 70²/180 = 27.2 s; the HCM lets them enter 4 s longer: 66²/180 = 24.2 s."""
    plan = program(((30, "r"), (20, "G"), (40, "r")))
    assert mean_wait_s(plan, 0) == pytest.approx(70**2 / 180)
    assert mean_wait_s(plan, 0) == pytest.approx(hcm_pedestrian_delay_s(90, 20))
    assert hcm_pedestrian_delay_s(90, 24) == pytest.approx(24.2)
    assert hcm_pedestrian_delay_s(60, 64) == 0


def with_crossing(links: tuple[int, ...] = (1,)) -> RoadNetwork:
    """An approach whose second link index is a crossing."""
    network = single_approach(((30, "Gr"), (3, "yr"), (5, "rr"), (12, "rG"), (10, "rr")))
    crossing = Crossing(
        id="x:c:0", node_id="c", crossed_links=("in",), length_m=8.0, width_m=4.0, controller_id="c",
        link_indices=links, conflicts=(0,),
    )  # fmt: skip
    return replace(network, crossings=(crossing, replace(crossing, id="x:c:1", controller_id=None, link_indices=())))


def test_crossings_of_a_plan() -> None:
    """Walk, mean and longest wait of the signalled crossing; one without a signal is not there."""
    network = with_crossing()
    found = crossing_measures(network, field_plan(network), {"x:c:0": 90.0})
    assert list(found) == ["x:c:0"]
    crossing = found["x:c:0"]
    assert (crossing.walk_s, crossing.wait_max_s, crossing.pedestrians_ph) == (12, 48, 90)
    assert crossing.wait_mean_s == pytest.approx(48**2 / 120)
    assert crossing.hcm_delay_s == pytest.approx(44**2 / 120)


def test_a_crossing_that_never_walks_has_no_wait() -> None:
    """None, not an endless number; the HCM's formula makes it half a cycle."""
    network = with_crossing()
    plan = field_plan(network)
    shut = {"c": replace(plan.controllers["c"], intervals=plan.controllers["c"].intervals[:3])}
    found = crossing_measures(network, replace(plan, controllers=shut))["x:c:0"]
    assert found.wait_mean_s is None
    assert found.wait_max_s is None
    assert found.walk_s == 0
    assert found.hcm_delay_s == pytest.approx(38 / 2)


def test_people_on_foot_count_among_the_persons() -> None:
    """90 of them an hour wait 19.2 s each: they and the people in cars make the signal's and the network's mean."""
    network = with_crossing()
    rows = [(10.0 * n, "in out") for n in range(50)]
    sim = Simulator(network, [trips(network, rows)], begin_s=0.0, end_s=1200.0)
    alone = measure(sim, field_plan(network))
    both = measure(sim, field_plan(network), people=People(pedestrians_ph={"x:c:0": 90.0}))
    for before, after in ((alone.network, both.network), (alone.signals["c"], both.signals["c"])):
        assert before.person_delay_s == pytest.approx(before.delay_s_per_veh)
        assert after.persons == pytest.approx(before.persons + 30)
        waits = before.person_delay_s * before.persons + 30 * 48**2 / 120
        assert after.person_delay_s == pytest.approx(waits / after.persons)


def test_people_need_to_make_sense() -> None:
    """Persons above 0, pedestrians not below, and only where there is a signalled crossing; all faults at once."""
    assert (People().car_persons, People().bus_persons) == (CAR_PERSONS, BUS_PERSONS)
    with pytest.raises(SettingsError, match="car_persons is 0.*\n.*pedestrians_ph of 'x' is -1"):
        People(car_persons=0.0, pedestrians_ph={"x": -1.0})
    with pytest.raises(NetworkError, match="no signalled crossing 'x:c:1'; those of the network are x:c:0"):
        People(pedestrians_ph={"x:c:1": 5.0}).checked(with_crossing())
