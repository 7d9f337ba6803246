"""SUMO's programs and their switching in the day: the same state at every second, in our reading and in SUMO's run."""

import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from its.sumo import sumo_home
from network_data.errors import PlanError
from network_data.formats.files import iter_xml
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_tls import read_sumo_programs, write_sumo_programs
from network_data.formats.sumo_waut import read_sumo_day, write_sumo_day
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, Interval, TimingPlan
from network_data.schedule import ControllerDay, DayPlan, Switch
from tests.network_data.real_networks import files
from tests.packs import data_pack, resco, sumo

DAY_S = 86_400
RESCO_NETS = (
    "cologne1", "cologne3", "cologne8", "ingolstadt1", "ingolstadt7", "ingolstadt21", "grid4x4", "arterial4x4",
)  # fmt: skip
NETS = ("acosta", "pasubio", "wildau", *RESCO_NETS)


def sources(name: str) -> tuple[Path, Path]:
    """The network, and the file whose programs are in force."""
    if name in ("acosta", "pasubio"):
        network, programs = files(name)
        assert programs is not None
        return network, programs
    path = data_pack() / "wildau" / "net.net.xml.gz" if name == "wildau" else resco(name) / f"{name}.net.xml"
    return path, path


def shown(durations_s: list[float], states: list[str], offset_s: float) -> np.ndarray:
    """What a signal shows at every second of the day, said the plain way."""
    ends = np.cumsum(durations_s)
    at = np.mod(np.arange(DAY_S) - offset_s, ends[-1])
    return np.array(states)[np.searchsorted(ends, at, side="right")]


def in_file(path: Path) -> dict[str, np.ndarray]:
    """The same straight from the XML, without our reader; the last program of a signal counts."""
    out = {}
    for event, _, element in iter_xml(path):
        if event == "end" and element.tag == "tlLogic":
            phases = element.findall("phase")
            out[element.attrib["id"]] = shown(
                [float(p.attrib["duration"]) for p in phases],
                [p.attrib["state"] for p in phases],
                float(element.get("offset", "0")),
            )
    return out


@pytest.mark.parametrize("name", NETS)
def test_every_second_of_the_day_survives(name: str, tmp_path: Path) -> None:
    """Programs → our plan → tlLogic shows each signal in the same state at each of the 86,400 seconds."""
    network_path, programs_path = sources(name)
    network = read_sumo_net(network_path)
    given = {c: p for c, p in read_sumo_programs(programs_path).items() if c in network.controllers}
    assert given
    (tmp_path / "plan.add.xml").write_text(write_sumo_programs(TimingPlan(controllers=given)))
    before, after = in_file(programs_path), in_file(tmp_path / "plan.add.xml")
    for controller_id, program in read_sumo_programs(tmp_path / "plan.add.xml").items():
        ours = shown([i.duration_s for i in program.intervals], [i.state for i in program.intervals], program.offset_s)
        assert (before[controller_id] == after[controller_id]).all(), controller_id
        assert (before[controller_id] == ours).all(), controller_id
    assert set(after) == set(given)


def day_of(program: ControllerPlan, *times_s: float) -> DayPlan:
    """A day that goes between a program and one that is 3 s longer per interval and begins 17 s later."""
    other = replace(
        program,
        program_id="other",
        offset_s=17.0,
        intervals=tuple(Interval(duration_s + 3, state) for duration_s, state in program.intervals),
    )
    switches = tuple(Switch(at_s, (program, other)[n % 2]) for n, at_s in enumerate(times_s))
    return DayPlan(
        controllers={program.controller_id: ControllerDay(controller_id=program.controller_id, switches=switches)}
    )


@pytest.fixture(scope="module")
def cologne1() -> RoadNetwork:
    """A network with one signal."""
    return read_sumo_net(files("cologne1")[0])


