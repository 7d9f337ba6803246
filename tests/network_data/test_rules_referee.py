"""Our rules beside the independent referee: what passes here passes there."""

import importlib.util
import random
import sys
import xml.etree.ElementTree as ET

import pytest

from network_data.plans import TimingPlan
from network_data.rules import check_plan
from network_data.settings import Settings
from tests.network_data.crossroads import program
from tests.network_data.real_networks import files, load
from tests.packs import tool

N_MUTANTS = 150


def referee_module():
    path = tool("referee.py")
    spec = importlib.util.spec_from_file_location("referee_for_rules", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def mutated(rng, rows):
    """The rows with one to six random faults."""
    rows = [list(row) for row in rows]
    for _ in range(rng.choice([1, 1, 2, 3, 6])):
        n, kind = rng.randrange(len(rows)), rng.random()
        if kind < 0.35:
            rows[n][0] = max(1, rows[n][0] + rng.choice([-8, -5, -3, -2, -1, 1, 2, 3, 5, 10, 30]))
        elif kind < 0.45 and len(rows) > 2:
            rows.pop(n)
        elif kind < 0.55:
            m = rng.randrange(len(rows))
            rows[n], rows[m] = rows[m], rows[n]
        elif kind < 0.65:
            rows.insert(rng.randrange(len(rows)), [rng.choice([1, 2, 3, 5, 8]), rows[n][1]])
        elif kind < 0.9:
            k = rng.randrange(len(rows[n][1]))
            rows[n][1] = rows[n][1][:k] + rng.choice("GGgyrrs") + rows[n][1][k + 1 :]
        else:
            k, letter = rng.randrange(len(rows[0][1])), rng.choice("Gg")
            for row in rows:
                if row[1][k] in "Gg":
                    row[1] = row[1][:k] + letter + row[1][k + 1 :]
    return [tuple(row) for row in rows]


def logic_of(referee, controller_id, program_id, rows):
    element = ET.Element("tlLogic", id=controller_id, programID=program_id, type="static", offset="0")
    for duration_s, state in rows:
        ET.SubElement(element, "phase", duration=str(duration_s), state=state)
    return referee.Logic(element, "test")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["acosta", "pasubio", "cologne8", "grid4x4"])
def test_a_plan_that_passes_here_passes_the_referee(name):
    """Random faults in plan and field program: whatever our check lets through, the independent referee does too."""
    referee = referee_module()
    network_file, programs_file = files(name)
    signals = referee.NetSignals(str(network_file))
    shipped = referee.programs_of(signals, [str(programs_file)] if programs_file else [])
    network, field = load(name)
    config, rng = Settings.model_validate({"rules": {"left_turns": "keep"}}), random.Random(name)
    verdicts = set()
    for _ in range(N_MUTANTS):
        controller_id = rng.choice(list(field.controllers))
        today = [tuple(i) for i in field.controllers[controller_id].intervals]
        field_rows = mutated(rng, today) if rng.random() < 0.4 else today
        rows = mutated(rng, rng.choice([today, field_rows]))
        plan = TimingPlan(controllers={controller_id: program(rows, controller_id=controller_id)})
        against = TimingPlan(controllers={controller_id: program(field_rows, controller_id=controller_id)})
        programs = [*shipped[controller_id], logic_of(referee, controller_id, "f", field_rows)]
        found = referee.Findings()
        judged = logic_of(referee, controller_id, "new", rows)
        referee.Judge(signals, judged, programs[-1], programs, referee.Rules(), found).run()

        findings = check_plan(network, plan, against, config)

        ok = not any(f.severity == "error" for f in findings)
        assert not (ok and found.violations), (controller_id, field_rows, rows, found.violations)
        if ok:
            ours = sum(f.rule == "conflicting-green" for f in findings)
            assert ours >= sum("new permissive" in text for text in found.warnings)
        verdicts.add((ok, not found.violations))
    assert {(True, True), (False, False)} <= verdicts
