"""Route files: vehicles, trips, flows, types and stops; and every fault told."""

from __future__ import annotations

import gzip
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from network_data.errors import DemandError
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_routes import read_routes
from network_data.network import RoadNetwork
from network_data.trips import Trips
from tests import packs

# in → mid → out, a shortcut in → out only buses may take, and side, which leads nowhere
NET = """<net>
    <edge id="in" from="a" to="b"><lane id="in_0" index="0" speed="10" length="100" shape="0,0 100,0"/></edge>
    <edge id="mid" from="b" to="c"><lane id="mid_0" index="0" speed="10" length="200" shape="100,0 300,0"/></edge>
    <edge id="slow" from="b" to="c"><lane id="slow_0" index="0" speed="5" length="200" shape="100,0 300,0"/></edge>
    <edge id="bus" from="b" to="c">
        <lane id="bus_0" index="0" allow="bus" speed="10" length="50" shape="100,0 300,0"/></edge>
    <edge id="out" from="c" to="d"><lane id="out_0" index="0" speed="10" length="100" shape="300,0 400,0"/></edge>
    <edge id="side" from="c" to="e"><lane id="side_0" index="0" speed="10" length="100" shape="300,0 300,9"/></edge>
    <junction id="a" type="dead_end" x="0" y="0"/><junction id="b" type="priority" x="100" y="0"/>
    <junction id="c" type="priority" x="300" y="0"/><junction id="d" type="dead_end" x="400" y="0"/>
    <junction id="e" type="dead_end" x="300" y="9"/>
    <connection from="in" to="mid" fromLane="0" toLane="0" dir="s" state="M"/>
    <connection from="in" to="slow" fromLane="0" toLane="0" dir="s" state="M"/>
    <connection from="in" to="bus" fromLane="0" toLane="0" dir="s" state="M"/>
    <connection from="mid" to="out" fromLane="0" toLane="0" dir="s" state="M"/>
    <connection from="slow" to="out" fromLane="0" toLane="0" dir="s" state="M"/>
    <connection from="slow" to="side" fromLane="0" toLane="0" dir="s" state="M"/>
    <connection from="bus" to="out" fromLane="0" toLane="0" dir="s" state="M"/>
</net>"""


@pytest.fixture
def network(tmp_path: Path) -> RoadNetwork:
    path = tmp_path / "small.net.xml"
    path.write_text(NET)
    return read_sumo_net(path)


def read(network: RoadNetwork, tmp_path: Path, text: str, **options: object) -> Trips:
    path = tmp_path / "routes.xml"
    path.write_text(f"<routes>{text}</routes>")
    return read_routes([path], network, **options)  # type: ignore[arg-type]


def ways(trips: Trips) -> list[str]:
    start = trips.route_start
    return [" ".join(trips.links[k] for k in trips.route_link[start[v] : start[v + 1]]) for v in range(len(trips))]


def test_vehicles_are_sorted_by_departure_and_keep_their_routes(network: RoadNetwork, tmp_path: Path) -> None:
    """Inline and named routes come out link by link, in order of departure, with the files' ids."""
    trips = read(
        network,
        tmp_path,
        """<route id="r" edges="in slow side"/>
        <vehicle id="late" depart="0:01:05" route="r"/>
        <vehicle id="early" depart="3.5"><route edges="in mid out"/></vehicle>""",
    )
    assert trips.ids == ("early", "late")
    assert trips.depart_s.tolist() == [3.5, 65.0]
    assert ways(trips) == ["in mid out", "in slow side"]
    assert trips.length_m.tolist() == [7.5, 7.5]
    assert len(trips.dwell_s) == 0


