"""`its check`: exit codes, JSON and table; plans in all three forms; nothing trusted."""

import json
from pathlib import Path

import pytest

from its.check import check_job
from network_data.errors import InputError
from network_data.formats.plan_json import dump_plan, plan_document
from network_data.formats.sumo_tls import write_sumo_programs
from network_data.plans import TimingPlan
from tests.its.jobs import NETWORK, its
from tests.network_data.crossroads import program
from tests.network_data.real_networks import BOLOGNA, RESCO, files, load

KEYS = {"rule", "severity", "controller", "where", "value", "limit", "text"}


def written(tmp_path, plan, name="plan.add.xml"):
    path = tmp_path / name
    path.write_text(write_sumo_programs(plan), encoding="utf-8")
    return path


def cologne1_with(tmp_path, change, program_id="new"):
    """Cologne's one program with its rows changed, as an additional file, and the network's file."""
    _, field = load("cologne1")
    ((controller_id, today),) = field.controllers.items()
    rows = change([tuple(i) for i in today.intervals])
    plan = TimingPlan(controllers={controller_id: program(rows, controller_id=controller_id, program_id=program_id)})
    return written(tmp_path, plan), files("cologne1")[0]


@pytest.mark.parametrize("name", RESCO)
def test_a_network_checks_its_own_programs(name, capsys):
    """The network itself as PLAN: all its programs are judged, none is found wanting."""
    network_file, _ = files(name)

    assert check_job(network_file, network_file, None, True) == 0

    result = json.loads(capsys.readouterr().out)
    assert result == {"ok": True, "signals": len(load(name)[0].controllers), "findings": []}


@pytest.mark.parametrize("name", BOLOGNA)
def test_bologna_against_its_plan_in_the_field(name, capsys):
    """Bologna's real programs are clean beside themselves; beside the network's invented ones they are not."""
    network_file, programs_file = files(name)

    assert check_job(programs_file, network_file, None, False, against=programs_file) == 0
    assert "rules are kept" in capsys.readouterr().out
    assert check_job(programs_file, network_file, None, True) == 3
    assert not json.loads(capsys.readouterr().out)["ok"]


def test_errors_have_all_the_keys(tmp_path, capsys):
    """A yellow of 1 s: exit code 3 and findings of the agreed form."""
    plan, network_file = cologne1_with(tmp_path, lambda rows: [(1 if "y" in s else d, s) for d, s in rows])

    assert check_job(plan, network_file, None, True) == 3

    result = json.loads(capsys.readouterr().out)
    assert {"yellow", "clearance"} <= {f["rule"] for f in result["findings"]}
    assert all(set(f) == KEYS for f in result["findings"])


def test_the_table_names_rule_and_signal(tmp_path, capsys):
    """For people: a table and a last line that says it all."""
    plan, network_file = cologne1_with(tmp_path, lambda rows: [(1 if "y" in s else d, s) for d, s in rows])

    check_job(plan, network_file, None, False)

    out = capsys.readouterr().out
    assert "yellow" in out
    assert out.splitlines()[-1].startswith("THE RULES ARE NOT KEPT: 1 signals")


def test_settings_count(tmp_path, capsys):
    """The same plan breaks a rule once the settings ask for a longer green."""
    config = tmp_path / "t.toml"
    config.write_text("[limits]\nmin_green_s = 60\n", encoding="utf-8")
    plan, network_file = cologne1_with(tmp_path, list)

    assert check_job(plan, network_file, None, True) == 0
    assert check_job(plan, network_file, config, True) == 3


@pytest.mark.parametrize(("program_id", "code"), [("new", 0), ("0", 3), ("off", 3)])
def test_program_ids_that_sumo_refuses(program_id, code, tmp_path, capsys):
    """A changed program under an id of the network, and `off`, are errors."""

    def longer(rows):
        return [(rows[0][0] + 5, rows[0][1]), *rows[1:]]

    plan, network_file = cologne1_with(tmp_path, longer, program_id)

    assert check_job(plan, network_file, None, True) == code


def test_plan_document(tmp_path, capsys):
    """A plan.json is recognized by its content, whatever its name."""
    network, field = load("cologne3")
    document = plan_document(
        network, field, field, inputs={}, engine={}, seed=0, period=(0.0, 3600.0), objective={}, bounds=[], checks=[]
    )
    path = tmp_path / "plan.txt"
    path.write_bytes(dump_plan(document))

    assert check_job(path, files("cologne3")[0], None, True) == 0
    with pytest.raises(InputError, match="another network"):
        check_job(path, files("cologne1")[0], None, True)


def test_controllers_that_the_plan_leaves_out(tmp_path, capsys):
    """A plan for one of three controllers is judged; the others are remarked on."""
    _, field = load("cologne3")
    controller_id, today = next(iter(field.controllers.items()))
    rows = [tuple(i) for i in today.intervals]
    plan = TimingPlan(controllers={controller_id: program(rows, controller_id=controller_id, program_id="new")})

    assert check_job(written(tmp_path, plan), files("cologne3")[0], None, True) == 0

    result = json.loads(capsys.readouterr().out)
    assert [f["severity"] for f in result["findings"]] == ["warning", "warning"]


@pytest.mark.parametrize("text", ["", "detector,veh\n", "<additional/>", "{}", "<net"])
def test_files_that_are_no_plan(text, tmp_path):
    """Other files are refused with the file's name."""
    path = tmp_path / "x.xml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(InputError, match=r"x\.xml"):
        check_job(path, files("cologne1")[0], None, True)


def test_settings_that_no_plan_can_keep_are_told_with_what_conflicts(tmp_path: Path) -> None:
    """A cycle too short for the crossings: the findings, and why no other plan would do; both also in JSON."""
    settings = tmp_path / "short.toml"
    settings.write_text("[limits]\ncycle_s = 30\n", encoding="utf-8")
    args = ("check", NETWORK, "--network", NETWORK, "--settings", settings)
    told = its(*args)
    assert told.exit_code == 3
    assert "cycle 30 s is impossible at node M2: the two crossings need 43 s" in told.stdout
    rows = json.loads(its(*args, "--json").stdout)["impossible"]
    assert rows[1]["text"] == "cycle 30 s is impossible at node M2: the two crossings need 43 s"
    assert [rule["rule"] for rule in rows[1]["rules"]] == ["walk", "walk", "cycle"]


def test_settings_that_name_what_is_not_there_end_with_2(tmp_path: Path) -> None:
    """A signal, a link and a movement that the network lacks: three faults of one error."""
    settings = tmp_path / "names.toml"
    settings.write_text(
        '[limits]\nstorage = { nowhere = 0.8 }\n[change]\nfixed_offsets = ["M0"]\n'
        '[signals]\nM1 = { min_greens = { "a>b" = 9 } }\n',
        encoding="utf-8",
    )
    told = its("check", NETWORK, "--network", NETWORK, "--settings", settings)
    assert told.exit_code == 2
    assert told.stderr.count("did you mean") == 3
