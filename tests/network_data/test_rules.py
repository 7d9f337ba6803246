"""The rules of the street: each breach is found under its name, and the field plan itself is clean."""

import dataclasses

import numpy as np
import pytest

from network_data.demand import Demand, DemandScenarios
from network_data.plans import BarrierGroup, Phase, TimingPlan
from network_data.rules import FORM_RULES, MORE_NAMES, RULES, check_plan, passed_checks, protected_indices
from network_data.settings import Settings
from network_data.warrant import left_turn_warrant
from tests.network_data.crossroads import FIELD, crossroads, program, timing
from tests.network_data.real_networks import REAL, load

PERMITTED_ONLY = ((40, "GgGgrrG"), (11, "GgGgrrr"), (3, "yyyyrrr"), (2, "rrrrrrr"), *FIELD[6:])


def settings(**rules) -> Settings:
    return Settings.model_validate({"rules": rules})


def changed(**rows):
    """The field program with some rows replaced: r3=(12, "…")."""
    return tuple(rows.get(f"r{n}", row) for n, row in enumerate(FIELD))


def findings_of(rows, *, field=FIELD, config=None, demand=None, network=None, **more):
    network = network or crossroads(field=field)
    return check_plan(network, timing(rows, **more), timing(field), config or settings(), demand=demand)


def errors_of(rows, **options):
    return [f for f in findings_of(rows, **options) if f.severity == "error"]


def rules_of(rows, **options):
    return {f.rule for f in errors_of(rows, **options)}


def test_the_field_plan_itself_is_clean():
    """What runs today breaks no rule."""
    assert findings_of(FIELD) == []


@pytest.mark.parametrize("name", REAL)
def test_real_field_plans_are_clean(name):
    """The programs of Bologna, Cologne and the grid, judged against themselves, have no findings."""
    network, field = load(name)

    assert check_plan(network, field, field, Settings()) == []


def test_conflicting_greens():
    """Main street and side street at once: one finding that names both."""
    (finding,) = [f for f in errors_of(changed(r6=(29, "GrrrGGr"))) if f.where == "0, 4"]

    assert finding.rule == "conflicting-green"
    assert "both go in state GrrrGGr" in finding.text


def test_two_yielding_foes_where_neither_yields():
    """g and g on crossing streets: nobody gives way, which is no permitted turn."""
    assert "conflicting-green" in rules_of(changed(r6=(29, "grrrggr")))


def test_a_new_permitted_pair_is_a_warning():
    """A left turn that the field always protects may yield to its opposing stream; that is remarked on."""
    field = ((38, "GrGrrrG"), (3, "yryrrrr"), (2, "rrrrrrr"), *FIELD[3:])
    rows = ((38, "GrGgrrG"), (3, "yryyrrr"), (2, "rrrrrrr"), *FIELD[3:])

    found = findings_of(rows, field=field)

    assert [(f.rule, f.severity) for f in found] == [("conflicting-green", "warning")]


def test_green_against_a_yellow_that_the_field_never_shows():
    """Protected left turns while the opposing stream is still yellow are refused."""
    found = errors_of(changed(r2=(3, "yGyGrrr")))

    assert {f.rule for f in found} == {"conflicting-green"}
    assert "is yellow" in found[0].text


@pytest.mark.parametrize(("seconds", "rules"), [(2.0, {"yellow", "clearance"}), (3.0, set())])
def test_short_yellow(seconds, rules):
    """2 s of yellow are too short, and so is the clearance that they are part of."""
    assert rules_of(changed(r7=(seconds, "rrrryyr"))) == rules


def test_yellow_of_the_field_counts():
    """Where the field has 4 s, 3 s are too short."""
    field = changed(r7=(4, "rrrryyr"))

    (finding,) = [f for f in errors_of(FIELD, field=field) if f.rule == "yellow" and "index 4" in f.where]

    assert (finding.value, finding.limit) == (3.0, 4.0)


def test_green_to_red_without_yellow():
    """Green that ends in red is no yellow at all."""
    assert "yellow" in rules_of(changed(r7=(3, "rrrrrrr")))


def test_clearance_below_the_fields():
    """All-red of 1 s in place of 2 s: every pair across it is 1 s short."""
    found = errors_of(changed(r8=(1, "rrrrrrr")))

    assert {f.rule for f in found} == {"clearance"}
    assert {(f.value, f.limit) for f in found} == {(4.0, 5.0)}


