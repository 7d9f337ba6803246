"""Cyclic flow profiles: Robertson's recursion by published numbers, cyclic queues by hand, sweeps and their end."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_data.demand import Demand
from network_data.errors import PlanError
from network_data.plans import TimingPlan
from sim.parameters import SimParameters
from sim.platoons import TRANSYT, Dispersion, disperse, robertson
from sim.profile import Profile, overflow_s, random_delay_s
from tests.builders import crossing, demand, field_plan, left_turn, single_approach, two_signals, with_offsets
from tests.sim.test_wave import HALF, TRIANGULAR, one_road, two_way_demand


def test_robertson_parameters_of_the_worked_example() -> None:
    """T_a = 22.8 s, σ = 5.951 s, n = 10 s: β = 0.878, α = 0.139, F = 0.783 (NPTEL 543, platoon dispersion).

    The source rounds β before it takes α from it.
    """
    alpha, beta, factor = robertson(22.8, 5.951, 10.0)

    assert (alpha, beta, factor) == (
        pytest.approx(0.139, abs=6e-4),
        pytest.approx(0.878, abs=5e-4),
        pytest.approx(0.783, abs=5e-4),
    )


def test_platoon_of_the_worked_example() -> None:
    """20 10 15 18 14 12 per 10 s arrive two steps later as 15.66 11.23 14.18 17.17 14.69 12.58 2.73 … (NPTEL 543)."""
    upstream = np.array([20, 10, 15, 18, 14, 12] + [0] * 20, float)
    down = disperse(upstream, 0.783, 2)

    np.testing.assert_allclose(down[2:9], [15.66, 11.23, 14.18, 17.17, 14.69, 12.58, 2.73], atol=0.006)
    assert down.sum() == pytest.approx(89, abs=1e-6)


def test_default_factor_of_30_seconds() -> None:
    """TRANSYT's α = 0.35 and β = 0.8: F(30 s) = 0.1064, the head arrives after 24 s."""
    lag_s, factor = TRANSYT.of(np.array([30.0]))

    assert factor[0] == pytest.approx(0.1064, abs=5e-5)
    assert lag_s[0] == pytest.approx(24.0)


def test_factor_one_is_a_pure_shift() -> None:
    """F = 1: the platoon arrives as it left."""
    upstream = np.array([0, 3, 1, 4, 0, 0, 0], float)

    assert disperse(upstream, 1.0, 3).tolist() == [0, 0, 0, 0, 3, 1, 4]


@settings(deadline=None, max_examples=30, derandomize=True)
@given(factor=st.floats(0.05, 1.0), lag=st.integers(0, 20))
def test_nobody_gets_lost_on_the_way(factor: float, lag: int) -> None:
    """The sum of a platoon is the same up- and downstream."""
    upstream = np.concatenate([np.arange(10.0), np.zeros(1000)])

    assert disperse(upstream, factor, lag).sum() == pytest.approx(45.0, rel=1e-9)


def test_spread_speeds_give_less_dispersion_than_transyt() -> None:
    """Free flow with speeds within 7 % keeps platoons; parking and friction do not."""
    travel = np.array([10.0, 30.0, 60.0])

    assert (Dispersion().of(travel)[1] > TRANSYT.of(travel)[1]).all()


def profile_of(network, flows: Demand, **options) -> Profile:
    return Profile(network, flows, parameters=TRIANGULAR, **options)


def uniform_delay_s(red_s: float, cycle_s: float, q_vps: float, s_vps: float) -> float:
    """Uniform delay: r² / (2 C (1 − q/s)). [s/veh]"""
    return red_s**2 / (2 * cycle_s * (1 - q_vps / s_vps))


def test_delay_of_one_approach_is_uniform_plus_random() -> None:
    """r = g = 30 s and 720 veh/h: 11.768 s/veh, and what arrivals at random add by HCM's second term."""
    profile = profile_of(single_approach(HALF), one_road(60))
    result = profile.run([field_plan(single_approach(HALF))])
    saturation = 1985.3 / 3600
    random = float(random_delay_s(np.array(0.2), np.array(saturation / 2), 900.0))

    assert uniform_delay_s(30, 60, 0.2, saturation) == pytest.approx(11.768, abs=5e-4)
    assert result.delay_s_per_veh[0] - random == pytest.approx(11.768, rel=0.01)
    assert result.saturation[0, 0] == pytest.approx(720 / (1985.3 / 2), rel=1e-3)


