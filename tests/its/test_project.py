"""The project file: what it may say, and that all its faults are told at once."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from its.project import load_project, project_schema
from network_data.errors import SettingsError
from tests import packs

SCHEMA = packs.ROOT / "docs" / "project.schema.json"
EXAMPLE = packs.ROOT / "examples" / "project.toml"
GOOD = """
name = "City"
zone = "Asia/Seoul"

[gates]
gain = 0.05

[schedule]
type = "periods"
switches = ["06:30", "09:30"]
end = "16:00"

[district.north]
network = "net.xml"
detectors = "loops.csv"
counts = ["counts/*.csv", "more"]

[district.north.gates]
days = 7

[district.south]
network = "net.xml"
detectors = "loops.csv"
counts = ["counts"]
schedule = { type = "period", begin = "07:00", end = "24:00", switches = [] }
"""
BAD = """
name = "x/y"
zone = "Mars/Olympus"
stroe = "a.db"
store = "postgresql://its:s3cret@db/its"

[gates]
gain = 2

[district.north]
network = "nothing.xml"
counts = []

[district.north.schedule]
begin = "25:00"
typ = "day"

[district.south]
network = "net.xml"
detectors = "."
counts = ["x"]
schedule = { begin = "10:00", end = "09:00" }
"""


def write(folder: Path, text: str) -> Path:
    """A project file, with the files that it names."""
    for name in ("net.xml", "loops.csv"):
        (folder / name).touch()
    path = folder / "project.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_shared_tables_hold_where_a_district_says_nothing(tmp_path: Path) -> None:
    """Key by key a district's own tables go before the shared ones."""
    project = load_project(write(tmp_path, GOOD))
    north, south = project.district("north"), project.district("south")
    assert (north.gates.gain, north.gates.days) == (0.05, 7)
    assert (south.gates.gain, south.gates.days) == (0.05, 3)
    assert north.schedule.periods_s == ((23_400.0, 34_200.0), (34_200.0, 57_600.0))
    assert south.schedule.periods_s == ((25_200.0, 86_400.0),)
    assert project.store == str(tmp_path / "its-store.db")
    assert project.chosen(["south"]) == ["south"]


def test_all_faults_are_told_at_once_and_no_password(tmp_path: Path) -> None:
    """Unknown keys with the right ones, missing and contradicting values, missing files; the password is not shown."""
    with pytest.raises(SettingsError) as caught:
        load_project(write(tmp_path, BAD))
    text = str(caught.value)
    for words in (
        "name is 'x/y'",
        "'Mars/Olympus' is no known time zone",
        "unknown key 'stroe'; did you mean 'store'?",
        "store: carries a password",
        "gates.gain is 2",
        "district.north.network: 'nothing.xml' does not exist",
        "district.north.detectors is missing",
        "district.north.counts is []",
        "district.north.schedule.begin is '25:00'; needs a time of day HH:MM",
        "unknown key 'district.north.schedule.typ'; did you mean 'type'?",
        "district.south.detectors: '.' is no file",
        "times 10:00, 09:00 are not in order",
    ):
        assert words in text
    assert "s3cret" not in text
    assert len(caught.value.faults) == 12


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("type = 'periods'\nend = '16:00'", "needs switches"),
        ("switches = ['08:00']", "switches belong to type 'periods'"),
        ("days = ['all', 'sat']", "overlap"),
        ("days = ['sat', 'sat']", "overlap"),
        ("type = 'periods'\nswitches = ['08:00', '07:00']\nend = '16:00'", "not in order"),
    ],
)
def test_schedules_that_contradict_themselves(tmp_path: Path, schedule: str, words: str) -> None:
    """Each is refused with what to do."""
    text = GOOD[: GOOD.index("[schedule]")] + f"[schedule]\n{schedule}\n" + GOOD[GOOD.index("[district.north]") :]
    with pytest.raises(SettingsError, match=words):
        load_project(write(tmp_path, text))


def test_what_is_no_toml_is_said(tmp_path: Path) -> None:
    """A syntax error names its place; so does a file that is not there."""
    with pytest.raises(SettingsError, match="is not TOML"):
        load_project(write(tmp_path, "name = \n"))
    with pytest.raises(Exception, match=r"missing\.toml"):
        load_project(tmp_path / "missing.toml")


def test_the_schema_file_is_current() -> None:
    """`python -m its.project > docs/project.schema.json` makes it."""
    assert SCHEMA.read_text(encoding="utf-8") == project_schema()


def test_the_schema_agrees_with_the_reader(tmp_path: Path) -> None:
    """What the reader takes the schema takes; unknown keys, wrong types and times it refuses too."""
    schema = json.loads(project_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good: dict[str, Any] = tomllib.loads(GOOD)
    assert list(validator.iter_errors(good)) == []
    load_project(write(tmp_path, GOOD))
    for change in (
        {"name": 3},
        {"stroe": "x"},
        {"gates": {"gain": 2}},
        {"schedule": {"begin": "25:00"}},
        {"district": {}},
    ):
        assert list(validator.iter_errors({**good, **change}))


def test_the_example_project_is_sound() -> None:
    """The one around the bundled district can be read, and keeps to the schema."""
    project = load_project(EXAMPLE)
    validator = jsonschema.Draft202012Validator(json.loads(project_schema()))
    assert list(validator.iter_errors(tomllib.loads(EXAMPLE.read_text(encoding="utf-8")))) == []
    assert "centre" in project.content.district
