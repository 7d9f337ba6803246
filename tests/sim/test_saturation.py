"""Saturation flow by factors: published values of both manuals."""

from __future__ import annotations

import pytest

from network_data.errors import NetworkError
from sim.khcm_tables import RIGHT_FLOW_FACTOR
from sim.saturation_hcm import (
    bus_factor,
    heavy_grade_factor,
    lane_use_factor,
    lane_use_from_counts,
    left_walk_factor,
    occupancy,
    parking_factor,
    permitted_vph,
    right_walk_factor,
    turn_factor,
    width_factor,
)
from sim.saturation_khcm import (
    khcm_grade_factor,
    khcm_heavy_factor,
    khcm_saturation_vph,
    khcm_width_factor,
    lane_use,
    left_equivalent,
    radius_equivalent,
    right_equivalent,
    roadside_loss_s,
    u_turn_equivalent,
    unprotected_equivalent,
)

# --- HCM ---


def test_hcm_through_lane_of_the_manuals_example() -> None:
    """HCM 7 example 1, exhibit 31-77: 1,900 · 0.961 · 0.90 = 1,643 (5 % heavy), 1,900 · 0.9844 · 0.90 = 1,683."""
    assert heavy_grade_factor([0.05, 0.02]).tolist() == pytest.approx([0.961, 0.9844])
    assert 1900 * float(heavy_grade_factor(0.05)) * 0.90 == pytest.approx(1643, abs=0.5)
    assert 1900 * float(heavy_grade_factor(0.02)) * 0.90 == pytest.approx(1683, abs=0.5)
    assert 1683.3 * float(turn_factor(1.05)) == pytest.approx(1603, abs=0.5)  # its protected lefts


def test_hcm_grade_helps_downhill() -> None:
    """Downhill more, uphill less, by equations 19-9 and 19-10."""
    assert heavy_grade_factor(0.1, -0.02) == pytest.approx((100 - 7.9 + 4.14) / 100)
    assert heavy_grade_factor(0.1, 0.04) == pytest.approx((100 - 7.8 - 0.31 * 16) / 100)


@pytest.mark.parametrize(("width_m", "factor"), [(2.9, 0.96), (3.048, 1.0), (3.2, 1.0), (3.93, 1.0), (3.96, 1.04)])
def test_hcm_lane_width(width_m: float, factor: float) -> None:
    """Exhibit 19-20: below 10 ft, 10 to 12.9 ft, above."""
    assert width_factor(width_m) == factor


def test_hcm_parking_and_buses() -> None:
    """Published: one lane with 5 manoeuvres an hour 0.875; limits of 180 manoeuvres, 250 buses, and 0.05."""
    assert parking_factor(1, 5) == pytest.approx(0.875)
    assert parking_factor(2, None) == 1
    assert parking_factor(1, 500) == parking_factor(1, 180) == pytest.approx(0.05)
    assert bus_factor(2, 20) == pytest.approx((2 - 14.4 * 20 / 3600) / 2)
    assert bus_factor(1, 400) == bus_factor(1, 250)


def test_hcm_lane_use() -> None:
    """Exhibit 19-15, and from counts by equation 19-7."""
    assert [lane_use_factor("through", n) for n in (1, 2, 3, 5)] == [1.0, 0.952, 0.908, 0.908]
    assert lane_use_factor("left", 2) == 0.971
    assert lane_use_factor("right", 3) == 0.885
    assert lane_use_from_counts([525, 475]) == pytest.approx(0.952, abs=0.0005)


def test_hcm_permitted_left() -> None:
    """Equation 31-100: 813 veh/h against 624 (published), the follow-up headway's 1,440 against nobody."""
    assert permitted_vph(624) == pytest.approx(813, abs=0.5)
    assert permitted_vph(0) == pytest.approx(3600 / 2.5, rel=2e-4)


def test_hcm_walkers() -> None:
    """Exhibit 31-77: f_Rpb 0.88 (120 p/h) and 0.98 (40 p/h), f_Lpb 1.00 and 0.98; FHWA's occupancy on both branches."""
    east = {"walkers_per_h": 120, "cycle_s": 101.8, "green_s": 30, "walk_s": 19, "free_exit": True}
    assert right_walk_factor(**east) == pytest.approx(0.88, abs=0.005)
    north = {**east, "walkers_per_h": 40, "green_s": 50, "walk_s": 21}
    assert right_walk_factor(**north) == pytest.approx(0.98, abs=0.005)
    assert left_walk_factor(**east, opposing_queue_s=18.56, opposing_vph=624) == pytest.approx(1.00, abs=0.005)
    assert left_walk_factor(**east, opposing_queue_s=12.94, opposing_vph=424) == pytest.approx(0.98, abs=0.01)
    assert occupancy([200, 1000], 100, 50).tolist() == pytest.approx([0.2, 0.6])
    assert right_walk_factor(**{**east, "walkers_per_h": 0}) == 1


def test_cyclists_add_to_walkers() -> None:
    """Occupancies of people and cyclists join as chances that exclude neither (equation 31-80)."""
    known = {"cycle_s": 100, "green_s": 40, "walk_s": 40}
    both = right_walk_factor(walkers_per_h=200, cyclists_per_h=100, **known)
    on_foot, by_bike = 500 / 2000, 0.02 + 250 / 2700
    assert both == pytest.approx((1 - on_foot) * (1 - by_bike))


def test_hcm_values_out_of_range() -> None:
    """Both faults of one call are named."""
    with pytest.raises(NetworkError) as caught:
        heavy_grade_factor(0.7, 0.2)
    assert len(caught.value.faults) == 2


