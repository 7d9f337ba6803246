"""Actuated controllers: each rule by hand, the compiled controller equal to its plain twin, and what always holds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_data.actuation import ActuatedController, HeadTiming
from network_data.actuation_build import Actuation, from_intervals, from_rings
from network_data.clearance import clearance_matrix
from network_data.errors import PlanError
from network_data.plans import BarrierGroup, ControllerPlan
from network_data.rings import compile_rings
from sim import _actuated as k
from sim import _tables as c
from sim.actuated import LaneData, actuated_state, compile_actuated, shown_program
from tests.network_data.crossroads import FIELD, crossroads
from tests.network_data.real_networks import load
from tests.network_data.test_actuation import RINGS, stage
from tests.sim.actuated_driver import drive, greens, phase, shown

BUSY = list(range(0, 20_000, 20))
"""A vehicle every 2 s: the phase never gaps out."""
NOBODY = []
LANES = {(link, 0): h for h, link in enumerate(("wi", "ei", "ni", "si"))}
DATA = dict.fromkeys(LANES, LaneData(150.0, 15.0, 7.5))


def one_ring(*phases, **more):
    return ActuatedController(controller_id="c", program_id="p", groups=((tuple(phases),),), **more)


def in_cycle(splits, *, coordinated, force_off="fixed", change_s=5.0, **more):
    """Phases 1, 2, … in one ring, each its own head, with splits in seconds; one of them is coordinated."""
    phases, now_s = [], 0.0
    for n, split_s in enumerate(splits):
        phases.append(
            phase(
                str(n + 1), [n], max_green_s=200.0, change_s=change_s,
                coordinated=n + 1 == coordinated, split_green_s=split_s - change_s,
                force_off_s=now_s + split_s - change_s,
            )
        )  # fmt: skip
        now_s += split_s
    return one_ring(*phases, cycle_s=now_s, force_off=force_off, **more)


def spans(states, head):
    """Greens in seconds."""
    return [(a / 10, b / 10) for a, b in greens(states, head)]


def test_least_green_then_gap():
    """Nobody comes: each recalled phase shows its least green of 5 s, with 3 s of yellow and 2 s of red between."""
    a, b = (phase(n, [int(n)], recall="minimum") for n in "01")

    states, _ = drive(one_ring(a, b), [NOBODY, NOBODY], until_s=40)

    assert spans(states, 0) == [(0, 5), (20, 25)]
    assert spans(states, 1)[0] == (10, 15)
    assert "".join(s[0] for s in states[50:100:10]) == "yyyrr"


def test_the_gap_counts_from_the_last_detection():
    """Vehicles at 4, 6 and 8 s, gap 3 s, detector at the stop line: the green ends at 11 s."""
    a = replace(phase("0", [0], recall="minimum"), detectors=phase("0", [0]).detectors[:1])
    b = phase("1", [1], recall="minimum")

    states, _ = drive(one_ring(a, b), [[40, 60, 80], NOBODY], until_s=30)

    assert spans(states, 0)[0] == (0, 11)


def test_a_detector_ahead_sees_earlier():
    """The same vehicles seen 30 m before the line, 2 s earlier: the green ends at 9 s."""
    a = replace(phase("0", [0], recall="minimum"), detectors=phase("0", [0]).detectors[1:])
    b = phase("1", [1], recall="minimum")

    states, _ = drive(one_ring(a, b), [[40, 60, 80], NOBODY], until_s=30)

    assert spans(states, 0)[0] == (0, 9)


def test_at_most_the_maximum():
    """Without end of vehicles the green lasts its 30 s."""
    a, b = (phase(n, [int(n)], recall="minimum") for n in "01")

    states, _ = drive(one_ring(a, b), [BUSY, BUSY], until_s=200)

    assert {until - begin for begin, until in spans(states, 0)[:-1]} == {30}


def test_the_maximum_counts_from_the_call_of_others():
    """Nobody else for 60 s: the busy phase rests in green; 30 s after the other's first vehicle is seen it ends."""
    states, _ = drive(one_ring(phase("0", [0]), phase("1", [1])), [BUSY, [620]], until_s=200)

    assert spans(states, 0)[0] == (0, 90)  # seen at 60 s, 2 s before the line
    assert spans(states, 1)[0] == (95, 100)


