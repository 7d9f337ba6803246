"""Korean formats by their published layouts: node-link shapefiles, turning counts, the signal inventory."""

import importlib.util
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from network_data.errors import DemandError, InputError, NetworkError
from network_data.formats.korea import place_turns, read_inventory, read_nodelink, read_turn_counts

NODES = {
    "4130000001": (0, 0, "101"),
    "4130000002": (500, 0, "101"),
    "4130000003": (1000, 0, "102"),
    "4130000004": (500, 400, "101"),
}
LINKS = {
    # link: from, to, lanes, rank, speed, use, closed
    "4130010001": ("4130000001", "4130000002", 3, "104", 60, "0", "0"),
    "4130010002": ("4130000002", "4130000001", 3, "104", 60, "0", "0"),
    "4130010003": ("4130000002", "4130000003", 2, "104", 60, "0", "0"),
    "4130010004": ("4130000003", "4130000002", 2, "104", 60, "0", "0"),
    "4130010005": ("4130000002", "4130000004", 1, "107", 30, "0", "0"),
    "4130010006": ("4130000004", "4130000002", 1, "107", 30, "0", "0"),
    "4130010007": ("4130000004", "4130000001", 1, "107", 30, "1", "0"),
    "2050010008": ("4130000004", "4130000003", 1, "108", 30, "0", "1"),
}
TURNS = [
    ("4130010001", "4130010005", "101", "0"),
    ("4130010004", "4130010003", "011", "0"),
    ("4130010006", "4130010003", "103", "1"),
]


def shapefiles(folder: Path, **changed: Any) -> Path:
    """The national layout in miniature, under the names of the centre, in CP949."""
    shapefile = pytest.importorskip("shapefile", reason="pyshp is not installed (pip install 'its-signals[gis]')")
    with shapefile.Writer(str(folder / "MOCT_NODE"), shapeType=shapefile.POINT, encoding="cp949") as w:
        for name in ("NODE_ID", "NODE_TYPE", "NODE_NAME", "TURN_P", "REMARK"):
            w.field(name, "C", size=30)
        for name, (x, y, kind) in NODES.items():
            w.point(x, y)
            w.record(name, kind, "가네거리", "1", "")
    with shapefile.Writer(str(folder / "MOCT_LINK"), shapeType=shapefile.POLYLINE, encoding="cp949") as w:
        for name in ("LINK_ID", "F_NODE", "T_NODE"):
            w.field(name, "C", size=10)
        w.field("LANES", "N", size=4)
        for name in ("ROAD_RANK", "ROAD_TYPE", "ROAD_NAME", "ROAD_USE", "REST_VEH"):
            w.field(name, "C", size=30)
        w.field("MAX_SPD", "N", size=4)
        w.field("LENGTH", "N", size=18, decimal=12)
        for name, (a, b, lanes, rank, speed, use, closed) in {**LINKS, **changed.get("links", {})}.items():
            ends = [NODES.get(x, (0, 0, ""))[:2] for x in (a, b)]
            w.line([[list(p) for p in ends]])
            w.record(name, a, b, lanes, rank, "000", "한밭대로", use, closed, speed, 500.0)
    with shapefile.Writer(str(folder / "TURNINFO"), shapeType=shapefile.NULL, encoding="cp949") as w:
        for name in ("NODE_ID", "TURN_ID", "ST_LINK", "ED_LINK", "TURN_TYPE", "TURN_OPER"):
            w.field(name, "C", size=10)
        for n, (a, b, kind, oper) in enumerate(TURNS):
            w.null()
            w.record("4130000002", str(n), a, b, kind, oper)
    (folder / "MOCT_LINK.prj").write_text('PROJCS["Korea 2000 / Central Belt 2010",GEOGCS["Korea 2000"]]')
    return folder


def test_node_link_network(tmp_path: Path) -> None:
    """Lanes, speeds, names; turns everywhere but where they are forbidden; back only where it is allowed."""
    network = read_nodelink(shapefiles(tmp_path))
    assert set(network.links) == {name for name in LINKS if name not in ("4130010007", "2050010008")}
    first = network.links["4130010001"]
    assert (len(first.lanes), first.name, round(first.speed_mps * 3.6)) == (3, "한밭대로", 60)
    pairs = {(c.from_link, c.to_link) for c in network.connections}
    assert ("4130010001", "4130010003") in pairs
    assert ("4130010001", "4130010005") not in pairs  # 101: no left
    assert ("4130010004", "4130010003") in pairs  # 011: U-turn
    assert ("4130010006", "4130010003") in pairs  # a part of the day only: not applied
    assert ("4130010001", "4130010002") not in pairs
    text = " ".join(network.notes)
    for words in (
        "Korea 2000 / Central Belt 2010",
        "1 links are not in use",
        "closed to cars",
        "a part of the day only",
    ):
        assert words in text


def test_a_zip_and_a_region(tmp_path: Path) -> None:
    """A zip is read like its folder; a region code cuts the country down."""
    (tmp_path / "f").mkdir()
    folder = shapefiles(tmp_path / "f")
    with zipfile.ZipFile(tmp_path / "country.dat", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"sub/{path.name}")
    assert read_nodelink(tmp_path / "country.dat").hash == read_nodelink(folder).hash
    with pytest.raises(NetworkError, match="no links that cars may use in region 999"):
        read_nodelink(folder, region="999")


