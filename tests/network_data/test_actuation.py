"""Actuated controllers as records: what is refused, how rings and interval tables become phases, SUMO's programs."""

from dataclasses import replace

import pytest

from network_data.actuation import (
    ActuatedController,
    ActuatedPhase,
    HeadTiming,
    PhaseDetector,
    fixed_time_reading,
    readings,
)
from network_data.actuation_build import Actuation, from_intervals, from_rings
from network_data.clearance import clearance_matrix
from network_data.errors import InputError, PlanError
from network_data.formats.sumo_actuated import read_sumo_actuated
from network_data.plans import BarrierGroup, Phase
from tests.network_data.crossroads import CROSSING_M, FIELD, crossroads, program
from tests.packs import data_pack

NETWORK = crossroads()
CONTROLLER = NETWORK.controllers["c"]
MATRIX = clearance_matrix(CONTROLLER, program(FIELD), network=NETWORK)


def a_phase(name="1", **more):
    values = {
        "heads": (), "detectors": (PhaseDetector("wi", 0, 0.0),), "min_green_s": 5.0, "max_green_s": 30.0,
        "gap_s": 3.0, "change_s": 5.0,
    } | more  # fmt: skip
    return ActuatedPhase(name=name, **values)


def stage(name, movements, green_s, **more):
    values = {
        "permitted": (), "crossings": (), "yellow_s": 3.0, "red_clearance_s": 2.0, "min_green_s": 5.0,
        "max_green_s": 60.0,
    } | more  # fmt: skip
    return Phase(name=name, movements=movements, green_s=green_s, **values)


RINGS = (
    BarrierGroup(
        rings=(
            (
                stage("main", ("wi>eo", "ei>wo"), 40.0, permitted=("wi>no", "ei>so"), crossings=("x:c:0",)),
                stage("left", ("wi>no", "ei>so"), 10.0),
                stage("side", ("ni>so", "si>no"), 25.0),
            ),
        )
    ),
)


def test_phases_from_rings():
    """Letters, yellow, splits and force-offs come from the rings; main street has its walk within the least green."""
    made = from_rings(
        RINGS, NETWORK, CONTROLLER, MATRIX, Actuation(recall={"main": "minimum"}, coordinated=frozenset({"main"}))
    )

    main, left, side = made.phases
    assert made.cycle_s == 90
    assert [(p.split_green_s, p.force_off_s, p.change_s) for p in made.phases] == [
        (40, 40, 5),
        (10, 55, 5),
        (25, 85, 5),
    ]
    assert {h.link_index: h.letter for h in main.heads} == {0: "G", 1: "g", 2: "G", 3: "g", 6: "G"}
    assert {h.link_index: h.letter for h in left.heads} == {1: "G", 3: "G"}
    walk = next(h for h in main.heads if h.link_index == 6)
    assert main.min_green_s + main.change_s == 7 + CROSSING_M
    assert walk.length_s == 7
    assert side.recall == "none"
    assert made.reading == "actuated-coordinated, cycle 90 s, fixed force-off"


def test_detectors_of_phases():
    """Lanes with a protected head are watched, at the stop line and 2 s before it."""
    made = from_rings(RINGS, NETWORK, CONTROLLER, MATRIX, Actuation(recall={}))

    side = made.phases[2]
    assert {(d.link_id, d.lane) for d in side.detectors} == {("ni", 0), ("si", 0)}
    assert {round(d.distance_m, 2) for d in side.detectors} == {0.0, round(2 * 50 / 3.6, 2)}
    assert {d.link_id for d in made.phases[1].detectors} == {"wi", "ei"}  # shared lanes, there are no others
    assert made.cycle_s is None
    assert made.reading == "actuated, free (minimum, gap, maximum)"


def test_unknown_phase_names():
    """A recall for a phase that does not exist is told with the names that do."""
    with pytest.raises(PlanError, match="there is no phase 'min'; it has left, main, side"):
        from_rings(RINGS, NETWORK, CONTROLLER, MATRIX, Actuation(recall={"min": "minimum"}))


