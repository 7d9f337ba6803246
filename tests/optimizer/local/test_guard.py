"""Tests of the last gate."""

from network_data.settings import Settings
from optimizer.local.guard import Guard, guard_of
from tests.builders import crossing, field_plan


def guard(state: str = "Gr") -> Guard:
    """Of two streets that cross, 3 s of yellow each."""
    network = crossing()
    return guard_of(network, network.controllers["c"], field_plan(network).controllers["c"], Settings(), state)


def test_a_change_by_the_rules_passes() -> None:
    """Green, three seconds of yellow, the other's green."""
    gate = guard()
    for time_s, state in ((50, "yr"), (53, "rG"), (58, "ry"), (61, "Gr")):
        assert gate.faults(time_s, state) == []
        gate.accept(time_s, state)


def test_what_breaks_a_rule_is_refused_by_name() -> None:
    """No yellow, too little of it, a green too short, conflicting greens, letters too few."""
    gate = guard()
    assert any("without yellow" in x for x in gate.faults(50, "rr"))
    assert any("would be green together" in x for x in gate.faults(50, "GG"))
    assert "letters" in gate.faults(50, "G")[0]
    gate.accept(50, "yr")
    assert any("2 s of yellow" in x for x in gate.faults(52, "rr"))
    assert any("2 s after 0" in x for x in gate.faults(52, "rG"))
    assert any("is yellow" in x for x in gate.faults(53, "yG"))
    gate.accept(53, "rG")
    assert any("green for 4 s" in x for x in gate.faults(57, "ry"))


def test_a_state_that_goes_on_is_never_refused() -> None:
    """Whatever was shown may stay."""
    gate = guard()
    gate.accept(50, "yr")
    assert gate.faults(51, "yr") == []
