"""Tests of layout, estimate and look-ahead on crossings made by hand."""

import numpy as np
import pytest

from network_data.detectors import Detector
from network_data.network import RoadNetwork
from network_data.observations import Observation
from network_data.settings import Settings
from optimizer.local.estimate import Estimate, Outlook
from optimizer.local.layout import Layout, layout_of
from optimizer.local.lookahead import LookAhead, LookAheadSettings
from optimizer.local.runner import NEVER_S, Runner
from optimizer.local.signal_model import SignalModel, signal_model
from optimizer.local.stage_pool import stage_pool
from sim.parameters import STREET
from tests.builders import NetworkBuilder, crossing, field_plan, two_signals
from tests.its.adapt.toy_field import loops


def scene() -> tuple[Layout, SignalModel]:
    """Two streets that cross, loops at both ends of each approach."""
    network = crossing()
    layout = layout_of(network, loops(network, ("wi", "si")))
    plan = field_plan(network).controllers["c"]
    return layout, signal_model(layout, stage_pool(network, network.controllers["c"], plan, Settings()))


def seconds(estimate: Estimate, layout: Layout, rows: list[tuple[dict[str, float], dict[str, float], str]]) -> None:
    """Feed an estimate: (counts, occupancy) by detector and the state shown, second by second."""
    ids = ("wi.a", "wi.s", "si.a", "si.s")
    for t, (count, covered, state) in enumerate(rows, 1):
        seen = Observation(
            time_s=float(t),
            interval_s=1.0,
            detector_ids=ids,
            count_veh=np.array([count.get(x, 0.0) for x in ids], np.float32),
            occupancy=np.array([covered.get(x, 0.0) for x in ids], np.float32),
            health=np.zeros(4, np.uint8),
        )
        lanes = [layout.approaches[lane.approach] for lane in layout.lanes]
        estimate.update(seen, np.array([state[0 if link == "wi" else 1] in "Gg" for link in lanes]))


def lane_of(layout: Layout, link: str) -> int:
    """The only lane of an approach."""
    return next(g for g, lane in enumerate(layout.lanes) if layout.approaches[lane.approach] == link)


def test_stages_and_changes_come_from_the_field_program() -> None:
    """Two stages; three seconds of yellow between them; five seconds at least."""
    _, model = scene()

    assert model.pool.stages == ("Gr", "rG")
    assert model.pool.changes[0, 1] == ("yr", "yr", "yr")
    assert model.pool.hold_s.tolist() == [[1, 5], [5, 1]]


def test_who_passes_the_upstream_loop_comes_to_the_stop_line() -> None:
    """A vehicle is announced for its free travel time later, waits on red, and is gone once it has passed."""
    layout, _ = scene()
    estimate, lane = Estimate(layout, 40), lane_of(layout, "wi")
    seconds(estimate, layout, [({"wi.a": 1.0}, {}, "rG")])
    coming = estimate.outlook().arrival_veh[:, lane]
    assert coming[18:26].max() > 0.9  # 295 m at 50 km/h and imperfect driving

    seconds(estimate, layout, [*[({}, {}, "rG")] * 22, ({"wi.s": 1.0}, {"wi.s": 1.0}, "rG")])
    assert estimate.outlook().queue_veh[lane] == pytest.approx(1.0, abs=0.2)


def test_an_empty_loop_on_red_says_that_nobody_waits() -> None:
    """What should stand there but does not is corrected away within a quarter of a minute."""
    layout, _ = scene()
    estimate, lane = Estimate(layout, 40), lane_of(layout, "wi")
    seconds(estimate, layout, [({"wi.s": 1.0}, {}, "Gr")] + [({"wi.a": 1.0}, {}, "rG")] * 3 + [({}, {}, "rG")] * 60)

    assert estimate.outlook().queue_veh[lane] == pytest.approx(0.0, abs=0.01)


