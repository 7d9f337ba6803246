"""Synchro's UTDF by its published layout: lanes with storage, eight-phase timing, offsets, volumes; both ways."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from network_data.errors import DemandError, NetworkError
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.utdf import read_utdf, read_volumes, turns_of, write_utdf, write_volumes
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from tests.network_data.real_networks import files

FILE = """[Network]
Network Settings
RECORDNAME,DATA
UTDFVERSION,8
Metric,0

[Nodes]
Node Data
INTID,TYPE,X,Y,Z,DESCRIPTION
1,1,0,0,0,
2,0,1000,0,0,Main St
3,3,2000,0,0,
4,1,1000,-800,0,
5,1,1000,800,0,
6,1,3000,0,0,

[Links]
Link Data
RECORDNAME,INTID,NB,SB,EB,WB
Up ID,2,4,5,1,3
Lanes,2,1,1,2,*2
Name,2,Oak,Oak,Main,Main
Distance,2,800,800,1000,1000
Speed,2,30,30,40,40
Up ID,3,,,2,6
Lanes,3,,,2,2
Distance,3,,,1000,1000
Speed,3,,,40,40
Up ID,1,,,,2
Lanes,1,,,,2
Up ID,4,,2,,
Lanes,4,,1,,
Up ID,5,2,,,
Lanes,5,1,,,
Up ID,6,,,3,
Lanes,6,,,2,

[Lanes]
Lane Group Data
RECORDNAME,INTID,NBL,NBT,NBR,SBL,SBT,SBR,EBL,EBT,EBR,WBL,WBT,WBR,PED,HOLD
Up Node,2,4,4,4,5,5,5,1,1,1,3,3,3,,
Dest Node,2,1,5,3,3,4,1,5,3,4,4,1,5,,
Lanes,2,0,1,0,0,1,0,1,2,0,1,2,0,,
Shared,2,,3,,,3,,,2,,,2,,,
Storage,2,,,,,,,150,,,200,,,,
StLanes,2,,,,,,,1,,,1,,,,
Phase1,2,,4,,,8,,5,2,,1,6,,,
PermPhase1,2,4,,,8,,,2,,,,,,,
Volume,2,20,100,*,30,120,0,40,700,60,,650,50,,
Growth,2,100,100,100,100,100,100,100,110,100,100,100,100,,

[Timeplans]
Timing Plan Settings
RECORDNAME,INTID,DATA
Control Type,2,3
Cycle Length,2,90.0
Referenced To,2,1
Reference Phase,2,206
Offset,2,30.0
Node 0,2,2
Node 1,2,0

