"""plan.json: same plan, same bytes; back and forth; every fault named; whole seconds for SUMO."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import network_data.formats.plan_json as plan_json_module
from network_data.errors import PlanError
from network_data.formats.plan_json import (
    dump_plan,
    load_document,
    plan_document,
    plan_hash,
    program_id_of,
    read_plan_json,
    to_sumo,
)
from network_data.formats.plan_model import json_schema
from network_data.formats.sumo_tls import read_sumo_programs, write_sumo_programs
from network_data.plans import TimingPlan
from network_data.rules import check_plan, passed_checks
from network_data.settings import Settings
from tests.network_data.crossroads import FIELD, crossroads, program, timing
from tests.network_data.real_networks import REAL, load

SCHEMA = Path(plan_json_module.__file__).with_name("plan.schema.json")
FRACTIONS = (*FIELD[:6], (28.4, "rrrrGGr"), (3.6, "rrrryyr"), (2, "rrrrrrr"))


def document_of(rows=FIELD, *, network=None, plan=None, field=None, **options) -> dict[str, object]:
    network = network or crossroads()
    plan, field = plan or timing(rows), field or timing(FIELD)
    known = {
        "inputs": {"network": "ab" * 32}, "engine": {"its": "0.1.0"}, "seed": 0, "period": (25200.0, 28800.0),
        "objective": {"delay_s_per_veh": 31.25}, "bounds": [{"model": "offset tables", "value": 12.5}],
        "checks": ["yellow"],
    }  # fmt: skip
    return plan_document(network, plan, field, **{**known, **options})


def written(tmp_path, document, name="plan.json"):
    path = tmp_path / name
    path.write_bytes(dump_plan(document))
    return path


def test_same_content_same_bytes():
    """Keys are sorted, floats are stable, the file ends in a newline; the program's id plays no part."""
    first = document_of(plan=timing(FIELD, program_id="a"))
    second = document_of(plan=timing(FIELD, program_id="b"), inputs={"network": "ab" * 32})

    assert dump_plan(first) == dump_plan(second)
    assert dump_plan(first).endswith(b"}\n")
    assert program_id_of(first) == f"its-{plan_hash(first)[:8]}"
    assert plan_hash(first) != plan_hash(document_of(seed=1))


def test_document_and_schema(tmp_path):
    """The schema in the repository is the model's, and accepts a document."""
    assert SCHEMA.read_text(encoding="utf-8") == json_schema()
    jsonschema.validate(json.loads(dump_plan(document_of())), json.loads(json_schema()))


def test_phases_intervals_and_windows():
    """The controller's entry has its stages, its table and its greens with their kinds."""
    (controller,) = document_of()["controllers"]

    assert (controller["cycle_s"], controller["offset_s"]) == (90.0, 0.0)
    assert [p["green_s"] for p in controller["barrier_groups"][0]["rings"][0]] == [38.0, 10.0, 29.0]
    windows = {(w["movement"], w["start_s"], w["end_s"], w["kind"]) for w in controller["green_windows"]}
    assert windows == {
        ("wi>eo", 0.0, 38.0, "protected"),
        ("ei>wo", 0.0, 38.0, "protected"),
        ("wi>no", 0.0, 41.0, "permitted"),
        ("wi>no", 41.0, 51.0, "protected"),
        ("ei>so", 0.0, 41.0, "permitted"),
        ("ei>so", 41.0, 51.0, "protected"),
        ("ni>so", 56.0, 85.0, "protected"),
        ("si>no", 56.0, 85.0, "protected"),
        ("x:c:0", 0.0, 30.0, "walk"),
        ("x:c:0", 30.0, 38.0, "clearance"),
    }


def test_offset_is_the_begin_of_the_first_phase():
    """A program that begins within a stage is written from a stage's begin on; what is shown when stays."""
    rows = [(15, "rrrrGGr"), *FIELD[7:], *FIELD[:6], (14, "rrrrGGr")]

    (controller,) = document_of(plan=timing(rows, offset_s=80.0))["controllers"]

    assert controller["offset_s"] == 10.0
    assert controller["intervals"][0] == {"duration_s": 30.0, "state": "GgGgrrG"}