def test_a_loop_that_never_told_anything_rules_nobody_out() -> None:
    """Three passed upstream, the stop line says nothing and never did: they are believed to wait, and to leave."""
    layout, _ = scene()
    estimate, lane = Estimate(layout, 40), lane_of(layout, "wi")
    seconds(estimate, layout, [({"wi.a": 1.0}, {}, "rG")] * 3 + [({}, {}, "rG")] * 60)
    assert estimate.outlook().queue_veh[lane] == pytest.approx(3.0, abs=0.1)

    seconds(estimate, layout, [({}, {}, "Gr")] * 12)
    assert estimate.outlook().queue_veh[lane] == pytest.approx(0.0, abs=0.1)


def test_a_lost_loop_is_replaced_by_its_history() -> None:
    """After ten minutes of one vehicle in ten seconds, a loop that is not sound still announces about as many."""
    layout, _ = scene()
    estimate, lane = Estimate(layout, 60), lane_of(layout, "wi")
    rows = [({"wi.a": float(t % 10 == 0), "wi.s": float(t % 10 == 5)}, {}, "Gr") for t in range(900)]
    seconds(estimate, layout, rows)
    ids = ("wi.a", "wi.s", "si.a", "si.s")
    for t in range(901, 1000):
        lost = Observation(
            time_s=float(t), interval_s=1.0, detector_ids=ids, count_veh=np.zeros(4, np.float32),
            occupancy=np.zeros(4, np.float32), health=np.array([1, 1, 0, 0], np.uint8),
        )  # fmt: skip
        estimate.update(lost, np.array([lane.approach == layout.lanes[0].approach for lane in layout.lanes]))

    assert estimate.outlook().arrival_veh[:20, lane].sum() == pytest.approx(2.0, abs=0.8)


def two_lanes() -> tuple[Layout, list[Detector]]:
    """One approach with two lanes, loops at both ends of each."""
    b = NetworkBuilder()
    for name, ends in (("wi", "w c"), ("eo", "c e")):
        b.link(name, ends, lanes=2)
    for lane in (0, 1):
        b.turn("wi eo", lanes=(lane, lane), head=("c", lane))
    b.program("c", ((57, "GG"), (3, "yy")))
    network = b.build()
    places = ((lane, kind) for lane in (0, 1) for kind in "as")
    detectors = [
        Detector(
            id=f"{x}{lane}",
            link_id="wi",
            lane=lane,
            pos_m=5.0 if x == "a" else 298.0,
            kind="advance" if x == "a" else "stopbar",
        )
        for lane, x in places
    ]
    return layout_of(network, detectors), detectors


def test_one_lost_loop_upstream_leaves_the_others_their_word() -> None:
    """Of two upstream loops one is lost: who passes the other is still announced, the rest comes by the flow."""
    layout, detectors = two_lanes()
    estimate, both, ids = Estimate(layout, 60), np.ones(2, np.bool_), tuple(d.id for d in detectors)
    for t in range(1, 1201):
        lost = t > 900
        counts = [t % 8 == 0 and not lost, t % 8 == 3, (t % 16 == 7 and t < 1190) or t == 1200, t % 16 == 2]
        seen = Observation(
            time_s=float(t), interval_s=1.0, detector_ids=ids, count_veh=np.array(counts, np.float32),
            occupancy=np.zeros(4, np.float32), health=np.array([lost, 0, 0, 0], np.uint8),
        )  # fmt: skip
        estimate.update(seen, both)
    arrival = estimate.outlook().arrival_veh

    assert estimate.rate_vps == pytest.approx([1 / 8, 1 / 16], rel=0.25)
    # the flow of both stop lines less what the sound loop told: one in 8 s
    assert arrival[:15].sum() == pytest.approx(15 / 8, rel=0.4)
    assert arrival[18:26].sum() > 1.0 + 0.6


