"""SALT: the network with its pockets, the day of every signal, each defect of the real data, and both ways exact."""

import gzip
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from network_data.errors import InputError, NetworkError, PlanError
from network_data.formats.salt import SaltNetwork, read_salt, read_salt_signals, write_salt_signals
from network_data.schedule import ControllerDay, DayPlan
from tests.packs import data_pack

DAY_S = 86_400

NODES = """<nodes><node id="w" x="127.000" y="36" type="priority"/>
<node id="c" x="127.004" y="36" type="traffic_light"/>
<node id="e" x="127.008" y="36" type="priority"/><node id="n" x="127.004" y="36.003" type="priority"/></nodes>"""
EDGES = """<edges>
<edge id="wc" from="w" to="c" numLanes="2" speed="60" edge_len="360" left_pocket="1" right_pocket="-1"/>
<edge id="ce" from="c" to="e" numLanes="2" speed="60" edge_len="360" left_pocket="-1" right_pocket="-1"/>
<edge id="cn" from="c" to="n" numLanes="1" speed="30" edge_len="330"/>
<edge id="ec" from="e" to="c" numLanes="1" speed="60" edge_len="360" left_pocket="0" right_pocket="1"/>
<edge id="cw" from="c" to="w" numLanes="1" speed="60" edge_len="360"/></edges>"""
CONNECTIONS = """<connections>
<connection from="wc" to="ce" fromLane="0" toLane="0" tl="c" linkIndex="0"/>
<connection from="wc" to="ce" fromLane="1" toLane="1" tl="c" linkIndex="1"/>
<connection from="wc" to="cn" fromLane="1" toLane="0" tl="c" linkIndex="2"/>
<connection from="ec" to="cn" fromLane="0" toLane="0" tl="c" linkIndex="3"/>
<connection from="ec" to="cw" fromLane="0" toLane="0" tl="c" linkIndex="4"/></connections>"""
TSS = """<trafficSignalSystem><trafficSignal nodeID="c" crossName="가네거리" signalGroup="7">
<schedule id="1" offset="5"><phase state="GGgGG" duration="40" minDur="20" maxDur="50"/>
<phase state="yyyyy" duration="3"/><phase state="rrGrr" duration="14"/><phase state="rryrr" duration="3"/></schedule>
<schedule id="2" offset="0"><phase state="GGgGG" duration="60"/><phase state="yyyyy" duration="3"/>
<phase state="rrGrr" duration="14"/><phase state="rryrr" duration="3"/></schedule>
<TODPlan defaultPlan="1" offset="5"><plan schedule="2" offset="11" startTime="25200"/></TODPlan>
</trafficSignal></trafficSignalSystem>"""


def folder(path: Path, **replaced: str) -> Path:
    """A small SALT network; one file gzipped, under names that say nothing."""
    texts = {"a": NODES, "b": EDGES, "c": CONNECTIONS, "d": TSS, **replaced}
    for name, text in texts.items():
        (path / f"{name}.xml").write_text(text)
    (path / "a.xml").rename(path / "a.xml.gz")
    (path / "a.xml.gz").write_bytes(gzip.compress(texts["a"].encode()))
    return path


@cache
def doan() -> SaltNetwork:
    """Daejeon, as it is."""
    return read_salt(data_pack() / "daejeon_doan")


def shown(day: ControllerDay) -> np.ndarray:
    """The letters at every second of a day."""
    out = np.empty(DAY_S, dtype=object)
    starts = [0.0, *(at_s for at_s, _ in day.switches), float(DAY_S)]
    programs = [day.program_at(0.0), *day.programs]
    for begin_s, end_s, program in zip(starts, starts[1:], programs, strict=False):
        seconds = np.arange(int(begin_s), int(end_s))
        ends = np.cumsum([duration_s for duration_s, _ in program.intervals])
        rows = np.searchsorted(ends, np.mod(seconds - program.offset_s, ends[-1]), side="right")
        out[seconds] = np.array([state for _, state in program.intervals], dtype=object)[rows]
    return out


