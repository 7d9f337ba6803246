"""Reading SUMO networks: what is signalled, who yields to whom, odd junctions, faults."""

import gzip
from pathlib import Path

import pytest

from network_data.errors import NetworkError
from network_data.formats.sumo_net import lane_kind, read_sumo_net
from network_data.network import RoadNetwork
from tests.packs import data_pack, resco

CROSS = """<net version="1.20">
  <edge id=":c_0" function="internal"><lane id=":c_0_0" index="0" speed="13" length="12"/></edge>
  <edge id=":c_1" function="internal"><lane id=":c_1_0" index="0" speed="7" length="5"/></edge>
  <edge id=":c_3" function="internal"><lane id=":c_3_0" index="0" speed="7" length="9"/></edge>
  <edge id=":c_2" function="internal"><lane id=":c_2_0" index="0" speed="13" length="12"/></edge>
  <edge id=":c_c0" function="crossing" crossingEdges="n"><lane id=":c_c0_0" index="0" speed="1" length="7"/></edge>
  <edge id="w" from="W" to="c"><lane id="w_0" index="0" speed="13.9" length="100"/></edge>
  <edge id="o" from="O" to="c"><lane id="o_0" index="0" speed="13.9" length="80"/></edge>
  <edge id="e" from="c" to="O"><lane id="e_0" index="0" speed="13.9" length="80"/></edge>
  <edge id="n" from="c" to="N"><lane id="n_0" index="0" speed="8.3" length="60"/></edge>
  <edge id="x" from="c" to="W"><lane id="x_0" index="0" speed="13.9" length="100" disallow="passenger"/></edge>
  <tlLogic id="c" type="static" programID="old" offset="0"><phase duration="9" state="GGGG"/></tlLogic>
  <tlLogic id="c" type="static" programID="p" offset="95">
    <phase duration="30" state="GgGr"/><phase duration="3" state="yyyr"/><phase duration="27" state="rrrG"/>
  </tlLogic>
  <junction id="c" type="traffic_light" x="0" y="0" intLanes=":c_0_0 :c_3_0 :c_2_0 :c_c0_0">
    <request index="0" response="0000" foes="0000" cont="0"/>
    <request index="1" response="1100" foes="1100" cont="1"/>
    <request index="2" response="0000" foes="0010" cont="0"/>
    <request index="3" response="0000" foes="0010" cont="0"/>
  </junction>
  <junction id="W" type="dead_end" x="-100" y="0"/><junction id="O" type="dead_end" x="90" y="0"/>
  <junction id="N" type="dead_end" x="0" y="60"/>
  <connection from="w" to="e" fromLane="0" toLane="0" via=":c_0_0" tl="c" linkIndex="0" dir="s" state="O"/>
  <connection from="w" to="n" fromLane="0" toLane="0" via=":c_1_0" tl="c" linkIndex="1" dir="l" state="o"/>
  <connection from=":c_1" to="n" fromLane="0" toLane="0" via=":c_3_0" dir="l" state="m"/>
  <connection from=":c_3" to="n" fromLane="0" toLane="0" dir="l" state="M"/>
  <connection from="o" to="x" fromLane="0" toLane="0" via=":c_2_0" tl="c" linkIndex="2" dir="s" state="O"/>
  <connection from=":c_w0" to=":c_c0" fromLane="0" toLane="0" tl="c" linkIndex="3" dir="s" state="M"/>
</net>"""


def read(tmp_path: Path, text: str) -> RoadNetwork:
    path = tmp_path / "t.net.xml"
    path.write_text(text)
    return read_sumo_net(path)


@pytest.mark.parametrize(
    ("allow", "disallow", "kind"),
    [
        (None, None, "general"),
        ("all", None, "general"),
        ("passenger bus", None, "general"),
        ("bus taxi", None, "bus"),
        ("pedestrian", None, "other"),
        ("", None, "other"),
        (None, "pedestrian tram", "general"),
        (None, "passenger", "bus"),
        (None, "all", "other"),
    ],
)
def test_lane_kinds(allow: str | None, disallow: str | None, kind: str) -> None:
    """Permissions sort lanes into general, bus and neither."""
    assert lane_kind(allow, disallow) == kind