def test_conflicting_phases_side_by_side():
    """Main street in ring 1 beside the side street in ring 2 of one group: refused with the link indices."""
    groups = (BarrierGroup(rings=((stage("main", ("wi>eo",), 40.0),), (stage("side", ("ni>so",), 40.0),))),)

    with pytest.raises(PlanError, match="main and side run side by side, but link indices 0 and 4 conflict"):
        from_rings(groups, NETWORK, CONTROLLER, MATRIX, Actuation(recall={}))


def test_faults_of_a_controller_are_told_together():
    """Minimum above maximum, negative gap, a phase nobody can call."""
    ring = (
        a_phase("1", min_green_s=40.0), a_phase("2", gap_s=-1.0), a_phase("3", detectors=()),
    )  # fmt: skip

    with pytest.raises(PlanError) as error:
        ActuatedController(controller_id="c", program_id="p", groups=((ring,),))

    for words in ("phase 1: minimum green 40", "phase 2: gap -1", "phase 3: has no detector and no recall"):
        assert words in str(error.value)


def test_a_head_has_one_letter_beside_itself():
    """Protected in ring 1 and permitted in ring 2 of the same group: refused; in one ring it is an overlap."""
    strong, weak = (a_phase(x, heads=(HeadTiming(4, x, 3.0),)) for x in "Gg")

    with pytest.raises(PlanError, match="link index 4 is protected in one ring and permitted in another"):
        ActuatedController(controller_id="c", program_id="p", groups=(((strong,), (weak,)),))
    assert ActuatedController(controller_id="c", program_id="p", groups=(((strong, weak),),)).phases == (strong, weak)


def test_what_a_cycle_needs():
    """One coordinated phase in every ring of one group, and splits that hold the least green."""
    ring = (a_phase("1", split_green_s=20.0, force_off_s=20.0), a_phase("2", split_green_s=4.0, force_off_s=49.0))
    with pytest.raises(PlanError, match="one coordinated phase in every ring of one group"):
        ActuatedController(controller_id="c", program_id="p", groups=((ring,),), cycle_s=50.0)

    ring = (replace(ring[0], coordinated=True), ring[1])
    with pytest.raises(PlanError, match="phase 2: green of 4 s in its split, its minimum is 5 s"):
        ActuatedController(controller_id="c", program_id="p", groups=((ring,),), cycle_s=50.0)


def test_phases_from_an_interval_table():
    """Steady intervals are phases; without stated maxima they last as the table says."""
    made = from_intervals(program(FIELD), [None] * len(FIELD), NETWORK, CONTROLLER)

    assert [p.name for p in made.phases] == ["0", "1", "3", "6"]
    assert [(p.min_green_s, p.max_green_s, p.change_s) for p in made.phases] == [
        (30, 30, 0), (8, 8, 3), (10, 10, 5), (29, 29, 5),
    ]  # fmt: skip
    assert {p.recall for p in made.phases} == {"maximum"}
    through = {h.link_index: (h.holds, h.closes_s, h.yellow_s) for h in made.phases[1].heads}
    assert through == {0: (False, 0, 3), 1: (True, 3, 0), 2: (False, 0, 3), 3: (True, 3, 0)}
    assert {h.link_index: h.holds for h in made.phases[0].heads} == {0: True, 1: True, 2: True, 3: True, 6: False}


def test_stated_minima_and_maxima_make_a_phase_actuated():
    """Minimum 12 and maximum 50 s on the side street: it waits for a gap of the protected lanes."""
    field = program(FIELD, min_durations_s=(None,) * 6 + (12.0,) + (None,) * 2)
    made = from_intervals(field, [None] * 6 + [50.0] + [None] * 2, NETWORK, CONTROLLER, gap_s=2.5)

    side = made.phases[3]
    assert (side.min_green_s, side.max_green_s, side.gap_s, side.recall) == (12, 50, 2.5, "minimum")
    assert {(d.link_id, round(d.distance_m, 1)) for d in side.detectors} == {("ni", 27.8), ("si", 27.8)}


def test_lanes_shared_with_waiting_vehicles_hold_no_phase():
    """The left turns' lanes also hold through vehicles, which have red then: SUMO's phase shows its minimum."""
    field = program(FIELD, min_durations_s=(5.0,) * len(FIELD))

    made = from_intervals(field, [40.0] * len(FIELD), NETWORK, CONTROLLER)

    assert {d.link_id for d in made.phases[0].detectors} == {"wi", "ei"}
    assert made.phases[2].detectors == ()
    assert made.phases[2].recall == "minimum"


