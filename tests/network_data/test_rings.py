"""Rings compile to intervals: one ring, NEMA dual ring, overlaps, crossings; and stages are read back."""

import pytest

from network_data.clearance import clearance_matrix
from network_data.errors import PlanError
from network_data.plans import BarrierGroup, Phase, TimingPlan
from network_data.rings import compile_rings, merge_equal, phases_of, starting_at_stage
from network_data.rules import check_plan
from network_data.settings import Settings
from tests.network_data.crossroads import FIELD, crossroads, program, timing
from tests.network_data.real_networks import REAL, load


def phase(name, split_s, movements=(), *, permitted=(), crossings=(), yellow_s=3.0, red_s=2.0):
    return Phase(
        name=name, movements=movements, permitted=permitted, crossings=crossings,
        green_s=split_s - yellow_s - red_s, yellow_s=yellow_s, red_clearance_s=red_s, min_green_s=5.0, max_green_s=99.0,
    )  # fmt: skip


def compiled(groups, **options):
    controller = crossroads().controllers["c"]
    matrix = clearance_matrix(controller, controller.programs[0], network=crossroads())
    return compile_rings(tuple(groups), controller, matrix, **options)


def dual_ring(s6=40.0):
    """NEMA on the crossroads: lefts (1, 5) before throughs (2, 6), then the side street (4, 8) with unused 3 and 7."""
    first = BarrierGroup(
        rings=(
            (phase("1", 20.0, ("ei>so",)), phase("2", 45.0, ("wi>eo",))),
            (phase("5", 25.0, ("wi>no",)), phase("6", s6, ("ei>wo",))),
        )
    )
    second = BarrierGroup(
        rings=(
            (phase("3", 20.0), phase("4", 35.0, ("ni>so",))),
            (phase("7", 15.0), phase("8", 40.0, ("si>no",))),
        )
    )
    return (first, second)


def test_dual_ring():
    """Splits 20, 45, 20, 35 and 25, 40, 15, 40: barrier at 65 s, and each phase has its green to the second."""
    plan = program(compiled(dual_ring()))

    assert plan.cycle_s == 120.0
    greens = {k: [(w.start_s, w.end_s) for w in plan.windows(k) if w.letter == "G"] for k in range(6)}
    assert greens == {
        3: [(0.0, 15.0)],
        0: [(20.0, 60.0)],
        1: [(0.0, 20.0)],
        2: [(25.0, 60.0)],
        4: [(85.0, 115.0)],
        5: [(80.0, 115.0)],
    }
    assert [(w.start_s, w.end_s) for w in plan.windows(3) if w.letter == "y"] == [(15.0, 18.0)]


def test_rings_that_do_not_meet():
    """With 45 s for phase 6 ring 2 ends at 70 s."""
    with pytest.raises(PlanError, match="barrier 65≠70"):
        compiled(dual_ring(s6=45.0))


def test_one_ring_compiles_to_the_field_program():
    """The crossroads' three stages, written as phases, give its program without the permitted and walking letters."""
    main = phase("1", 43.0, ("wi>eo", "ei>wo"), red_s=2.0)
    side = phase("2", 34.0, ("ni>so", "si>no"))

    assert compiled([BarrierGroup(rings=((main, side),))]) == (
        (38.0, "GrGrrrr"),
        (3.0, "yryrrrr"),
        (2.0, "rrrrrrr"),
        (29.0, "rrrrGGr"),
        (3.0, "rrrryyr"),
        (2.0, "rrrrrrr"),
    )


def test_an_overlap_stays_green_between_its_phases():
    """A left turn served by both main phases keeps its green through the change, with the first phase's letter."""
    groups = [
        BarrierGroup(
            rings=(
                (
                    phase("1", 30.0, ("wi>eo",), permitted=("wi>no",)),
                    phase("2", 20.0, ("wi>no", "ei>so")),
                    phase("3", 30.0, ("ni>so", "si>no")),
                ),
            )
        )
    ]

    plan = program(compiled(groups))

    assert [(w.start_s, w.end_s, w.letter) for w in plan.windows(1) if w.letter in "Gg"] == [
        (0.0, 30.0, "g"),
        (30.0, 45.0, "G"),
    ]


def test_a_crossing_turns_red_early_enough():
    """Its clearance of 8 s ends with the split: walk until 42 s of 50 s."""
    groups = [
        BarrierGroup(
            rings=((phase("1", 50.0, ("wi>eo", "ei>wo"), crossings=("x:c:0",)), phase("2", 30.0, ("ni>so", "si>no"))),)
        )
    ]

    plan = program(compiled(groups))

    assert [(w.start_s, w.end_s) for w in plan.windows(6) if w.letter == "G"] == [(0.0, 42.0)]
    found = check_plan(crossroads(), TimingPlan(controllers={"c": plan}), timing(FIELD), Settings())
    assert {f.rule for f in found} == {"service"}  # nothing but the left turns that no phase serves


