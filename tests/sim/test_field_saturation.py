"""Lane groups: measured where their loops tell, by the manual where they cannot."""

from __future__ import annotations

import pytest

from network_data.discharge.headways import Range
from network_data.discharge.lanes import LaneDischarge
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim.closed_forms import ClosedFormSettings, closed_form
from sim.field_saturation import field_saturations, field_start_up_s, field_start_ups, group_discharges
from sim.parameters import STREET
from sim.saturation import SaturationSettings
from tests.builders import NetworkBuilder


def three_lanes() -> RoadNetwork:
    """Two through lanes and one to the left."""
    b = NetworkBuilder()
    b.link("in", "a c", lanes=3)
    b.link("on", "c z", lanes=2)
    b.link("left", "c l")
    b.turn("in on", lanes=(0, 0), head=("c", 0))
    b.turn("in on", lanes=(1, 1), head=("c", 0))
    b.turn("in left", lanes=(2, 0), direction="l", head=("c", 1))
    b.program("c", ((30, "Gr"), (30, "rG")))
    return b.build()


def told(lane: int, vph: float) -> LaneDischarge:
    """A lane with a figure ± 50 veh/h and a start-up loss of 2 s ± 1."""
    return LaneDischarge(
        link="in", lane=lane, detector=f"d{lane}", basis="headways",
        saturation_vph=Range(value=vph, low=vph - 50, high=vph + 50),
        startup_loss_s=Range(value=2.0, low=1.0, high=3.0),
    )  # fmt: skip


def test_measured_lanes_stand_in_for_their_group_and_a_manual_for_the_rest() -> None:
    """One of two through lanes is measured: the other counts like it; the left turn follows the HCM or KHCM."""
    network = three_lanes()
    silent = LaneDischarge(link="in", lane=2, detector="d2", basis="none", reason="too few vehicles queued")
    found = {("in", 0): told(0, 1700.0), ("in", 2): silent}
    groups = group_discharges(network, found)
    through, left = groups["in:0+1"], groups["in:2"]
    assert (through.basis, through.saturation_vph, through.per_lane_vph) == ("partly", 3400.0, 1700.0)
    assert through.range == Range(value=3400.0, low=3300.0, high=3500.0)
    assert through.reasons == ("lane 1: no stop-bar loop",)
    assert (left.basis, left.range, left.startup_loss_s) == ("hcm", None, None)
    assert left.saturation_vph == pytest.approx(1900 / 1.05)
    assert left.reasons == ("lane 2: too few vehicles queued",)
    assert field_saturations(groups, found) == {("in", 0): 1700.0, ("in", 1): 1700.0}
    korean = group_discharges(network, found, SaturationSettings(standard="khcm"))["in:2"]
    assert korean.basis == "khcm"
    assert korean.saturation_vph > left.saturation_vph


def test_all_lanes_measured() -> None:
    """Flows and ranges add up, losses are means."""
    found = {("in", 0): told(0, 1700.0), ("in", 1): told(1, 1800.0)}
    group = group_discharges(three_lanes(), found)["in:0+1"]
    assert (group.basis, group.saturation_vph, group.reasons) == ("field", 3500.0, ())
    assert group.range == Range(value=3500.0, low=3400.0, high=3600.0)
    assert group.startup_loss_s == Range(value=2.0, low=1.0, high=3.0)


def test_a_measured_start_up_loss_reaches_the_closed_forms() -> None:
    """The median of the measured lanes; with it greens serve less than with a smaller loss; None without any."""
    network = three_lanes()
    found = {("in", n): told(n, 1800.0) for n in range(3)}
    start_up_s = field_start_up_s(found)
    assert start_up_s == 2.0
    assert field_start_up_s({}) is None
    plan = TimingPlan(controllers={c: x.programs[-1] for c, x in network.controllers.items()})
    flows = {("in", "on"): 600.0, ("in", "left"): 200.0}
    small, measured = (
        closed_form(network, plan, flows, ClosedFormSettings(start_up_s=x)) for x in (start_up_s / 2, start_up_s)
    )
    for group in measured:
        assert measured[group].capacity_vph < small[group].capacity_vph


def test_a_measured_start_up_loss_reaches_the_simulation() -> None:
    """The fourth of a queue passes when four saturation headways and the measured loss are over, on all lanes."""
    found = {("in", 0): told(0, 1800.0)}
    start_ups = field_start_ups(group_discharges(three_lanes(), found))
    behind = STREET.second_headway_s + 2 * STREET.early_headway_s
    assert start_ups == {lane: pytest.approx(2.0 + 4 * 2.0 - behind) for lane in (("in", 0), ("in", 1))}