@pytest.mark.parametrize("name", REAL)
def test_real_plans_come_back(name, tmp_path):
    """Document → file → plan shows the same letters at every second, and passes the check."""
    network, field = load(name)
    document = document_of(network=network, plan=field, field=field)

    plan = read_plan_json(written(tmp_path, document), network)

    for controller_id, program_ in plan.controllers.items():
        today = field.controllers[controller_id]
        assert all(program_.state_at(t) == today.state_at(t) for t in range(240))
    assert check_plan(network, plan, field, Settings()) == []
    assert plan_hash(load_document(written(tmp_path, document))) == plan_hash(document)


def test_warrants_are_recorded():
    """A warranted loss of protection is written with its number, so that the check can be repeated."""
    rows = ((40, "GgGgrrG"), (11, "GgGgrrr"), (3, "yyyyrrr"), (2, "rrrrrrr"), *FIELD[6:])
    network = crossroads()
    findings = check_plan(network, timing(rows), timing(FIELD), Settings(), warrants={("c", 3): 40_000.0})

    document = document_of(rows, findings=findings, checks=passed_checks(findings))

    assert [(w["controller"], w["link_index"], w["product"]) for w in document["warrants"]] == [("c", 3, 40_000.0)]
    assert {c["rule"]: c["passed"] for c in document["checks"]}["protection"] is False  # the other left turn


def test_bounds_name_their_model():
    """A bound without a model is refused."""
    with pytest.raises(PlanError, match=r"bounds\.0\.model"):
        document_of(bounds=[{"value": 1.0}])


def test_another_network(tmp_path):
    """A plan of another network says so and how to mend it."""
    path = written(tmp_path, document_of(network=crossroads(dead=1)))

    with pytest.raises(PlanError, match="made for another network .* run `its optimize` again"):
        read_plan_json(path, crossroads())


def faulty(tmp_path, change):
    document = copy.deepcopy(document_of())
    change(document)
    return written(tmp_path, document)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(version=2), "version 2"),
        (lambda d: d.update(format="x"), "no plan document"),
        (lambda d: d.update(host="here"), "host: Extra inputs"),
        (lambda d: d["controllers"][0].update(cycle_s="90"), "cycle_s: Input should be a valid number"),
        (lambda d: d["controllers"][0].update(cycle_s=91.0), "add up to 90 s, cycle_s is 91"),
        (lambda d: d["controllers"][0].update(offset_s=90.0), "offset_s 90 is not below"),
        (lambda d: d["controllers"][0]["intervals"][0].update(state="GgGgrrGG"), "different lengths"),
        (lambda d: d["controllers"][0]["intervals"][0].update(state="GgGgrrX"), "pattern"),
        (lambda d: d["controllers"].append(d["controllers"][0]), "occurs 2 times"),
        (lambda d: d["controllers"][0].update(id="z"), "'z': is not in the network"),
        (lambda d: d["controllers"][0]["green_windows"].pop(), "green_windows do not follow"),
        (lambda d: d["controllers"][0]["barrier_groups"][0]["rings"].append([]), "ring without phases"),
        (lambda d: d["controllers"][0]["barrier_groups"][0]["rings"][0].pop(), "the splits add up"),
        (
            lambda d: d["controllers"][0]["barrier_groups"][0]["rings"][0][0]["movements"].append("a>b"),
            "does not control 'a>b'",
        ),
    ],
)
def test_faults_of_a_document(change, words, tmp_path):
    """Each fault is named in words."""
    with pytest.raises(PlanError, match=words):
        read_plan_json(faulty(tmp_path, change), crossroads())


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"format": NaN}', '"x"', "[" * 100_000, "\x00"])
def test_no_document_at_all(text, tmp_path):
    """Broken, foreign and hostile files are refused without a traceback."""
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(PlanError, match="not JSON|no plan document"):
        read_plan_json(path)


def test_all_faults_together(tmp_path):
    """A wrong offset and an unknown movement are reported at once."""

    def change(document):
        document["controllers"][0]["offset_s"] = 100.0
        document["controllers"][0]["green_windows"][0]["movement"] = "a>b"

    with pytest.raises(PlanError) as caught:
        read_plan_json(faulty(tmp_path, change), crossroads())

    assert len(caught.value.faults) == 2


def test_fractions_are_rounded_for_sumo():
    """28.4 s green and 3.6 s yellow become 28 and 4; the green loses 0.4 s and the loss is told."""
    network, plan = crossroads(), timing(FRACTIONS)

    exported, losses = to_sumo(plan, network, timing(FIELD), "its-12345678")

    intervals = exported.controllers["c"].intervals
    assert intervals[6:] == ((28.0, "rrrrGGr"), (4.0, "rrrryyr"), (2.0, "rrrrrrr"))
    assert losses == {"c": {"ni>so": pytest.approx(0.4), "si>no": pytest.approx(0.4)}}
    assert check_plan(network, exported, timing(FIELD), Settings()) == []