[Phases]
Phasing Data
RECORDNAME,INTID,D1,D2,D3,D4,D5,D6,D7,D8
BRP,2,111,112,211,212,121,122,221,222
MinGreen,2,5,10,,7,5,10,,7
MaxGreen,2,10,35,,30,10,35,,30
Yellow,2,3.5,4,,3.5,3.5,4,,3.5
AllRed,2,1.5,1,,1.5,1.5,1,,1.5
Start,2,70,85,,35,70,85,,35
"""


def written(path: Path, text: str = FILE) -> Path:
    """A file under a name that says nothing."""
    out = path / "x.dat"
    out.write_text(text)
    return out


def shown(network: RoadNetwork, controller: str) -> dict[str, str]:
    """Movement → its letters at every half second of two cycles, from midnight on."""
    program = network.controllers[controller].programs[-1]
    times = np.arange(0, 2 * program.cycle_s, 0.5)
    heads = network.controllers[controller].heads
    return {heads[k].movement_ids[0]: "".join(program.state_at(t)[k] for t in times) for k in range(len(heads))}


def test_lanes_with_storage(tmp_path: Path) -> None:
    """Exclusive left lanes with storage are bays; shared lanes serve both; units are feet and mph."""
    network = read_utdf(written(tmp_path)).network
    assert {name for name in network.links if name.endswith(".bay")} == {"1_2.bay", "3_2.bay"}
    assert len(network.links["1_2"].lanes) == 2
    assert len(network.links["1_2.bay"].lanes) == 3
    assert network.links["1_2"].speed_mps == pytest.approx(40 * 0.44704)
    ways = {(c.from_link, c.from_lane, c.to_link) for c in network.connections}
    assert {("1_2.bay", 2, "2_5"), ("1_2.bay", 1, "2_3"), ("1_2.bay", 0, "2_3"), ("1_2.bay", 0, "2_4")} <= ways
    assert {("4_2", 0, "2_1"), ("4_2", 0, "2_5"), ("4_2", 0, "2_3")} <= ways
    # node 3 has no lane table: straight on
    assert {("2_3", 0, "3_6"), ("2_3", 1, "3_6"), ("6_3", 0, "3_2")} <= ways


def test_timing_by_rings_and_barriers(tmp_path: Path) -> None:
    """WBL is phase 1, EBL phase 5 and permitted in phase 2; splits are green, yellow and red together."""
    network = read_utdf(written(tmp_path)).network
    program = network.controllers["2"].programs[-1]
    assert (program.cycle_s, program.actuated) == (90.0, True)
    letters = shown(network, "2")
    # seconds of green in two cycles, in half seconds: WBL 10 s; EBL 10 s protected, its split's change, then permitted
    assert letters["3_2.bay>2_4"].count("G") == 2 * 2 * 10
    assert letters["1_2.bay>2_5"].count("G") + letters["1_2.bay>2_5"].count("g") == 2 * 2 * (15 + 35)
    assert letters["1_2.bay>2_3"].count("G") == 2 * 2 * 35


@pytest.mark.parametrize(
    ("reference", "phases", "want"),
    [
        # phase 2 begins 15 s after phase 1, its green ends at 50 s and its yellow at 54 s; offset 30 s, cycle 90 s
        (0, "206", 15.0),
        (1, "206", 70.0),
        (2, "206", 66.0),
        (0, "1", 30.0),
        (1, "408", 35.0),
    ],
)
def test_offsets_are_converted(tmp_path: Path, reference: int, phases: str, want: float) -> None:
    """The second at which phase 1 turns green, from each reference; 70 s is also what the record Start says."""
    text = FILE.replace("Referenced To,2,1", f"Referenced To,2,{reference}").replace("Phase,2,206", f"Phase,2,{phases}")
    network = read_utdf(written(tmp_path, text)).network
    assert network.controllers["2"].programs[-1].offset_s == want
    assert any("by Start" in note for note in network.notes) == (want != 70.0)


def test_volumes_and_what_is_not_measured(tmp_path: Path) -> None:
    """A star or blank is not measured, 0 is nobody; growth counts."""
    read = read_utdf(written(tmp_path))
    volumes = read.volumes_vph
    assert volumes["4_2", "2_3"] is None
    assert volumes["3_2.bay", "2_4"] is None
    assert volumes["5_2", "2_1"] == 0
    assert volumes["1_2.bay", "2_3"] == pytest.approx(770)
    turns = turns_of(volumes, begin_s=28_800, end_s=30_600)
    assert len(turns) == 10
    assert turns["veh"].sum() == pytest.approx((20 + 100 + 30 + 120 + 0 + 40 + 770 + 60 + 650 + 50) / 2)


def test_a_network_comes_back(tmp_path: Path) -> None:
    """Written and read again: links, lanes, ways, volumes, and every signal at every half second."""
    first = read_utdf(written(tmp_path))
    plan = TimingPlan(controllers={c.id: c.programs[-1] for c in first.network.controllers.values()})
    text, left = write_utdf(first.network, plan, first.volumes_vph)
    back = read_utdf(written(tmp_path, text))
    assert left == []
    for name, link in first.network.links.items():
        other = back.network.links[name]
        assert (len(other.lanes), other.from_node, other.to_node) == (len(link.lanes), link.from_node, link.to_node)
        assert other.speed_mps == pytest.approx(link.speed_mps, rel=1e-3)
    one, two = (
        {(c.from_link, c.from_lane, c.to_link, c.to_lane) for c in n.connections} for n in (first.network, back.network)
    )
    assert one == two
    assert shown(back.network, "2") == shown(first.network, "2")
    assert {k: v for k, v in back.volumes_vph.items() if v is not None} == pytest.approx(
        {k: v for k, v in first.volumes_vph.items() if v is not None}
    )


def test_all_faults_come_together(tmp_path: Path) -> None:
    """Unknown nodes, lanes and codes that are none: one error with the rows."""
    text = FILE.replace("Up ID,2,4,5,1,3", "Up ID,2,4,5,1,99").replace("Lanes,2,1,1,2,*2", "Lanes,2,one,1,2,*2")
    text = text.replace("3,3,2000,0,0,", "3,3,far,0,0,")
    with pytest.raises(NetworkError) as error:
        read_utdf(written(tmp_path, text))
    for words in ("node 3", "'far'", "Up ID '99'", "'one'"):
        assert words in str(error.value)
    with pytest.raises(NetworkError, match="Referenced To of 2 is 4"):
        read_utdf(written(tmp_path, FILE.replace("Referenced To,2,1", "Referenced To,2,4")))
    with pytest.raises(NetworkError, match=r"no \[Nodes\]"):
        read_utdf(written(tmp_path, "hello\n"))


def test_what_fits_no_phases_is_listed() -> None:
    """Cologne's signals have greens that end apart within a stage: each is named with its share of the cycle."""
    network = read_sumo_net(files("cologne8")[0])
    plan = TimingPlan(controllers={c.id: c.programs[-1] for c in network.controllers.values()})
    _, left = write_utdf(network, plan)
    odd = [line for line in left if "its interval table fits no phases" in line]
    assert len(odd) == 4
    assert all("3% of its cycle" in line for line in odd)
    assert any("a U-turn" in line for line in left)