def test_pockets_are_links_of_their_own(tmp_path: Path) -> None:
    """A left turn leaves from the pocket, straight on from the lanes beside it; the pocket is as long as we say."""
    network = read_salt(folder(tmp_path)).network
    assert [lane.index for lane in network.links["wc.bay"].lanes] == [0, 1, 2]
    # 60 m less what the junction takes of its end
    assert 40 < network.links["wc.bay"].length_m < 60
    turns = {(c.from_link, c.from_lane, c.to_link) for c in network.connections if c.controller_id}
    assert turns == {
        ("wc.bay", 0, "ce"),
        ("wc.bay", 1, "ce"),
        ("wc.bay", 2, "cn"),
        ("ec.bay", 0, "cn"),
        ("ec.bay", 1, "cw"),
    }
    assert {(c.from_lane, c.to_lane) for c in network.connections if c.to_link == "wc.bay"} == {(0, 0), (1, 1), (1, 2)}


def test_a_permitted_left_yields(tmp_path: Path) -> None:
    """The left turn meets those who come towards it, and yields to them."""
    network = read_salt(folder(tmp_path)).network
    left = next(c for c in network.connections if c.link_index == 2)
    assert left.direction == "l"
    assert 4 in {network.connections[i].link_index for i in left.yields_to}


def test_the_day_switches_as_the_file_says(tmp_path: Path) -> None:
    """The default plan before 07:00, then the other; a plan's own offset counts before its schedule's."""
    day = read_salt(folder(tmp_path)).day.controllers["c"]
    assert [(at_s, p.program_id, p.offset_s) for at_s, p in day.switches] == [(0.0, "1", 5.0), (25_200.0, "2", 11.0)]
    # offset 5, cycle 60: the first phase begins at seconds 5, 65, …; 25,200 = 315 cycles of 80 s, so at 25,211
    assert [day.program_at(t).state_at(t) for t in (4, 5, 45, 25_210, 25_211)] == [
        "rryrr", "GGgGG", "yyyyy", "rryrr", "GGgGG",
    ]  # fmt: skip


def test_a_day_comes_back_with_its_labels_and_bounds(tmp_path: Path) -> None:
    """Names, groups, minima and maxima survive writing and reading; so does every second of the day."""
    signals = read_salt_signals(folder(tmp_path) / "d.xml")
    path = tmp_path / "out.xml"
    path.write_text(write_salt_signals(DayPlan(controllers={c: s.day for c, s in signals.items()}), signals))
    back = read_salt_signals(path)["c"]
    assert (back.labels, back.bounds["1"]) == (signals["c"].labels, signals["c"].bounds["1"])
    assert (shown(back.day) == shown(signals["c"].day)).all()


def test_faults_of_all_files_come_together(tmp_path: Path) -> None:
    """Missing nodes and edges, lanes outside, short states, unknown schedules: one error with every place."""
    bad = folder(
        tmp_path,
        b=EDGES.replace('to="e" numLanes="2"', 'to="x" numLanes="2"').replace('edge_len="330"', 'edge_len="long"'),
        d=TSS.replace('schedule="2"', 'schedule="9"').replace('duration="14"', 'duration="-1"'),
    )
    with pytest.raises(NetworkError) as error:
        read_salt(bad)
    text = str(error.value)
    for words in ("no node 'x'", "'long' is no plain number", "schedule '9'", "lasts -1.0 s", "no edge 'ce'"):
        assert words in text


def test_states_too_short_for_their_ways_are_a_fault(tmp_path: Path) -> None:
    """A link index beyond the states cannot be shown."""
    with pytest.raises(NetworkError, match="states have 5 letters, its connections' linkIndex needs 10"):
        read_salt(folder(tmp_path, c=CONNECTIONS.replace('linkIndex="4"', 'linkIndex="9"')))


def test_an_unknown_repair_is_refused(tmp_path: Path) -> None:
    """Only named repairs are made."""
    with pytest.raises(NetworkError, match="known are yellow, turn-on-red, alley-speed"):
        read_salt(folder(tmp_path), repair={"everything"})


