"""Drawings of the report: arms where they are, arrows on the right side, bars and bands at the right second."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from its.report.diagrams import StageDrawer, groups_of, shown_from_stage
from its.report.layout import LEAST_GAP_RAD, layout_of, span_of
from its.report.names import Names, outward_rad
from its.report.plan_view import network_map
from its.report.timespace import time_space
from its.report.timing import bar_diagram, bar_rows
from network_data.arterials import Course, Leg, Stop, find_arterials
from network_data.bands import bands_of, runs
from network_data.formats.sumo_net import read_sumo_net
from network_data.network import Link
from network_data.plans import BarrierGroup, Phase, TimingPlan
from tests.its.report_cases import area, measures
from tests.network_data.crossroads import FIELD, crossroads, program
from tests.packs import ROOT, data_pack

HALF = ((30, "GGGGrrr"), (30, "rrrrGGr"))


def link_along(shape: tuple[tuple[float, float], ...]) -> Link:
    """A link of this shape."""
    return replace(crossroads().links["wi"], shape=shape)


def test_bearing_of_an_approach_is_that_of_its_last_metres() -> None:
    """A bend far from the junction does not turn the arm; a stub shorter than that uses what it has."""
    bent = link_along(((-100.0, 500.0), (-100.0, 0.0), (0.0, 0.0)))
    assert math.degrees(outward_rad(bent, inbound=True)) == pytest.approx(180)
    assert math.degrees(outward_rad(bent, inbound=False)) == pytest.approx(-90)
    assert math.degrees(outward_rad(link_along(((0.0, 5.0), (0.0, 0.0))), inbound=True)) == pytest.approx(90)


def test_arms_and_turns_have_names() -> None:
    """Compass letter of the arm they come from, and the turn."""
    names = Names(crossroads())
    assert names.approach == {"wi": "W", "ei": "E", "ni": "N", "si": "S"}
    assert names.movement("wi>no") == "W left"
    assert names.movement("si>no") == "S through"
    assert names.crossing(crossroads().crossings[0].id) == "N arm"
    ordered = sorted(crossroads().movements.values(), key=names.order)
    assert [names.movement(m.id) for m in ordered] == [
        "N through", "E left", "E through", "S through", "W left", "W through"
    ]  # fmt: skip


def test_traffic_enters_on_the_right_of_its_arm() -> None:
    """From the north one drives in on the west side of the arm (drawn with y down, north up)."""
    layout = layout_of(crossroads(), "c")
    entering, leaving = layout.ports["ni", True], layout.ports["no", False]
    assert layout.stop(entering)[0] < layout.stop(leaving)[0]
    assert layout.stop(entering)[1] < layout.nodes["c"][1]
    assert all(0 <= x <= layout.width and 0 <= y <= layout.height for x, y in map(layout.far, layout.ports.values()))


def test_no_two_arms_lie_on_each_other() -> None:
    """Bologna's joined junctions: every stop line has its own place, nodes keep apart."""
    network = read_sumo_net(data_pack() / "bologna_acosta" / "acosta_buslanes.net.xml")
    for controller_id in network.controllers:
        layout = layout_of(network, controller_id)
        for node_id in layout.nodes:
            angles = sorted(p.at_rad % (2 * math.pi) for p in layout.ports.values() if p.node_id == node_id)
            gaps = [b - a for a, b in zip(angles, [*angles[1:], angles[0] + 2 * math.pi], strict=True)]
            assert min(gaps) > 0.6 * min(LEAST_GAP_RAD, 2 * math.pi / len(angles))
        places = list(layout.nodes.values())
        assert all(math.dist(a, b) > 60 for i, a in enumerate(places) for b in places[i + 1 :])


def test_shortest_arc() -> None:
    """The arc over a crossing's arms runs across north if that is shorter."""
    first, last = span_of([math.radians(350), math.radians(10)])
    assert math.degrees(last - first) == pytest.approx(20)
    assert span_of([1.0]) == (1.0, 1.0)


def test_a_stage_shows_who_goes() -> None:
    """Solid arrows go, dashed ones give way, the others stand at a red bar; a walking crossing is striped."""
    network = crossroads()
    controller, names = network.controllers["c"], Names(network)
    plan = shown_from_stage(program(FIELD), controller)
    rows = StageDrawer(network, controller, names, "streets").rows(groups_of(network, controller, plan))
    stages = rows[0].stages
    assert [s.green_s for s in stages] == [38, 10, 29]
    first = str(stages[0].drawing)
    assert len(re.findall(r'class="arrow"', first)) == 2
    assert len(re.findall(r'class="arrow yields"', first)) == 2
    assert first.count("stop-bar") == 2
    assert first.count('class="zebra"') == 1
    assert str(stages[2].drawing).count('class="zebra"') == 0
    assert stages[1].served == "W left, E left"


def test_rings_are_shown_side_by_side() -> None:
    """Two rings in one barrier group: a row of stages for each, named."""
    network = crossroads()
    phase = Phase(
        name="1", movements=("wi>eo",), permitted=(), crossings=(), green_s=20, yellow_s=3, red_clearance_s=2,
        min_green_s=5, max_green_s=40,
    )  # fmt: skip
    other = replace(phase, name="5", movements=("ei>wo",))
    groups = (BarrierGroup(rings=((phase,), (other,))),)
    rows = StageDrawer(network, network.controllers["c"], Names(network), "streets").rows(groups)
    assert [row.label for row in rows] == ["Barrier group 1, ring 1", "Barrier group 1, ring 2"]
    assert [row.stages[0].name for row in rows] == ["1", "5"]