def test_trips_take_the_fastest_permitted_way(network: RoadNetwork, tmp_path: Path) -> None:
    """A car goes by the fast link, a bus by the short one that only buses may use; `via` is obeyed."""
    trips = read(
        network,
        tmp_path,
        """<vType id="b" vClass="bus"/>
        <trip id="car" depart="1" from="in" to="out"/>
        <trip id="bus" type="b" depart="2" from="in" to="out"/>
        <trip id="detour" depart="3" from="in" to="out" via="slow"/>""",
    )
    assert ways(trips) == ["in mid out", "in bus out", "in slow out"]
    assert trips.kind.tolist() == [0, 1, 0]
    assert trips.length_m.tolist() == [7.5, 14.5, 7.5]


def test_flows_depart_as_sumo_lets_them(network: RoadNetwork, tmp_path: Path) -> None:
    """Number over a time, a period and vehicles per hour are equally spaced; a probability is drawn per second."""
    trips = read(
        network,
        tmp_path,
        """<flow id="n" begin="0" end="100" number="4" from="in" to="out"/>
        <flow id="p" begin="0" end="100" period="30" from="in" to="out"/>
        <flow id="h" begin="0" end="100" vehsPerHour="180" from="in" to="out"/>
        <flow id="x" begin="0" end="4000" probability="0.25" from="in" to="out"/>
        <flow id="e" begin="0" end="4000" period="exp(0.25)" from="in" to="out"/>""",
    )
    of = {name: [t for t, v in zip(trips.depart_s, trips.ids, strict=True) if v[0] == name] for name in "nphxe"}
    assert of["n"] == [0, 25, 50, 75]
    assert of["p"] == [0, 30, 60, 90]
    assert of["h"] == [0, 20, 40, 60, 80]
    # 1000 expected; a draw more than 6 standard deviations (27 and 32) off would be a fault
    assert abs(len(of["x"]) - 1000) < 165
    assert abs(len(of["e"]) - 1000) < 190
    assert np.unique(of["x"]).size == len(of["x"])


