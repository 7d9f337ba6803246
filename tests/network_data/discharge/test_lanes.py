"""Saturation flow of lanes: against our own simulation with a given one, and what cannot be told, said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from network_data.detectors import Detector
from network_data.discharge.actuations import read_actuations, read_greens
from network_data.discharge.lanes import Actuations, lane_discharges
from network_data.errors import DemandError
from network_data.plans import TimingPlan
from sim import _tables as k
from sim.simulate import Simulator
from tests.builders import crossing, field_plan, left_turn, single_approach, trips
from tests.network_data.discharge.made import made_lane

NETWORK = single_approach(length_m=900.0)
LOOP = Detector(id="d", link_id="in", lane=0, pos_m=898.0, kind="stopbar")


def simulated(saturation_vph: float, flow_vph: int) -> Actuations:
    """An hour of our own simulation, as a loop at the stop line would see it."""
    depart = np.sort(np.random.default_rng(int(saturation_vph)).uniform(0, 3600, flow_vph))
    made = trips(NETWORK, [(float(t), "in out") for t in depart])
    simulator = Simulator(NETWORK, [made], begin_s=0, end_s=3600, saturation_vph={("in", 0): saturation_vph})
    _, record = simulator.record(field_plan(NETWORK), 0)
    at = record.column(k.LOG_LANE) == simulator.compiled.lane_of["in", 0]
    off = np.sort(record.column(k.LOG_LEAVE)[at] / 10)
    return Actuations(np.maximum(off - 0.7, np.concatenate([[-1.0], off[:-1]])), off)


@pytest.mark.parametrize("saturation_vph", [1300, 1500, 1700, 1900])
@pytest.mark.parametrize("flow_vph", [700, 1100])
def test_our_own_simulation_gives_its_saturation_flow_back(saturation_vph: int, flow_vph: int) -> None:
    """Within 4 %, at v/c from 0.7 to 1.6: early headways of a queue are others than the given one."""
    found = lane_discharges(
        NETWORK, field_plan(NETWORK), [LOOP], {"d": simulated(saturation_vph, flow_vph)}, begin_s=0, end_s=3600
    )["in", 0]
    assert found.basis == "headways"
    assert found.saturation_vph is not None
    assert found.saturation_vph.value == pytest.approx(saturation_vph, rel=0.04)


def test_what_cannot_be_told_is_said() -> None:
    """No signal, a turn that always yields, an actuated controller, short queues, joined vehicles: each is said."""
    rng = np.random.default_rng(1)
    _, on_s, off_s = made_lane(rng, cycle_s=60, green_s=30)
    data = {"d": Actuations(on_s, off_s)}
    plan = field_plan(NETWORK)

    def reason(network=NETWORK, plan=plan, detector=LOOP, data=data) -> str:  # type: ignore[no-untyped-def]
        (found,) = lane_discharges(network, plan, [detector], data, begin_s=0, end_s=3600).values()
        assert found.basis == "none"
        assert found.saturation_vph is None
        return str(found.reason)

    assert "no signal" in reason(detector=replace(LOOP, link_id="out"))
    turning = left_turn()
    assert "yield" in reason(turning, field_plan(turning), replace(LOOP, link_id="wi"))
    actuated = TimingPlan(controllers={"c": replace(plan.controllers["c"], actuated=True)})
    assert "actuated" in reason(plan=actuated)
    assert "too few" in reason(data={"d": Actuations(on_s[:3], off_s[:3])})
    slow = np.arange(5.0, 3600.0, 5.0)
    assert "veh/h" in reason(data={"d": Actuations(slow - 1, slow)}) or "too few" in reason(
        data={"d": Actuations(slow - 1, slow)}
    )


def test_the_loop_nearest_to_the_stop_line_counts() -> None:
    """Advance loops and loops without data are left out."""
    _, on_s, off_s = made_lane(np.random.default_rng(1))
    near, far = replace(LOOP, id="near", pos_m=899.0), replace(LOOP, id="far", pos_m=890.0)
    data = {name: Actuations(on_s, off_s) for name in ("near", "far", "early")}
    early = replace(LOOP, id="early", kind="advance", pos_m=899.9)
    found = lane_discharges(
        NETWORK, field_plan(NETWORK), [far, near, early, LOOP], data, begin_s=0, end_s=3600,
        greens={("in", 0): made_lane(np.random.default_rng(1))[0]},
    )  # fmt: skip
    assert found["in", 0].detector == "near"
    assert found["in", 0].saturation_vph is not None
    assert found["in", 0].saturation_vph.value == pytest.approx(1800, rel=0.05)


def test_two_days_are_two_days_of_greens() -> None:
    """What came a day later is held against the greens of that day."""
    one = simulated(1700, 900)
    both = Actuations(np.concatenate([one.on_s, one.on_s + 86_400]), np.concatenate([one.off_s, one.off_s + 86_400]))
    first, second = (
        lane_discharges(NETWORK, field_plan(NETWORK), [LOOP], {"d": data}, begin_s=0, end_s=3600, days=days)["in", 0]
        for data, days in ((one, 1), (both, 2))
    )
    assert second.n_greens == 2 * first.n_greens
    assert first.saturation_vph is not None
    assert second.saturation_vph is not None
    assert second.saturation_vph.value == pytest.approx(first.saturation_vph.value, rel=0.003)


def test_tables_are_read_and_their_faults_named(tmp_path: Path) -> None:
    """Rows sorted by loop; what is no time, runs backwards or names nothing known is an error with its row."""
    path = tmp_path / "a.csv"
    path.write_text("detector,on_s,off_s\nd,10,11\nother,1,2\nd,5.5,6\n", encoding="utf-8")
    found = read_actuations(path, (LOOP,))
    assert list(found) == ["d"]
    assert found["d"].on_s.tolist() == [5.5, 10]
    path.write_text("detector,on_s,off_s\nd,x,11\nd,9,8\n", encoding="utf-8")
    with pytest.raises(DemandError, match="row 2: on_s is no number") as caught:
        read_actuations(path, (LOOP,))
    assert "row 3: leaves at 8 s, before it came at 9 s" in str(caught.value)
    path.write_text("detector,on_s,off_s\nz,1,2\n", encoding="utf-8")
    with pytest.raises(DemandError, match="none of the detectors"):
        read_actuations(path, (LOOP,))
    with pytest.raises(DemandError, match="before it comes"):
        Actuations(np.array([2.0]), np.array([1.0]))


def test_recorded_greens_are_read(tmp_path: Path) -> None:
    """By lane, in order; lanes that are not there are named."""
    path = tmp_path / "g.csv"
    path.write_text("link,lane,start_s,end_s\nwi,0,60,80\nwi,0,0,20\n", encoding="utf-8")
    assert read_greens(path, crossing())["wi", 0].start_s.tolist() == [0, 60]
    path.write_text("link,lane,start_s,end_s\nwi,3,60,80\nnowhere,0,0,20\n", encoding="utf-8")
    with pytest.raises(DemandError, match="row 2: no lane 3") as caught:
        read_greens(path, crossing())
    assert "nowhere" in str(caught.value)