def test_random_and_oversaturation_delay_are_hcms_second_term() -> None:
    """v = 800, c = 775, T = 0.25 h: d2 = 40.90 s (Roess and Prassas' exercise, worked out).

    Here the oversaturation part counts up to the end of the period only; HCM's counts until the last has left.
    """
    random_s = float(random_delay_s(np.array(800 / 3600), np.array(775 / 3600), 900.0))

    assert random_s + 1800 * 0.25 * (800 / 775 - 1) == pytest.approx(40.90, abs=0.005)


def test_clumped_arrivals_wait_longer() -> None:
    """At low load the random delay is proportional to how clumped arrivals are."""
    flow, capacity = np.array(0.05), np.array(0.25)
    plain, clumped = (float(random_delay_s(flow, capacity, 900.0, i)) for i in (1.0, 4.0))

    assert 3.5 < clumped / plain < 4.0


@pytest.mark.parametrize(
    ("left", "flow", "after", "waited"),
    [(0.0, 0.3, 0.0, 0.0), (0.0, 0.6, 10.0, 500.0), (10.0, 0.6, 20.0, 1500.0), (10.0, 0.3, 0.0, 250.0)],
)
def test_what_is_left_over(left: float, flow: float, after: float, waited: float) -> None:
    """100 s at 0.5 veh/s: growing and clearing queues by hand."""
    found = overflow_s(np.array(left), np.array(flow), np.array(0.5), 100.0)

    assert (float(found[0]), float(found[1])) == (pytest.approx(after), pytest.approx(waited))


def test_both_sides_of_a_crossing_are_alike() -> None:
    """A symmetric crossing with symmetric flows has symmetric delays."""
    flows = demand({("", "wi"): 40, ("wi", "eo"): 40, ("", "si"): 40, ("si", "no"): 40})
    network = crossing()
    result = profile_of(network, flows).run([field_plan(network)])
    by_link = dict(zip(result.links, result.link_delay_s[0], strict=True))

    assert by_link["wi"] == pytest.approx(by_link["si"], rel=1e-6)


def test_all_offsets_together_change_nothing() -> None:
    """Shifting the whole network changes no delay."""
    network = two_signals(offsets_s=(0.0, 20.0))
    plan = field_plan(network)
    delays = profile_of(network, two_way_demand()).delays([plan, with_offsets(plan, 60.0), with_offsets(plan, 17.0)])

    np.testing.assert_allclose(delays, delays[0], rtol=1e-5)


@pytest.mark.parametrize("dispersion", [Dispersion(), TRANSYT])
def test_a_green_wave_is_seen(dispersion: Dispersion) -> None:
    """The best offset lets the platoon pass, the worst makes it wait; the more platoons spread, the less it matters."""
    network = two_signals()
    plans = [with_offsets(field_plan(network), {"q": float(x)}) for x in range(60)]
    result = profile_of(network, two_way_demand(), dispersion=dispersion).run(plans)
    between = result.link_delay_s[:, result.links.index("a1")]

    assert 20 <= int(np.argmin(between)) <= 34
    assert between.max() > (3 if dispersion.alpha is None else 1.3) * between.min()


def test_neighbours_in_other_cycles_come_evenly() -> None:
    """With another cycle upstream the offset across does not matter: arrivals count as uniform."""
    network = two_signals()
    plan = field_plan(network)
    short = field_plan(two_signals(((22, "Gr"), (3, "yr"), (22, "rG"), (3, "ry"))))
    mixed = TimingPlan(controllers={"p": short.controllers["p"], "q": plan.controllers["q"]})
    plans = [mixed, with_offsets(mixed, {"q": 13.0}), with_offsets(mixed, {"q": 31.0}), plan]
    delays = profile_of(network, two_way_demand()).delays(plans)

    np.testing.assert_allclose(delays[:3], delays[0], rtol=1e-4)
    assert abs(delays[3] / delays[0] - 1) > 0.01


def test_plans_of_a_batch_may_have_other_cycles() -> None:
    """Each plan has the delay that it has alone."""
    network, plans = two_signals(), []
    for cycle in (40, 60, 75, 90, 120):
        half = cycle / 2 - 3
        rows = ((half, "Gr"), (3, "yr"), (half, "rG"), (3, "ry"))
        plans.append(field_plan(two_signals(rows, offsets_s=(0.0, 11.0))))
    profile = profile_of(network, two_way_demand())
    together = profile.delays(plans)

    np.testing.assert_allclose(together, [profile.delays([plan])[0] for plan in plans], rtol=1e-5)


