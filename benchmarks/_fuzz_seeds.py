"""Small sound files of every format that is read from outside, and what reads each: what the fuzz run starts from."""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from its.content import read_content
from its.counted import load_counts
from its.inspect_job import inspect_job
from network_data.detectors import Detector, read_detectors
from network_data.formats.gmns import write_gmns
from network_data.formats.plan_json import dump_plan
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_routes import read_routes
from network_data.network import RoadNetwork
from network_data.settings import Settings, load_settings
from network_data.turns import read_turns
from tests.its.test_osm import osm_text
from tests.network_data.crossroads import crossroads
from tests.network_data.formats.test_gmns import package
from tests.network_data.formats.test_hires import two_cycles
from tests.network_data.formats.test_hires import write as write_events
from tests.network_data.formats.test_korea import DAEJEON, GGITS, SEJONG, shapefiles
from tests.network_data.formats.test_salt import folder as salt_folder
from tests.network_data.formats.test_utdf import FILE as UTDF
from tests.network_data.formats.test_utdf import VOLUMES
from tests.network_data.test_plan_json import document_of
from tests.network_data.test_sumo_detectors import ALL as DETECTORS
from tests.network_data.test_sumo_routes import NET

Files = Mapping[str, bytes]
"""Content by file name; a format of one file has one."""

