"""SUMO signal programs: reading, writing, faults."""

from pathlib import Path

import pytest

from network_data.errors import InputError
from network_data.formats.sumo_tls import read_sumo_programs, write_sumo_programs
from network_data.plans import ControllerPlan, Interval, TimingPlan
from tests.packs import data_pack

TWO = """<additional>
  <tlLogic id="a" type="static" programID="old" offset="0"><phase duration="5" state="G"/></tlLogic>
  <tlLogic id="a" type="actuated" programID="new" offset="-10">
    <phase duration="31.5" minDur="8" state="G"/><phase duration="3" state="y"/><phase duration="25.5" state="r"/>
  </tlLogic>
</additional>"""


def read(tmp_path: Path, text: str) -> dict[str, ControllerPlan]:
    path = tmp_path / "p.add.xml"
    path.write_text(text)
    return read_sumo_programs(path)


def test_the_last_program_counts(tmp_path: Path) -> None:
    """Of two programs the later is in force; its negative offset is taken modulo the cycle."""
    plan = read(tmp_path, TWO)["a"]
    assert (plan.program_id, plan.cycle_s, plan.offset_s, plan.actuated) == ("new", 60, 50, True)
    assert plan.min_durations_s == (8, None, None)


def test_offset_shows_the_second_the_program_begins(tmp_path: Path) -> None:
    """With offset 50 and cycle 60 the first interval begins at seconds 50, 110, …: larger is later."""
    plan = read(tmp_path, TWO)["a"]
    assert [plan.state_at(t) for t in (49, 50, 81, 81.5, 84.5, 110)] == ["r", "G", "G", "y", "r", "G"]


def test_written_programs_are_read_back(tmp_path: Path) -> None:
    """Times, states, offset and awkward names survive a file."""
    intervals = (Interval(20.0, "GrG"), Interval(3.0, "yry"), Interval(17.5, "rGr"))
    plan = ControllerPlan(controller_id='a"<&', program_id="its-1", offset_s=7.5, intervals=intervals)
    back = read(tmp_path, write_sumo_programs(TimingPlan(controllers={plan.controller_id: plan})))[plan.controller_id]
    assert (back.intervals, back.offset_s, back.program_id) == (intervals, 7.5, "its-1")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('duration="31.5"', 'duration="0"', "phase 0: duration is '0'"),
        ('duration="31.5"', 'duration="inf"', "phase 0: duration is 'inf'"),
        ('duration="31.5"', 'duration="long"', "phase 0: could not convert"),
        ('minDur="8"', 'minDur="nan"', "phase 0: minDur is 'nan'"),
        ('offset="-10"', 'offset="nan"', "offset is 'nan'"),
        ('offset="-10"', 'offset="soon"', "offset is 'soon'"),
        ('state="y"', 'state="yy"', r"lengths \[1, 2\]"),
        ('state="y"', 'state="Q"', "letters 'Q'"),
        ('state="y"', "", r"lengths \[0, 1\]"),
        ('id="a" type="actuated"', 'type="actuated"', "has no id"),
    ],
)
def test_faults_name_the_program(tmp_path: Path, old: str, new: str, says: str) -> None:
    """Each fault says file, program and phase."""
    text = TWO.replace(old, new, 1)
    assert text != TWO
    with pytest.raises(InputError, match=says) as caught:
        read(tmp_path, text)
    assert "p.add.xml" in str(caught.value)
    assert "programID='new'" in str(caught.value) or "program 'new'" in str(caught.value)


def test_a_file_without_programs_says_so(tmp_path: Path) -> None:
    """An additional file with loops only is no plan."""
    with pytest.raises(InputError, match="holds no <tlLogic>"):
        read(tmp_path, "<additional/>")


def test_bologna_programs_are_read() -> None:
    """The real programs of both districts, one each, static."""
    for name, n in (("acosta", 7), ("pasubio", 8)):
        plans = read_sumo_programs(data_pack() / f"bologna_{name}" / f"{name}_tls.add.xml")
        assert len(plans) == n
        assert all(40 <= plan.cycle_s <= 180 and not plan.actuated for plan in plans.values())