def test_phases_without_a_call_are_skipped():
    """Three phases, the second without vehicles or recall: it never turns green."""
    phases = [phase(n, [int(n)], recall="none" if n == "1" else "minimum") for n in "012"]

    states, _ = drive(one_ring(*phases), [BUSY, NOBODY, BUSY], until_s=300)

    assert greens(states, 1) == []
    assert len(greens(states, 2)) > 3


def test_maximum_recall_uses_all_its_green():
    """A phase on maximum recall without vehicles stays for its maximum."""
    a, b = phase("0", [0], recall="maximum", max_green_s=20.0), phase("1", [1], recall="minimum")

    states, _ = drive(one_ring(a, b), [NOBODY, NOBODY], until_s=100)

    assert spans(states, 0)[0] == (0, 20)


@pytest.mark.parametrize(("force_off", "fourth_s", "second_s"), [("fixed", 35, 35), ("floating", 25, 45)])
def test_unused_time(force_off, fourth_s, second_s):
    """The example of FHWA's Signal Timing Manual (2008), figure 6-6: four splits of 25 s, the second coordinated.

    Phases 1 and 3 need 15 s each, phase 4 needs 40 s. With fixed force-offs phase 4 takes the 10 s that phase 3 leaves;
    with floating ones it is forced off after its own 25 s and the coordinated phase has the 10 s. Phase 1's rest goes
    to the coordinated phase either way. (Splits without yellow: green is all of them.)
    """
    controller = in_cycle([25.0] * 4, coordinated=2, force_off=force_off, change_s=0.0, scan_s=0.1)
    short = tuple(replace(p, detectors=p.detectors[:1]) for p in controller.phases)
    controller = replace(controller, groups=((short,),))
    # six vehicles: start-up of 2 s, five headways of 2 s, then the gap of 3 s
    few = [cycle * 1000 + n for cycle in range(8) for n in range(6)]

    states, _ = drive(controller, [[t + 740 for t in few], BUSY, [t + 440 for t in few], BUSY], until_s=700)

    lengths = [[b - a for a, b in spans(states, head)[1:-1]] for head in range(4)]
    assert [set(x) for x in lengths] == [{15}, {second_s}, {15}, {fourth_s}]


def test_the_coordinated_phase_rests_where_nobody_calls():
    """Only the coordinated phase has vehicles: it stays green through all yield points."""
    states, _ = drive(in_cycle([30.0, 30.0], coordinated=1), [BUSY, NOBODY], until_s=300)

    assert greens(states, 0) == [(0, 3000)]


def test_a_call_is_served_after_the_yield_point_or_waits_a_cycle():
    """C = 60, yield at 25 s, force-off of the other at 55 s, least green 5 s: it must call by 45 s to be served."""
    early, _ = drive(in_cycle([30.0, 30.0], coordinated=1), [BUSY, [460]], until_s=130)
    late, _ = drive(in_cycle([30.0, 30.0], coordinated=1), [BUSY, [480]], until_s=130)

    assert spans(early, 1)[0] == (49, 54)  # seen at 44 s
    assert spans(late, 1)[0] == (90, 95)  # seen at 46 s: 46 + 5 + 5 > 55


def test_the_offset_moves_the_yield_point():
    """Offset 10, cycle 60: yields at 35, 95, …; the run begins at second 7, where the clock says 7."""
    states, _ = drive(in_cycle([30.0, 30.0], coordinated=1, offset_s=10.0), [BUSY, BUSY], until_s=200, begin_s=7.0)

    assert [b for _, b in spans(states, 0)[:2]] == [28, 88]
    assert spans(states, 1)[:2] == [(33, 58), (93, 118)]