def test_warm_start_needs_fewer_sweeps() -> None:
    """From the profiles of a plan near it two sweeps settle what takes more from nothing."""
    network = two_signals(offsets_s=(0.0, 20.0, 40.0, 10.0, 30.0))
    pairs = {("", "a0"): 50.0} | {(f"a{n}", f"a{n + 1}"): 50.0 for n in range(5)}
    pairs |= {pair: 20.0 for n in "pqrst" for pair in (("", f"s{n}"), (f"s{n}", f"n{n}"))}
    profile = profile_of(network, demand(pairs))
    plan = field_plan(network)
    changed = [with_offsets(plan, {"r": 7.0})]
    near = profile.settled(plan)
    cold = profile.run(changed)
    warm = profile.run(changed, near=near)

    assert warm.delay_s[0] == pytest.approx(cold.delay_s[0], rel=1e-3)
    assert warm.sweeps <= cold.sweeps


def test_oversaturation_costs_what_the_excess_grows_to() -> None:
    """At twice the capacity half of those who came stand at the end: a quarter of the period each, on average."""
    capacity = 1985.3 / 2 / 12
    result = profile_of(single_approach(HALF), one_road(2 * capacity)).run([field_plan(single_approach(HALF))])

    assert result.saturation[0, 0] > 2.0
    # uniform delay at capacity, r / 2, and the random part come on top
    assert result.delay_s_per_veh[0] == pytest.approx(900, rel=0.05)


def test_a_peak_is_served_later() -> None:
    """What a period cannot serve waits and is served in the next: the same flow over the hour costs less if even."""
    network = single_approach(HALF)
    even = Profile(network, one_road(70), parameters=TRIANGULAR)
    veh = [120.0] * 3 + [53.0] * 9
    flows = demand({("", "in"): veh, ("in", "out"): veh, ("out", ""): veh})
    peak = Profile(network, flows, parameters=TRIANGULAR)
    plan = field_plan(network)

    assert peak.flows.veh == pytest.approx(even.flows.veh, rel=0.01)
    assert peak.delays([plan])[0] > even.delays([plan])[0] + 30


def test_more_against_a_permitted_turn_makes_it_wait() -> None:
    """A left turn's delay grows with the opposing flow, and its v/c with it."""
    network = left_turn(length_m=300.0)

    def outcome(against: float) -> tuple[float, float]:
        flows = demand({("", "wi"): 30, ("wi", "no"): 30, ("", "ei"): against, ("ei", "wo"): against})
        profile = Profile(network, flows, parameters=SimParameters())
        result = profile.run([field_plan(network)])
        turn = profile.net.movements.index(("wi", "no"))
        return float(result.link_delay_s[0, result.links.index("wi")]), float(result.saturation[0, turn])

    few, many = outcome(20), outcome(80)

    assert few[0] < many[0]
    assert few[1] < many[1]


def test_a_loop_settles() -> None:
    """Two signals that feed each other come to rest, and the flows on the loop are those of the demand."""
    network = two_signals(((27, "Gr"), (3, "yr"), (27, "rG"), (3, "ry")))
    result = profile_of(network, two_way_demand()).run([field_plan(network)])

    assert result.sweeps < 10


def test_a_plan_needs_every_controller() -> None:
    """A plan without a program for a controller names it."""
    with pytest.raises(PlanError, match="no program for controller 'p'"):
        profile_of(two_signals(), two_way_demand()).run([TimingPlan(controllers={})])


def test_longer_red_is_never_better() -> None:
    """With equal cycles, less green means more delay."""
    profile = profile_of(single_approach(HALF), one_road(40))
    plans = [field_plan(single_approach(((60 - green, "r"), (green, "G")))) for green in (25, 30, 35, 40, 50)]
    delays = profile.delays(plans)

    assert (np.diff(delays) < 0).all()


def test_parameters_reach_the_profile() -> None:
    """Slower discharge makes more delay."""
    slow = replace(TRIANGULAR, reaction_headway_s=TRIANGULAR.reaction_headway_s + 0.3)
    network = single_approach(HALF)
    delays = [Profile(network, one_road(60), parameters=x).delays([field_plan(network)])[0] for x in (TRIANGULAR, slow)]

    assert delays[1] > delays[0]