def test_what_is_drawn_depends_on_the_seed_alone(network: RoadNetwork, tmp_path: Path) -> None:
    """The same seed gives the same vehicles, another seed others, and shares follow the probabilities."""
    text = """<vTypeDistribution id="mix"><vType id="s" length="4" minGap="1" probability="3"/>
        <vType id="l" length="9" minGap="1" probability="1"/></vTypeDistribution>
        <routeDistribution id="d"><route id="m" edges="in mid out" probability="0.5"/>
        <route id="s" edges="in slow out" probability="0.5"/></routeDistribution>
        <flow id="f" type="mix" route="d" begin="0" end="2000" period="1"/>"""
    one, two, other = (read(network, tmp_path, text, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.length_m, two.length_m)
    np.testing.assert_array_equal(one.route_link, two.route_link)
    assert (one.length_m != other.length_m).any()
    # 2000 draws: standard deviations 0.010 and 0.011, six of them
    assert abs((one.length_m == 5).mean() - 0.75) < 0.06
    assert abs(ways(one).count("in mid out") / 2000 - 0.5) < 0.07


def test_stops_become_dwell_on_their_link(network: RoadNetwork, tmp_path: Path) -> None:
    """A bus stop of an additional file adds its seconds to the link it lies on."""
    stops = tmp_path / "stops.xml"
    stops.write_text('<add><busStop id="s" lane="mid_0" startPos="10" endPos="30"/><tlLogic id="x"/></add>')
    trips = read(
        network,
        tmp_path,
        """<vehicle id="b" depart="0"><route edges="in mid out"/><stop busStop="s" duration="20"/>
        <stop lane="out_0" duration="5"/></vehicle><vehicle id="c" depart="1"><route edges="in mid"/></vehicle>""",
        additional=[stops],
    )
    assert trips.dwell_s.tolist() == [0, 20, 5, 0, 0]


def test_only_departures_of_the_period_are_kept(network: RoadNetwork, tmp_path: Path) -> None:
    """The period includes its begin and excludes its end; a gzipped file is known by its content."""
    path = tmp_path / "routes.txt"
    path.write_bytes(
        gzip.compress(b'<routes><flow id="f" begin="0" end="50" period="10" from="in" to="out"/></routes>')
    )
    trips = read_routes([path], network, begin_s=10, end_s=30)
    assert trips.depart_s.tolist() == [10, 20]
    with pytest.raises(DemandError, match="no vehicle departs in .* depart from 0 to 40 s"):
        read_routes([path], network, begin_s=100)
    path.write_text("<additional><e1Detector id='d'/></additional>")
    with pytest.raises(DemandError, match=r"routes\.txt: no vehicle departs in .*; there are none; give files with"):
        read_routes([path], network)


def test_classes_other_than_cars_may_use_bus_lanes(network: RoadNetwork, tmp_path: Path) -> None:
    """A delivery van on a bus lane counts as one that may use it; a car there is a fault."""
    van = '<vType id="v" vClass="delivery"/><vehicle id="v" type="v" depart="0"><route edges="in bus out"/></vehicle>'
    assert read(network, tmp_path, van).kind.tolist() == [1]
    with pytest.raises(DemandError, match="'car'.*no connection for class passenger from link 'in' to link 'bus'"):
        read(network, tmp_path, '<vehicle id="car" depart="0"><route edges="in bus out"/></vehicle>')


def test_cycles_and_persons_are_left_out(network: RoadNetwork, tmp_path: Path) -> None:
    """What does not queue in our lanes is left out without a fault."""
    text = """<vType id="c" vClass="bicycle"/><trip id="c" type="c" depart="0" from="in" to="out"/>
        <person id="p" depart="0"/><trip id="car" depart="0" from="in" to="out"/>"""
    assert read(network, tmp_path, text).ids == ("car",)


def test_all_faults_are_told_together(network: RoadNetwork, tmp_path: Path) -> None:
    """Every fault names its element and how to mend it, in one error."""
    with pytest.raises(DemandError) as caught:
        read(
            network,
            tmp_path,
            """<vehicle id="a" depart="triggered"><route edges="in"/></vehicle>
            <vehicle id="b" depart="0"><route edges="in nowhere"/></vehicle>
            <vehicle id="c" depart="0"><route edges="in out"/></vehicle>
            <trip id="d" depart="0" from="out" to="in"/>
            <vehicle id="e" depart="0" type="unknown"><route edges="in"/></vehicle>
            <vehicle id="f" depart="0"/>
            <vehicle id="g" depart="0"><route edges="in mid"/><stop busStop="s" duration="9"/></vehicle>
            <flow id="h" begin="0" from="in" to="out" period="5"/>
            <flow id="i" begin="0" end="9" from="in" to="out"/>
            <vehicle id="j" depart="soon"><route edges="in"/></vehicle>""",
        )
    words = {
        "a": "depart is 'triggered'",
        "b": "link 'nowhere' not in the network",
        "c": "no connection for class passenger from link 'in' to link 'out'",
        "d": "no way leads from link 'out' to link 'in'",
        "e": "vType 'unknown' is not defined",
        "f": "neither a route nor from and to",
        "g": "busStop 's' is not defined",
        "h": "runs without end",
        "i": "none of number, period",
        "j": "depart is 'soon'",
    }
    assert len(caught.value.faults) == len(words)
    for fault, (name, text) in zip(caught.value.faults, words.items(), strict=True):
        assert f"id='{name}'" in fault
        assert text in fault


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('<vType id="t" length="long"/>', "length is 'long'; give a number"),
        ('<vType id="t" length="-4"/>', "length -4.0 m"),
        ('<vType id="t" probability="nan"/><vTypeDistribution id="d"/>', "the distribution has no vType"),
        ('<vTypeDistribution id="d"><vType id="t" probability="-1"/></vTypeDistribution>', "probability is -1"),
        ('<vTypeDistribution id="d" vTypes="DEFAULT_VEHTYPE" probabilities="1 2"/>', "1 members but"),
        ('<flow id="f" end="9" from="in" to="out" period="0"/>', "period is 0 s; needs to be above 0"),
        ('<flow id="f" end="9" from="in" to="out" period="exp(x)"/>', "give seconds or exp"),
        ('<flow id="f" end="9" from="in" to="out" period="exp(-1)"/>', "needs a rate above 0"),
        ('<flow id="f" end="9" from="in" to="out" number="many"/>', "number is 'many'"),
        ('<flow id="f" end="9" from="in" to="out" probability="2"/>', "probability is 2"),
        ('<flow id="f" end="1e9" from="in" to="out" period="0.01"/>', "more than 1000000"),
        ('<flow id="f" from="in" to="out" number="9"/>', "has a number but no end or period"),
        ('<vehicle id="v" depart="0"><route edges=""/></vehicle>', "the route has no edges"),
        ('<vehicle id="v" depart="0"><route edges="in" repeat="-1"/></vehicle>', "repeat is -1"),
        ('<vehicle id="v" depart="0"><route edges="in"/><stop lane="mid_0"/></vehicle>', "does not reach then"),
        ('<vehicle id="v" depart="0"><route edges="in"/><stop lane="in" duration="3"/></vehicle>', "lane 'in' is not"),
        ('<vehicle id="v" depart="0"><route edges="in"/><stop lane="in_0" duration="-3"/></vehicle>', "stops for -3 s"),
        ('<vehicle depart="0"><route edges="in"/></vehicle>', "has no id"),
        ('<route id="r" edges="in"/><routeDistribution id="d" routes="r s"/>', "route 's' is not defined"),
        ('<include href="more.xml"/>', "name the included file itself"),
        ('<trip id="t" depart="0" fromTaz="1" toTaz="2"/>', "zones and junctions are not read"),
    ],
)
def test_each_fault_says_how_to_mend_it(network: RoadNetwork, tmp_path: Path, text: str, told: str) -> None:
    """Attributes out of range, missing or contradictory are named; none ends in a traceback."""
    with pytest.raises(DemandError) as caught:
        read(network, tmp_path, text)
    assert told in caught.value.faults[0]