def test_bars_have_the_length_of_their_greens() -> None:
    """Each signal that shows something of its own has a row; its bars are as long as its letters."""
    network = crossroads()
    controller, names, plan = network.controllers["c"], Names(network), program(FIELD)
    rows = bar_rows(network, controller, names, plan, plan)
    assert [row.label for row in rows] == [
        "E left", "E through", "W left", "W through", "N through", "S through", "crossing N arm"
    ]  # fmt: skip
    svg = str(bar_diagram(network, controller, plan, rows, groups_of(network, controller, plan), plan.cycle_s))
    widths = {css: float(w) for w, css in re.findall(r'width="([\d.]+)" height="11" class="bar (\w+)"', svg)}
    assert widths["walk"] / widths["yellow"] == pytest.approx(10, rel=0.01)
    assert svg.count("walk-clearance") == 1
    assert svg.count('class="stage-number"') == 3


def street(offset_s: float, cycle_s: float = 60.0) -> tuple[Course, TimingPlan]:
    """Two stop lines 20 s apart, half a cycle of green each; the second signal is `offset_s` later."""
    half = ((cycle_s / 2, "GGGGrrr"), (cycle_s / 2, "rrrrGGr"))
    stops = tuple(Stop(c, c, f"{c}i", f"{c}m", (0,), 500.0) for c in "ab")
    plans = {"a": program(HALF, controller_id="a"), "b": program(half, controller_id="b", offset_s=offset_s)}
    return Course(stops, (Leg(("ab",), 250.0, 20.0),)), TimingPlan(controllers=plans)


@pytest.mark.parametrize(("offset_s", "band_s"), [(20.0, 30), (30.0, 20), (10.0, 20), (50.0, 0)])
def test_a_band_is_widest_where_the_offset_is_the_travel_time(offset_s: float, band_s: int) -> None:
    """A larger offset is later: 20 s of travel and 20 s of offset leave the whole green to the band."""
    course, plan = street(offset_s)
    bands = bands_of(course, plan, begin_s=600.0)
    assert bands is not None
    assert max((b - a for a, b in bands.through), default=0) == band_s
    assert bands.between_share == pytest.approx(band_s / 30, abs=0.02)
    assert bands.cycle_s == 60
    if offset_s == 20:
        assert (0, 30) in bands.through  # begins with the green at the begin of the period


def test_bands_of_unlike_cycles_have_no_cycle() -> None:
    """Where cycles differ there is no band per cycle; a plan that lacks a signal has none at all."""
    course, plan = street(0.0, cycle_s=50.0)
    bands = bands_of(course, plan, begin_s=0.0)
    assert bands is not None
    assert bands.cycle_s is None
    assert bands_of(course, TimingPlan(controllers={"a": plan.controllers["a"]}), begin_s=0.0) is None


def test_runs() -> None:
    """Begin and end of each stretch."""
    assert runs(np.array([True, False, True, True])) == ((0, 1), (2, 4))
    assert runs(np.array([False, True]), zero=1) == ((0, 1),)


def test_the_districts_arterial_is_found() -> None:
    """Main Street with its six signals, both ways, is the first; its cross streets follow, none is there twice."""
    network = read_sumo_net(ROOT / "examples" / "district" / "network.net.xml.gz")
    main = {
        m.id: 1000.0 if network.links[m.from_link].name == "Main Street" else 100.0 for m in network.movements.values()
    }
    found = find_arterials(network, main)
    assert found[0].name == "Main Street"
    assert sorted(found[0].forth.controllers) == ["M1", "M2", "M3", "M4", "M5", "M6"]
    assert found[0].back is not None
    assert found[0].back.controllers == found[0].forth.controllers[::-1]
    assert 1500 < found[0].forth.length_m < 1800
    assert len({a.name for a in found}) == len(found) > 2
    field = TimingPlan(controllers={c.id: c.programs[-1] for c in network.controllers.values()})
    drawn = time_space(found[0], field, field, 27000.0, "window")
    assert drawn is not None
    assert len(drawn.rows) == 2
    assert drawn.before.count('class="row-label"') == 6


def test_the_map_shows_where_delay_falls() -> None:
    """Every signal is a dot coloured by its change; labels stand beside it and cover no other."""
    network = read_sumo_net(ROOT / "examples" / "district" / "network.net.xml.gz")
    field = TimingPlan(controllers={c.id: c.programs[-1] for c in network.controllers.values()})
    before, after = measures(network, field, 40.0), measures(network, field, 24.0)
    after.signals["M2"] = area(50.0)
    after.signals["M3"] = area(40.1)
    svg = str(network_map(network, before, after, {"M2": "signal-1"}))
    assert (svg.count("map-better"), svg.count("map-worse"), svg.count("map-even")) == (10, 1, 1)
    assert svg.count("map-name") == 12
    assert '<a href="#signal-1">' in svg
    assert "40.0 → 50.0 s" in svg
