"""The table of offset references in docs/formats.md: each worked example, read, gives what the table says."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from network_data.formats.gmns import read_gmns
from network_data.formats.hires import read_events
from network_data.formats.hires_measures import cycle_of
from network_data.formats.salt import read_salt_signals
from network_data.formats.sumo_tls import read_sumo_programs
from network_data.formats.sumo_waut import read_sumo_day
from network_data.formats.utdf import read_utdf
from network_data.plans import ControllerPlan, Interval
from tests.network_data.formats.test_gmns import package
from tests.network_data.formats.test_hires import write
from tests.network_data.formats.test_utdf import FILE, written

DOC = Path(__file__).parents[3] / "docs" / "formats.md"
OURS_S = 25.0


def rows() -> list[tuple[str, str, str]]:
    """Format, example and our offset of each row of the table."""
    table = DOC.read_text(encoding="utf-8").split("## Offsets")[1].split("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    return [(row[0], row[2], row[3]) for row in cells[2:]]


def phases_xml(offset: str) -> str:
    """The example's program as SUMO and SALT write it."""
    inner = "".join(
        f'<phase duration="{s}" state="{x}"/>'
        for s, x in ((40, "Gr"), (3, "yr"), (2, "rr"), (30, "rG"), (3, "ry"), (2, "rr"))
    )
    return f'offset="{offset}">{inner}'


def sumo(path: Path, example: str) -> list[float]:
    """One `tlLogic` per way of writing it."""
    out = []
    for offset in re.findall(r'offset="(-?\d+)"', example):
        (path / "x").write_text(f'<additional><tlLogic id="a" {phases_xml(offset)}</tlLogic></additional>')
        out.append(read_sumo_programs(path / "x")["a"].offset_s)
    return out


def waut(path: Path, example: str) -> list[float]:
    """A day that switches at 07:00 by reference time."""
    offset = re.findall(r'offset="(\d+)"', example)[0]
    (path / "x").write_text(
        f'<additional><tlLogic id="a" programID="p" {phases_xml(offset)}</tlLogic>'
        '<WAUT id="w" refTime="3600" startProg="p"><wautSwitch time="21600" to="p"/></WAUT>'
        '<wautJunction wautID="w" junctionID="a"/></additional>'
    )
    return [program.offset_s for _, program in read_sumo_day(path / "x").day.controllers["a"].switches]


def salt(path: Path, example: str) -> list[float]:
    """A schedule with another offset than its plan of the day: the plan's counts."""
    offset = re.findall(r'offset="(\d+)"', example)[0]
    (path / "x").write_text(
        f'<trafficSignalSystem><trafficSignal nodeID="a"><schedule id="1" {phases_xml("7")}</schedule>'
        f'<TODPlan defaultPlan="1" offset="{offset}"/></trafficSignal></trafficSignalSystem>'
    )
    return [program.offset_s for _, program in read_salt_signals(path / "x")["a"].day.switches]


def gmns(path: Path, example: str) -> list[float]:
    """Two phases in one ring; clearance 5 s is 4 s of yellow and 1 s of red, which moves neither point."""
    found = re.match(r"phase (\d), `(\w+)`: `(\d+)`", example)
    assert found is not None
    head = "timing_phase_id,timing_plan_id,signal_phase_num,min_green,max_green,clearance,ring,barrier,position\n"
    read = read_gmns(
        package(
            path,
            signal_timing_phase=head + "b,am,1,10,40,5,1,1,1\nd,am,2,10,30,5,1,1,2\n",
            signal_phase_mvmt=(
                "signal_phase_mvmt_id,timing_phase_id,mvmt_id,link_id,protection\n1,b,EBT,,protected\n2,d,NBL,,protected\n"
            ),
            signal_coordination=(
                "coordination_id,timing_plan_id,controller_id,coord_contr_id,coord_phase,coord_ref_to,offset\n"
                f"1,am,c,c,{found[1]},{found[2]},{found[3]}\n"
            ),
        )
    )
    return [program.offset_s for program in read.network.controllers["c"].programs]


def utdf(path: Path, example: str, reference: int) -> list[float]:
    """Two phases in one ring."""
    found = re.match(r"phase (\d): `(\d+)`", example)
    assert found is not None
    head = FILE.split("[Timeplans]")[0].replace("Phase1,2,,4,,,8,,5,2,,1,6,,,", "Phase1,2,,2,,,2,,1,1,,1,1,,,")
    head = head.replace("PermPhase1,2,4,,,8,,,2,,,,,,,", "")
    text = (
        f"{head}[Timeplans]\nRECORDNAME,INTID,DATA\nCycle Length,2,80\nReferenced To,2,{reference}\n"
        f"Reference Phase,2,{found[1]}\nOffset,2,{found[2]}\n\n[Phases]\nRECORDNAME,INTID,D1,D2\nBRP,2,111,112\n"
        "MinGreen,2,5,5\nMaxGreen,2,40,30\nYellow,2,3,3\nAllRed,2,2,2\n"
    )
    return [read_utdf(written(path, text)).network.controllers["2"].programs[-1].offset_s]


def events(path: Path, example: str) -> list[float]:
    """Cycles of 80 s, master and local zero as far apart as the example says."""
    seconds = float(example.split(" ")[0])
    marks = [(80.0 * n + s, 150, p) for n in range(5) for s, p in ((0.0, 7), (seconds, 5))]
    cycle = cycle_of(read_events(write(path / "e.csv", marks)))
    assert cycle is not None
    assert cycle.cycle_s == 80.0
    return [cycle.offset_s or 0.0]


def own(_: Path, example: str) -> list[float]:
    """Our own program turns green at the 25th second and 80 s later, not before."""
    offset_s = float(example.strip("`").split(":")[1])
    program = ControllerPlan(
        controller_id="a", program_id="p", offset_s=offset_s,
        intervals=(Interval(40, "Gr"), Interval(3, "yr"), Interval(2, "rr"), Interval(35, "rG")),
    )  # fmt: skip
    assert [program.state_at(t)[0] for t in (24, 25, 104, 105)] == ["r", "G", "r", "G"]
    return [program.offset_s]


READERS: list[tuple[str, Callable[[Path, str], list[float]]]] = [
    ("SUMO `tlLogic`", sumo),
    ("SUMO `WAUT`", waut),
    ("SALT", salt),
    ("GMNS", gmns),
    ("GMNS", gmns),
    ("UTDF", lambda path, example: utdf(path, example, 0)),
    ("UTDF", lambda path, example: utdf(path, example, 1)),
    ("UTDF", lambda path, example: utdf(path, example, 2)),
    ("controller events", events),
    ("`plan.json`", own),
]


def test_every_row_has_a_reader() -> None:
    """The table and the tests name the same formats in the same order."""
    assert [name for name, _, _ in rows()] == [name for name, _ in READERS]


@pytest.mark.parametrize("n", range(len(READERS)))
def test_the_worked_examples_hold(n: int, tmp_path: Path) -> None:
    """Each example of the table, read as its format, turns green at second 25."""
    _, example, ours = rows()[n]
    assert ours == f"{OURS_S:g}"
    offsets = READERS[n][1](tmp_path, example)
    assert offsets
    assert all(offset == OURS_S for offset in offsets)
