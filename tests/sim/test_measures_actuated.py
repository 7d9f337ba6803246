"""Measures under actuated control rest on what the controllers showed: held against the vehicles' record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from its.recognize import load_network
from network_data.actuation import ActuatedController
from network_data.actuation_build import from_intervals
from network_data.formats.sumo_routes import read_routes
from network_data.network import RoadNetwork
from network_data.plans import OPEN, YELLOW, ControllerPlan, TimingPlan
from sim import _tables as k
from sim.compile import TICKS
from sim.measures import measure
from sim.simulate import Simulator
from tests.its.jobs import NETWORK, ROUTES

pytestmark = pytest.mark.kernel
BEGIN_S, WARMUP_S, END_S = 27_000.0, 300.0, 27_900.0


def bounds(program: ControllerPlan) -> tuple[ControllerPlan, list[float | None]]:
    """The program with greens of 8 s and more free between 6 s and 20 s above their own."""
    wide = [d >= 8 and not set(state) & set(YELLOW) for d, state in program.intervals]
    least = tuple(6.0 if w else None for w in wide)
    most = [d + 20 if w else None for w, (d, _) in zip(wide, program.intervals, strict=True)]
    return replace(program, min_durations_s=least), most


@pytest.fixture(scope="module")
def district() -> RoadNetwork:
    """The bundled example's network."""
    return load_network(NETWORK)


@pytest.fixture(scope="module")
def field(district: RoadNetwork) -> TimingPlan:
    """The programs in it."""
    return TimingPlan(controllers={c.id: c.programs[-1] for c in district.controllers.values()})


@pytest.fixture(scope="module")
def actuated(district: RoadNetwork, field: TimingPlan) -> dict[str, ActuatedController]:
    """Every other controller, free between its bounds."""
    out = {}
    for c in list(field.controllers)[::2]:
        program, most = bounds(field.controllers[c])
        out[c] = from_intervals(program, most, district, district.controllers[c])
    return out


@pytest.fixture(scope="module")
def simulator(district: RoadNetwork) -> Simulator:
    """Two realizations of the peak that differ by drivers' speeds."""
    trips = read_routes([ROUTES], district, begin_s=BEGIN_S - WARMUP_S, end_s=END_S)
    return Simulator(district, [trips, trips], begin_s=BEGIN_S, end_s=END_S, warmup_s=WARMUP_S)


def test_nobody_passes_while_red_is_shown(
    simulator: Simulator, field: TimingPlan, actuated: dict[str, ActuatedController]
) -> None:
    """Every passage of a stop line lies in a green or yellow of the plan that was shown, actuated or not."""
    totals, record, shown = simulator.record_shown(field, 0, actuated)
    assert totals == simulator.record(field, 0, actuated)[0]
    connections, n = simulator.compiled.network.connections, 0
    for row in record.rows:
        conn, leave = int(row[k.LOG_CONN]), int(row[k.LOG_LEAVE])
        if (
            conn < 0
            or row[k.LOG_LANE] >= simulator.compiled.n_real_lane
            or leave >= (END_S - BEGIN_S + WARMUP_S) * TICKS
        ):
            continue
        c = connections[conn]
        if c.controller_id is None or c.link_index is None:
            continue
        at_s = BEGIN_S - WARMUP_S + leave / TICKS
        letters = {shown.controllers[c.controller_id].state_at(at_s + d)[c.link_index] for d in (-0.001, 0.001)}
        assert letters & set(OPEN + YELLOW), (c.controller_id, c.link_index, at_s)
        n += 1
    assert n > 3000
    assert all(shown.controllers[c] is field.controllers[c] for c in field.controllers if c not in actuated)


def test_what_was_shown_gives_nearly_the_same_delay_as_a_fixed_plan(
    simulator: Simulator, field: TimingPlan, actuated: dict[str, ActuatedController]
) -> None:
    """Not to the last bit: who yields cannot know the end of a green that is not decided yet."""
    totals, _, shown = simulator.record_shown(field, 0, actuated)
    again, _ = simulator.record(shown, 0)
    assert again.delay_s == pytest.approx(totals.delay_s, rel=0.03)
    assert totals.delay_s != simulator.record(field, 0)[0].delay_s


def test_figures_of_actuated_signals(
    simulator: Simulator, field: TimingPlan, actuated: dict[str, ActuatedController]
) -> None:
    """No cycle and no walks of those that run free; the rest as ever; delay is the mean of the runs."""
    measures = measure(simulator, field, actuated=actuated)
    assert set(measures.cycle_s) == set(field.controllers) - set(actuated)
    assert {x.controller_id for x in measures.crossings.values()}.isdisjoint(actuated)
    runs = simulator.run([field], actuated=actuated)[0]
    assert measures.network.delay_s_per_veh == pytest.approx(sum(t.delay_s_per_veh for t in runs) / len(runs))
    for c in actuated:
        assert 0 < measures.signals[c].on_green < 1  # type: ignore[operator]
        assert measures.signals[c].se["delay_s_per_veh"] is not None
    for group in measures.lane_groups.values():
        if group.controller_id in actuated and group.v_over_c is not None:
            assert 0 <= group.queue_p95_veh <= group.queue_max_veh <= group.storage_veh
