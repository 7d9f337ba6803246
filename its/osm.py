"""OpenStreetMap files as networks: osm2gmns, in a process of its own, makes GMNS tables, our reader reads these.

OSM knows no timing, few turn lanes and no stop lines: signals get an assumed program, lanes the usual order.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from network_data.errors import NetworkError, OutsideProgramError
from network_data.formats.files import read_bytes
from network_data.formats.gmns import read_gmns
from network_data.network import RoadNetwork

INSTALL = "install it with: pip install 'its-signals[osm]'"
TIMEOUT_S = 600
MAX_FILE_BYTES = 2 << 30
DECLARES = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
HEAD_BYTES = 1 << 20
CONFIG = "dataset_name,short_length,long_length,speed\nosm,meter,meter,kph\n"
SCRIPT = """
import sys
import osm2gmns
network = osm2gmns.getNetFromFile(sys.argv[1], mode_types="auto", osm_node_attributes=["highway"])
osm2gmns.fillLinkAttributesWithDefaultValues(network, default_lanes=True, default_speed=True)
osm2gmns.outputNetToCSV(network, output_folder=sys.argv[2])
"""


def read_osm(path: Path | str) -> RoadNetwork:
    """Read an OpenStreetMap file, `.osm` (gzipped or not) or `.pbf`, whatever its name.

    Raises
    ------
    NetworkError
        No roads in it, or osm2gmns cannot read it.
    OutsideProgramError
        osm2gmns is not installed, or did not end.
    """
    if importlib.util.find_spec("osm2gmns") is None:
        raise OutsideProgramError(f"OpenStreetMap files need osm2gmns; {INSTALL}")
    content = read_bytes(path, MAX_FILE_BYTES)
    is_xml = content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    if is_xml and DECLARES.search(content[:HEAD_BYTES]):
        raise NetworkError(str(path), "declares entities or a DTD; remove them")
    with tempfile.TemporaryDirectory(prefix="its-osm-") as folder:
        source, out = Path(folder) / ("map.osm" if is_xml else "map.osm.pbf"), Path(folder) / "gmns"
        source.write_bytes(content)
        out.mkdir()
        _run(path, source, out)
        (out / "config.csv").write_text(CONFIG)
        network = read_gmns(out).network
    notes = ("(c) OpenStreetMap contributors, ODbL", *network.notes)
    return RoadNetwork(
        nodes=network.nodes,
        links=network.links,
        connections=network.connections,
        crossings=network.crossings,
        controllers=network.controllers,
        source=str(path),
        notes=notes,
    )


def _run(path: Path | str, source: Path, out: Path) -> None:
    """Let osm2gmns write its tables; a damaged file may end it in any way, so it runs apart."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(source), str(out)], capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise OutsideProgramError(f"{path}: osm2gmns did not end within {TIMEOUT_S} s; cut the file") from None
    if done.returncode != 0 or not (out / "link.csv").is_file():
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        last = said[-1][:200] if said else f"exit code {done.returncode}"
        raise NetworkError(str(path), f"osm2gmns cannot read it ({last}); check that it is an OpenStreetMap extract")
    if len((out / "link.csv").read_bytes().splitlines()) < 2:
        raise NetworkError(str(path), "holds no roads for cars; check the extract")