@pytest.mark.parametrize("times_s", [(0.0, 25_200.0, 61_200.0), (25_200.0, 34_200.0, 61_200.0, 75_600.0), (0.0,)])
def test_a_day_is_written_and_read_back(cologne1: RoadNetwork, tmp_path: Path, times_s: tuple[float, ...]) -> None:
    """Whatever time the first switch has: the same program with the same offset at every minute of the day."""
    (controller,) = cologne1.controllers.values()
    day = day_of(controller.programs[-1], *times_s)
    programs = {controller.id: controller.programs}
    for present in ({}, programs):
        path = tmp_path / "day.add.xml"
        path.write_text(write_sumo_day(day, present))
        if len(times_s) == 1 and not present:
            assert "WAUT" not in path.read_text()  # one program all day needs no switching
            continue
        back = read_sumo_day(path, present).day.controllers[controller.id]
        for time_s in range(0, DAY_S, 60):
            one, two = day.controllers[controller.id].program_at(time_s), back.program_at(time_s)
            assert (one.intervals, one.offset_s) == (two.intervals, two.offset_s)


@pytest.mark.parametrize("times_s", [(0.0, 100.0, 333.0), (100.0, 333.0)])
def test_sumo_shows_what_the_day_says(cologne1: RoadNetwork, tmp_path: Path, times_s: tuple[float, ...]) -> None:
    """SUMO itself, second by second over 600 s with two switches, shows the letters of the day plan."""
    sumo()
    (controller,) = cologne1.controllers.values()
    day = day_of(controller.programs[-1], *times_s)
    save = f'<timedEvent type="SaveTLSStates" source="{controller.id}" dest="{tmp_path / "out.xml"}"/></additional>'
    text = write_sumo_day(day, {controller.id: controller.programs}).replace("</additional>", save)
    (tmp_path / "day.add.xml").write_text(text)
    command = [str(sumo_home() / "bin" / "sumo"), "-n", str(files("cologne1")[0]), "-a", str(tmp_path / "day.add.xml")]
    subprocess.run([*command, "-b", "0", "-e", "600", "--no-step-log"], check=True, capture_output=True)
    rows = list(ElementTree.parse(tmp_path / "out.xml").getroot())
    assert len(rows) == 600
    for row in rows:
        time_s = float(row.attrib["time"])
        assert row.attrib["state"] == day.controllers[controller.id].program_at(time_s).state_at(time_s), time_s


def test_reference_time_moves_every_switch(tmp_path: Path) -> None:
    """SUMO adds refTime to each time, modulo a day; the start program runs before the first switch."""
    logic = '<tlLogic id="a" programID="{0}" offset="{1}"><phase duration="30" state="{2}"/></tlLogic>'
    path = tmp_path / "day.add.xml"
    path.write_text(
        f"<additional>{logic.format('p', 0, 'G')}{logic.format('q', 4, 'r')}"
        '<WAUT id="w" refTime="3600" startProg="q"><wautSwitch time="10" to="p"/></WAUT>'
        '<wautJunction wautID="w" junctionID="a" procedure="Stretch"/></additional>'
    )
    read = read_sumo_day(path)
    assert [(at_s, p.program_id) for at_s, p in read.day.controllers["a"].switches] == [(0.0, "q"), (3610.0, "p")]
    assert "Stretch" in read.notes[0]


def test_all_faults_of_a_day_come_together(tmp_path: Path) -> None:
    """Unknown programs, unusable times, a missing WAUT, a signal switched twice: one error that names each."""
    path = tmp_path / "day.add.xml"
    path.write_text(
        '<additional><tlLogic id="a" programID="p"><phase duration="30" state="G"/></tlLogic>'
        '<WAUT id="w" startProg="p"><wautSwitch time="9" to="nowhere"/></WAUT>'
        '<WAUT id="v" startProg="p"><wautSwitch time="soon" to="p"/></WAUT>'
        '<wautJunction wautID="w" junctionID="a"/><wautJunction wautID="w" junctionID="a"/>'
        '<wautJunction wautID="lost" junctionID="b"/></additional>'
    )
    with pytest.raises(PlanError) as error:
        read_sumo_day(path)
    for words in ("'nowhere'", "time is 'soon'", "switched by 'w' and 'w'", "no <WAUT id='lost'>"):
        assert words in str(error.value)