def test_daejeon_is_read_whole() -> None:
    """Nodes, links and connections as its README counts them, and 109 of 115 signals that control anything."""
    network = doan().network
    bays = [name for name in network.links if name.endswith(".bay")]
    assert (len(network.nodes) - len(bays), len(network.links) - len(bays)) == (2290, 5445)
    assert len(bays) == 157
    assert len(doan().signals) == 115
    assert len(network.controllers) == 109
    # 1,391 connections carry a signal; turns into two pocket lanes are two ways of one signal
    assert len({(c.controller_id, c.link_index) for c in network.connections if c.controller_id}) == 1390


def test_every_defect_of_the_readme_is_listed() -> None:
    """The README's counts, one by one."""
    found = Counter(d.code for d in doan().defects)
    assert found["no-demand"] == 1  # no counts and no demand in this folder
    assert found["state-length"] == 17  # of 115 signals
    assert found["mid-block"] == 32  # named (단)
    assert found["no-yellow"] == 1
    assert found["all-red"] == 12  # 15 s or more
    assert found["default-speed"] == 1  # 10 km/h on alleys
    odd = sorted(d.text.split("cycle of ")[1].split(" ")[0] for d in doan().defects if d.code == "odd-cycle")
    assert odd == ["161", "161", "170", "170", "220"]
    assert found["yellow-length"] > 0  # also 4 and 5 s
    # ours, of all letters in the file: signals with heads whose green goes straight to red; most control nothing we map
    assert found["head-without-yellow"] > 0
    # ours: six signals that no connection names, one index with two connections
    assert (found["controls-nothing"], found["shared-index"]) == (6, 1)


def test_repairs_are_made_only_when_asked(tmp_path: Path) -> None:
    """Yellow is put in for the one signal without, and nothing else changes."""
    bare = folder(tmp_path, d=TSS.replace("yyyyy", "rrrrr").replace("rryrr", "rrrrr"))
    assert not any("y" in i.state for p in read_salt(bare).network.controllers["c"].programs for i in p.intervals)
    repaired = read_salt(bare, repair={"yellow"})
    assert "가네거리" in repaired.repaired[0]
    for program in repaired.network.controllers["c"].programs:
        for (_, here), (_, there) in zip(program.intervals, program.intervals[1:], strict=False):
            assert not any(a in "Gg" and b == "r" for a, b in zip(here, there, strict=True))
    assert {p.cycle_s for p in repaired.network.controllers["c"].programs} == {60, 80}


def test_right_turns_may_go_on_red_when_asked() -> None:
    """Red becomes stop-and-go at heads of right turns and nowhere else; greens and yellows stay."""
    plain, turning = doan().network, read_salt(data_pack() / "daejeon_doan", repair={"turn-on-red"}).network
    ways: dict[tuple[str, int], set[str]] = {}
    for c in plain.connections:
        if c.controller_id is not None and c.link_index is not None:
            ways.setdefault((c.controller_id, c.link_index), set()).add(c.direction)
    right = {head for head, directions in ways.items() if directions == {"r"}}
    assert len(right) > 300
    for name, controller in plain.controllers.items():
        for before, after in zip(controller.programs, turning.controllers[name].programs, strict=True):
            for (_, old), (_, new) in zip(before.intervals, after.intervals, strict=True):
                wanted = ["s" if (name, k) in right and x == "r" else x for k, x in enumerate(old)]
                assert [x for k, x in enumerate(new) if (name, k) in ways] == [
                    x for k, x in enumerate(wanted) if (name, k) in ways
                ]


def test_every_second_of_daejeons_day_survives(tmp_path: Path) -> None:
    """All 115 signals: written and read back, the same letters at each of 86,400 seconds."""
    signals = doan().signals
    path = tmp_path / "tss.xml"
    path.write_text(write_salt_signals(DayPlan(controllers={c: s.day for c, s in signals.items()}), signals))
    back = read_salt_signals(path)
    assert set(back) == set(signals)
    for node, signal in signals.items():
        assert (shown(back[node].day) == shown(signal.day)).all(), signal.name
        assert back[node].labels == signal.labels


def test_another_root_is_no_signal_file(tmp_path: Path) -> None:
    """A file of another kind says what it is."""
    (tmp_path / "x.xml").write_text("<nodes/>")
    with pytest.raises(PlanError, match="the root is <nodes>"):
        read_salt_signals(tmp_path / "x.xml")
    with pytest.raises(InputError, match="holds no SALT network"):
        read_salt(tmp_path)