def test_a_small_junction_by_hand(tmp_path: Path) -> None:
    """Movements, waiting place, conflicts, rights of way and crossing are those drawn."""
    network = read(tmp_path, CROSS)
    assert list(network.movements) == ["w>e", "w>n", "o>x"]
    through, left, opposing = network.connections
    assert (through.length_m, through.wait_m, through.link_index) == (12, 0, 0)
    assert (left.length_m, left.wait_m, left.speed_mps) == (14, 5, 7)
    assert left.yields_to == (2,)
    assert left.conflicts == (2,)
    assert opposing.conflicts == (1,)  # said by one side only in the file
    assert opposing.yields_to == ()
    assert opposing.kind == "bus"  # the lane it leads to is closed to cars
    crossing = network.crossings[0]
    assert (crossing.id, crossing.crossed_links, crossing.length_m) == ("x:c:0", ("n",), 7)
    assert crossing.conflicts == (1,)
    controller = network.controllers["c"]
    assert controller.conflicts == {(1, 2), (1, 3)}
    assert controller.yields == {(1, 2), (1, 3)}
    assert [head.kind for head in controller.heads] == ["vehicle", "vehicle", "bus", "crossing"]
    assert network.approaches == {"c": ("w", "o")}
    assert network.outgoing["w"] == ("e", "n")
    assert network.incoming["n"] == ("w",)


def test_programs_keep_their_order_and_offset(tmp_path: Path) -> None:
    """The last program is in force; its offset is taken modulo the cycle."""
    programs = read(tmp_path, CROSS).controllers["c"].programs
    assert [program.program_id for program in programs] == ["old", "p"]
    assert (programs[-1].cycle_s, programs[-1].offset_s) == (60, 35)


def test_link_index_minus_one_is_not_signalled(tmp_path: Path) -> None:
    """A connection that the signal does not control stays in the network without a head."""
    network = read(tmp_path, CROSS.replace('linkIndex="0"', 'linkIndex="-1"'))
    assert network.connections[0].controller_id is None
    assert network.connections[0].link_index is None
    assert network.controllers["c"].heads[0].kind == "dead"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('from="w" to="n"', 'from="w" to="nix"', "from='w' to='nix'>: no link 'nix' in the network"),
        ('from="w" to="e" fromLane="0"', 'from="w" to="e" fromLane="4"', "fromLane is '4', link 'w' has lanes 0 to 0"),
        ('from="w" to="e" fromLane="0"', 'from="w" to="e"', "fromLane is '', link 'w'"),
        ('linkIndex="0"', 'linkIndex="a"', "<connection id='w'>: invalid literal.*export the network again"),
        ('linkIndex="0"', 'linkIndex="9"', "states have 4 letters, its link indices need 10"),
        ('length="100"/>', 'length="nan"/>', "<edge id='w'>: length is 'nan', needs a number"),
        ('speed="13.9" length="80"', 'length="80"', "<edge id='o'>: attribute 'speed' is missing"),
        ('speed="13.9" length="80"', 'speed="0" length="80"', "link 'o': lane 0: length 80.0 m and speed 0.0 m/s"),
        ('tl="c" linkIndex="2"', 'tl="d" linkIndex="2"', "controller 'd' is named by connections but has no <tlLogic>"),
        ('duration="30"', 'duration="-3"', "phase 0: duration is '-3'"),
        ('state="yyyr"', 'state="yyr"', r"states have the lengths \[3, 4\]"),
        ("GgGr", "GgQr", "letters 'Q'"),
        ("<net ", "<nets ", "the root is <nets>"),
        ('from="w" to="e"', 'from="w"', "<connection id='w'>: attribute 'to' is missing"),
        ('<edge id="o"', '<edge id="w"', "<edge id='w'>: is there twice"),
        ('x="-100"', 'x="far"', "<junction id='W'>: x is 'far', needs a number"),
        ('<edge id="w" ', '<edge id="w" shape="1,2 3" ', "shape has the point '3', needs x,y"),
        ('linkIndex="0"', 'linkIndex="99999999999999"', "its link indices need 100000000000000"),
    ],
)
def test_faults_say_where_and_how_to_mend(tmp_path: Path, old: str, new: str, says: str) -> None:
    """Each damage to the file ends in an error that names file and element."""
    text = CROSS.replace(old, new, 1)
    assert text != CROSS
    with pytest.raises(NetworkError, match=says) as caught:
        read(tmp_path, text)
    assert "t.net.xml" in str(caught.value)