def test_short_green():
    """A left turn of 4 s is below the 5 s of the settings."""
    rows = ((30, "GrGrrrG"), (8, "GrGrrrr"), (3, "yryrrrr"), (4, "rGrGrrr"), *FIELD[4:])

    assert "minimum-green" in rules_of(rows)


def test_stated_minimum_of_the_field():
    """A side street whose field phase states 20 s may not get 19 s."""
    network = crossroads()
    field = TimingPlan(controllers={"c": program(FIELD, min_durations_s=(None,) * 6 + (20.0, None, None))})

    short = check_plan(network, timing(changed(r6=(19, "rrrrGGr"))), field, Settings())
    long_enough = check_plan(network, timing(changed(r6=(20, "rrrrGGr"))), field, Settings())

    assert {(f.rule, f.value, f.limit) for f in short} == {("minimum-green", 19.0, 20.0)}
    assert long_enough == []


def test_walk_and_clearance():
    """8 m need 7 + 8 s from the begin of the walk to the next conflicting green; 5 s of walk and 5 s are too few."""
    rows = (*FIELD[:6], (29, "rrrrGGr"), (3, "rrrryyr"), (2, "rrrrrrr"))
    short = ((30, "GgGgrrr"), (8, "GgGgrrr"), *rows[2:5], (5, "rrrrrrG"), (5, "rrrrrrr"), *rows[6:])

    found = [f for f in errors_of(short) if f.rule == "walk"]

    assert [(f.value, f.limit) for f in found] == [(10.0, 15.0)]


def test_a_field_that_gives_walkers_less_is_remarked_on():
    """Where the field itself gives 10 s to a crossing that needs 15 s, the plan may keep it, with a warning."""
    short = ((30, "GgGgrrr"), (8, "GgGgrrr"), *FIELD[2:5], (5, "rrrrrrG"), (5, "rrrrrrr"), *FIELD[6:])

    found = findings_of(short, field=short)

    assert [(f.rule, f.severity) for f in found] == [("walk", "warning")]


def test_assumed_crossings_need_a_stretch_of_red():
    """With pedestrians = assume the 3.2 m of an unmapped approach need 10.2 s of red in a row."""
    field = (
        (20, "GgGgrrG"),
        (8, "GgGgrrr"),
        (3, "yyyyrrr"),
        (2, "rrrrrrr"),
        (5, "rrrrGGr"),
        (3, "rrrryyr"),
        (2, "rrrrrrr"),
    )
    long_enough = (*field[:4], (8, "rrrrGGr"), *field[5:])
    config = settings(pedestrians="assume", left_turns="free")

    kept = findings_of(field, field=field, config=config)
    lost = findings_of(field, field=long_enough, config=config)

    assert {(f.rule, f.severity) for f in kept} == set()  # 12 s of red
    assert {(f.rule, f.severity) for f in lost} == set()
    short = (*field[:3], (1, "rrrrrrr"), (5, "rrrrGGr"), (3, "rrrryyr"), (1, "rrrrrrr"))
    found = [f for f in findings_of(short, field=field, config=config) if f.rule == "walk"]
    assert {(f.where, f.value, f.limit) for f in found} == {
        ("assumed crossing of wi", 10.0, 10.2),
        ("assumed crossing of ei", 10.0, 10.2),
    }


def test_a_movement_without_green():
    """The side street's second stream is left red all cycle."""
    found = errors_of(tuple((d, s[:5] + "r" + s[6:]) for d, s in FIELD))

    assert {f.rule for f in found} == {"service"}
    assert "index 5" in found[0].where


def test_longest_red():
    """Above 150 s of red for the side street only if the field's is as long."""
    rows = changed(r0=(125, "GgGgrrG"), r6=(14, "rrrrGGr"))

    assert rules_of(rows) == {"longest-red"}
    assert rules_of(rows, field=rows) == set()


def test_longest_red_does_not_count_the_yellow():
    """The side street is closed for 56 + 5 s, 3 s of that yellow: 58 s."""
    config = Settings.model_validate({"limits": {"max_red_s": 57}})
    field = timing(changed(r0=(20, "GgGgrrG")))

    found = check_plan(crossroads(), timing(FIELD), field, config)

    assert {f.value for f in found if f.rule == "longest-red"} == {58.0}


def test_cycle_limits():
    """181 s are too long, unless the field runs them; nothing runs above 240 s."""
    rows, much = changed(r0=(60, "GgGgrrG"), r6=(90, "rrrrGGr")), changed(r0=(120, "GgGgrrG"), r6=(90, "rrrrGGr"))

    assert rules_of(rows) == {"cycle"}
    assert rules_of(rows, field=rows) == set()
    assert rules_of(much, field=much) == {"cycle"}


