"""Local queue polygons against the textbook, and what they propose."""

from __future__ import annotations

import numpy as np
import pytest

from network_data.settings import Settings
from optimizer.rolling import _polygon_kernels as p
from optimizer.rolling.layout import prior_of
from optimizer.rolling.polygons import Polygons
from optimizer.rolling.start import first_settings, models_of
from tests.optimizer.rolling.scenes import Street, arterial
from tests.optimizer.rolling.test_near_future import drawn


def loaded(street: Street) -> tuple[Polygons, list, np.ndarray]:  # type: ignore[type-arg]
    """Polygons that have seen one run of a street."""
    future, vehicles, book = drawn(street, horizon_s=600.0)
    layout, settings = future.layout, Settings()
    prior = prior_of(layout, street.demand())
    models = models_of(street.network, layout, prior, street.plan, settings)
    current, _ = first_settings(street.network, models, settings)
    polygons = Polygons(layout, models, 600.0)
    outcome = future.run(vehicles, book.at_moment(0.0))
    polygons.remember([polygons.collect(current, future.log, outcome.passages, vehicles.end_s)], 0.0)
    polygons.prepare(current, prior.choice_vps[0], 0.0)
    return polygons, current, prior.choice_vps[0]


def test_even_arrivals_wait_as_the_formula_says() -> None:
    """Flow q against a red of r seconds and saturation s waits q r² / (2 (1 − q/s)) per cycle."""
    polygons, _, _ = loaded(arterial())
    q, s, red, cycle = 0.1, 0.5, 40, 60
    row = 0
    polygons.lanes.profile[row] = q
    polygons.lanes.rate[row] = s
    polygons.lanes.open_share[row] = 0.0
    polygons.lanes.open_share[row, 0] = 1.0
    signal = polygons.lanes.signal[row]
    durations = np.zeros(polygons.timing.duration.shape[1], np.int64)
    durations[:2] = cycle - red, red
    polygons.timing.n_interval[signal] = 2
    got = p.lane_delay(polygons.timing, polygons.lanes, row, durations, 0, 0, np.zeros(cycle))
    # 4 %: the queue moves in whole seconds
    assert got == pytest.approx(q * red**2 / (2 * (1 - q / s)), rel=0.04)


def test_rates_make_polygons_lose_what_lanes_lost() -> None:
    """After the fit each busy lane's polygon has the delay of the run, where rates within the bounds allow it."""
    polygons, _, _ = loaded(arterial(main_vph=400.0, side_vph=300.0))
    kept, lanes, timing = polygons._kept, polygons.lanes, polygons.timing
    assert kept is not None
    for row in np.flatnonzero(kept.delay > 0):
        s = lanes.signal[row]
        got = p.lane_delay(timing, lanes, row, timing.duration[s], timing.offset[s], 0, np.zeros(60))
        # the rate is found to within a hundredth of the saturation flow
        assert got == pytest.approx(kept.delay[row], rel=0.15, abs=3.0)


def test_green_goes_where_it_is_needed() -> None:
    """With the main street short of green, seconds move to it, within the bound on one decision and the rules."""
    polygons, current, _ = loaded(arterial())
    gained = polygons.improve(np.arange(2, dtype=np.int64), offsets=True, splits=True, most_offset_s=12, most_green_s=8)
    proposed = polygons.proposed(current)
    assert gained > 0
    assert set(proposed) == {0, 1}
    for at, setting in proposed.items():
        model = polygons.models[at]
        assert setting.durations_s[0] > current[at].durations_s[0]
        assert np.abs(setting.durations_s - current[at].durations_s).max() <= 8
        assert model.skeletons[setting.skeleton].allows(setting.durations_s)
        assert setting.cycle_s == current[at].cycle_s


def test_what_is_taken_back_is_no_longer_proposed() -> None:
    """A signal taken back shows its old seconds again, and what it sends comes when it did."""
    polygons, current, _ = loaded(arterial())
    polygons.improve(np.arange(2, dtype=np.int64), offsets=True, splits=True, most_offset_s=12, most_green_s=8)
    polygons.take_back([0])
    assert 0 not in polygons.proposed(current)
    assert (polygons.lanes.shift[polygons._feeds == 0] == 0).all()


def test_platoons_turn_with_what_is_adopted() -> None:
    """After a signal's offset moved, what it sends is remembered as coming so much later."""
    polygons, _, _ = loaded(arterial())
    kept = polygons._kept
    assert kept is not None
    row = int(np.flatnonzero(polygons._feeds == 0)[0])
    before = kept.profile[row].copy()
    polygons.lanes.shift[row] = 7
    polygons.adopt()
    np.testing.assert_allclose(kept.profile[row], np.roll(before, 7))


def test_memory_is_kept_on_the_clock() -> None:
    """A run that began 20 s later in the cycle speaks of the same seconds of the clock."""
    polygons, current, _ = loaded(arterial())
    kept = polygons._kept
    assert kept is not None
    profile = kept.profile.copy()
    again = np.zeros_like(profile)
    p.blend(again, profile, kept.cycle, kept.cycle, kept.clock_s - 20, 1.0)
    np.testing.assert_allclose(again[:, 0], profile[:, 20])
    assert len(current) == 2
