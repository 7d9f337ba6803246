"""The loops of the example district and what they count: one SUMO run per day under the field programs."""

from __future__ import annotations

import datetime as dt
import subprocess
import tempfile
import xml.etree.ElementTree as ET  # reads only what SUMO has just written
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from examples._district_demand import routes_xml, vehicles_of_day
from examples._district_network import WALK, Layout
from examples._district_streets import APPROACHES, SIGNALS
from network_data.network import RoadNetwork

INTERVAL_S = 300
NO_LOOPS = {"M3.N", "M6.N", "N2.N", "N4.E", "N5.E", "S2.N", "S2.W", "S4.S", "S4.W", "S5.E"}
"""Approaches where nobody ever cut loops."""
ADVANCE = ("M1.W", "M2.W", "M3.W", "M4.E", "M5.W", "M5.E", "M6.E")
"""Approaches with a second row of loops, 70-90 m before the stop line."""
MISSED_AT_MOST = 0.02
"""Share of vehicles that a sound loop fails to count, drawn per loop up to this. [-]"""


@dataclass(frozen=True, slots=True)
class Loop:
    """An induction loop; lane 0 is the rightmost lane of the link, here the footway."""

    detector: str
    link: str
    lane: int
    pos_m: float
    kind: str


def loops(network: RoadNetwork, layout: Layout) -> list[Loop]:
    """Loops at the stop lines and, on part of Main Street, before the bays begin."""
    out = []
    for approach in APPROACHES:
        name = f"{approach.node}.{approach.leg}"
        if approach.node not in SIGNALS or name in NO_LOOPS:
            continue
        edge = layout.incoming[approach.node, approach.leg]
        stop_m = round(network.links[edge].length_m - 2.0, 1)
        lanes = range(len(approach.all_lanes))
        out += [Loop(f"{name}.s{i + 1}", edge, i + WALK, stop_m, "stopbar") for i in lanes]
        if name in ADVANCE:
            street = edge.removesuffix(".bay")
            pos_m = round(network.links[street].length_m - (8.0 if street != edge else 80.0), 1)
            lanes = range(len(approach.lanes))
            out += [Loop(f"{name}.a{i + 1}", street, i + WALK, pos_m, "advance") for i in lanes]
    return out


def simulate_day(net_file: Path, sites: list[Loop], routes: str, day: dt.date, seed: int) -> pd.DataFrame:
    """What sound loops see on one day, from SUMO."""
    import sumo  # SUMO is a development tool here, not a dependency

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "day.rou.xml").write_text(routes)
        items = "".join(
            f'<inductionLoop id="{x.detector}" lane="{x.link}_{x.lane}" pos="{x.pos_m}" '
            f'period="{INTERVAL_S}" file="e1.xml"/>'
            for x in sites
        )
        (path / "loops.add.xml").write_text(f"<additional>{items}</additional>")
        command = [
            str(Path(sumo.SUMO_HOME) / "bin" / "sumo"),
            "-n", str(net_file.resolve()), "-r", "day.rou.xml", "-a", "loops.add.xml",
            "--begin", "0", "--end", "86400", "--seed", str(seed * 1000 + day.day), "--time-to-teleport", "-1",
            "--ignore-junction-blocker", "60", "--no-step-log", "true", "--no-warnings", "true",
        ]  # fmt: skip
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        rows = []
        for _, e in ET.iterparse(path / "e1.xml"):
            if e.tag == "interval":
                n = int(float(e.attrib["nVehContrib"]))
                speed = float(e.attrib["speed"]) if n else np.nan
                rows.append((e.attrib["id"], int(float(e.attrib["begin"])), n, float(e.attrib["occupancy"]), speed))
                e.clear()
    table = pd.DataFrame(rows, columns=["detector", "begin_s", "veh", "occupancy_pct", "speed_mps"])
    table.insert(0, "day", day.toordinal())
    return table


def simulate_days(
    network: RoadNetwork, net_file: Path, sites: list[Loop], days: list[dt.date], seed: int
) -> pd.DataFrame:
    """What the loops count over several days, two days at a time, faults not yet in it."""

    def one(day: dt.date) -> pd.DataFrame:
        return simulate_day(net_file, sites, routes_xml(vehicles_of_day(network, day, seed)), day, seed)

    with ThreadPoolExecutor(2) as pool:  # the work is done in SUMO's own processes
        table = pd.concat(list(pool.map(one, days)), ignore_index=True)
    rng = np.random.default_rng([seed, 3])
    missed = {x.detector: float(rng.uniform(0, MISSED_AT_MOST)) for x in sites}
    seen = rng.binomial(table["veh"].to_numpy(), 1 - table["detector"].map(missed).to_numpy())
    return table.assign(veh=seen).sort_values(["day", "begin_s", "detector"], ignore_index=True)


def written(table: pd.DataFrame) -> pd.DataFrame:
    """The table as it is stored: begin and end in ISO 8601 local time."""
    begin = pd.to_datetime("1970-01-01") + pd.to_timedelta(
        (table["day"] - dt.date(1970, 1, 1).toordinal()) * 86400 + table["begin_s"], unit="s"
    )
    end = begin + pd.Timedelta(seconds=INTERVAL_S)
    return pd.DataFrame(
        {
            "detector": table["detector"],
            "begin": begin.dt.strftime("%Y-%m-%dT%H:%M:%S"),
            "end": end.dt.strftime("%Y-%m-%dT%H:%M:%S"),
            "veh": table["veh"].astype("int32"),
            "occupancy_pct": table["occupancy_pct"].astype("float32").round(1),
            "speed_mps": table["speed_mps"].astype("float32").round(1),
        }
    )