INVENTORY = """교차로명,출발,도착,신호현시 방식,신호등화시간,신호제어방식
가네거리,동,서,직좌동시+양직,45+35,고정
나네거리,남,북,양직+좌회전+오버랩,45+35+35+45,
"""
ROUTES = """<routes>
<vType id="car" vClass="passenger" length="4.5" minGap="2"/><vType id="bus" vClass="bus" length="12"/>
<vTypeDistribution id="mix"><vType id="m1" probability="0.4"/><vType id="m2" vClass="truck" probability="0.6"/>
</vTypeDistribution><route id="r" edges="in mid out"/>
<vehicle id="v1" type="car" depart="1.5" route="r"/>
<vehicle id="v2" type="bus" depart="0:00:09"><route edges="in bus out"/><stop lane="bus_0" endPos="9" duration="20"/>
</vehicle>
<trip id="t" type="mix" depart="4" from="in" to="out"/>
<flow id="f" begin="0" end="60" vehsPerHour="300" route="r"/><flow id="p" begin="0" end="60" probability="0.1" from="in"
to="side"/><person id="x" depart="3"><walk edges="in mid"/></person></routes>
"""
PROGRAMS = """<additional>
<tlLogic id="c" type="static" programID="am" offset="7"><phase duration="40" state="GGrrrrr"/>
<phase duration="3" state="yyrrrrr"/><phase duration="30" state="rrGGGrr"/><phase duration="3" state="rryyyrr"/>
</tlLogic><tlLogic id="c" type="actuated" programID="pm" offset="-5"><param key="max-gap" value="3"/>
<phase duration="30" minDur="5" maxDur="50" state="GGrrrrr"/><phase duration="4" state="yyrrrrr"/>
<phase duration="20" minDur="5" maxDur="40" state="rrGGGrr"/><phase duration="4" state="rryyyrr"/></tlLogic>
<WAUT id="w" refTime="0" startProg="am"><wautSwitch time="25200" to="pm"/><wautSwitch time="36000" to="am"/></WAUT>
<wautJunction wautID="w" junctionID="c" synchron="true"/>
<inductionLoop id="l" lane="wi_0" pos="-2" period="60" file="x"/></additional>
"""
SETTINGS = """[limits]
min_green_s = 6
cycle_max_s = 120
common_cycle = [["a", "b"]]
[rules]
left_turns = "keep"
[objective]
stops = 2.5
[counts]
"""
TURNS = """from_link,to_link,begin_s,end_s,veh,sd_veh
wi,eo,25200,26100,120,8
ei,wo,25200,26100,90.5,
"""
COMPASS = """intersection,from_time,to_time,SBL,SBT,SBR,WBL,WBT,WBR,NBL,NBT,NBR,total
State St & 500 S,16:00,17:00,0,1416,427,151,1766,114,206,1089,0,5169
State St & 600 S,17:00,18:00,129,1612,*,0,0,0,0,817,135,2693
"""
FLOWS = "Detector;Time;qPKW;qLKW;vPKW;vLKW\ndet1;0;43;2;48.5;40\ndet2;0;30;0;50;0\ndet1;15;40;1;47;41\n"
CADYTS = """<measurements>
<singlelink link="wi" start="53900" end="61000" value="202" stddev="8" type="COUNT_VEH"/>
<singlelink link="ei" start="53900" end="61000" value="140.5" type="FLOW_VEH_H"/></measurements>
"""
DETECTOR_TABLE = "detector,link,lane,pos_m,kind\nd1,wi,0,95,stopbar\nd2,ei,0,20,\n"
COUNTS = "detector,begin_s,end_s,veh,occupancy_pct,speed_mps\n" + "".join(
    f"d{d},{begin},{begin + 300},{12 + d + begin // 300 % 5},{8.5 + d},{9.5}\n"
    for begin in range(25200, 28800, 300)
    for d in (1, 2)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format under test: its sound files, what reads it, and its share of all mutated files."""

    name: str
    files: Callable[[Path], Files]
    read: Callable[[Path], object]
    folder: bool = False
    share: float = 1.0
    needs: str = ""


def _inspected(path: Path) -> object:
    with contextlib.redirect_stdout(io.StringIO()):
        return inspect_job(path, network_path=None, settings_path=None, as_json=True)


def _read_on_crossroads(path: Path) -> object:
    return read_content(path, crossroads())


@cache
def _street() -> RoadNetwork:
    """The network that the routes drive on."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "small.net.xml")
        path.write_text(NET, encoding="utf-8")
        return read_sumo_net(path)


def _counted(path: Path) -> object:
    detectors = tuple(
        Detector(id=name, link_id=link, lane=0, pos_m=95, kind="stopbar") for name, link in (("d1", "wi"), ("d2", "ei"))
    )
    return load_counts(path, detectors, crossroads(), None, Settings())


def _text(name: str, text: str, encoding: str = "utf-8") -> Callable[[Path], Files]:
    return lambda _: {name: text.encode(encoding)}


def _all_of(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def _sumo_net(_: Path) -> Files:
    spec = importlib.util.find_spec("sumo_rl")
    if spec is None or spec.origin is None:
        return {"n": NET.encode()}
    path = Path(spec.origin).parent / "nets" / "RESCO" / "cologne1" / "cologne1.net.xml"
    return {"n": path.read_bytes()}


def _packed_net(folder: Path) -> Files:
    return {"n": gzip.compress(_sumo_net(folder)["n"], mtime=0)}


def _gmns_with_extension(folder: Path) -> Files:
    write_gmns(crossroads(), folder)
    return _all_of(folder)


def _events(folder: Path) -> Files:
    return {"e": write_events(folder / "e.csv", two_cycles()).read_bytes()}


def _events_parquet(folder: Path) -> Files:
    frame = pd.read_csv(write_events(folder / "e.csv", two_cycles()))
    frame["TimeStamp"] = pd.to_datetime(frame["TimeStamp"])
    frame.to_parquet(folder / "e.parquet")
    return {"e": (folder / "e.parquet").read_bytes()}


def _counts_parquet(folder: Path) -> Files:
    pd.read_csv(io.StringIO(COUNTS)).to_parquet(folder / "c.parquet")
    return {"c": (folder / "c.parquet").read_bytes()}


def _shapes(folder: Path) -> Files:
    return _all_of(shapefiles(folder))


def _zipped_shapes(folder: Path) -> Files:
    import shutil

    inner = folder / "in"
    inner.mkdir()
    shapefiles(inner)
    return {"z": Path(shutil.make_archive(str(folder / "z"), "zip", inner)).read_bytes()}


FORMATS = (
    Format(name="SUMO network", files=_sumo_net, read=_inspected),
    Format(name="SUMO network, gzipped", files=_packed_net, read=_inspected),
    Format(name="SUMO programs, WAUT", files=_text("p", PROGRAMS), read=_read_on_crossroads),
    Format(name="SUMO loops E1, E2, E3", files=_text("d", DETECTORS), read=_read_on_crossroads),
    Format(name="SUMO routes", files=_text("r", ROUTES), read=lambda path: read_routes([path], _street())),
    Format(name="SALT", files=lambda p: _all_of(salt_folder(p)), read=_inspected, folder=True),
    Format(name="SALT signals", files=lambda p: {"s": (salt_folder(p) / "d.xml").read_bytes()}, read=_inspected),
    Format(name="GMNS", files=lambda p: _all_of(package(p)), read=_inspected, folder=True),
    Format(name="GMNS with extension", files=_gmns_with_extension, read=_inspected, folder=True),
    Format(name="UTDF", files=_text("u", UTDF), read=_inspected),
    Format(name="UTDF volumes", files=_text("v", VOLUMES), read=_inspected),
    Format(name="controller events", files=_events, read=_inspected),
    Format(name="controller events, parquet", files=_events_parquet, read=_inspected),
    Format(name="Korean node-link", files=_shapes, read=_inspected, folder=True, needs="shapefile"),
    Format(name="Korean node-link, zip", files=_zipped_shapes, read=_inspected, needs="shapefile"),
    Format(name="Korean turns, by lane", files=_text("t", GGITS, "cp949"), read=_inspected),
    Format(name="Korean turns, by camera", files=_text("t", DAEJEON), read=_inspected),
    Format(name="Korean turns, by month", files=_text("t", SEJONG, "cp949"), read=_inspected),
    Format(name="Korean inventory", files=_text("i", INVENTORY, "cp949"), read=_inspected),
    # osm2gmns starts as a process of its own for each file
    Format(name="OpenStreetMap", files=_text("o", osm_text()), read=_inspected, share=0.05, needs="osm2gmns"),
    Format(name="turns by compass", files=_text("t", COMPASS), read=_inspected),
    Format(name="dfrouter counts", files=_text("f", FLOWS), read=_inspected),
    Format(name="Cadyts counts", files=_text("m", CADYTS), read=_inspected),
    Format(name="plan.json", files=lambda _: {"p": dump_plan(document_of())}, read=_read_on_crossroads),
    Format(name="counts", files=_text("c", COUNTS), read=_counted),
    Format(name="counts, parquet", files=_counts_parquet, read=_counted),
    Format(name="detectors", files=_text("d", DETECTOR_TABLE), read=lambda path: read_detectors(path, crossroads())),
    Format(name="turns", files=_text("t", TURNS), read=lambda path: read_turns(path, crossroads())),
    Format(name="settings", files=_text("s", SETTINGS), read=load_settings),
)  # fmt: skip
"""Every format, by the name it has in the table."""


def available() -> dict[str, Format]:
    """The formats whose reader is installed."""
    return {f.name: f for f in FORMATS if not f.needs or importlib.util.find_spec(f.needs) is not None}
