"""Coordination groups: what distance, platoons and cycles do to the coupling of signals, and where groups are cut."""

from __future__ import annotations

import time

import numpy as np
import pytest

from network_data.errors import NetworkError
from network_data.graph import signal_links
from network_data.groups import GroupRules, coordination_groups, couplings_of, cycle_compatibility, persistence
from sim.platoons import disperse
from tests.builders import two_signals
from tests.network_data.signal_grids import even_flows, signal_grid


def test_platoons_fade_on_the_way() -> None:
    """Robertson's recursion, by hand: none of it is lost at 0 s; F = 0.0562 at 60 s leaves 0.64 of a 90 s wave."""
    assert persistence(0.0, 90.0) == pytest.approx(1.0)
    assert persistence(60.0, 90.0) == pytest.approx(0.64, abs=0.005)
    falling = [persistence(t, 90.0) for t in (0, 10, 30, 60, 120, 240)]
    assert falling == sorted(falling, reverse=True)
    assert persistence(60.0, 60.0) < persistence(60.0, 120.0)  # short waves fade sooner


def test_an_impulse_through_the_recursion_has_that_amplitude() -> None:
    """The closed form is the first harmonic of what the recursion makes of one vehicle."""
    travel_s, cycle_s = 40.0, 80.0
    factor = 1 / (1 + 0.35 * 0.8 * travel_s)
    out = disperse(np.eye(1, 4000)[0], factor, 0)
    wave = np.exp(-2j * np.pi * np.arange(4000) / cycle_s)
    assert abs((out * wave).sum()) == pytest.approx(persistence(travel_s, cycle_s), rel=1e-6)


def test_cycles_that_suit_each_other() -> None:
    """Equal cycles fit wholly, one twice as long by running the other twice, 1.4 times as long by half."""
    assert cycle_compatibility(80, 80) == 1.0
    assert cycle_compatibility(120, 60) == pytest.approx(
        1.0
    )  # the one downstream runs twice: all platoons meet a green
    assert cycle_compatibility(60, 120) == pytest.approx(0.5)  # every second platoon meets the one green
    assert cycle_compatibility(60, 60 * 2**0.5) == pytest.approx(0.5)
    assert cycle_compatibility(40, 170) == 0.0


def test_nearer_and_fuller_pairs_are_coupled_more() -> None:
    """The same street, longer: less coupling; with other cycles: less again."""
    cycles = {"p": 80.0, "q": 80.0}
    strengths = []
    for between_m in (100, 300, 900):
        (coupling,) = couplings_of(signal_links(two_signals(between_m=between_m)), cycles)
        strengths.append(coupling.strength)
    assert strengths == sorted(strengths, reverse=True)
    (apart,) = couplings_of(signal_links(two_signals(between_m=100)), {"p": 80.0, "q": 115.0})
    assert apart.strength < strengths[0] * 0.6


def test_signals_whose_cycles_do_not_fit_part() -> None:
    """Half of the signals of a street suit 80 s, half 113 s: two groups, each in its own cycle."""
    street = signal_grid(6, 1)
    own = {c: 80.0 if int(c.split(".")[0]) <= 3 else 113.0 for c in street.controllers}
    groups = coordination_groups(street, own, even_flows(street), GroupRules(least_coupling=0.5))
    assert {g.signals for g in groups.groups} == {("1.1", "2.1", "3.1"), ("4.1", "5.1", "6.1")}
    assert groups.of["1.1"].cycle_s == 80.0
    assert groups.of["5.1"].cycle_s == 113.0
    (loose,) = coordination_groups(street, own, even_flows(street)).groups
    assert len(loose.signals) == 6


def test_half_cycles_are_told() -> None:
    """A small signal beside busy ones runs twice per cycle."""
    network = signal_grid(3, 1)
    groups = coordination_groups(network, {"1.1": 120.0, "2.1": 60.0, "3.1": 110.0}, even_flows(network))
    (group,) = groups.groups
    assert (group.cycle_s, group.half_cycle) == (120.0, ("2.1",))


@pytest.mark.parametrize("most", [1, 4, 9, 100])
def test_bounds_hold_and_the_books_balance(most: int) -> None:
    """Every signal in one group; traffic inside and across adds up to all that is coupled, across counted twice."""
    network = signal_grid(6, 5)
    own = {c: 70.0 + 3 * n for n, c in enumerate(network.controllers)}
    groups = coordination_groups(network, own, even_flows(network), GroupRules(most_signals=most))
    assert sorted(s for g in groups.groups for s in g.signals) == sorted(network.controllers)
    assert max(len(g.signals) for g in groups.groups) <= most
    total = sum(c.coupled for c in groups.couplings)
    inside, across = sum(g.inside for g in groups.groups), sum(g.across for g in groups.groups)
    assert inside + across / 2 == pytest.approx(total)
    assert groups.inside_share == pytest.approx(inside / total)
    again = coordination_groups(network, own, even_flows(network), GroupRules(most_signals=most))
    assert again.groups == groups.groups


def test_what_cannot_be_grouped() -> None:
    """Signals without a cycle and rules that contradict themselves are named, all together."""
    network = signal_grid(2, 1)
    with pytest.raises(NetworkError, match="no own cycle") as caught:
        coordination_groups(network, {"1.1": 0.0})
    assert len(caught.value.faults) == 2
    with pytest.raises(NetworkError, match="least_coupling") as caught:
        GroupRules(most_signals=0, least_coupling=2.0)
    assert len(caught.value.faults) == 3


@pytest.mark.slow
def test_ten_thousand_signals_take_seconds() -> None:
    """Graph, couplings and groups of a 100 × 100 grid within 10 s."""
    network = signal_grid(100, 100)
    flows, own = even_flows(network), dict.fromkeys(network.controllers, 80.0)
    began_s = time.perf_counter()
    groups = coordination_groups(network, own, flows)
    assert time.perf_counter() - began_s < 10
    assert max(len(g.signals) for g in groups.groups) <= 25
    assert groups.inside_share > 0.7
