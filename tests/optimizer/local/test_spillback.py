"""Tests of full links: room beyond the next stop line, and what the look-ahead makes of it."""

import numpy as np
import pytest

from network_data.observations import Observation
from network_data.settings import Settings
from optimizer.local.estimate import Outlook
from optimizer.local.layout import Layout, layout_of
from optimizer.local.lookahead import Beyond, LookAhead, LookAheadSettings
from optimizer.local.signal_model import SignalModel, signal_model
from optimizer.local.spillback import MOST_WEIGHT, Spillback
from optimizer.local.stage_pool import stage_pool
from sim.parameters import STREET
from tests.builders import crossing, field_plan, two_signals
from tests.its.adapt.toy_field import loops

LINKS = ("a0", "a1", "sp", "sq")


def street() -> tuple[Layout, SignalModel, Spillback]:
    """Two signals 200 m apart; the model is that of the first."""
    network = two_signals(between_m=200.0)
    detectors = loops(network, LINKS)
    layout = layout_of(network, detectors)
    first = next(x for x, lanes in layout.lanes_at.items() if any(layout.lanes[g].feeds for g in lanes))
    plan = field_plan(network).controllers[first]
    model = signal_model(layout, stage_pool(network, network.controllers[first], plan, Settings()))
    return layout, model, Spillback(layout, detectors, 60)


def second(counts: dict[str, float], covered: dict[str, float]) -> Observation:
    """One second of all loops."""
    ids = tuple(f"{link}.{kind}" for link in LINKS for kind in "as")
    return Observation(
        time_s=1.0,
        interval_s=1.0,
        detector_ids=ids,
        count_veh=np.array([counts.get(x, 0.0) for x in ids], np.float32),
        occupancy=np.array([covered.get(x, 0.0) for x in ids], np.float32),
        health=np.zeros(len(ids), np.uint8),
    )


def waiting(layout: Layout, queues: dict[str, float]) -> Outlook:
    """Queues by link, nobody on the way."""
    queue = np.array([queues.get(layout.approaches[lane.approach], 0.0) for lane in layout.lanes])
    return Outlook(queue, np.zeros((60, len(queue))))


def test_an_empty_link_has_room_for_its_storage() -> None:
    """200 m hold as many vehicles as stand in them; nobody counts for more than one."""
    layout, model, spillback = street()
    spillback.update(second({}, {}), waiting(layout, {}))
    beyond = spillback.beyond(model, np.zeros((60, len(layout.lanes))))

    assert beyond.room_veh[0] == pytest.approx(200 / STREET.spacing_m, abs=1)
    assert beyond.weight.tolist() == [1.0] * len(model.lanes)


def test_a_covered_loop_upstream_says_full_and_room_comes_a_wave_later() -> None:
    """No room; what the neighbour will release opens after 200 m at 6 m/s; those who wait behind weigh on its queue."""
    layout, model, spillback = street()
    for _ in range(6):
        spillback.update(second({}, {"a1.a": 1.0}), waiting(layout, {"a0": 30.0, "a1": 9.0}))
    release = np.zeros((60, len(layout.lanes)))
    between = next(g for g, lane in enumerate(layout.lanes) if layout.approaches[lane.approach] == "a1")
    release[5, between] = 1.0
    beyond = spillback.beyond(model, release)

    assert beyond.room_veh[0] == pytest.approx(0.0, abs=0.5)
    assert np.flatnonzero(beyond.opening_veh[:, 0]).tolist() == [5 + round(200 / 6)]
    assert not spillback.open_beyond[model.lanes].all()
    assert 1.0 < spillback._weight[between] <= MOST_WEIGHT


def test_green_before_a_full_link_is_not_given() -> None:
    """Eight wait on the street whose exit is full, three across: across goes first; with room it is the other way."""
    network = crossing()
    layout = layout_of(network, loops(network, ("wi", "si")))
    plan = field_plan(network).controllers["c"]
    model = signal_model(layout, stage_pool(network, network.controllers["c"], plan, Settings()))
    search = LookAhead(model, LookAheadSettings(horizon_s=50))
    west = 0 if model.base[0, 0] > 0 else 1
    model.way[west, 0] = 1.0
    queue = np.full(2, 3.0)
    queue[west] = 8.0
    outlook, now = Outlook(queue, np.zeros((50, 2))), np.zeros(2, np.int64)
    room, full = np.full(1, 1e9), np.zeros(1)

    assert search.choose(outlook, 0, now, Beyond(room, np.zeros((50, 1)), np.ones(2))).stage != -1
    free = search.choose(outlook, 0, now, Beyond(room, np.zeros((50, 1)), np.ones(2)))
    blocked = search.choose(outlook, 0, now, Beyond(full, np.zeros((50, 1)), np.ones(2)))
    assert free.leave_in_s > 10
    assert (blocked.leave_in_s, blocked.stage) == (0, 1)
    assert blocked.release_veh[:, west].sum() == 0
