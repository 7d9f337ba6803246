"""The search keeps every bound that the settings name: each run's plans pass the check that knows them."""

import pytest

from network_data.demand import DemandScenarios
from network_data.rules import check_plan
from network_data.settings import settings_from
from optimizer.infeasible import ConflictError
from optimizer.moves import loads
from optimizer.optimize import optimize
from optimizer.search import climb
from tests.builders import demand, field_plan
from tests.network_data.crossroads import crossroads
from tests.optimizer.scenes import arterial, scene

SHIFTED = (0.0, 58.0, 20.0)
TABLES = {
    "fixed cycle": {"limits": {"cycle_s": 70.0}},
    "cycle of one": {"signals": {"q": {"cycle_s": 60.0}}},
    "bounds of one": {"signals": {"q": {"cycle_min_s": 55.0, "cycle_max_s": 66.0, "max_red_s": 31.0}}},
    "shorter than the field": {"signals": {"q": {"cycle_max_s": 52.0}}},
    "longest green": {"limits": {"max_green_s": 30.0}},
    "greens of one": {"signals": {"p": {"max_green_s": 28.0, "min_greens": {"1": 20.0}}}},
    "green change": {"change": {"max_green_change_s": 3.0}},
    "offset change": {"change": {"max_offset_change_s": 6.0}},
    "offset change of one": {"signals": {"q": {"max_offset_change_s": 0.0}}},
    "cycle change": {"change": {"max_cycle_change_s": 5.0}},
    "fixed offset": {"change": {"fixed_offsets": ("q",)}},
    "fixed signal": {"change": {"fixed_signals": ("q",)}},
    "common cycle": {"limits": {"common_cycle": [["p", "q"]]}},
}


@pytest.mark.parametrize("name", TABLES)
def test_plans_under_bounds_pass_the_check(name: str) -> None:
    """Every rung's plan keeps them without being put back to the field's, and the delay falls."""
    network, flows = arterial(offsets_s=SHIFTED)
    field, settings = field_plan(network), settings_from(TABLES[name], "test")
    result = optimize(network, flows, field, settings, begin_s=0.0, end_s=900.0, iterations=30)
    for step in result.ladder:
        found = check_plan(network, step.plan, field, settings)
        assert [f.text for f in found if f.severity == "error"] == []
    assert [note for note in result.notes if "keeps the field's program" in note] == []
    if name != "fixed cycle":  # a longer cycle than the arterial wants costs delay
        assert result.objective_after < result.objective_before
    if "fixed cycle" in name:
        assert {p.cycle_s for p in result.plan.controllers.values()} == {70.0}


def test_groups_keep_one_cycle_or_half_of_it_while_it_changes() -> None:
    """The search moves the group's cycle of 120 s as one, far down."""
    rows = ((57, "Gr"), (3, "yr"), (57, "rG"), (3, "ry"))
    network, flows = arterial(rows, offsets_s=SHIFTED)
    settings = settings_from({"limits": {"common_cycle": [["p", "q", "r"]]}}, "test")
    at = scene(network, flows, settings)
    search = climb(at.evaluator, at.neighbourhood, settings, seed=0, iterations=40)
    cycles = {setting.cycle_s for setting in search.best}
    assert max(cycles) < 120
    assert cycles <= {max(cycles), max(cycles) / 2}


def test_free_v_over_c_lets_the_side_street_fill() -> None:
    """Under `keep` nobody comes above 1 who was below; under `free` the side street may."""
    network, flows = arterial(through_vph=1500, side_vph=300)
    worst = {}
    for rule in ("keep", "free"):
        settings = settings_from({"rules": {"v_over_c": rule}, "change": {"freeze": ("cycle",)}}, "test")
        at = scene(network, flows, settings)
        search = climb(at.evaluator, at.neighbourhood, settings, seed=0, iterations=60)
        worst[rule] = max(float(loads(m, s)[1]) for m, s in zip(at.neighbourhood.models, search.best, strict=True))
    assert worst["keep"] <= 1.0