def test_heads_served_by_two_phases_stay_green():
    """A head of phase 0 and 1 holds its green through the change; its mode follows the phase."""
    a = replace(phase("0", [0], recall="minimum"), heads=(HeadTiming(0, "G", 3.0), HeadTiming(1, "G", 3.0)))
    b = replace(phase("1", [1], recall="minimum"), heads=(HeadTiming(1, "g", 3.0),))
    c = phase("2", [2], recall="minimum")

    states, _ = drive(one_ring(a, b, c), [NOBODY] * 3, until_s=30)

    assert spans(states, 0)[0] == (0, 5)
    assert spans(states, 1)[0] == (0, 15)
    assert {s[1] for s in states[:100]} == {"G"}
    assert {s[1] for s in states[100:150]} == {"g"}
    assert states[150][1] == "y"


def test_walk_ends_by_itself():
    """A crossing's head with a length shows it from the start of the phase and no yellow behind."""
    a = replace(phase("0", [0], recall="minimum"), heads=(HeadTiming(0, "G", 3.0), HeadTiming(1, "G", 0.0, length_s=4)))
    b = phase("2", [2], recall="minimum")

    states, _ = drive(one_ring(a, b), [BUSY, NOBODY, BUSY], until_s=60)

    assert spans(states, 1)[:2] == [(0, 4), (70, 74)][: len(spans(states, 1)[:2])]
    assert states[40][1] == "r"


def test_rings_wait_for_each_other_at_the_barrier():
    """Ring 1 has gapped out at 5 s, ring 2 is busy until its maximum: both end together, then both start together."""
    group1 = ((phase("2", [0], recall="minimum"),), (phase("6", [1], recall="minimum"),))
    group2 = ((phase("4", [2], recall="minimum"),), (phase("8", [3], recall="minimum"),))
    dual = ActuatedController(controller_id="c", program_id="p", groups=(group1, group2))

    states, _ = drive(dual, [NOBODY, BUSY, NOBODY, NOBODY], until_s=80)

    assert spans(states, 0)[0] == spans(states, 1)[0] == (0, 30)
    assert spans(states, 2)[0] == spans(states, 3)[0] == (35, 40)


def test_within_a_group_rings_go_on_alone():
    """Leading lefts 1 and 5: ring 1 goes from 1 to 2 when 1 gaps out, ring 2 holds 5 longer."""
    group = (
        (phase("1", [0], recall="minimum"), phase("2", [1], recall="minimum")),
        (phase("5", [2], recall="minimum"), phase("6", [3], recall="minimum")),
    )
    other = ((phase("4", [4], recall="minimum"),), (phase("8", [5], recall="minimum"),))
    dual = ActuatedController(controller_id="c", program_id="p", groups=(group, other))

    states, _ = drive(dual, [NOBODY, NOBODY, BUSY[:8], NOBODY, NOBODY, NOBODY], until_s=60)

    assert spans(states, 0)[0] == (0, 5)
    assert spans(states, 1)[0][0] == 10
    assert spans(states, 2)[0][1] > 10
    assert spans(states, 1)[0][1] == spans(states, 3)[0][1]


# what always holds


@st.composite
def controllers(draw):
    """One ring of 2 to 4 phases or two rings with two groups, free or in a cycle; every phase its own head."""
    least = draw(st.lists(st.integers(4, 9), min_size=8, max_size=8))
    gap_s = draw(st.sampled_from((1.5, 2.0, 3.0, 4.5)))
    scan_s = draw(st.sampled_from((0.1, 0.5, 1.0)))
    cyclic = draw(st.booleans())
    recall = [draw(st.sampled_from(("none", "none", "minimum", "maximum"))) for _ in range(8)]
    if draw(st.booleans()):
        sizes = [[draw(st.integers(2, 4))]]
    else:
        sizes = [[draw(st.integers(1, 2)), draw(st.integers(1, 2))] for _ in range(2)]
    groups, n, begin_s = [], 0, 0.0
    for g, rings in enumerate(sizes):
        length_s = float(draw(st.integers(30 * max(rings), 45 * max(rings))))
        made = []
        for size in rings:
            now_s, ring = begin_s, []
            for i in range(size):
                split_s = length_s / size
                ring.append(
                    phase(
                        str(n), [n], min_green_s=float(least[n]),
                        max_green_s=float(least[n] + draw(st.integers(0, 40))), gap_s=gap_s, recall=recall[n],
                        split_green_s=split_s - 5.0, force_off_s=now_s + split_s - 5.0,
                        coordinated=cyclic and g == 0 and i == size - 1,
                    )
                )  # fmt: skip
                n, now_s = n + 1, now_s + split_s
            made.append(tuple(ring))
        groups.append(tuple(made))
        begin_s += length_s
    return ActuatedController(
        controller_id="c", program_id="p", groups=tuple(groups), cycle_s=begin_s if cyclic else None, scan_s=scan_s,
        offset_s=float(draw(st.integers(0, 50))), force_off=draw(st.sampled_from(("fixed", "floating"))),
    )  # fmt: skip


