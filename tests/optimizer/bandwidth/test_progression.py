"""Bands of plans in whole seconds: read from greens, widened by offsets, kept as a constraint."""

import pytest

from network_data.bands import bands_of
from network_data.errors import InfeasibleError, SettingsError
from network_data.settings import settings_from
from optimizer.bandwidth.progression import band_on, streets_of, widest_bands, widths
from optimizer.bandwidth.wanted import wanted_bands
from optimizer.flows import mean_flows_vph
from optimizer.offsets.bands import Band, BandStop, band_s
from optimizer.optimize import optimize
from tests.builders import field_plan
from tests.optimizer.scenes import arterial

OFFSETS_S = (0.0, 41.0, 17.0)


def test_a_band_is_the_green_that_all_stops_share() -> None:
    """Greens of 30 s, shifted by the travel time and 10 s more: 20 s are left, also across the end of the cycle."""
    band = Band((BandStop("p", 5, 30), BandStop("q", 0, 30)), (20,))
    assert band_s(band, {"p": 0, "q": 35}, 60) == 20
    assert band_s(band, {"p": 50, "q": 25}, 60) == 20
    assert band_s(band, {"p": 0, "q": 55}, 60) == 0
    assert band.attainable_s == 30


def test_the_band_of_a_plan_is_the_one_the_report_draws() -> None:
    """On a street of three signals the width is what a 1 s grid over an hour shows."""
    network, flows = arterial(offsets_s=OFFSETS_S)
    wanted = wanted_bands(network, mean_flows_vph(flows), settings_from({}, "test"))
    plan = field_plan(network)
    (width,) = widths(wanted.streets, plan)
    drawn = bands_of(wanted.streets[0].forth, plan, 0.0)

    assert drawn is not None
    assert width.width_s == pytest.approx(drawn.through_share * 60, abs=1)
    assert width.attainable_s == 27
    assert width.efficiency == width.width_s / 60


def test_offsets_can_make_a_one_way_band_as_wide_as_its_greens() -> None:
    """One direction alone: the widest band is the shortest green, and the plan with these offsets has it."""
    network, flows = arterial(offsets_s=OFFSETS_S)
    wanted = wanted_bands(network, mean_flows_vph(flows), settings_from({}, "test"))
    found = band_on(wanted.streets[0].forth, field_plan(network))
    assert found is not None
    band, cycle_s = found
    waves = widest_bands([band], cycle_s)

    assert waves is not None
    assert waves.widths_s == (27,)
    assert waves.status == "optimal"
    assert band_s(band, waves.offsets_s, cycle_s) == 27


def test_both_ways_share_what_the_travel_time_leaves() -> None:
    """Two signals, greens of half the cycle, a quarter of it apart: both bands add up to half a cycle."""
    there = Band((BandStop("p", 0, 50), BandStop("q", 0, 50)), (25,))
    back = Band((BandStop("q", 0, 50), BandStop("p", 0, 50)), (25,))
    waves = widest_bands([there, back], 100)
    assert waves is not None
    assert waves.value == 50


def test_a_band_that_cannot_be_is_none() -> None:
    """Half a cycle there and back, and both bands as wide as the shortest green: no offsets."""
    there = Band((BandStop("p", 0, 30), BandStop("q", 0, 20)), (15,), least_s=20)
    back = Band((BandStop("q", 0, 20), BandStop("p", 0, 30)), (15,), least_s=20)
    assert widest_bands([there, back], 60) is None


def test_streets_named_are_cut_and_unknown_ones_refused() -> None:
    """Named controllers give the street between them; others are an error with the streets there are."""
    network, _ = arterial(offsets_s=OFFSETS_S)
    names = list(network.controllers)
    (street,) = streets_of(network, {}, [names[:2]])
    assert set(street.forth.controllers) == set(names[:2])
    with pytest.raises(SettingsError, match="no street passes nowhere"):
        streets_of(network, {}, [["nowhere", names[0]]])


@pytest.mark.parametrize("least_s", [12, 20])
def test_a_band_asked_for_is_kept_by_the_whole_search(least_s: int) -> None:
    """With [bandwidth] least_s every rung's plan leaves the band, whatever the delay says."""
    network, flows = arterial(offsets_s=(0.0, 12.0, 50.0))
    settings = settings_from({"bandwidth": {"least_s": float(least_s)}}, "test")
    answer = optimize(network, flows, field_plan(network), settings, begin_s=0.0, end_s=900.0, iterations=30)
    wanted = wanted_bands(network, mean_flows_vph(flows), settings)
    for step in answer.ladder:
        assert min(one.width_s for one in widths(wanted.streets, step.plan)) >= least_s
    assert answer.bands[0]["width_after_s"] >= least_s


def test_a_band_wider_than_greens_is_infeasible() -> None:
    """The error names street and width."""
    network, flows = arterial(offsets_s=OFFSETS_S)
    settings = settings_from({"bandwidth": {"least_s": 59.0}, "change": {"freeze": ["cycle", "splits"]}}, "test")
    with pytest.raises(InfeasibleError, match="59 s"):
        optimize(network, flows, field_plan(network), settings, begin_s=0.0, end_s=900.0, iterations=5)


def test_worth_of_bands_widens_them() -> None:
    """Where wide bands are worth much, the plan's band is at least as wide as without."""
    network, flows = arterial(offsets_s=OFFSETS_S)
    found = []
    for worth in (0.0, 500.0):
        settings = settings_from({"objective": {"bandwidth": worth}}, "test")
        answer = optimize(network, flows, field_plan(network), settings, begin_s=0.0, end_s=900.0, iterations=30)
        found.append(answer.bands[0]["efficiency_after"])
    assert found[1] >= found[0]
    assert found[1] > 0.4
