"""Tests of the closed loop on a field made by hand."""

from pathlib import Path

import numpy as np
import pytest

from its.adapt.engine import Engine, EngineOptions, Mode
from its.adapt.judge import Recorded, errors_in, findings_of
from its.adapt.log import RunLog, read_recording
from its.adapt.loop import differences, run_loop
from its.adapt.replay_field import ReplayField
from network_data.network import RoadNetwork
from network_data.plans import GREEN
from network_data.settings import Settings
from optimizer.local.layer import LookAheadLayer
from tests.builders import NetworkBuilder, crossing, field_plan
from tests.its.adapt.toy_field import ToyField, loops

END_S = 900
HEADS = {"wi": ("c", 0), "si": ("c", 1)}


def uneven() -> dict[str, list[int]]:
    """Much traffic from the west, little from the south; the same in every run."""
    rng = np.random.default_rng(3)
    return {
        "wi": sorted(rng.choice(END_S, 240, replace=False).tolist()),
        "si": sorted(rng.choice(END_S, 40, replace=False).tolist()),
    }


def run(mode: Mode, folder: Path, *, budget_s: float = 5.0) -> tuple[ToyField, Engine]:
    """A quarter of an hour of the crossing."""
    network = crossing()
    plan = field_plan(network)
    states = {"c": plan.controllers["c"].state_at(0.0)}
    street = ToyField(uneven(), HEADS, states, end_s=END_S)
    detectors = loops(network, ("wi", "si"))
    with RunLog(folder) as log:
        log.header({"detectors": [d.id for d in detectors], "begin_s": 0.0, "states": states})
        options = EngineOptions(mode=mode, budget_s=budget_s)
        engine = Engine(network, plan, detectors, Settings(), options, states, log)
        run_loop(street, engine)
    return street, engine


def breaches(street: ToyField) -> list[dict[str, object]]:
    """What the rules say of the seconds shown."""
    network = crossing()
    states = street.history["c"]
    rows = [(1.0, state) for state in states]
    return errors_in(findings_of(network, field_plan(network), Settings(), {"c": Recorded("c", 0.0, tuple(rows))}))


@pytest.mark.parametrize("mode", ["plan", "local", "lookahead"])
def test_every_second_keeps_the_rules(mode: Mode, tmp_path: Path) -> None:
    """Whatever decides, the judge finds nothing in what was shown, and both streets get green."""
    street, engine = run(mode, tmp_path)

    assert breaches(street) == []
    assert engine.tally.refused == 0
    assert {state for state in street.history["c"] if state[0] in GREEN}
    assert {state for state in street.history["c"] if state[1] in GREEN}


def test_looking_ahead_saves_delay(tmp_path: Path) -> None:
    """With six times the traffic on one street, the look-ahead halves the delay of the even plan; gap-outs save too."""
    delay = {}
    for mode in ("plan", "local", "lookahead"):
        (tmp_path / mode).mkdir()
        delay[mode] = run(mode, tmp_path / mode)[0].delay_s  # type: ignore[arg-type]

    assert delay["lookahead"] < 0.5 * delay["plan"]
    assert delay["lookahead"] < delay["local"] < delay["plan"]


def test_a_log_replays_to_the_same_answers(tmp_path: Path) -> None:
    """Observations and header alone lead to the same decisions, row by row."""
    (tmp_path / "run").mkdir()
    (tmp_path / "again").mkdir()
    run("lookahead", tmp_path / "run")
    recording = read_recording(tmp_path / "run")
    network = crossing()
    with RunLog(tmp_path / "again") as log:
        log.header(recording.header)
        engine = Engine(
            network, field_plan(network), loops(network, ("wi", "si")), Settings(), EngineOptions(budget_s=5.0),
            recording.header["states"], log, late=lambda time_s, x: False,
        )  # fmt: skip
        run_loop(ReplayField(recording), engine)
    again = read_recording(tmp_path / "again")

    assert len(recording.rows) > 200
    assert differences(recording, again) == []
    changed = {**recording.rows[7], "choice": 99}
    other = type(recording)(recording.header, (*recording.rows[:7], changed, *recording.rows[8:]), recording.folder)
    assert [(x.row, x.key) for x in differences(other, again)] == [(7, "choice")]


def test_a_late_engine_leaves_the_running_plan(tmp_path: Path) -> None:
    """Without time to decide, the signal shows what its plan wants, in step and without a breach."""
    street, engine = run("lookahead", tmp_path, budget_s=-1.0)
    network = crossing()
    plan = field_plan(network).controllers["c"]

    assert engine.tally.decisions == 0
    assert engine.tally.late > 0
    assert breaches(street) == []
    in_step = [plan.state_at(float(t)) == state for t, state in enumerate(street.history["c"]) if t > 120]
    assert np.mean(in_step) > 0.95