def test_all_faults_come_together(tmp_path: Path) -> None:
    """Two broken elements are two faults of one error."""
    text = CROSS.replace('to="n" fromLane', 'to="nix" fromLane', 1).replace('from="o" to="x"', 'from="o" to="gone"')
    with pytest.raises(NetworkError) as caught:
        read(tmp_path, text)
    assert len(caught.value.faults) == 2


def test_other_xml_is_not_a_network(tmp_path: Path) -> None:
    """An additional file or an empty network says what is expected."""
    with pytest.raises(NetworkError, match=r"the root is <additional>, a SUMO network has <net>"):
        read(tmp_path, "<additional/>")
    with pytest.raises(NetworkError, match="holds no links"):
        read(tmp_path, "<net/>")


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    """Name and packing of the file do not matter, one metre does."""
    first = read(tmp_path, CROSS).hash
    packed = tmp_path / "other.xml"
    packed.write_bytes(gzip.compress(CROSS.encode()))
    assert read_sumo_net(packed).hash == first
    assert read(tmp_path, CROSS.replace('length="100"', 'length="101"')).hash != first


@pytest.mark.parametrize(
    ("name", "n_controllers"), [("cologne1", 1), ("cologne3", 3), ("cologne8", 8), ("grid4x4", 16)]
)
def test_resco_networks_come_through(name: str, n_controllers: int) -> None:
    """Every RESCO network of the contract is read with all its signals."""
    network = read_sumo_net(resco(name) / f"{name}.net.xml")
    assert len(network.controllers) == n_controllers
    check_consistency(network)


@pytest.mark.parametrize(("name", "n_controllers"), [("acosta", 7), ("pasubio", 8)])
def test_bologna_comes_through(name: str, n_controllers: int) -> None:
    """Real programs, bus lanes, joined junctions: all signals are read, bus-only turns are named apart."""
    network = read_sumo_net(data_pack() / f"bologna_{name}" / f"{name}_buslanes.net.xml")
    assert len(network.controllers) == n_controllers
    assert any(lane.kind == "bus" for link in network.links.values() for lane in link.lanes)
    check_consistency(network)


def test_wildau_has_crossings_and_level_crossings() -> None:
    """A town net with footways and a railway: crossings are read, level crossings are no signals of ours."""
    network = read_sumo_net(data_pack() / "wildau" / "net.net.xml.gz")
    assert len(network.controllers) == 3
    assert network.crossings
    check_consistency(network)


def check_consistency(network: RoadNetwork) -> None:
    """Indices point to what exists, conflicts are mutual, heads and connections name each other."""
    for i, connection in enumerate(network.connections):
        assert i not in connection.conflicts
        assert all(i in network.connections[j].conflicts for j in connection.conflicts)
        assert set(connection.yields_to) <= set(connection.conflicts)
        if connection.controller_id is not None:
            assert connection.link_index is not None
            head = network.controllers[connection.controller_id].heads[connection.link_index]
            assert i in head.connections
            assert connection.movement_id in head.movement_ids
    for controller in network.controllers.values():
        for program in controller.programs:
            assert len(program.intervals[0].state) == controller.n_heads
        assert all(controller.in_conflict(i, j) for i, j in controller.yields)