def test_offset_outside_the_cycle():
    """An offset of one cycle is 0."""
    (finding,) = errors_of(FIELD, offset_s=90.0)

    assert (finding.rule, finding.where) == ("cycle", "offset")


def test_whole_seconds():
    """A cycle of 90.5 s and greens that begin at half seconds are refused; a fraction of yellow is not."""
    assert rules_of(changed(r6=(29.5, "rrrrGGr"))) == {"whole-seconds"}
    assert rules_of(changed(r6=(28.4, "rrrrGGr"), r7=(3.6, "rrrryyr"))) == set()
    assert rules_of(FIELD, offset_s=1.5) == {"whole-seconds"}


def test_state_length_stops_the_other_rules():
    """A letter too few or too many: nothing else can be judged."""
    for rows in ([(d, s[:-1]) for d, s in FIELD], [(d, s + "r") for d, s in FIELD]):
        assert rules_of(rows) == {"state-length"}


def test_letters():
    """Right turn on red only where a program in the field shows it."""
    assert rules_of(tuple((d, s[:6] + "s") if s[6] == "r" else (d, s) for d, s in FIELD)) == {"letters"}


def test_unknown_controller():
    """A controller the network does not have is an error that names some it has."""
    network = crossroads()
    plan = TimingPlan(controllers={"z": program(FIELD, controller_id="z")})

    (finding,) = check_plan(network, plan, timing(FIELD), Settings())

    assert (finding.rule, finding.severity) == ("controller", "error")


def demand(left_veh, through_veh):
    """One hour of left turners from the east and opposing traffic from the west."""
    veh = np.array([[left_veh], [through_veh]], dtype=float)
    one = Demand(
        begin_s=np.array([0.0]), end_s=np.array([3600.0]), pairs=(("ei", "so"), ("wi", "eo")), veh=veh,
        sd_veh=np.sqrt(veh), support=("measured", "measured"),
    )  # fmt: skip
    return DemandScenarios(scenarios=(one,), weights=(1.0,))


def test_protected_links():
    """G counts as protected only while nothing that goes first is green."""
    controller = crossroads().controllers["c"]

    assert protected_indices(controller, program(FIELD)) == {0, 1, 2, 3, 4, 5, 6}
    assert protected_indices(controller, program(PERMITTED_ONLY)) == {0, 2, 4, 5, 6}


@pytest.mark.parametrize(
    ("left_turns", "severities"),
    [
        ("keep", {(1, "error"), (3, "error")}),
        ("free", {(1, "warning"), (3, "warning")}),
        ("warrant", {(1, "error"), (3, "warning")}),
    ],
)
def test_lost_protection(left_turns, severities):
    """Two left turns lose their arrow; only the one without a crossing against it has a warrant."""
    found = findings_of(PERMITTED_ONLY, config=settings(left_turns=left_turns), demand=demand(100, 400))

    assert {(f.link_index, f.severity) for f in found if f.rule == "protection"} == severities


@pytest.mark.parametrize(
    ("left_turns", "seconds", "refused"),
    [("keep", 1, True), ("warrant", 1, True), ("warrant", 4, True), ("warrant", 5, False), ("free", 1, False)],
)
def test_a_second_of_protected_green_protects_nobody(left_turns, seconds, refused):
    """Both arrows last at least the least green of 5 s on end; the permitted green before them does not count."""
    found = errors_of(changed(r3=(seconds, "rGrGrrr")), config=settings(left_turns=left_turns))

    assert {f.link_index for f in found if f.rule == "protection"} == ({1, 3} if refused else set())
    assert {f.rule for f in found} <= {"protection"}


def test_a_protected_green_may_be_as_short_as_in_the_field():
    """Where the field protects for 3 s only, 3 s are enough and 2 s are not."""
    field = changed(r3=(3, "rGrGrrr"))

    assert errors_of(field, field=field) == []
    short = errors_of(changed(r3=(2, "rGrGrrr")), field=field)
    assert {(f.rule, f.value, f.limit) for f in short} == {("protection", 2.0, 3.0)}


@pytest.mark.parametrize(("flows", "allowed"), [((100, 499), True), ((100, 500), False), (None, False)])
def test_warrant_needs_gaps(flows, allowed):
    """The product of the flows must stay below 50,000 (veh/h)²; without demand there is no warrant."""
    network = crossroads()

    warrant = left_turn_warrant(network, network.controllers["c"], 3, demand(*flows) if flows else None)

    assert warrant.allowed is allowed
    assert (warrant.opposing_lanes, warrant.crossing_against) == (1, False)
    assert warrant.speed_kph == pytest.approx(50)
    assert warrant.opposing_indices == (0,)