def test_a_late_engine_keeps_longest_reds(tmp_path: Path) -> None:
    """A plan that has to stand in was made for another past: who has been red for two minutes does not wait for it."""
    network = crossing()
    plan, detectors = field_plan(network), loops(network, ("wi", "si"))
    for from_s in range(120, 180, 10):

        def late(time_s: float, x: str, from_s: int = from_s) -> bool:
            return time_s >= from_s

        street = ToyField({"wi": list(range(0, 400, 4)), "si": []}, HEADS, {"c": "Gr"}, end_s=400)
        engine = Engine(network, plan, detectors, Settings(), EngineOptions(), {"c": "Gr"}, late=late)
        run_loop(street, engine)
        assert engine.tally.late > 100
        assert [x["text"] for x in breaches(street) if x["rule"] == "longest-red"] == []


def test_a_signal_that_loops_tell_too_little_of_shows_its_plan(tmp_path: Path) -> None:
    """With loops on one street of two nobody looks ahead: the plan is shown, second by second."""
    network = crossing()
    plan = field_plan(network)
    street = ToyField({"wi": list(range(0, 300, 4))}, {"wi": ("c", 0)}, {"c": "Gr"}, end_s=300)
    engine = Engine(network, plan, loops(network, ("wi",)), Settings(), EngineOptions(), {"c": "Gr"})
    run_loop(street, engine)

    assert engine.by_plan == {"c"}
    assert engine.tally.decisions == 0
    assert street.history["c"] == [plan.controllers["c"].state_at(float(t)) for t in range(300)]


def opposite_streets() -> RoadNetwork:
    """Two approaches that have green together, and one across."""
    b = NetworkBuilder()
    for name, ends in (("wi", "w c"), ("ei", "e c"), ("si", "s c"), ("eo", "c e"), ("wo", "c w"), ("no", "c n")):
        b.link(name, ends)
    for head, ways in enumerate(("wi eo", "ei wo", "si no")):
        b.turn(ways, head=("c", head))
    b.program("c", ((27, "GGr"), (3, "yyr"), (27, "rrG"), (3, "rry")), conflicts=[(0, 2), (1, 2)])
    return b.build()


def test_who_cannot_leave_gets_no_more_than_a_glance_of_green() -> None:
    """Both directions of the busy street cannot leave for four minutes: the street across has the green meanwhile.

    The loops on which the jam stands tell the truth, and are trusted; when it is gone, all go on as before.
    """
    network, links = opposite_streets(), ("wi", "ei", "si")
    enters = {"wi": list(range(0, 600, 5)), "ei": list(range(2, 600, 5)), "si": list(range(1, 600, 6))}
    heads = {link: ("c", n) for n, link in enumerate(links)}
    jam_s = (200, 440)
    street = ToyField(enters, heads, {"c": "GGr"}, end_s=760, holds={"wi": jam_s, "ei": jam_s})
    engine = Engine(network, field_plan(network), loops(network, links), Settings(), EngineOptions(), {"c": "GGr"})
    run_loop(street, engine)
    green = [sum(state[n] in GREEN for state in street.history["c"][slice(*jam_s)]) / 240 for n in (0, 2)]

    assert green[0] < 0.3
    assert green[1] > 0.5
    assert street.left == {link: len(entered) for link, entered in enters.items()}
    assert engine.changes == []


def test_a_failing_optimizer_never_stalls_the_signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in a decision is logged with its trace, and the plan goes on."""

    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(LookAheadLayer, "decide", fail)
    street, engine = run("lookahead", tmp_path)
    rows = [row for row in read_recording(tmp_path).rows if row["kind"] == "plan-goes-on"]

    assert engine.tally.failed == len(rows) > 0
    assert "ZeroDivisionError" in rows[0]["trace"]
    assert breaches(street) == []
    assert min(street.left.values()) > 20


def test_what_the_guard_refuses_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer that would jump from green to green without yellow changes nothing on the street."""
    network = crossing()
    plan = field_plan(network)
    engine = Engine(network, plan, loops(network, ("wi", "si")), Settings(), EngineOptions(mode="plan"), {"c": "Gr"})
    monkeypatch.setattr(engine, "_planned", lambda x, now_s: "rG")

    assert engine.begin(100.0) == {}
    assert engine.states == {"c": "Gr"}
    assert engine.tally.refused == 1


def test_the_judge_names_what_was_broken() -> None:
    """Four seconds of green, a second of yellow and a red without end are found, each by its rule."""
    network = crossing()
    rows = ((30.0, "Gr"), (1.0, "yr"), (4.0, "rG"), (3.0, "ry"), (400.0, "Gr"))
    found = findings_of(network, field_plan(network), Settings(), {"c": Recorded("c", 0.0, rows)})

    assert {x["rule"] for x in errors_in(found)} == {
        "yellow",
        "clearance",
        "minimum-green",
        "protection",
        "longest-red",
    }
    missing = findings_of(network, field_plan(network), Settings(), {})
    assert [x["rule"] for x in errors_in(missing)] == ["recorded"]