def test_another_file_is_recognized_by_its_root(network: RoadNetwork, tmp_path: Path) -> None:
    """A network given as routes is told as such."""
    with pytest.raises(DemandError, match="the root is <net>; give a route or additional file"):
        read_routes([tmp_path / "small.net.xml"], network)


def test_many_faults_are_capped(network: RoadNetwork, tmp_path: Path) -> None:
    """Twenty faults are printed, the rest is a number."""
    text = "".join(f'<vehicle id="{n}" depart="0"><route edges="x"/></vehicle>' for n in range(30))
    with pytest.raises(DemandError, match="and 10 more faults") as caught:
        read(network, tmp_path, text)
    assert len(caught.value.faults) == 21


def test_bologna_reads_completely_and_fast() -> None:
    """Every private vehicle and bus of the README is there, with 20 s at each bus stop, within a second."""
    folder = packs.data_pack() / "bologna_acosta"
    network = read_sumo_net(folder / "acosta_buslanes.net.xml")
    began_s = time.process_time()
    trips = read_routes(
        [folder / "acosta.rou.xml.gz", folder / "acosta_busses.rou.xml.gz"],
        network,
        additional=[folder / "acosta_vtypes.add.xml", folder / "acosta_bus_stops.add.xml"],
    )
    spent_s = time.process_time() - began_s
    assert len(trips) == 8622 + 157
    assert (trips.length_m == 15).sum() == 157
    assert trips.dwell_s.sum() == 542 * 20
    assert (np.diff(trips.depart_s) >= 0).all()
    assert spent_s < 1


def test_cologne_trips_follow_connections() -> None:
    """Each step of a routed trip is a connection of the network."""
    folder = packs.resco("cologne8")
    network = read_sumo_net(folder / "cologne8.net.xml")
    trips = read_routes([folder / "cologne8.rou.xml"], network, begin_s=25200, end_s=28800)
    assert len(trips) == 2046
    for way in set(ways(trips)):
        links = way.split()
        assert all(b in network.outgoing[a] for a, b in pairwise(links))
