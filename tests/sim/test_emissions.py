"""Fuel and CO2: VT-Micro's own figures, the linear form over a stop, and the form of TRANSYT it stands in for."""

import numpy as np
import pytest

from sim.emissions import (
    CO2_KG_PER_L,
    STOP_MPS2,
    US_GALLON_L,
    co2_kg,
    fuel_rates,
    transyt_fuel_gal,
    vt_micro_l_per_s,
)


def test_idling_is_the_constant_of_the_model() -> None:
    """At standstill ln F is the first coefficient: 1.57 L/h."""
    assert float(vt_micro_l_per_s(0.0, 0.0)) == pytest.approx(np.exp(-7.73452))
    assert fuel_rates(10.0).idle_l_per_s * 3600 == pytest.approx(1.575, abs=0.001)


def test_cruise_and_acceleration_by_hand() -> None:
    """The polynomial at 50 km/h and 0, and at 36 km/h and 3.6 km/h/s, added up term by term."""
    cruise = -7.73452 + 0.02799 * 50 - 0.0002228 * 50**2 + 1.09e-6 * 50**3
    assert float(vt_micro_l_per_s(50 / 3.6, 0.0)) == pytest.approx(np.exp(cruise))
    assert fuel_rates(50 / 3.6).cruise_l_per_m[0] * 1e5 == pytest.approx(np.exp(cruise) / (50 / 3.6) * 1e5)
    u, a = 36.0, 3.6
    rows = [
        [-7.73452, 0.22946, -0.00561, 9.773e-05],
        [0.02799, 0.0068, -0.00077221, 8.38e-06],
        [-0.0002228, -4.402e-05, 7.90e-07, 8.17e-07],
        [1.09e-06, 4.80e-08, 3.27e-08, -7.79e-09],
    ]
    by_hand = sum(k * u**i * a**j for i, row in enumerate(rows) for j, k in enumerate(row))
    assert float(vt_micro_l_per_s(10.0, 1.0)) == pytest.approx(np.exp(by_hand))
    assert float(vt_micro_l_per_s(10.0, -1.0)) < float(vt_micro_l_per_s(10.0, 0.0))


@pytest.mark.parametrize("speed_kph", [30.0, 50.0, 70.0])
def test_the_linear_form_is_the_integral_over_a_stop(speed_kph: float) -> None:
    """A drive with one stop of 40 s, integrated over its course, is what distance, delay and stop add up to."""
    speed = speed_kph / 3.6
    ramp_s, stand_s, before_m, after_m = speed / STOP_MPS2, 40.0, 200.0, 300.0
    dt = 0.01
    down = np.arange(dt / 2, ramp_s, dt)
    ramps = vt_micro_l_per_s(speed - STOP_MPS2 * down, -STOP_MPS2) + vt_micro_l_per_s(STOP_MPS2 * down, STOP_MPS2)
    rates = fuel_rates(speed)
    driven = float(ramps.sum()) * dt + rates.idle_l_per_s * stand_s
    driven += float(vt_micro_l_per_s(speed, 0.0)) * (before_m + after_m) / speed
    distance_m = before_m + after_m + speed * ramp_s  # each ramp covers half of v · ramp
    delay_s = stand_s + 2 * ramp_s - speed * ramp_s / speed
    added = rates.cruise_l_per_m[0] * distance_m + rates.idle_l_per_s * delay_s + rates.stop_l[0]
    # 0.5 %: the ramps are cut into steps of 0.1 s there and of 0.01 s here
    assert added == pytest.approx(driven, rel=0.005)
    assert rates.stop_l[0] > 0


def test_co2_of_a_gallon() -> None:
    """US EPA, EPA-420-F-23-014: 8,887 g CO2 per US gallon of petrol."""
    assert co2_kg(US_GALLON_L) == pytest.approx(8.887)
    assert pytest.approx(2.348, abs=0.001) == CO2_KG_PER_L


def test_the_form_of_transyt() -> None:
    """30 mph, 100 mi, 2 h of delay, 120 stops: 4.117 + 1.466 + 0.663 = 6.246 gal; ours lies below: newer cars."""
    old_l = transyt_fuel_gal(100, 2, 120, speed_mph=30) * US_GALLON_L
    assert old_l / US_GALLON_L == pytest.approx(6.246, abs=0.001)
    rates = fuel_rates(30 * 0.44704)
    ours_l = rates.cruise_l_per_m[0] * 160_934 + rates.idle_l_per_s * 7200 + rates.stop_l[0] * 120
    assert 0.6 < ours_l / old_l < 1.0


def test_speeds_come_back_in_their_order() -> None:
    """One row per speed asked for, equal speeds alike."""
    rates = fuel_rates([20.0, 10.0, 20.0])
    assert rates.stop_l[0] == rates.stop_l[2] > rates.stop_l[1]