# stages of the crossroads' field: 1 through and permitted lefts, 2 protected lefts, 3 the side street
ORDERS = {
    "the field's own is allowed": {"forbidden_changes": [["3", "2"]]},
    "the field's own is forbidden": {"forbidden_changes": [["1", "2"]]},
}


@pytest.mark.parametrize("name", ORDERS)
def test_forbidden_changes_of_stages_leave_other_orders(name: str) -> None:
    """Where the field's own order is forbidden the search starts from another one, and never comes back to it."""
    network = crossroads()
    field, flows = field_plan(network), crossroads_flows()
    settings = settings_from({"signals": {"c": ORDERS[name]}, "rules": {"left_turns": "free"}}, "test")
    result = optimize(network, flows, field, settings, begin_s=0.0, end_s=900.0, iterations=40)
    for step in result.ladder:
        found = check_plan(network, step.plan, field, settings)
        assert [f.text for f in found if f.severity == "error"] == []


@pytest.mark.parametrize("change", [{"fixed_signals": ("c",)}, {"freeze": ("stages",)}, {}])
def test_an_order_that_cannot_be_mended_is_told(change: dict) -> None:
    """Both changes to the side street are forbidden, or the order may not change: the error names rule and stages."""
    network = crossroads()
    forbidden = [["1", "2"]] if change else [["1", "2"], ["1", "3"]]
    table = {"signals": {"c": {"forbidden_changes": forbidden}}, "change": change}
    with pytest.raises(ConflictError, match="node c is forbidden.*stage 1 of the field is followed by stage 2"):
        optimize(
            network, crossroads_flows(), field_plan(network), settings_from(table, "test"),
            begin_s=0.0, end_s=900.0, iterations=2,
        )  # fmt: skip


def crossroads_flows() -> DemandScenarios:
    """Some traffic on every way of the crossroads."""
    ways = {("wi", "eo"): 30, ("wi", "no"): 8, ("ei", "wo"): 28, ("ei", "so"): 6, ("ni", "so"): 12, ("si", "no"): 12}
    pairs: dict[tuple[str, str], float] = dict(ways)
    for link in ("wi", "ei", "ni", "si"):
        pairs["", link] = sum(veh for way, veh in ways.items() if way[0] == link)
    for link in ("eo", "wo", "so", "no"):
        pairs[link, ""] = sum(veh for way, veh in ways.items() if way[1] == link)
    return DemandScenarios(scenarios=(demand(pairs, intervals=3),), weights=(1.0,))


TWO_GROUPS = [[["wi>eo wi>no", "ei>wo"], ["ei>so"]], [["ni>so"], ["si>no"]]]


def test_rings_that_the_field_keeps_are_kept() -> None:
    """Main street before the barrier, side street behind it: every rung's plan passes."""
    network = crossroads()
    rings = [[["wi>eo wi>no ei>wo ei>so 6"]], [["ni>so si>no"]]]
    settings = settings_from({"signals": {"c": {"rings": rings}}, "rules": {"left_turns": "free"}}, "test")
    field = field_plan(network)
    result = optimize(network, crossroads_flows(), field, settings, begin_s=0.0, end_s=900.0, iterations=30)
    for step in result.ladder:
        assert [f.text for f in check_plan(network, step.plan, field, settings) if f.severity == "error"] == []


def test_rings_that_no_stages_of_the_field_keep_are_told() -> None:
    """The field lets both directions go at once; rings that have them one after the other need stages it lacks."""
    network = crossroads()
    settings = settings_from({"signals": {"c": {"rings": TWO_GROUPS}}}, "test")
    with pytest.raises(ConflictError, match="node c is forbidden, and no other sequence.*follow each other in ring 1"):
        optimize(network, crossroads_flows(), field_plan(network), settings, begin_s=0.0, end_s=900.0, iterations=2)