# --- KHCM ---


def test_khcm_saturation_flow() -> None:
    """Two lanes of 2.8 m, 3 % up, 10 % heavy → 3,676.4 veh/h (computed); turn factors do multiply."""
    known = {"width_m": 2.8, "grade": 0.03, "heavy_share": 0.1}
    assert khcm_saturation_vph(2, **known) == pytest.approx(3676.4, abs=0.05)
    # the R package leaves f_LT and f_RT out of the product
    assert khcm_saturation_vph(2, left_factor=0.9, right_factor=0.8, **known) == pytest.approx(3676.44 * 0.72, abs=0.05)


def test_khcm_road_factors() -> None:
    """Tables 8-15 and 8-16, formula 8-39."""
    assert khcm_width_factor([2.5, 2.6, 2.7, 2.9, 3.0, 3.5]).tolist() == [0.88, 0.88, 0.94, 0.94, 1.0, 1.0]
    assert khcm_grade_factor([-0.05, 0, 0.015, 0.03, 0.06, 0.1]).tolist() == pytest.approx(
        [1, 1, 0.98, 0.96, 0.93, 0.93]
    )
    assert khcm_heavy_factor(0.23) == pytest.approx(1 / 1.184)


def test_khcm_lane_use() -> None:
    """Table 8-5: 1.02, 1.10, 1.15 up to 800 veh/h and lane, 1.00, 1.05, 1.08 above."""
    assert [lane_use(800, n) for n in (1, 2, 3, 4, 6)] == [1.0, 1.02, 1.10, 1.15, 1.15]
    assert [lane_use(801, n) for n in (1, 2, 3, 4)] == [1.0, 1.0, 1.05, 1.08]


@pytest.mark.parametrize(
    ("radius_m", "equivalent"), [(9, 1.14), (9.1, 1.11), (12, 1.11), (15, 1.09), (18, 1.06), (20, 1.05), (20.1, 1.0)]
)
def test_khcm_turning_radius(radius_m: float, equivalent: float) -> None:
    """Table 8-9."""
    assert radius_equivalent(radius_m) == equivalent


def test_khcm_u_turns() -> None:
    """Tables 8-10 and 8-11, linear in between and beyond; two lanes above 30 % are marked."""
    assert [u_turn_equivalent(p / 10, 1)[0] for p in range(1, 7)] == pytest.approx([1.21, 1.39, 1.64, 1.97, 2.55, 3.25])
    assert [u_turn_equivalent(p / 10, 2)[0] for p in (1, 2, 3)] == pytest.approx([1.17, 1.30, 1.48])
    assert u_turn_equivalent(0.32, 1)[0] == pytest.approx(1.64 + 0.2 * 0.33)
    assert u_turn_equivalent(0.7, 1)[0] == pytest.approx(3.95)
    assert u_turn_equivalent(0.4, 2)[1] != ()
    assert u_turn_equivalent(0.2, 2)[1] == ()


def test_khcm_lefts() -> None:
    """E_L is the product of lanes, radius and U-turns."""
    assert left_equivalent(radius_m=14, left_lanes=2, u_turn_share=0.1)[0] == pytest.approx(1.05 * 1.09 * 1.17)
    assert left_equivalent(radius_m=25)[0] == 1.0
    value, unverified = left_equivalent(radius_m=25, beside_shared=True)
    assert value == 1.02
    assert unverified


def test_khcm_unprotected_lefts() -> None:
    """E_1 by hand at 400 opposing vehicles on two lanes; marked as doubtful; opposing overload is named."""
    value, unverified = unprotected_equivalent(opposing_vph=400, left_vph=150, green_share=0.4, opposing_lanes=2)
    assert value == pytest.approx(2200 / (400 * 2.57) + 2200 * 0.6 * 400 / ((4400 - 400) * 150))
    assert unverified
    with pytest.raises(NetworkError, match="protect the turn"):
        unprotected_equivalent(opposing_vph=2300, left_vph=150, green_share=0.4, opposing_lanes=1)


def test_khcm_roadside_friction() -> None:
    """L_H = 0.3 (0.9 V_en + 1.4 V_ex + T_b (75 − l)/75 V_b + 360 + 18 V_park); few buses, or far ones, do not count."""
    buses_s = 10.8 * 45 / 75 * 12
    assert roadside_loss_s(
        entering_vph=100, leaving_vph=50, buses_per_h=12, bus_size="small", bus_stop_m=30, parking_per_h=30
    ) == pytest.approx(0.3 * (90 + 70 + buses_s + 360 + 540))
    assert roadside_loss_s(buses_per_h=9) == roadside_loss_s(buses_per_h=50, bus_stop_m=75) == 0
    assert roadside_loss_s(buses_per_h=20, bus_bay=True) == pytest.approx(0.3 * 1.4 * 20)


def test_khcm_right_turns() -> None:
    """E_R = 1.16 + L_H / (1.63 V_R) by an island; walkers' share of their green without one, marked as doubtful."""
    assert right_equivalent(right_vph=101, roadside_s=34)[0] == pytest.approx(1.16 + 34 / (1.63 * 101))
    value, unverified = right_equivalent(
        right_vph=100, channelized=False, walkers_per_h=800, walk_s=20, cycle_s=120, through_vph=300, lanes=2
    )
    assert value == pytest.approx(1.16 + 22 * (0.6 * 20 / 120 - 1.63 * 300 / (120 * 2 * 100)))
    assert unverified
    assert RIGHT_FLOW_FACTOR == {"channelized": 0.4, "other": 0.5}