def test_a_green_between_two_stages_is_refused():
    """A head that is green within a change only fits no phase."""
    rows = [(20, "Gr"), (3, "yr"), (3, "ry")]
    odd = program([(20, "Grr"), (3, "yrG"), (20, "rGr"), (3, "ryr")])

    with pytest.raises(PlanError, match="link index 2 is green between two stages only"):
        from_intervals(odd, [None] * 4, NETWORK, CONTROLLER)
    assert len(from_intervals(program(rows), [None] * 3, NETWORK, CONTROLLER).phases) == 1


def test_a_program_without_stages_is_refused():
    """All yellow and red: nothing to actuate."""
    with pytest.raises(PlanError, match="no interval in which somebody has green"):
        from_intervals(program([(3, "y"), (3, "r")]), [None, None], NETWORK, CONTROLLER)


SUMO = """<additional>
  <tlLogic id="c" type="actuated" programID="1" offset="0">
    <param key="max-gap" value="4.5"/>
    <phase duration="31" minDur="5" maxDur="45" state="GrGrrrr"/>
    <phase duration="3" state="yryrrrr"/>
    <phase duration="20" minDur="6" maxDur="40" state="rrrrGGr"/>
    <phase duration="3" state="rrrryyr"/>
  </tlLogic>
</additional>"""


def test_sumo_programs(tmp_path):
    """minDur, maxDur and max-gap are read; detectors lie 2 s ahead unless the file says otherwise."""
    path = tmp_path / "tls.add.xml"
    path.write_text(SUMO)

    read = read_sumo_actuated(path, NETWORK)

    made = read.controllers["c"]
    assert [(p.min_green_s, p.max_green_s, p.gap_s) for p in made.phases] == [(5, 45, 4.5), (6, 40, 4.5)]
    assert made.scan_s == 1.0
    path.write_text(SUMO.replace('type="actuated"', 'type="NEMA"'))
    assert "'NEMA'" in read_sumo_actuated(path, NETWORK).left_out["c"]
    path.write_text(SUMO.replace('maxDur="40"', 'maxDur="40" next="1 3"'))
    assert "next are rules that are not simulated" in read_sumo_actuated(path, NETWORK).left_out["c"]
    path.write_text(SUMO.replace('type="actuated"', 'type="static"'))
    assert read_sumo_actuated(path, NETWORK).controllers == {}


def test_faults_of_sumo_programs(tmp_path):
    """Unusable gaps and maxima and unknown controllers, all told."""
    path = tmp_path / "tls.add.xml"
    text = SUMO.replace('value="4.5"', 'value="x"').replace('maxDur="45"', 'maxDur="-1"')
    path.write_text(text.replace("</additional>", SUMO.split("\n", 1)[1].replace('id="c"', 'id="z"')))

    with pytest.raises(InputError) as error:
        read_sumo_actuated(path, NETWORK)

    for words in ("max-gap is 'x'", "phase 0: maxDur is '-1'", "<tlLogic id='z'>: the network has no such controller"):
        assert words in str(error.value)


def test_real_actuated_programs():
    """Wildau's three signals: stages of 5 to 50 s, and the 5 s in which crossings clear as phases of their own."""
    from network_data.formats.sumo_net import read_sumo_net

    path = data_pack() / "wildau" / "net.net.xml.gz"
    network = read_sumo_net(path)

    read = read_sumo_actuated(path, network)

    assert sorted(read.controllers) == sorted(network.controllers)
    for made in read.controllers.values():
        bounds = {(p.min_green_s, p.max_green_s) for p in made.phases}
        assert (5.0, 50.0) in bounds
        assert bounds <= {(5.0, 50.0), (5.0, 5.0)}


def test_readings_name_what_was_simulated():
    """Per controller: actuated as simulated, or its interval table, said to be one of an actuated program."""
    made = from_rings(RINGS, NETWORK, CONTROLLER, MATRIX, Actuation(recall={}))

    assert readings({"c": made}, {"c": True, "d": True, "e": False}) == {
        "c": "actuated, free (minimum, gap, maximum)",
        "d": "fixed-time reading of an actuated program",
        "e": "fixed time",
    }
    assert fixed_time_reading(actuated=False) == "fixed time"