def test_a_covered_loop_upstream_says_that_the_lane_is_full() -> None:
    """A queue back to the upstream loop holds what the lane stores, whatever was counted, and outlasts a short gap."""
    network = crossing()
    detectors = loops(network, ("wi", "si"))
    layout = layout_of(network, detectors)
    estimate, lane = Estimate(layout, 40, detectors), lane_of(layout, "wi")
    both, ahead = {"wi.a": 1.0, "wi.s": 1.0}, {"wi.a": 1.0}
    seconds(estimate, layout, [({"wi.s": 1.0}, both, "rG")] + [({}, both, "rG")] * 20)
    full_veh = estimate.outlook().queue_veh[lane]
    assert full_veh > 0.9 * 295 / STREET.spacing_m

    seconds(estimate, layout, [({"wi.s": float(t % 2)}, ahead, "Gr") for t in range(10)] + [({}, {}, "Gr")] * 6)
    assert estimate.outlook().queue_veh[lane] > 0.8 * full_veh
    seconds(estimate, layout, [({}, {}, "Gr")] * 6)
    assert estimate.outlook().queue_veh[lane] < 1


def test_neighbours_hear_of_whom_a_signal_will_release() -> None:
    """Twenty vehicles that will leave one signal arrive at the next after the travel time, less who turns."""
    network: RoadNetwork = two_signals(between_m=200.0)
    layout = layout_of(network, loops(network, ("a0", "a1", "sp", "sq")))
    estimate = Estimate(layout, 60)
    outlook = estimate.outlook()
    before = outlook.arrival_veh.copy()
    release = np.zeros((60, len(layout.lanes)))
    release[0:20, lane_of(layout, "a0")] = 1.0
    estimate.announce(release, outlook)
    more = (outlook.arrival_veh - before)[:, lane_of(layout, "a1")]

    assert more.sum() == pytest.approx(20.0, rel=0.01)
    assert more[:12].sum() == 0
    assert np.argmax(more > 0) == pytest.approx(200 / (50 / 3.6), abs=3)


def test_the_look_ahead_serves_who_waits() -> None:
    """With eight on the other street and nobody here, it changes at once; with nobody anywhere it stays."""
    _, model = scene()
    search = LookAhead(model, LookAheadSettings(horizon_s=50))
    nobody = np.zeros((50, 2))
    free = np.zeros(2, np.int64)
    lanes = [0, 1] if model.base[0, 0] > 0 else [1, 0]
    waiting = np.zeros(2)
    waiting[lanes[1]] = 8.0

    choice = search.choose(Outlook(waiting, nobody), 0, free)
    assert (choice.leave_in_s, choice.stage) == (0, 1)
    assert choice.cost_of_s[1] < choice.cost_of_s[0]
    assert search.choose(Outlook(np.zeros(2), nobody), 0, free).stage == -1


def test_the_look_ahead_waits_for_a_platoon() -> None:
    """Six vehicles that arrive in two seconds pass before one that waits across."""
    _, model = scene()
    search = LookAhead(model, LookAheadSettings(horizon_s=50))
    lanes = [0, 1] if model.base[0, 0] > 0 else [1, 0]
    coming = np.zeros((50, 2))
    coming[2:14:2, lanes[0]] = 1.0
    waiting = np.zeros(2)
    waiting[lanes[1]] = 1.0
    choice = search.choose(Outlook(waiting, coming), 0, np.zeros(2, np.int64))

    assert choice.stage == 1
    assert choice.leave_in_s >= 10
    assert choice.release_veh[:14, lanes[0]].sum() > 5


def test_a_stage_that_may_not_go_on_ends() -> None:
    """Where the standing stage is not allowed, the best other comes at once."""
    _, model = scene()
    choice = LookAhead(model, LookAheadSettings(horizon_s=50)).choose(
        Outlook(np.zeros(2), np.zeros((50, 2))), 0, np.array([NEVER_S, 0])
    )
    assert (choice.leave_in_s, choice.stage) == (0, 1)


def test_nobody_is_red_for_too_long() -> None:
    """A runner lets only those stages come next that end a red which is about to get too long."""
    _, model = scene()
    runner = Runner(model.pool, 0)
    for _ in range(100):
        runner.commit()
    assert runner.allowed().tolist() == [True, True]
    for _ in range(45):
        runner.commit()
    assert runner.allowed().tolist() == [False, True]