def test_the_link_indexs_own_yellow_counts():
    """Where the matrix wants 4 s of yellow and the phase has 3 s and 2 s of clearance, 4 and 1 are shown."""
    field = [(4, s) if n == 7 else (d, s) for n, (d, s) in enumerate(FIELD)]
    controller = crossroads(field=field).controllers["c"]
    matrix = clearance_matrix(controller, controller.programs[0])
    groups = (BarrierGroup(rings=((phase("1", 40.0, ("wi>eo",)), phase("2", 40.0, ("ni>so",))),)),)

    plan = program(compile_rings(groups, controller, matrix))

    assert [(w.start_s, w.end_s) for w in plan.windows(4) if w.letter == "y"] == [(75.0, 79.0)]


def test_letters_of_those_not_served():
    """Where no phase serves a link index its rest letter stands, such as right turn on red."""
    intervals = compiled([BarrierGroup(rings=((phase("1", 40.0, ("wi>eo",)),),))], rest="rsrrrrr")

    assert {state[1] for _, state in intervals} == {"s"}


def test_faults_are_listed_together():
    """An unknown movement and a phase without green are both named."""
    groups = [BarrierGroup(rings=((phase("1", 40.0, ("a>b",)), phase("2", 5.0)),))]

    with pytest.raises(PlanError, match=r"(?s)'a>b'.*phase 2 has no green"):
        compiled(groups)


def test_stages_are_read_back():
    """The crossroads' program is three stages; splits add up and permitted movements are told from protected ones."""
    network = crossroads()

    (group,) = phases_of(network.controllers["c"], network, program(FIELD))

    (phases,) = group.rings
    assert [(p.green_s, p.yellow_s, p.red_clearance_s) for p in phases] == [(38, 3, 0), (10, 3, 2), (29, 3, 2)]
    assert phases[0].movements == ("wi>eo", "ei>wo")
    assert phases[0].permitted == ("wi>no", "ei>so")
    assert phases[0].crossings == ("x:c:0",)


def test_least_and_greatest_green_of_a_stage():
    """Stated minima bound a stage that has a green of its own; the greatest is what the others' least leaves."""
    network = crossroads()
    controller = network.controllers["c"]
    field = program(FIELD, min_durations_s=(10.0, 8.0, 3.0, 5.0, 3.0, 2.0, 20.0, 3.0, 2.0))

    (group,) = phases_of(controller, network, field, clearance_matrix(controller, field))

    least = [p.min_green_s for p in group.rings[0]]
    assert least == [18.0, 5.0, 20.0]
    assert [p.max_green_s for p in group.rings[0]] == [x + 77.0 - 43.0 for x in least]


def test_a_program_that_begins_within_a_stage_is_turned():
    """Begun in the middle of the side street's green, it is turned to a stage's begin and the offset moves along."""
    rows = [(15, "rrrrGGr"), *FIELD[7:], *FIELD[:6], (14, "rrrrGGr")]
    controller = crossroads().controllers["c"]
    plan = program(rows, offset_s=80.0)

    turned = starting_at_stage(plan, controller)

    assert turned.offset_s == 10.0
    assert [plan.state_at(t) for t in range(180)] == [turned.state_at(t) for t in range(180)]


def test_no_stage_no_phases():
    """A program that is always yellow has no stages."""
    network = crossroads()

    assert phases_of(network.controllers["c"], network, program([(60, "yyyyyyr")])) == ()


@pytest.mark.parametrize("name", REAL)
def test_stages_of_real_programs_add_up(name):
    """Every real program, staggered ones of Bologna too, reads as stages whose splits add up to its cycle."""
    network, field = load(name)
    for controller_id, plan in field.controllers.items():
        turned = starting_at_stage(plan, network.controllers[controller_id])

        (group,) = phases_of(network.controllers[controller_id], network, turned)

        assert sum(p.split_s for p in group.rings[0]) == pytest.approx(plan.cycle_s, abs=1e-9)
        assert all(p.green_s >= 3 for p in group.rings[0])


def test_stages_compile_back():
    """A real program of plain stages is the same after stages → intervals."""
    network, field = load("cologne1")
    ((controller_id, plan),) = field.controllers.items()
    controller = network.controllers[controller_id]

    groups = phases_of(controller, network, plan)

    assert compile_rings(groups, controller, clearance_matrix(controller, plan)) == merge_equal(plan.intervals)