def test_warrant_takes_the_busiest_hour():
    """Two hours with 50 and 150 left turners count as 150 veh/h."""
    network, two = crossroads(), demand(100, 400).scenarios[0]
    hours = dataclasses.replace(
        two, begin_s=np.array([0.0, 3600.0]), end_s=np.array([3600.0, 7200.0]),
        veh=np.array([[50.0, 150.0], [400.0, 400.0]]), sd_veh=np.ones((2, 2)),
    )  # fmt: skip

    warrant = left_turn_warrant(network, network.controllers["c"], 3, DemandScenarios((hours,), (1.0,)))

    assert warrant.product == pytest.approx(150 * 400)


def test_warrant_is_for_slow_roads_and_turns():
    """80 km/h, and a through movement, have none."""
    network = crossroads()
    fast = {
        x: dataclasses.replace(link, lanes=(dataclasses.replace(link.lanes[0], speed_mps=80 / 3.6),))
        for x, link in network.links.items()
    }
    quick = dataclasses.replace(network, links=fast)

    assert not left_turn_warrant(quick, quick.controllers["c"], 3, demand(10, 10)).allowed
    assert "no turn" in left_turn_warrant(network, network.controllers["c"], 0, demand(10, 10)).text


def test_an_earlier_warrant_counts_where_the_demand_is_not_at_hand():
    """The flow product recorded in a plan document stands in for the demand."""
    plan, field = timing(PERMITTED_ONLY), timing(FIELD)

    found = check_plan(crossroads(), plan, field, Settings(), warrants={("c", 3): 40_000.0})

    assert {(f.link_index, f.severity) for f in found if f.rule == "protection"} == {(1, "error"), (3, "warning")}


def ring(*splits, names="12345678", movement="wi>eo"):
    """Phases of some splits with 3 s yellow and 2 s clearance."""
    return tuple(
        Phase(
            name=names[k], movements=(movement,) if k == 0 else (), permitted=(), crossings=(), green_s=s - 5.0,
            yellow_s=3.0, red_clearance_s=2.0, min_green_s=5.0, max_green_s=100.0,
        )
        for k, s in enumerate(splits)
    )  # fmt: skip


def test_rings_meet_at_barriers():
    """Splits 20+45 against 25+45: the barrier lies at 65 and at 70."""
    groups = (BarrierGroup(rings=(ring(20, 45), ring(25, 45))),)

    (finding,) = [f for f in errors_of(FIELD, barrier_groups=groups) if f.rule == "barrier"]

    assert "65≠70" in finding.text


def test_splits_add_up_to_the_cycle():
    """60 s of splits in a cycle of 90 s."""
    groups = (BarrierGroup(rings=(ring(43, 17),)),)

    assert rules_of(FIELD, barrier_groups=groups) == {"sum"}


def test_a_phase_is_green_where_the_intervals_say_so():
    """A phase of 51 s of green whose movement turns yellow after 38 s contradicts its table."""
    assert rules_of(FIELD, barrier_groups=(BarrierGroup(rings=(ring(43, 47),)),)) == set()
    assert rules_of(FIELD, barrier_groups=(BarrierGroup(rings=(ring(56, 34),)),)) == {"sum"}


def test_phase_bounds():
    """A phase below its own least green."""
    phase = dataclasses.replace(ring(43)[0], min_green_s=40.0)
    groups = (BarrierGroup(rings=((phase, *ring(47, movement="ni>so")),)),)

    assert "minimum-green" in rules_of(FIELD, barrier_groups=groups)


def test_all_findings_at_once():
    """Three breaches of different rules are reported together."""
    rows = changed(r0=(125, "GgGgrrG"), r7=(2, "rrrryyr"), r8=(1, "rrrrrrr"))

    assert rules_of(rows) >= {"yellow", "clearance", "longest-red"}


def test_passed_checks_name_every_rule():
    """The record for the plan document has every rule once."""
    records = passed_checks(findings_of(changed(r7=(2, "rrrryyr"))))

    assert {r["rule"] for r in records} == {name for name, _ in FORM_RULES + RULES} | set(MORE_NAMES)
    assert {r["rule"] for r in records if not r["passed"]} == {"yellow", "clearance"}