@st.composite
def overlapping(draw):
    """As `controllers`, with two more heads that several phases drive, protected or permitted."""
    actuated = draw(controllers())
    groups, n = [], len(actuated.phases)
    for rings in actuated.groups:
        alike = [draw(st.sampled_from(("G", "g", ""))) for _ in range(2)]  # beside each other only the same letter
        made = []
        for ring in rings:
            phases = []
            for p in ring:
                drawn = [x or draw(st.sampled_from("Gg")) if len(rings) == 1 else x or "G" for x in alike]
                drives = [draw(st.booleans()) for _ in range(2)]
                more = [HeadTiming(n + h, drawn[h], 3.0) for h in range(2) if drives[h]]
                phases.append(replace(p, heads=(*p.heads, *more)))
            made.append(tuple(phases))
        groups.append(tuple(made))
    return replace(actuated, groups=tuple(groups))


@st.composite
def traffic(draw):
    """Ticks of arrival on eight lanes: none, a few, clumps, or one after the other."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    out = []
    for _ in range(8):
        n = draw(st.sampled_from((0, 2, 15, 60, 200)))
        times = np.sort(rng.integers(0, 4000, n))
        times = np.maximum.accumulate(times + 12 * np.arange(n)) if n else times  # no two within 1.2 s
        out.append(times.tolist())
    return out


@settings(deadline=None, max_examples=60)
@given(actuated=overlapping(), arrivals=traffic())
def test_equals_its_twin(actuated, arrivals):
    """The compiled controller, called when it asks to be, shows what the plain one shows that looks at every scan."""
    arrivals = [*arrivals[: len(actuated.phases)], [], []]

    fast, calls = drive(actuated, arrivals, until_s=400.0, begin_s=3.0)
    plain, looks = drive(actuated, arrivals, until_s=400.0, begin_s=3.0, twin=True)

    assert fast == plain
    assert calls <= looks


@settings(deadline=None, max_examples=60)
@given(actuated=controllers(), arrivals=traffic())
def test_what_always_holds(actuated, arrivals):
    """Least greens, yellows, changes between phases that exclude each other, maxima and force-offs."""
    phases = actuated.phases
    states, _ = drive(actuated, arrivals[: len(phases)], until_s=400.0)
    place = [(g, r) for g, rings in enumerate(actuated.groups) for r, ring in enumerate(rings) for _ in ring]
    mine = [[x for x in greens(states, h) if x[1] < len(states)] for h in range(len(phases))]

    for h, p in enumerate(phases):
        for begin, end in mine[h]:
            assert end - begin >= p.min_green_s * 10
            assert "".join(s[h] for s in states[end : end + 30]) == ("y" * 30)[: len(states) - end]
            for other in range(len(phases)):
                apart = place[h][0] == place[other][0] and place[h][1] != place[other][1]
                if other != h and not apart:
                    assert all(b <= begin - 50 or a >= end + 50 for a, b in mine[other]), f"{h} and {other}"
        if len(actuated.groups) == 1 and not p.coordinated and p.recall == "none":
            assert_ends_in_time(actuated, h, mine, states)


def assert_ends_in_time(actuated, h, mine, states):
    """In one ring: no green goes on past its maximum (or force-off) while another phase has been called all along."""
    p, scan = actuated.phases[h], round(actuated.scan_s * 10)
    recalled = any(q.recall != "none" or q.coordinated for n, q in enumerate(actuated.phases) if n != h)
    for begin, end in mine[h]:
        if recalled and actuated.cycle_s is None:
            assert end - begin <= p.max_green_s * 10 + scan
        if actuated.cycle_s is not None:
            cycle = round(actuated.cycle_s * 10)
            at = round((actuated.offset_s + p.force_off_s) * 10) % cycle
            passed = [t for t in range(at - cycle, len(states), cycle) if begin + p.min_green_s * 10 <= t < end - scan]
            assert passed == []


def test_a_cycle_is_kept_to_the_tick():
    """All phases busy: every cycle shows the programmed greens, begin and end at the same tick of the cycle."""
    states, _ = drive(in_cycle([30.0, 25.0, 35.0], coordinated=1), [BUSY] * 3, until_s=450)

    for head, length in ((0, 25), (1, 20), (2, 30)):
        inner = spans(states, head)[1:-1]
        assert {b - a for a, b in inner} == {length}
        assert len({a % 90 for a, _ in inner}) == 1


def letters_of(made, n_head, seconds):
    """What the heads of a controller show at every second while nobody is on the road."""
    tables = compile_actuated([made], {("c", h): (h, 2 * h) for h in range(n_head)}, LANES, DATA)
    state, windows = actuated_state(tables), np.zeros((2 * n_head, k.N_WINDOW), np.int32)
    lanes, vehicles = np.full((len(LANES), c.N_LANE_STATE), -1, np.int32), np.zeros((1, c.N_VEH_STATE), np.int32)
    wake, out = k.start(tables, state, windows, 0), []
    for now in range(round(seconds * 10)):
        if now == wake:
            wake = k.decide(tables, state, windows, lanes, vehicles, 0, now)
        if now % 10 == 0:
            out.append(shown(windows, now))
    return out


def plain(state):
    """Letters as live signals know them."""
    return state.translate(str.maketrans("oOYuR", "ggyrr"))


def test_a_fixed_program_read_as_actuated_shows_itself():
    """Every stage at its programmed length: second by second the letters of the interval table, yellows and all."""
    network = crossroads()
    field = network.controllers["c"].programs[0]

    made = from_intervals(field, [None] * len(FIELD), network, network.controllers["c"])

    assert letters_of(made, 7, 300) == [field.state_at(t) for t in range(300)]


@pytest.mark.parametrize("name", ["cologne8", "acosta", "grid4x4"])
def test_real_fixed_programs_read_as_actuated(name):
    """The same on real programs that begin with a stage.

    Within a change a head has the letter of its stage: a few programs show g there first. Heads that open within the
    change before the first stage are open from the start; the first second is left out.
    """
    network, field = load(name)
    compared, refused = 0, 0
    for controller_id, program in field.controllers.items():
        states = [i.state for i in program.intervals]
        whole = all(i.duration_s == round(i.duration_s) for i in program.intervals)
        if not whole or not any(x in "Gg" for x in states[0]) or any(x in "yY" for x in states[0]):
            continue
        try:
            made = from_intervals(program, [None] * len(states), network, network.controllers[controller_id])
        except PlanError:
            refused += 1
            continue
        found = letters_of(replace(made, controller_id="c"), len(states[0]), 200)
        for t in range(1, 200):
            want = plain(program.state_at(round(program.offset_s) + t))
            changing = any(x in "yY" for x in want) or not any(x in "Gg" for x in want)
            assert (found[t].lower() == want.lower()) if changing else (found[t] == want), (controller_id, t)
        compared += 1
    assert compared > 0
    assert refused <= 1


DUAL = (
    BarrierGroup(
        rings=(
            (stage("1", ("ei>so",), 10.0), stage("2", ("wi>eo",), 35.0, permitted=("ei>so",))),
            (stage("5", ("wi>no",), 15.0), stage("6", ("ei>wo",), 30.0, permitted=("wi>no",))),
        )
    ),
    BarrierGroup(rings=((stage("4", ("ni>so",), 25.0),), (stage("8", ("si>no",), 25.0),))),
)


@pytest.mark.parametrize("force_off", ["fixed", "floating"])
@pytest.mark.parametrize("rings", [RINGS, DUAL], ids=["one", "two"])
def test_coordinated_and_always_called_is_the_fixed_program(rings, force_off):
    """With every phase on maximum recall the cycle is the programmed one: the letters of the compiled rings."""
    network = crossroads()
    controller = network.controllers["c"]
    matrix = clearance_matrix(controller, controller.programs[0], network=network)
    names = [p.name for group in rings for ring in group.rings for p in ring]
    actuation = Actuation(
        recall=dict.fromkeys(names, "maximum"), coordinated=frozenset({"main", "2", "6"} & set(names)),
        force_off=force_off, scan_s=1.0,
    )  # fmt: skip
    intervals = compile_rings(rings, controller, matrix)
    fixed = ControllerPlan(controller_id="c", program_id="p", offset_s=13.0, intervals=intervals)

    made = from_rings(rings, network, controller, matrix, actuation, offset_s=13.0)

    found = letters_of(made, 7, 400)
    assert [x[:6] for x in found[200:]] == [fixed.state_at(t)[:6] for t in range(200, 400)]


@settings(deadline=None, max_examples=25)
@given(actuated=overlapping(), arrivals=traffic())
def test_what_was_shown_as_one_program(actuated, arrivals):
    """The greens kept during a run, as one long program: at every tick the letters that the heads showed."""
    n = len(actuated.phases) + 2
    run = {}

    states, _ = drive(actuated, [*arrivals[: n - 2], [], []], until_s=300.0, begin_s=3.0, keep=run)

    program = shown_program(
        actuated, {h: (h, 2 * h) for h in range(n)}, run["state"], run["windows"], rest="r" * n, begin_s=3, end_s=303
    )
    assert program.cycle_s == pytest.approx(300)
    for now in range(0, 3000, 7):
        assert program.state_at(3 + (now + 0.5) / 10) == states[now], now


def test_greens_that_were_not_kept():
    """Without room for greens the program cannot be told, and the error says so."""
    controller = one_ring(phase("0", [0]), phase("1", [1]))
    run = {}
    drive(controller, [BUSY, BUSY], until_s=100, keep=run)
    few = run["state"]._replace(past=run["state"].past[:1])

    with pytest.raises(PlanError, match="only 1 greens were kept"):
        shown_program(controller, {0: (0, 0), 1: (1, 2)}, few, run["windows"], rest="rr", begin_s=0, end_s=100)


def test_called_seldom():
    """An hour of a busy junction takes far fewer calls than scans."""
    rng = np.random.default_rng(5)
    arrivals = [np.sort(rng.integers(0, 36_000, n)).tolist() for n in (500, 300, 120, 60)]
    phases = [phase(n, [int(n)]) for n in "0123"]

    _, calls = drive(one_ring(*phases, scan_s=0.1), arrivals, until_s=3600)

    assert calls < 36_000 / 5


def test_detectors_must_lie_on_lanes():
    """A detector on a lane that is not in the network is told with controller, phase and lane."""
    with pytest.raises(PlanError, match="phase 0: a detector lies on lane 0 of link 'l0'"):
        compile_actuated(
            [one_ring(phase("0", [0]), phase("1", [1]))], {}, {("l1", 0): 0}, {("l1", 0): LaneData(100, 15, 7.5)}
        )


def test_numbers_shared_with_the_queues():
    """Controllers and queues have one number for no time at all, and the same columns of windows."""
    assert k.NEVER == c.NEVER
    assert (k.GREEN0, k.GREEN1, k.BEHIND, k.GREEN_MODE, k.FRESH) == (c.GREEN0, c.GREEN1, c.YELLOW, c.MODE, c.FRESH)
