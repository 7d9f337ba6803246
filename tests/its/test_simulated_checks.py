"""Rules that need the simulation: v/c and storage."""

from __future__ import annotations

from dataclasses import replace

from its.simulated_checks import simulated_checks
from network_data.settings import Settings, settings_from
from optimizer.optimize import realizations_of
from sim.measures import Measures, measure
from sim.simulate import Simulator
from tests.builders import field_plan
from tests.its.jobs import Job
from tests.optimizer.scenes import arterial


def measured() -> tuple[Measures, Measures]:
    """Two signals measured, and the same with the first side street above capacity."""
    network, flows = arterial()
    trips = realizations_of(flows, seed=0, warmup_s=0.0, network=network)
    before = measure(Simulator(network, trips, begin_s=0.0, end_s=600.0), field_plan(network))
    movements = {**before.movements, "sp>np": replace(before.movements["sp>np"], v_over_c=1.07)}
    return before, replace(before, movements=movements)


def test_who_comes_above_capacity_in_the_simulation_is_a_warning() -> None:
    """Named with v/c before and after; nobody without."""
    before, after = measured()
    network, _ = arterial()
    (record,) = simulated_checks(network, before, after, Settings())
    assert record["rule"] == "v-over-c"
    assert record["passed"] is True
    (text,) = record["warnings"]
    assert text.startswith("p: eastbound through (sp>np) has v/c 1.07 in the simulation, under the field plan 0.")
    assert simulated_checks(network, before, before, Settings())[0]["warnings"] == []
    assert simulated_checks(network, after, after, Settings())[0]["warnings"] == []


def test_room_taken_is_told_for_the_links_that_are_named() -> None:
    """Passed where the queue keeps within, with the share it takes."""
    before, after = measured()
    network, _ = arterial()
    for limit, passed in ((1.0, True), (0.001, False)):
        settings = settings_from({"limits": {"storage": {"sp": limit}}}, "test")
        record = simulated_checks(network, before, after, settings)[1]
        assert (record["rule"], record["passed"]) == ("storage", passed)
        assert "link 'sp': its queue takes up to" in record["warnings"][0]


def test_the_plan_document_has_the_rule_on_v_over_c(job: Job) -> None:
    """Beside the rules of the check, in plan.json and run.json alike."""
    assert "v-over-c" in {check["rule"] for check in job.plan["checks"]}
    assert job.plan["checks"] == job.run["checks"]
