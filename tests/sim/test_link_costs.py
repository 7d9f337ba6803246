"""Link cost tables: their least entry is the best offset, and their shape is the filter's own."""

import numpy as np
import pytest

from network_data.demand import Demand
from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim.link_costs import link_costs
from sim.profile import Profile
from tests.builders import NetworkBuilder, demand, field_plan, two_signals, with_offsets
from tests.sim.test_wave import TRIANGULAR, two_way_demand


def both_ways() -> tuple[RoadNetwork, Demand]:
    """Two signals with a street in both directions between them, 350 m long, and a side street each."""
    b = NetworkBuilder()
    for name, ends in (("we", "w p"), ("pq", "p q"), ("qe", "q e"), ("ew", "e q"), ("qp", "q p"), ("pw", "p w")):
        b.link(name, ends, length_m=350.0 if name in ("pq", "qp") else 300.0)
    for name in "pq":
        b.link(f"s{name}", f"s{name} {name}")
        b.link(f"n{name}", f"{name} n{name}")
    for ways, head in (("we pq", ("p", 0)), ("qp pw", ("p", 1)), ("sp np", ("p", 2))):
        b.turn(ways, head=head)
    for ways, head in (("pq qe", ("q", 0)), ("ew qp", ("q", 1)), ("sq nq", ("q", 2))):
        b.turn(ways, head=head)
    rows = ((27, "GGr"), (3, "yyr"), (27, "rrG"), (3, "rry"))
    for name in "pq":
        b.program(name, rows, conflicts=[(0, 2), (1, 2)])
    veh = {("", "we"): 50.0, ("we", "pq"): 50.0, ("pq", "qe"): 50.0, ("", "ew"): 35.0, ("ew", "qp"): 35.0}
    veh |= {("qp", "pw"): 35.0} | {pair: 20.0 for n in "pq" for pair in (("", f"s{n}"), (f"s{n}", f"n{n}"))}
    return b.build(), demand(veh)


def brute_force(profile: Profile, plan: TimingPlan, link: str) -> np.ndarray:
    """The filter's delay at the end of a link for every offset of "q", less what offsets cannot change."""
    result = profile.run([with_offsets(plan, {"q": float(x)}) for x in range(60)])
    return result.link_delay_s[:, result.links.index(link)]


@pytest.mark.parametrize("offsets_s", [(0.0, 0.0), (13.0, 41.0)])
def test_table_is_the_filter_itself(offsets_s: tuple[float, float]) -> None:
    """One way: for every offset difference the table is the filter's delay, but for a constant."""
    network = two_signals(offsets_s=offsets_s)
    plan = field_plan(network)
    profile = Profile(network, two_way_demand(), parameters=TRIANGULAR)
    costs = link_costs(profile, plan)
    by_offset = brute_force(profile, with_offsets(plan, {"p": -offsets_s[0], "q": -offsets_s[1]}), "a1")

    assert (costs.links, costs.from_controller, costs.to_controller) == (("a1",), ("p",), ("q",))
    assert costs.cycle_s == 60
    rest = by_offset - costs.delay_s[0]
    np.testing.assert_allclose(rest, rest.mean(), atol=1e-3 * by_offset.max())
    assert int(np.argmin(costs.delay_s[0])) == int(np.argmin(by_offset))


def test_best_sum_of_two_tables_is_the_best_offset() -> None:
    """Two ways: the least sum of both links' tables, one of them read backwards, is the best plan by brute force."""
    network, flows = both_ways()
    plan = field_plan(network)
    profile = Profile(network, flows, parameters=TRIANGULAR)
    costs = link_costs(profile, plan)
    there, back = (costs.delay_s[costs.links.index(link)] for link in ("pq", "qp"))
    total = np.array([there[d] + back[-d % 60] for d in range(60)])
    delays = profile.delays([with_offsets(plan, {"q": float(x)}) for x in range(60)])

    assert int(np.argmin(total)) == int(np.argmin(delays))
    np.testing.assert_allclose(np.ptp(total), np.ptp(delays) * profile.flows.veh, rtol=0.02)


def test_tables_do_not_depend_on_the_offsets_they_were_made_at() -> None:
    """Made from a plan with other offsets, the tables are the same."""
    network, flows = both_ways()
    plan = field_plan(network)
    profile = Profile(network, flows, parameters=TRIANGULAR)
    here, there = (link_costs(profile, with_offsets(plan, {"q": x})) for x in (0.0, 25.0))

    np.testing.assert_allclose(here.delay_s, there.delay_s, rtol=0.02, atol=1.0)


def test_one_cycle_is_needed() -> None:
    """Controllers in other cycles are named."""
    network = two_signals()
    plan, short = field_plan(network), field_plan(two_signals(((22, "Gr"), (3, "yr"), (22, "rG"), (3, "ry"))))
    mixed = TimingPlan(controllers={"p": short.controllers["p"], "q": plan.controllers["q"]})

    with pytest.raises(PlanError, match="controller 'p' runs 50 s, others 60 s"):
        link_costs(Profile(network, two_way_demand()), mixed)


def test_a_lone_signal_has_no_tables() -> None:
    """Where no platoons come from another signal there is nothing to tabulate."""
    network = two_signals(offsets_s=(0.0,))
    costs = link_costs(Profile(network, demand({("", "a0"): 30, ("a0", "a1"): 30})), field_plan(network))

    assert costs.links == ()
    assert costs.delay_s.shape == (0, 60)
