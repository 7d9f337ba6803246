"""Where changes are felt: neighbours, links of signals, sets of signals that are apart."""

from __future__ import annotations

import numpy as np

from network_data.settings import settings_from
from optimizer.flows import mean_flows_vph
from optimizer.large.places import groups_of
from tests.optimizer.large.towns import town


def test_links_belong_to_the_signal_that_their_traffic_reaches_next() -> None:
    """An approach belongs to its signal, a link out of town to the last one."""
    places = town(3, 2).places
    at = {name: i for i, name in enumerate(places.signals)}
    assert places.link_signal["e1.0"] == at["1.0"]
    assert places.link_signal["e3.0"] == at["2.0"]
    assert places.link_signal["n0.2"] == at["0.1"]


def test_neighbours_lie_upstream_and_downstream() -> None:
    """A crossing in the middle has the four around it, one in a corner two."""
    places = town(3, 3).places
    at = {name: i for i, name in enumerate(places.signals)}
    around = {"1.1", "0.1", "2.1", "1.0", "1.2"}
    assert {places.signals[i] for i in places.near[at["1.1"]]} == around
    assert {places.signals[i] for i in places.near[at["0.0"]]} == {"0.0", "1.0", "0.1"}


def test_signals_that_change_together_have_no_neighbour_in_common() -> None:
    """The places where two of them are felt never overlap, and nobody fits in any more."""
    places = town(5, 4).places
    for seed in range(5):
        chosen = places.apart(np.random.default_rng(seed), range(places.n_signal))
        felt = [set(places.near[i].tolist()) for i in chosen]
        assert sum(map(len, felt)) == len(set().union(*felt))
        assert all(any(set(near.tolist()) & one for one in felt) for near in places.near)


def test_every_open_signal_is_in_one_group_and_tied_ones_in_the_same() -> None:
    """Groups are a partition; a common cycle asked for in the settings joins the groups of its signals."""
    tied = settings_from({"limits": {"common_cycle": [["0.0", "3.2"]]}, "change": {"fixed_signals": ["1.1"]}}, "test")
    at = town(4, 3, settings=tied)
    hood = at.scene.neighbourhood
    cycles_s = {model.controller.id: 60.0 for model in hood.models}
    groups = groups_of(at.scene.network, cycles_s, mean_flows_vph(at.flows), hood)
    names = [sorted(at.places.signals[i] for i in group) for group in groups]
    assert sorted(name for group in names for name in group) == sorted(set(at.places.signals) - {"1.1"})
    assert any({"0.0", "3.2"} <= set(group) for group in names)
