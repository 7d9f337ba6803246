"""Fuel and CO2 of what the queue simulation moved: VT-Micro over each stop, cruise and idling, as TRANSYT adds them up.

The queue simulation knows distances, delays and stops, no trajectories. As in TRANSYT the fuel is
F = k1 · distance + k2 · delay + k3 · stops, but the three coefficients are those of VT-Micro [1]_: k1 cruising at the
speed limit, k2 idling, k3 what braking to standstill and accelerating again burn beyond the cruise over that distance
and the idling over that delay (a stop's own delay is part of the delay).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

MODEL = "VT-Micro (Ahn, Rakha et al. 2002), light-duty composite vehicle; CO2 by EPA-420-F-23-014"
"""What fuel and CO2 figures rest on; printed with them."""
US_GALLON_L = 3.785411784
CO2_KG_PER_L = 8.887 / US_GALLON_L
"""Of petrol: 8,887 g CO2 per US gallon (US EPA, EPA-420-F-23-014; 75 FR 25324). Diesel: 10,180 g. [kg/L]"""
STOP_MPS2 = 1.5
"""Braking and accelerating of a stop: the hardest braking that VT-Micro was measured at. [m/s²]"""
STEP_S = 0.1

_ACCELERATING = np.array(
    [
        [-7.73452, 0.22946, -0.00561, 9.773e-05],
        [0.02799, 0.0068, -0.00077221, 8.38e-06],
        [-0.0002228, -4.402e-05, 7.90e-07, 8.17e-07],
        [1.09e-06, 4.80e-08, 3.27e-08, -7.79e-09],
    ]
)
_BRAKING = np.array(
    [
        [-7.73452, -0.01799, -0.00427, 0.00018829],
        [0.02804, 0.00772, 0.00083744, -3.387e-05],
        [-0.00021988, -5.219e-05, -7.44e-06, 2.77e-07],
        [1.08e-06, 2.47e-07, 4.87e-08, 3.79e-10],
    ]
)


class FuelRates(NamedTuple):
    """Coefficients of the linear form, by speed of cruise."""

    cruise_l_per_m: Floats
    idle_l_per_s: float
    stop_l: Floats


def vt_micro_l_per_s(speed_mps: ArrayLike, accel_mps2: ArrayLike) -> Floats:
    """Fuel rate of the light-duty composite vehicle.

    Parameters
    ----------
    speed_mps, accel_mps2 : array_like, of shapes that broadcast
        Measured between 0 and 121 km/h, -1.5 and 3.7 m/s²; nothing is known beyond.

    Returns
    -------
    ndarray
        [L/s]

    Notes
    -----
    ln F = Σ K[i, j] u^i a^j, i, j = 0…3, u in km/h, a in km/h/s, one K for a ≥ 0 and one for a < 0. The coefficients
    agree in four independent published transcriptions; the original paper's table was not at hand.

    References
    ----------
    .. [1] K. Ahn, H. Rakha, A. Trani, M. Van Aerde, "Estimating vehicle fuel consumption and emissions based on
       instantaneous speed and acceleration levels", J. Transp. Eng. 128(2), 182-190, 2002; coefficients in SI units
       after M. Alsabaan, K. Naik, T. Khalifa, A. Nayak, "Applying vehicular networks for reduced vehicle fuel
       consumption and CO2 emissions", InTech, 2012.
    """
    u, a = np.broadcast_arrays(np.asarray(speed_mps) * 3.6, np.asarray(accel_mps2) * 3.6)
    log_rate = [np.polynomial.polynomial.polyval2d(u, a, k) for k in (_ACCELERATING, _BRAKING)]
    return np.asarray(np.exp(np.where(a >= 0, log_rate[0], log_rate[1])))


def fuel_rates(speed_mps: ArrayLike) -> FuelRates:
    """Coefficients of F = k1 · distance + k2 · delay + k3 · stops at these speeds of cruise, shape (N,) each."""
    speeds = np.atleast_1d(np.asarray(speed_mps, np.float64))
    distinct, back = np.unique(speeds, return_inverse=True)
    idle = float(vt_micro_l_per_s(0.0, 0.0))
    cruise = vt_micro_l_per_s(distinct, 0.0) / distinct
    stop = np.array([_stop_l(float(v), float(k1), idle) for v, k1 in zip(distinct, cruise, strict=True)])
    return FuelRates(cruise_l_per_m=cruise[back], idle_l_per_s=idle, stop_l=stop[back])


def _stop_l(speed_mps: float, cruise_l_per_m: float, idle_l_per_s: float) -> float:
    """Fuel of one stop beyond cruise and idling. [L]"""
    ramp_s = speed_mps / STOP_MPS2
    n = max(1, round(ramp_s / STEP_S))
    at_mps = (np.arange(n) + 0.5) / n * speed_mps
    ramps = vt_micro_l_per_s(at_mps, STOP_MPS2) + vt_micro_l_per_s(at_mps, -STOP_MPS2)
    burnt = float(ramps.sum()) * ramp_s / n
    # either ramp covers half the distance of the cruise, so that both cover v · ramp and lose one ramp of time
    return burnt - cruise_l_per_m * speed_mps * ramp_s - idle_l_per_s * ramp_s


def co2_kg(fuel_l: float) -> float:
    """CO2 of burnt petrol. [kg]"""
    return fuel_l * CO2_KG_PER_L


def transyt_fuel_gal(travel_mi: float, delay_h: float, stops: float, *, speed_mph: float) -> float:
    """Fuel by the form and the coefficients of TRANSYT-7F and Synchro, for comparison only.

    The coefficients are unverified (second-hand; the fleet is that of the 1980s): no measure rests on them.

    Returns
    -------
    float
        [US gal]
    """
    k1 = 0.075283 - 0.0015892 * speed_mph + 0.000015066 * speed_mph**2
    return k1 * travel_mi + 0.7329 * delay_h + 6.1411e-6 * speed_mph**2 * stops