def test_without_timing_a_program_is_assumed(tmp_path: Path) -> None:
    """A signal without phases gets two stages, and the note says so."""
    network = read_utdf(written(tmp_path, FILE.split("[Timeplans]")[0])).network
    assert network.controllers["2"].programs[-1].program_id == "assumed"
    assert any("no timing for 2" in note for note in network.notes)


VOLUMES = """Turning Movement Count
15 Minute Counts
DATE,TIME,INTID,NBL,NBT,NBR,EBT
5/14/2024,0700,2,10,*,0,100
5/14/2024,0715,2,12,,1,90
"""


def test_right_turns_on_red(tmp_path: Path) -> None:
    """Where a file allows it, a right turn stops and goes on red; written again it stays allowed there alone."""
    allowed = FILE.replace("Volume,2,", "Allow RTOR,2,,,0,,,,,,1,,,,,\nVolume,2,")
    assert "s" not in "".join(letters for letters in shown(read_utdf(written(tmp_path)).network, "2").values())
    read = read_utdf(written(tmp_path, allowed))
    before, letters = shown(read_utdf(written(tmp_path)).network, "2"), shown(read.network, "2")
    on_red = [movement for movement, own in letters.items() if "s" in own]
    assert len(on_red) == 1
    assert letters[on_red[0]].replace("s", "r") == before[on_red[0]]
    programs = {c.id: c.programs[-1] for c in read.network.controllers.values()}
    text, _ = write_utdf(read.network, TimingPlan(controllers=programs))
    assert shown(read_utdf(written(tmp_path, text)).network, "2") == letters


def test_volume_tables(tmp_path: Path) -> None:
    """Counts with their interval; stars and blanks are not measured; written and read again they are the same."""
    table = read_volumes(written(tmp_path, VOLUMES))
    assert table.interval_s == 900
    assert table.frame["begin_s"].tolist() == [25_200, 26_100]
    assert np.isnan(table.frame["NBT"]).all()
    assert table.frame["NBR"].tolist() == [0, 1]
    again = read_volumes(written(tmp_path, write_volumes(table)))
    pd.testing.assert_frame_equal(again.frame, table.frame)


def test_faulty_volume_tables(tmp_path: Path) -> None:
    """Dates, times and counts that are none, with their rows."""
    with pytest.raises(DemandError) as error:
        read_volumes(written(tmp_path, VOLUMES.replace("5/14/2024,0715,2,12", "soon,2599,,many")))
    for words in ("row 5: DATE", "row 5: TIME", "row 5: INTID", "row 5: NBL"):
        assert words in str(error.value)
    with pytest.raises(DemandError, match="15 Minute Counts"):
        read_volumes(written(tmp_path, "a,b\n1,2\n"))
