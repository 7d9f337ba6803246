"""Bounds that the settings name: longest green, fixed signals, change against the field, common cycles."""

import dataclasses

import pytest

from network_data.errors import SettingsError
from network_data.plans import TimingPlan
from network_data.rules import RULES, check_plan
from network_data.settings import Settings, settings_from
from network_data.settings_names import check_names
from network_data.signal_limits import SignalLimits, plan_matrix
from tests.builders import field_plan, two_signals
from tests.network_data.crossroads import FIELD, crossroads, program, timing


def told(rows, table, *, field=FIELD, offset_s=0.0, **more) -> dict[str, str]:
    """Rule → text of what the check refuses."""
    network = crossroads(field=field)
    plan = TimingPlan(controllers={"c": program(rows, offset_s=offset_s, **more)})
    found = check_plan(network, plan, timing(field), settings_from(table, "test"))
    return {f.rule: f.text for f in found if f.severity == "error"}


def longer(n: int, more_s: float):
    """The field program with more seconds in one row."""
    return tuple((d + more_s, s) if i == n else (d, s) for i, (d, s) in enumerate(FIELD))


def moved(from_row: int, to_row: int, seconds: float):
    """The field program with seconds moved between two rows; the cycle stays 90 s."""
    change = {from_row: -seconds, to_row: seconds}
    return tuple((d + change.get(i, 0), s) for i, (d, s) in enumerate(FIELD))


def test_the_longest_green_of_all_accepts_the_field_s_that_of_one_signal_does_not() -> None:
    """40 s for all let the field's 38 s + 8 s of green through; 40 s for the one signal do not."""
    assert told(FIELD, {"limits": {"max_green_s": 40.0}}) == {}
    assert "green for 48 s; at most 38 s" not in str(told(FIELD, {"limits": {"max_green_s": 30.0}}))
    longest = told(longer(6, 12), {"limits": {"max_green_s": 30.0}})
    assert "is green for 41 s; at most 30 s" in longest["maximum-green"]
    assert "at most 25 s" in told(FIELD, {"signals": {"c": {"max_green_s": 25.0}}})["maximum-green"]
    assert set(told(FIELD, {"signals": {"c": {"max_greens": {"wi>no": 20.0}}}})) == {"maximum-green"}
    assert told(FIELD, {"signals": {"c": {"max_greens": {"6": 30.0}}}}) == {}


def test_least_greens_of_a_movement_a_crossing_and_a_link_index() -> None:
    """Named by id or index, each is held; the crossing's by its own name."""
    for name in ("ni>so", "4"):
        text = told(FIELD, {"signals": {"c": {"min_greens": {name: 31.0}}}})["minimum-green"]
        assert "is green for 29 s; needs 31 s" in text
    assert "minimum-green" in told(FIELD, {"signals": {"c": {"min_greens": {"6": 31.0}}}})
    assert told(FIELD, {"signals": {"c": {"min_green_s": 29.0}}}) == {}


def test_a_fixed_cycle_holds_whatever_the_field_runs() -> None:
    """One cycle for all, or for the one signal: the field's 90 s are no excuse."""
    assert "cycle 90 s; needs 100 s" in told(FIELD, {"limits": {"cycle_s": 100.0}})["cycle"]
    assert told(longer(0, 10), {"limits": {"cycle_s": 100.0}}) == {}
    assert "cycle" in told(FIELD, {"limits": {"cycle_s": 90.0}, "signals": {"c": {"cycle_s": 80.0}}})
    assert told(FIELD, {"limits": {"cycle_max_s": 80.0}}) == {}
    assert "needs 40 to 80 s" in told(FIELD, {"signals": {"c": {"cycle_max_s": 80.0}}})["cycle"]


def test_the_longest_red_of_one_signal_holds_strictly() -> None:
    """The field's own red of 59 s is refused under 50 s for this signal, accepted under 50 s for all."""
    assert told(FIELD, {"limits": {"max_red_s": 50.0}}) == {}
    assert "longest-red" in told(FIELD, {"signals": {"c": {"max_red_s": 50.0}}})


def test_a_fixed_signal_shows_what_it_shows_today() -> None:
    """Second by second, whichever interval the program begins with; a shifted or longer one is refused."""
    fixed = {"change": {"fixed_signals": ("c",)}}
    assert told(FIELD, fixed) == {}
    turned = FIELD[3:] + FIELD[:3]
    assert told(turned, fixed, offset_s=41.0) == {}
    assert "differs" in told(FIELD, fixed, offset_s=1.0)["fixed"]
    assert "fixed" in told(longer(0, 1), fixed)


