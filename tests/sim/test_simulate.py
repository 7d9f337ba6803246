"""Many plans and realizations through the simulator: same bits whatever the threads, and the clock's symmetries."""

from dataclasses import replace

import numpy as np
import pytest

from network_data.plans import TimingPlan
from sim import _tables as k
from sim.parameters import STREET, SUMO
from sim.simulate import Simulator
from tests.builders import field_plan, left_turn, merge, program, road, trips, two_signals, with_offsets
from tests.sim.runs import run

pytestmark = pytest.mark.kernel
ALIKE = replace(STREET, speed_spread=0.0)


def arterial_trips(network, *, begin_s=0.0, seed=0, n=120, length_s=600.0):
    """Vehicles along the arterial and out of both side streets, at random times in whole ticks."""
    rng = np.random.default_rng(seed)
    departs = np.sort(rng.integers(0, int(length_s * 10), n)) / 10
    routes = rng.choice(("a0 a1 a2", "sp np", "sq nq"), n, p=(0.6, 0.2, 0.2))
    return trips(network, [(begin_s + d, r) for d, r in zip(departs.tolist(), routes, strict=True)])


def simulator(network, *, workers=1, seed=0, n_realizations=3, **more) -> Simulator:
    realizations = [arterial_trips(network, seed=s) for s in range(n_realizations)]
    return Simulator(network, realizations, begin_s=0.0, end_s=600.0, workers=workers, seed=seed, **more)


def test_the_number_of_threads_changes_nothing() -> None:
    """1, 2 and 4 workers give the same totals for all plans and realizations."""
    network = two_signals()
    plans = [with_offsets(field_plan(network), {"q": s}) for s in range(0, 60, 7)]
    answers = [simulator(network, workers=w).run(plans) for w in (1, 2, 4)]
    assert answers[0] == answers[1] == answers[2]
    assert len({row[0].delay_s for row in answers[0]}) > 1


def test_same_seed_same_bits() -> None:
    """A second simulator with the same seed repeats every number; another seed draws other drivers."""
    network = two_signals()
    plan = field_plan(network)
    one, two, other = (simulator(network, seed=s) for s in (5, 5, 6))
    assert one.run([plan]) == two.run([plan])
    assert (one.record(plan, 1)[1].rows == two.record(plan, 1)[1].rows).all()
    assert one.run([plan]) != other.run([plan])


def test_working_memory_carries_nothing_over() -> None:
    """The same plan before and after others, and with a record between, gives the same totals."""
    network = two_signals()
    sim = simulator(network)
    first, other = field_plan(network), with_offsets(field_plan(network), {"q": 31.0})
    before = sim.run([first])
    sim.record(other, 2)
    assert sim.run([other, first])[1:] == before


def test_fetching_ahead_in_large_networks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same totals and rows, whether the state counts as larger than the cache or not."""
    network = two_signals()
    plan, near = field_plan(network), simulator(network)
    monkeypatch.setattr("sim.compile.FAR_ROWS", 0)
    far = simulator(network)
    assert far.run([plan]) == near.run([plan])
    assert (far.record(plan, 1)[1].rows == near.record(plan, 1)[1].rows).all()


def test_a_record_has_the_totals_of_the_run() -> None:
    """Recording changes no number, and what is recorded is what the bare kernel logs."""
    network = two_signals()
    plan = field_plan(network)
    sim = simulator(network, n_realizations=1)
    totals, record = sim.record(plan, 0)
    assert [[totals]] == sim.run([plan])
    done = run(network, arterial_trips(network), plan, length_s=600.0)
    assert [tuple(vars(row).values()) for row in done.log] == [tuple(row) for row in record.rows.tolist()]
    assert totals.delay_s == done.totals["delay"] / 10
    assert totals.done_veh == done.totals["done"]
    assert (record.column(k.LOG_VEH) == record.rows[:, 0]).all()


def test_chosen_realizations_are_those_of_the_full_run() -> None:
    """Realizations 2 and 0 alone give columns 2 and 0 of the whole table."""
    network = two_signals()
    sim, plans = simulator(network), [field_plan(network), with_offsets(field_plan(network), 9.0)]
    whole = sim.run(plans)
    assert sim.run(plans, [2, 0]) == [[row[2], row[0]] for row in whole]


def test_an_offset_moved_by_a_cycle_changes_nothing() -> None:
    """Offsets count modulo the cycle, also negative and far ones."""
    network = two_signals()
    sim, plan = simulator(network), field_plan(network)
    assert len({repr(row) for row in sim.run([with_offsets(plan, {"q": n * 60.0}) for n in (0, 1, -3, 1440)])}) == 1


def test_rotated_intervals_with_the_offset_to_match_change_nothing() -> None:
    """Where a program's table begins is a matter of writing only."""
    network = two_signals()
    rows = ((27, "Gr"), (3, "yr"), (27, "rG"), (3, "ry"))
    plan = field_plan(network)
    turned = TimingPlan(
        controllers={
            "p": plan.controllers["p"],
            "q": program(rows[2:] + rows[:2], controller_id="q", offset_s=30.0),
        }
    )
    sim = simulator(network)
    assert sim.run([plan]) == sim.run([turned])


