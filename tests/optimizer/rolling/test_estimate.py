"""Demand and queues from counts: over minutes, back to history without detectors, held by occupancy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from network_data.observations import Observation
from optimizer.rolling.estimate import Estimate, Filter
from optimizer.rolling.layout import detector_layout, prior_of, street_layout
from optimizer.rolling.options import RollingOptions
from tests.optimizer.rolling.scenes import CYCLE_S, Street, arterial, grid


def filter_of(street: Street) -> Filter:
    """The filter of a street."""
    layout = street_layout(street.network)
    return Filter(
        layout, detector_layout(layout, street.detectors), prior_of(layout, street.demand()), RollingOptions()
    )


def fed(filter_: Filter, seen: Observation) -> Estimate:
    """The estimate after an observation, signals half green."""
    count, occupancy = filter_.values(seen)
    green = np.full(len(filter_.layout.target), 0.5)
    return filter_.update(count, occupancy, seen.time_s, seen.interval_s, green)


def test_demand_follows_counts_over_minutes() -> None:
    """With a quarter more traffic than in history the factor rises from cycle to cycle and comes near 1.25."""
    street = arterial(main_vph=600.0)
    filter_ = filter_of(street)
    factors = [fed(filter_, street.seen(60.0 * n, 1.25)).factor.mean() for n in range(1, 31)]
    assert 1.0 < factors[0] < 1.1
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(factors))
    assert factors[-1] == pytest.approx(1.25, abs=0.07)


def test_entries_and_turns_follow_the_factor() -> None:
    """Flows at the ends of links are the history's times the factor; entries too, where the network begins."""
    street = grid(3, 3, vph=600.0)
    filter_ = filter_of(street)
    for n in range(1, 41):
        found = fed(filter_, street.seen(60.0 * n, 1.2))
    prior = filter_.prior
    assert found.choice_vps.sum() == pytest.approx(1.2 * prior.choice_vps[0].sum(), rel=0.05)
    assert found.entry_vps.sum() == pytest.approx(1.2 * prior.entry_vps[0].sum(), rel=0.1)


def test_lost_detectors_degrade_to_history_and_recover() -> None:
    """When all loops fall silent the factor goes back to 1 within minutes, and forward again when they speak."""
    street = grid(2, 2, vph=600.0)
    filter_, names = filter_of(street), tuple(d.id for d in street.detectors)
    for n in range(1, 31):
        up = fed(filter_, street.seen(60.0 * n, 1.4)).factor.mean()
    for n in range(31, 121):
        silent = fed(filter_, street.seen(60.0 * n, 1.4, dead=names)).factor.mean()
    for n in range(121, 151):
        again = fed(filter_, street.seen(60.0 * n, 1.4)).factor.mean()
    assert up > 1.3
    assert silent == pytest.approx(1.0, abs=0.05)
    assert again > 1.3


def test_a_silent_link_goes_with_those_before_it() -> None:
    """A link whose loop is dead takes the factor of the link that feeds it."""
    street = arterial(main_vph=900.0)
    filter_ = filter_of(street)
    for n in range(1, 31):
        found = fed(filter_, street.seen(60.0 * n, 1.5, dead=("a1.0",)))
    at = filter_.layout.index["a1"]
    assert found.factor[at] == pytest.approx(found.factor[filter_.layout.index["a0"]], rel=0.1)


def test_unknown_and_missing_detectors_do_no_harm() -> None:
    """An observation of other detectors says nothing; the history stands."""
    street = arterial()
    filter_ = filter_of(street)
    nothing = np.zeros(1, np.float32)
    seen = Observation(
        time_s=60.0, interval_s=60.0, detector_ids=("elsewhere",), count_veh=nothing + 9, occupancy=nothing,
        health=np.zeros(1, np.uint8),
    )  # fmt: skip
    assert fed(filter_, seen).factor == pytest.approx(1.0)
    empty = Observation(
        time_s=120.0, interval_s=60.0, detector_ids=(), count_veh=nothing[:0], occupancy=nothing[:0],
        health=np.zeros(0, np.uint8),
    )  # fmt: skip
    assert fed(filter_, empty).factor == pytest.approx(1.0)


def test_a_full_stop_line_does_not_lower_demand() -> None:
    """Counts below history at stop lines that are occupied all the time are what was served, not what came."""
    street = arterial(main_vph=1200.0)
    served, little = filter_of(street), filter_of(street)
    for n in range(1, 21):
        jam = fed(served, street.seen(60.0 * n, 0.5, occupancy=0.95))
        calm = fed(little, street.seen(60.0 * n, 0.5, occupancy=0.2))
    assert jam.factor.mean() == pytest.approx(1.0, abs=0.02)
    assert calm.factor.mean() < 0.7


def test_queues_grow_where_stop_lines_are_full_and_go_where_they_are_not() -> None:
    """In less out adds up while the stop line is occupied; an idle stop line says that nothing is left over."""
    street = arterial(main_vph=1200.0)
    filter_ = filter_of(street)
    at = filter_.layout.index["a0"]
    grown = [fed(filter_, street.seen(60.0 * n, 0.7, occupancy=0.95)).queue_veh[at] for n in range(1, 6)]
    assert grown[-1] > grown[0] > 0
    gone = [fed(filter_, street.seen(60.0 * n, 1.0, occupancy=0.2)).queue_veh[at] for n in range(6, 12)]
    assert gone[-1] < 0.1 * grown[-1]
    assert grown[-1] <= filter_.layout.room_veh[at]


def test_the_same_counts_give_the_same_estimate() -> None:
    """Two filters fed alike agree to the last bit."""
    street = grid(2, 2)
    one, other = filter_of(street), filter_of(street)
    for n in range(1, 6):
        a, b = (fed(f, street.seen(CYCLE_S * n, 1.1)) for f in (one, other))
        np.testing.assert_array_equal(a.choice_vps, b.choice_vps)
        np.testing.assert_array_equal(a.queue_veh, b.queue_veh)