def test_faulty_links_are_named(tmp_path: Path) -> None:
    """Unknown nodes and lanes that are none, with their records."""
    bad = {
        "4130010009": ("4130000001", "9999999999", 2, "104", 60, "0", "0"),
        "4130010010": ("4130000001", "4130000002", 0, "104", 60, "0", "0"),
    }
    with pytest.raises(NetworkError) as error:
        read_nodelink(shapefiles(tmp_path, links=bad))
    for words in ("link record 9 (4130010009): there is no node '9999999999'", "LANES '0' is outside 1 to 20"):
        assert words in str(error.value)


def test_damaged_shapefiles(tmp_path: Path) -> None:
    """Cut files end in an error, not in a traceback."""
    folder = shapefiles(tmp_path)
    path = folder / "MOCT_LINK.dbf"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(NetworkError):
        read_nodelink(folder)


GGITS = """mngInstCd,clctDt,crsrdId,acsRoadId,drctCd,laneNo,vhclDiv,vhclTrfvlm,avgVhclSpeed
A1,20240514070000,1850041700,R1,직진,1,승용,"1,234",43.5
A1,20240514070000,1850041700,R1,9,2,승용,12,
"""
DAEJEON = """REG_DT,CCTV_ID,GO_CAR,GO_BUS,LEFT_CAR,RIGHT_CAR
2024-05-14 07:05:00,C7,60,3,12,
2024-05-14 07:10:00,C7,55,2,10,4
"""
SEJONG = """교차로명,수집년월,동,서,남,북,교통량 합계
가네거리,202401,230,230,230,230,920
가네거리,202402,90000,90000,85000,85000,350000
"""


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp949"])
def test_turning_counts_in_both_encodings(tmp_path: Path, encoding: str) -> None:
    """Directions by word or code, thousands separators, blank speeds."""
    path = tmp_path / "x.csv"
    path.write_bytes(GGITS.encode(encoding))
    read = read_turn_counts(path)
    assert read.layout == "ggits"
    assert read.frame["veh"].tolist() == [1234, 12]
    assert read.frame["turn"].tolist() == ["through", "code 9"]
    assert read.frame["begin"].iloc[0] == pd.Timestamp("2024-05-14 07:00")
    assert any("code 9" in note for note in read.notes)


def test_one_camera_is_one_approach(tmp_path: Path) -> None:
    """Classes and turns out of the column names; a blank is not measured; counts go to the links they are given."""
    path = tmp_path / "x.csv"
    path.write_text(DAEJEON)
    read = read_turn_counts(path)
    assert read.layout == "daejeon"
    assert read.frame["veh"].isna().sum() == 1
    places = {("C7", "C7", "through"): ("a", "b"), ("C7", "C7", "left"): ("a", "c")}
    turns, lost = place_turns(read, places)
    assert turns.iloc[0].tolist()[1:] == ["a", "b", 25_500.0, 25_800.0, 63.0]
    assert lost == ["C7 / C7 / right: 4 vehicles have no place"]


def test_a_month_collected_in_part_is_told(tmp_path: Path) -> None:
    """The first month of a junction with a hundredth of the next one."""
    path = tmp_path / "x.csv"
    path.write_bytes(SEJONG.encode("cp949"))
    read = read_turn_counts(path)
    assert read.frame["approach"].tolist()[:4] == ["east", "west", "south", "north"]
    assert any("collected in part" in note for note in read.notes)


def test_faulty_counts(tmp_path: Path) -> None:
    """Times, places and counts that are none; columns of no layout."""
    path = tmp_path / "x.csv"
    path.write_text(GGITS.replace("20240514070000,1850041700,R1,9", "soon,,R1,9").replace(",12,", ",many,"))
    with pytest.raises(DemandError) as error:
        read_turn_counts(path)
    for words in ("row 3: clctDt", "row 3: crsrdid", "row 3: vhclTrfvlm"):
        assert words in str(error.value)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DemandError, match="no known layout"):
        read_turn_counts(path)


def test_the_inventory(tmp_path: Path) -> None:
    """Lengths joined by plus signs; names and lengths that do not agree in number are told; CP949."""
    path = tmp_path / "x.csv"
    rows = ["가네거리,동,서,직좌동시+양직,45+35,고정", "나네거리,남,북,양직+좌회전+오버랩,45+35+35+45,"]
    text = "\n".join(["교차로명,출발,도착,신호현시 방식,신호등화시간,신호제어방식", *rows])
    path.write_bytes(text.encode("cp949"))
    one, two = read_inventory(path)
    assert (one.cycle_s, one.phase_names, one.finding) == (80, ("직좌동시", "양직"), "")
    assert two.cycle_s == 160
    assert "3 phase names and 4 lengths" in two.finding
    path.write_text("교차로명,신호등화시간\n가,45+long\n")
    with pytest.raises(DemandError, match="row 2: 신호등화시간"):
        read_inventory(path)


def test_pyshp_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyshp the error names the extra to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NetworkError, match=r"its-signals\[gis\]"):
        read_nodelink(tmp_path)


def test_a_zip_with_spoilt_bytes_is_refused(tmp_path: Path) -> None:
    """A wrong byte inside the packed data is the file's fault, told with the name of the part."""
    inner = tmp_path / "in"
    inner.mkdir()
    whole = Path(shutil.make_archive(str(tmp_path / "z"), "zip", shapefiles(inner))).read_bytes()
    said = []
    for at in range(60, 240, 3):
        (tmp_path / "spoilt.zip").write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            read_nodelink(tmp_path / "spoilt.zip")
        except InputError as error:
            said.append(str(error))
    assert any("cannot be unpacked" in text for text in said)
