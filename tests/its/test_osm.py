"""OpenStreetMap: a crossroads with signals on its stop lines, read by osm2gmns and our GMNS reader."""

import gzip
import importlib.util
from pathlib import Path

import pytest

from its.osm import read_osm
from its.recognize import load_network
from network_data.errors import NetworkError

NODES = {
    1: (36.3500, 127.3900, False), 21: (36.3500, 127.3938, True), 2: (36.3500, 127.3940, False),
    3: (36.3500, 127.3980, False), 31: (36.3501, 127.3942, True), 32: (36.3501, 127.3940, False),
    33: (36.3501, 127.3900, False), 34: (36.3501, 127.3980, False), 4: (36.3530, 127.3940, False),
    41: (36.35025, 127.3940, True), 5: (36.3470, 127.3940, False), 51: (36.34985, 127.3940, True),
}  # fmt: skip
WAYS = {
    10: ((1, 21, 2, 3), {"highway": "primary", "lanes": "2", "oneway": "yes", "maxspeed": "60", "name": "한밭대로"}),
    12: ((34, 31, 32, 33), {"highway": "primary", "lanes": "2", "oneway": "yes", "maxspeed": "40 mph"}),
    11: ((4, 41, 32, 2, 51, 5), {"highway": "secondary", "lanes": "2", "maxspeed": "50"}),
    13: ((1, 4), {"highway": "footway"}),
}


def osm_text() -> str:
    """A divided street and a side street, as a mapper draws them."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6" generator="hand">']
    lines.append('<bounds minlat="36.34" minlon="127.38" maxlat="36.36" maxlon="127.41"/>')
    for name, (lat, lon, signal) in NODES.items():
        tag = '<tag k="highway" v="traffic_signals"/>' if signal else ""
        lines.append(f'<node id="{name}" lat="{lat}" lon="{lon}" version="1">{tag}</node>')
    for name, (refs, tags) in WAYS.items():
        inner = "".join(f'<nd ref="{ref}"/>' for ref in refs) + "".join(
            f'<tag k="{k}" v="{v}"/>' for k, v in tags.items()
        )
        lines.append(f'<way id="{name}" version="1">{inner}</way>')
    return "\n".join([*lines, "</osm>", ""])


@pytest.fixture(autouse=True)
def _needs_osm2gmns() -> None:
    if importlib.util.find_spec("osm2gmns") is None:
        pytest.skip("osm2gmns is not installed (pip install 'its-signals[osm]')")


def test_a_crossroads_with_signals_on_its_stop_lines(tmp_path: Path) -> None:
    """One signal for the whole junction, at the stop lines only: nobody stops again on the way out."""
    path = tmp_path / "map"  # the name says nothing
    path.write_bytes(gzip.compress(osm_text().encode()))
    network = load_network(path)
    assert len(network.controllers) == 1
    (controller,) = network.controllers.values()
    approaches = {network.connections[i].from_link for head in controller.heads for i in head.connections}
    assert len(approaches) == 4
    assert all(network.links[name].length_m > 100 for name in approaches)
    assert controller.programs[-1].program_id == "assumed"
    assert network.notes[0].startswith("(c) OpenStreetMap contributors")


def test_lanes_speeds_and_names(tmp_path: Path) -> None:
    """Lanes by direction, km/h and mph, names in any script; footways are left out."""
    (tmp_path / "map.osm").write_text(osm_text(), encoding="utf-8")
    network = read_osm(tmp_path / "map.osm")
    main = [link for link in network.links.values() if link.name == "한밭대로"]
    assert main
    assert all(len(link.lanes) == 2 and link.speed_mps == pytest.approx(60 / 3.6) for link in main)
    assert {round(link.speed_mps * 3.6) for link in network.links.values()} == {50, 60, 64}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('<osm version="0.6"><node id="1" lat="1" lon="1"/></osm>', "no roads|cannot read"),
        ('<!DOCTYPE osm [<!ENTITY a "b">]><osm version="0.6"/>', "declares entities"),
        ('<osm version="0.6"><way id="1"><nd ref="9"/>', "cannot read|no roads"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, text: str, says: str) -> None:
    """Empty, hostile and damaged files end in an error that names the file."""
    (tmp_path / "map.osm").write_text(text)
    with pytest.raises(NetworkError, match=says):
        read_osm(tmp_path / "map.osm")
