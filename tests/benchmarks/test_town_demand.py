"""The synthetic demand of a town: conserved, seeded, by class of road and lanes, loaded as stated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks._quality_daejeon import PERIODS, compared
from benchmarks._town_demand import (
    BUSY_SHARE,
    HOURS,
    MOST_V_OVER_C,
    TownFlows,
    _capacity_vph,
    class_of,
    demand_of,
    summary,
    town_flows,
    turns_csv,
)
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.turns import read_turns
from sim.simulate import Totals
from sim.trips import draw_trips
from tests.network_data.signal_grids import signal_grid


@pytest.fixture(scope="module")
def town() -> tuple[RoadNetwork, TimingPlan, TownFlows]:
    """A small grid of signals, in the place of a town."""
    network = signal_grid(3, 3)
    plan = TimingPlan(controllers={c.id: c.programs[-1] for c in network.controllers.values()})
    return network, plan, town_flows(network, plan, load=0.8, seed=3)


def test_vehicles_are_conserved(town: tuple[RoadNetwork, TimingPlan, TownFlows]) -> None:
    """On every link: what starts there and turns into it, turns out of it or ends there."""
    _, _, flows = town
    index = {name: n for n, name in enumerate(flows.links)}
    a, b = (np.array([index[turn[k]] for turn in flows.turns]) for k in (0, 1))
    into = flows.entering_vph + np.bincount(b, weights=flows.turning_vph, minlength=len(index))
    out = flows.ending_vph + np.bincount(a, weights=flows.turning_vph, minlength=len(index))
    np.testing.assert_allclose(into, out, rtol=1e-6)
    assert flows.entering_vph.sum() == pytest.approx(flows.ending_vph.sum())


def test_the_load_is_what_was_asked(town: tuple[RoadNetwork, TimingPlan, TownFlows]) -> None:
    """Few signalled turns are above the load, none far above what drivers put up with."""
    network, plan, flows = town
    capacity_vph = _capacity_vph(network, plan, flows.turns)
    used = (flows.turning_vph / capacity_vph)[np.isfinite(capacity_vph) & (flows.turning_vph > 1)]
    assert np.mean(used > 0.8 + 1e-6) <= BUSY_SHARE + 1 / len(used)  # the quantile lies between two of them
    assert used.max() < 1.2 * MOST_V_OVER_C


def test_the_same_seed_gives_the_same_town(town: tuple[RoadNetwork, TimingPlan, TownFlows]) -> None:
    """Flows repeat with their seed and differ with another."""
    network, plan, flows = town
    again, other = (town_flows(network, plan, load=0.8, seed=seed) for seed in (3, 4))
    np.testing.assert_array_equal(flows.turning_vph, again.turning_vph)
    assert not np.allclose(flows.turning_vph, other.turning_vph)


def test_the_demand_follows_the_hours(town: tuple[RoadNetwork, TimingPlan, TownFlows], tmp_path: Path) -> None:
    """Quarters of an hour at the level of their hour; the table for --turns holds the same; vehicles can be drawn."""
    network, _, flows = town
    demand = demand_of(flows, begin_s=7 * 3600.0, end_s=9 * 3600.0)
    assert demand.veh.shape == (len(demand.pairs), 8)
    assert demand.veh[:, 4:].sum() / demand.veh[:, :4].sum() == pytest.approx(HOURS[8] / HOURS[7])
    path = tmp_path / "turns.csv"
    path.write_text(turns_csv(demand))
    assert read_turns(path, network).veh.sum() == pytest.approx(demand.veh.sum(), rel=1e-3)
    trips = draw_trips(network, demand, seed=1)
    started = demand.veh[: len(flows.links)].sum()
    assert len(trips) == pytest.approx(started, abs=5 * np.sqrt(started))


def test_classes_by_speed(town: tuple[RoadNetwork, TimingPlan, TownFlows]) -> None:
    """Each road has a class, and the summary counts all kilometres."""
    network, _, flows = town
    assert {class_of(link).name for link in network.links.values()} == {"collector"}
    told = summary(flows, network)
    assert told["collector_veh_km"] > 0
    assert told["arterial_veh_km"] == 0
    assert told["starts_vph"] == pytest.approx(flows.entering_vph.sum())


def test_periods_cover_the_day() -> None:
    """Five plans, in order, each judged at an hour of its own period."""
    ends = [period.from_s for period in PERIODS[1:]] + [86_400.0]
    assert PERIODS[0].from_s == 0
    assert all(p.from_s <= p.hour_s and p.hour_s + 3600 <= end for p, end in zip(PERIODS, ends, strict=True))


def test_a_difference_is_judged_by_pairs() -> None:
    """The same vehicles under both plans: a small difference counts where it is always there."""

    def totals(*delays_s: float) -> list[Totals]:
        return [
            Totals(veh=100, delay_s=100 * x, stops=0.0, blocked_s=0.0, gate_delay_s=0.0, done_veh=100) for x in delays_s
        ]

    row = compared(totals(50, 60, 70), totals(49, 59.1, 68.9))
    assert row["verdict"] == "better"
    assert row["difference_s_per_veh"] == pytest.approx(-1.0)
    assert row["field_se"] == pytest.approx(10 / np.sqrt(3))
    assert compared(totals(50, 60, 70), totals(60, 50, 70))["verdict"] == "no difference"
    assert compared(totals(50, 60, 70), totals(51, 61, 71.1))["verdict"] == "worse"
