"""What counts beside delay: people, fuel, waits on foot."""

import numpy as np
import pytest

from network_data.plans import TimingPlan
from network_data.settings import settings_from
from optimizer.objectives import Weighing, mean_wait_s, weighing_of
from sim.emissions import fuel_rates
from sim.simulate import Simulator, Totals
from tests.builders import field_plan, program, trips, two_signals

TOTALS = Totals(veh=100, delay_s=3000.0, stops=80.0, blocked_s=60.0, gate_delay_s=0.0, done_veh=90)


def weighing(objective: dict, people: dict | None = None) -> Weighing:
    network = two_signals()
    settings = settings_from({"objective": objective, "people": people or {}}, "test")
    some = trips(network, [(float(n), "a0 a1 a2") for n in range(100)])
    return weighing_of(network, settings.objective, settings.people, [some], begin_s=0.0, end_s=3600.0)


def test_weights_add_up_by_hand() -> None:
    """Delay 30 s, stops 0.8, blocked exits 0.6 s per vehicle, each times its weight."""
    assert weighing({}).per_veh_s(TOTALS) == pytest.approx(30.0)
    assert weighing({"stops": 10.0, "queue_overflow": 5.0}).per_veh_s(TOTALS) == pytest.approx(30 + 8 + 3)


def test_fuel_is_idling_and_stops_by_vt_micro() -> None:
    """Millilitres per vehicle: 30 s of idling and 0.8 stops at the speed limit; cruising is left out."""
    network = two_signals()
    speeds = [network.links[link].speed_mps for link in ("a0", "a1")]
    rates = fuel_rates(speeds)
    want_ml = 1000 * (rates.idle_l_per_s * 30 + float(np.mean(rates.stop_l)) * 0.8)
    found = weighing({"delay": 0.0, "fuel": 2.0}).per_veh_s(TOTALS)
    assert found == pytest.approx(2 * want_ml)
    assert 5 < want_ml < 60  # idling some 0.3 mL/s, a stop from 50 km/h some 10 to 30 mL


def test_people_in_cars_share_their_delay_with_those_who_walk() -> None:
    """Without anybody on foot persons wait as long as cars; walkers dilute it and add their own wait."""
    alone = weighing({"delay": 0.0, "person": 1.0}, {"car_persons": 1.5})
    assert alone.per_veh_s(TOTALS) == pytest.approx(30.0)
    mixed = Weighing(alone.objective, walkers={"p": {1: 50.0}}, in_vehicles=150.0)
    assert mixed.per_veh_s(TOTALS) == pytest.approx(30 * 150 / 200)
    plan = program(((27, "Gr"), (3, "yr"), (27, "rG"), (3, "ry")), controller_id="p")
    wait_s = 33**2 / 120
    assert mean_wait_s(plan, 1) == pytest.approx(wait_s)
    assert mixed.beside_s(plan, [1]) == pytest.approx(wait_s * 50 / 200)


def test_waits_on_foot_count_per_crossing() -> None:
    """Each crossing's mean wait times the weight; nothing where the weight is 0."""
    plan = program(((27, "Gr"), (3, "yr"), (27, "rG"), (3, "ry")), controller_id="p")
    assert weighing({"pedestrian": 0.1}).beside_s(plan, [0, 1]) == pytest.approx(0.1 * 2 * 33**2 / 120)
    assert weighing({}).beside_s(plan, [0, 1]) == 0


def test_crossings_of_a_whole_plan_are_found() -> None:
    """Heads that are no crossings do not count."""
    network = two_signals()
    assert weighing({"pedestrian": 1.0}).beside_plan_s(network, field_plan(network)) == 0


def test_a_plan_that_stops_fewer_burns_less() -> None:
    """Held against the simulation: of two offsets the one with fewer stops and less delay also costs less fuel."""
    network = two_signals(offsets_s=(0.0, 30.0))
    some = trips(network, [(3.0 * n, "a0 a1 a2") for n in range(200)])
    sim = Simulator(network, [some], begin_s=0.0, end_s=900.0)
    plans = [field_plan(network), field_plan(two_signals(offsets_s=(0.0, 0.0)))]
    found = [row[0] for row in sim.run([TimingPlan(controllers=plan.controllers) for plan in plans])]
    fuel = weighing({"delay": 0.0, "fuel": 1.0})
    assert (fuel.total_s(found[0]) < fuel.total_s(found[1])) == (
        found[0].stops < found[1].stops and found[0].delay_s < found[1].delay_s
    )