def test_yellow_keeps_its_length_where_the_clearance_is_a_fraction():
    """20.9 s green, 3.6 s yellow and 1.5 s clearance in a split of 26 s: 20, 4 and 2."""
    rows = (*FIELD[:6], (20.9, "rrrrGGr"), (3.6, "rrrryyr"), (1.5, "rrrrrrr"))

    exported, _ = to_sumo(timing(rows), crossroads(), timing(FIELD), "x")

    assert [d for d, _ in exported.controllers["c"].intervals[-3:]] == [20.0, 4.0, 2.0]


@given(
    st.lists(
        st.tuples(st.integers(15, 60), st.floats(3, 5), st.floats(0, 4)).map(lambda x: tuple(round(v, 2) for v in x)),
        min_size=1,
        max_size=2,
    )
)
def test_rounding_never_shortens_a_change(stages):
    """Whatever the fractions: cycle kept, whole seconds, green loses below 2 s, yellow and clearance nothing."""
    main, side = stages[0], stages[-1]
    rows = []
    for (split, yellow, red), greens in ((main, "GrGrrrr"), (side, "rrrrGGr")):
        states = (greens, greens.replace("G", "y"), "r" * 7)
        rows += [(d, s) for d, s in zip((split - yellow - red, yellow, red), states, strict=True) if d > 0]

    exported, losses = to_sumo(timing(rows), crossroads(), timing(FIELD), "x")

    plan = exported.controllers["c"]
    assert plan.cycle_s == main[0] + side[0]
    assert all(d == int(d) for d, _ in plan.intervals)
    assert all(0 < lost < 2 for lost in losses.get("c", {}).values())
    for index, (_, yellow, red) in ((0, main), (4, side)):
        (shown,) = [w.end_s - w.start_s for w in plan.windows(index) if w.letter == "y"]
        assert yellow <= shown < yellow + 1
        (green,) = [w for w in plan.windows(index) if w.letter == "G"]
        (other,) = [w for w in plan.windows(4 - index) if w.letter == "G"]
        assert (other.start_s - green.end_s) % plan.cycle_s >= yellow + red - 1e-6


def test_equal_neighbours_are_merged_and_ids_set():
    """One phase per distinct state, under the plan's id."""
    exported, losses = to_sumo(
        timing([(10, "GgGgrrG"), (20, "GgGgrrG"), *FIELD[1:]]), crossroads(), timing(FIELD), "its-1"
    )

    assert exported.controllers["c"].intervals == program(FIELD).intervals
    assert exported.controllers["c"].program_id == "its-1"
    assert losses == {}


def test_letters_that_the_program_does_not_control_stay():
    """A link index that the field shows as off, and a dead one, keep the field's letter whatever the plan says."""
    network = crossroads(field=[(d, s + "Or") for d, s in FIELD], dead=2)
    field = timing([(d, s + "Or") for d, s in FIELD])
    plan = timing([(d, s + "rG") for d, s in FIELD])

    exported, _ = to_sumo(plan, network, field, "x")

    assert {state[7:] for _, state in exported.controllers["c"].intervals} == {"Or"}


def test_a_fractional_cycle_cannot_be_exported():
    """89.5 s: the error names the controller; a field program of that kind left alone is kept."""
    rows = (*FIELD[:6], (28.5, "rrrrGGr"), *FIELD[7:])

    with pytest.raises(PlanError, match=r"'c': cycle 89\.5 s"):
        to_sumo(timing(rows), crossroads(), timing(FIELD), "x")
    kept, losses = to_sumo(timing(rows), crossroads(), timing(rows), "x")
    assert kept.controllers["c"].cycle_s == 89.5
    assert losses == {}


@pytest.mark.parametrize("name", REAL)
def test_exported_programs_are_read_back(name, tmp_path):
    """Plan → additional file → plan shows the same letters at every second."""
    network, field = load(name)
    exported, losses = to_sumo(field, network, field, "its-00000000")
    path = tmp_path / "plan.add.xml"
    path.write_text(write_sumo_programs(exported), encoding="utf-8")

    back = TimingPlan(controllers=read_sumo_programs(path))

    assert losses == {}
    for controller_id, today in field.controllers.items():
        assert all(back.controllers[controller_id].state_at(t) == today.state_at(t) for t in range(240))