@pytest.mark.parametrize("delta_s", [0.1, 7.3, 86.0])
def test_shifting_signals_and_departures_shifts_everything(delta_s: float) -> None:
    """All offsets and departures later by δ: the same log, every time later by δ."""
    network = two_signals()
    plan = field_plan(network)
    rows = [(d, "a0 a1 a2" if n % 3 else "sp np") for n, d in enumerate(np.arange(0, 400, 2.5).tolist())]
    base = run(network, trips(network, rows), plan, length_s=600.0)
    later = run(
        network,
        trips(network, [(d + delta_s, r) for d, r in rows]),
        with_offsets(plan, delta_s),
        length_s=600.0 + delta_s,
    )
    shift = round(10 * delta_s)
    times = ("enter", "arrival", "leave")
    assert [{**vars(r), **{t: getattr(r, t) + shift for t in times}} for r in base.log] == [vars(r) for r in later.log]
    assert base.totals == later.totals


def test_the_begin_on_the_clock_changes_nothing() -> None:
    """The same hour at 07:00 with signals and departures to match is the hour at 00:00."""
    network = two_signals()
    plan = field_plan(network)
    base = run(network, arterial_trips(network), plan, length_s=600.0)
    later = run(
        network,
        arterial_trips(network, begin_s=25_207.0),
        with_offsets(plan, 25_207.0),
        begin_s=25_207.0,
        length_s=600.0,
    )
    assert base.log == later.log


def test_warm_up_vehicles_load_the_network_and_do_not_count() -> None:
    """Delay counts only vehicles due from begin on, and the queue of those before is there."""
    network = two_signals()
    early = [(-60.0 + n, "sp np") for n in range(40)]
    late = [(float(n), "sp np") for n in range(0, 100, 10)]
    sims = [
        Simulator(network, [trips(network, rows)], begin_s=0.0, end_s=300.0, warmup_s=60.0)
        for rows in (early + late, late)
    ]
    loaded, empty = (sim.run([field_plan(network)])[0][0] for sim in sims)
    assert loaded.veh == empty.veh == 10
    assert loaded.done_veh == 50
    assert loaded.delay_s > empty.delay_s


def test_who_is_due_after_the_end_counts_nowhere() -> None:
    """Departures at or after the end are no part of the run."""
    network = road(2)
    sim = Simulator(network, [trips(network, [(10.0, "0 1"), (60.0, "0 1"), (75.0, "0 1")])], begin_s=0.0, end_s=60.0)
    totals = sim.run([field_plan(network)])[0][0]
    assert (totals.veh, totals.done_veh) == (1, 1)


def test_no_vehicles_is_no_delay() -> None:
    """An empty demand runs and gives zeros."""
    network = two_signals()
    sim = Simulator(network, [trips(network, [])], begin_s=0.0, end_s=60.0)
    totals = sim.run([field_plan(network)])[0][0]
    assert (totals.veh, totals.delay_s, totals.stops, totals.delay_s_per_veh) == (0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("parameters", [STREET, SUMO, ALIKE])
@pytest.mark.parametrize("network", [two_signals(offsets_s=(5.0, 20.0)), left_turn(wait_m=8.0), merge()])
def test_invariants_hold_under_load(network, parameters) -> None:
    """Every scene, loaded above capacity, passes all checks of a run (they are in `run`)."""
    starts = {
        link: route
        for link, route in (
            ("a0", "a0 a1 a2"), ("sp", "sp np"), ("wi", "wi no"), ("ei", "ei wo"),
            ("main", "main on"), ("minor", "minor on"),
        )
        if link in network.links
    }  # fmt: skip
    rng = np.random.default_rng(1)
    rows = sorted((float(t), route) for route in starts.values() for t in rng.integers(0, 300, 220))
    done = run(network, trips(network, rows), length_s=400.0, parameters=parameters)
    assert done.totals["done"] > 50
    assert done.totals["stops"] > 20