@pytest.mark.parametrize(("table", "limit"), [("change", 6), ("signals", 6)])
def test_bounds_on_change_of_cycle_and_green(table: str, limit: int) -> None:
    """Six seconds may be moved, seven may not; named for all or for one signal."""
    wrapped = (lambda x: {"change": x}) if table == "change" else (lambda x: {"signals": {"c": x}})
    assert told(longer(0, limit), wrapped({"max_cycle_change_s": 6.0})) == {}
    assert set(told(longer(0, limit + 1), wrapped({"max_cycle_change_s": 6.0}))) == {"cycle-change"}
    assert told(moved(0, 6, limit), wrapped({"max_green_change_s": 6.0})) == {}
    assert set(told(moved(0, 6, limit + 1), wrapped({"max_green_change_s": 6.0}))) == {"green-change"}


def test_offsets_may_move_as_far_as_allowed_around_the_cycle() -> None:
    """By the begin of the field's first stage, whichever interval a program is written from."""
    bound = {"change": {"max_offset_change_s": 5.0}}
    assert told(FIELD, bound, offset_s=5.0) == {}
    assert told(FIELD, bound, offset_s=85.0) == {}
    assert "moves by +6 s; at most 5 s" in told(FIELD, bound, offset_s=6.0)["offset-change"]
    assert told(FIELD[3:] + FIELD[:3], bound, offset_s=41.0) == {}
    kept = {"change": {"fixed_offsets": ("c",)}}
    assert told(longer(6, 10), kept) == {}
    assert "it is fixed" in told(FIELD, kept, offset_s=1.0)["fixed-offset"]


def test_signals_of_a_group_run_one_cycle_or_half_of_it() -> None:
    """60 and 60, or 60 and 120; 60 and 90 are refused at the shorter one."""
    network = two_signals()
    config = settings_from({"limits": {"common_cycle": [["p", "q"]]}}, "test")

    def cycles(p_s: int, q_s: int) -> list[str]:
        plan = field_plan(network)
        rows = {c: ((s / 2 - 3, "Gr"), (3, "yr"), (s / 2 - 3, "rG"), (3, "ry")) for c, s in (("p", p_s), ("q", q_s))}
        plan = TimingPlan(controllers={c: program(rows[c], controller_id=c) for c in plan.controllers})
        return [f"{f.controller} {f.rule}" for f in check_plan(network, plan, field_plan(network), config)]

    assert cycles(60, 60) == cycles(60, 120) == []
    assert cycles(60, 90) == ["p common-cycle"]


def test_the_matrix_carries_the_least_greens_of_the_signal() -> None:
    """Builder and checker read the same table."""
    network = crossroads()
    field = network.controllers["c"].programs[-1]
    config = settings_from({"signals": {"c": {"min_green_s": 7.0, "min_greens": {"6": 12.0}}}}, "test")
    matrix = plan_matrix(network, network.controllers["c"], field, config)
    assert matrix.min_green_s.tolist() == [7.0] * 6 + [12.0]
    assert SignalLimits(network.controllers["c"], field, Settings()).least_green_s.sum() == 0


def test_all_unknown_names_come_together() -> None:
    """Signals, links, movements and stages that the network lacks are named with the nearest there is."""
    network = crossroads()
    config = settings_from(
        {
            "limits": {"storage": {"wj": 0.8}, "common_cycle": [["c", "d"]]},
            "change": {"fixed_signals": ["cc"], "fixed_offsets": ["x"]},
            "signals": {
                "c": {"min_greens": {"wi>n": 9.0}, "forbidden_changes": [["1", "9"]], "rings": [[["wi>eo"], ["9"]]]},
                "y": {},
            },
        },
        "test",
    )
    with pytest.raises(SettingsError) as caught:
        check_names(config, network, timing(FIELD), "settings.toml")
    assert len(caught.value.faults) == 8
    assert any("names 'wi>n'" in fault and "did you mean 'wi>no'" in fault for fault in caught.value.faults)
    check_names(Settings(), network, timing(FIELD), "settings.toml")


def test_contradictions_of_a_signal_come_together() -> None:
    """Crossed bounds, an empty phase and a movement in two rings are three faults of one error."""
    own = {"min_green_s": 9.0, "max_green_s": 8.0, "rings": [[["a b", ""], ["b"]]], "cycle_min_s": 90.0}
    with pytest.raises(SettingsError) as caught:
        settings_from(
            {"signals": {"c": {**own, "cycle_max_s": 80.0}}, "limits": {"max_green_s": 5.0, "min_green_s": 6.0}}, "t"
        )
    assert len(caught.value.faults) == 5


def test_every_rule_has_one_name() -> None:
    """No name is used twice."""
    names = [name for name, _ in RULES]
    assert len(names) == len(set(names))
    assert dataclasses.is_dataclass(SignalLimits)
