"""What loops of every kind say of the flows, and how counts come into other intervals."""

import numpy as np

from network_data.detectors import Detector
from network_data.turning_flows.sensors import lay_out, read
from network_data.turning_flows.series import DaySeries, booked, day_series
from network_data.turning_flows.unknowns import unknowns_of
from tests.network_data.crossroads import FIELD, crossroads, timing
from tests.network_data.turning_flows.test_estimate import counts


def loop(name, link, kind, pos_m):
    """A loop on the one lane of a link."""
    return Detector(id=name, link_id=link, lane=0, pos_m=pos_m, kind=kind)


def series(veh, length_s=300.0):
    """One row of counts from second 0 on."""
    begin_s = length_s * np.arange(len(veh))
    shape = (1, len(veh))
    return DaySeries(
        begin_s, begin_s + length_s, {"a": 0}, np.array([veh], float), np.full(shape, np.nan), np.zeros(shape, bool)
    )


def test_loops_at_the_stop_line_count_what_leaves_and_upstream_ones_what_comes():
    """The equation of a stop-line loop holds the link's turns and trips that end; an upstream one's what turns in."""
    unknowns = unknowns_of(crossroads())
    sensors = lay_out(unknowns, (loop("s", "wi", "stopbar", 195.0), loop("a", "wo", "advance", 5.0)), None)
    leaves, comes = sensors.terms.toarray()
    assert np.flatnonzero(leaves).tolist() == sorted([*unknowns.turns_out["wi"], unknowns.exit["wi"]])
    # a loop behind the junction: an exit loop
    assert np.flatnonzero(comes).tolist() == sorted([*unknowns.turns_in["wo"], unknowns.entry["wo"]])


def test_a_loop_midway_sees_something_of_both():
    """At three quarters of the link, a quarter of what comes and three of what leaves."""
    network = crossroads()
    unknowns, length_m = unknowns_of(network), network.links["wi"].length_m
    (row,) = lay_out(unknowns, (loop("m", "wi", "mid", 0.75 * length_m),), None).terms.toarray()
    np.testing.assert_allclose(row[unknowns.entry["wi"]], 0.25)
    np.testing.assert_allclose(row[list(unknowns.turns_out["wi"])], 0.75)


def test_counts_at_the_stop_line_are_booked_before_the_wait():
    """With a plan, a stop-line count is brought back by the mean wait at red; what comes upstream by its place."""
    network = crossroads()
    unknowns = unknowns_of(network)
    sensors = lay_out(unknowns, (loop("s", "wi", "stopbar", 195.0), loop("a", "ei", "advance", 50.0)), timing(FIELD))
    assert sensors.shift_s[0] < 0
    np.testing.assert_allclose(sensors.shift_s[1], -50.0 / network.links["ei"].speed_mps)


def test_stated_trust_widens_the_error_of_a_loop():
    """A loop said to be off by a third of its count has that error, others the usual one."""
    loops = (loop("s", "wi", "stopbar", 195.0), loop("t", "ei", "stopbar", 195.0))
    sensors = lay_out(unknowns_of(crossroads()), loops, None, {"s": 0.33})
    table = counts(s=10, t=10)
    begin_s = np.arange(0, 3600, 300.0)
    readings = read(sensors, day_series(table), begin_s, begin_s + 300, frozenset({"t"}))
    np.testing.assert_allclose(readings.loose, [0.33, 0.02])
    assert readings.floor_only.tolist() == [False, True]
    np.testing.assert_allclose(readings.veh, 10.0)


def test_shifted_counts_move_between_intervals():
    """Vehicles booked 60 s earlier: a fifth of each interval's moves to the one before."""
    begin_s = np.array([300.0, 600.0])
    veh = booked(series([10, 20, 30, 40]), np.array([0]), np.array([-60.0]), begin_s, begin_s + 300)
    np.testing.assert_allclose(veh, [[0.8 * 20 + 0.2 * 30, 0.8 * 30 + 0.2 * 40]])


def test_counts_of_five_minutes_add_up_to_quarters():
    """Three intervals in one; with one of them missing the rest stands for it, with two missing nothing does."""
    zero, quarter = np.zeros(1), np.array([0.0, 900.0])
    veh = booked(series([10, 20, 30, 5, np.nan, 7]), np.array([0]), zero, quarter, quarter + 900)
    np.testing.assert_allclose(veh, [[60.0, 18.0]])
    gone = booked(series([1, np.nan, np.nan]), np.array([0]), zero, quarter[:1], quarter[:1] + 900)
    assert np.isnan(gone).all()
