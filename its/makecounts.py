"""Counts to try the engine with: loops before every signal, and what they count in one SUMO run.

These are simulated counts of served traffic: at an oversaturated approach they are less than the demand.
"""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from its.console import DONE, Console
from its.sumo import COMMON_OPTIONS, Scenario, run_sumo
from network_data.detectors import Detector, read_detectors
from network_data.errors import InputError
from network_data.formats.files import iter_xml, write_aside
from network_data.formats.sumo_net import read_sumo_net
from network_data.network import RoadNetwork

STOPBAR_M = 2.0
"""Distance of the stop-bar loop from the stop line. [m]"""
ADVANCE_M = 5.0
"""Position of the advance loop behind the lane's start, on lanes longer than LONG_M. [m]"""
LONG_M = 60.0
DEFAULT_BEGIN_S, DEFAULT_END_S = 0.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """An induction loop; lane 0 is the rightmost, pos_m counts from the lane's start."""

    detector: str
    link: str
    lane: int
    pos_m: float
    kind: str


def loops_before_signals(network: RoadNetwork) -> list[Loop]:
    """A stop-bar loop on every lane that leads into a signal, and an advance loop where the lane is long enough."""
    lanes = {(c.from_link, c.from_lane) for c in network.connections if c.controller_id is not None}
    out = []
    for link, lane in sorted(lanes, key=lambda key: f"{key[0]}_{key[1]}"):
        length_m = network.links[link].lanes[lane].length_m
        stop_m = round(max(0.1, length_m - STOPBAR_M), 2)
        out.append(Loop(detector=f"{link}.{lane}.s", link=link, lane=lane, pos_m=stop_m, kind="stopbar"))
        if length_m > LONG_M:
            out.append(Loop(detector=f"{link}.{lane}.a", link=link, lane=lane, pos_m=ADVANCE_M, kind="advance"))
    return out


def loops_at(detectors: Sequence[Detector]) -> list[Loop]:
    """The loops that a network already has, wherever they lie."""
    return [Loop(detector=d.id, link=d.link_id, lane=d.lane, pos_m=d.pos_m, kind=d.kind) for d in detectors]


def count_with_sumo(
    loops: Sequence[Loop], scenario: Scenario, *, interval_s: float = 300.0, seed: int = 42
) -> list[tuple[object, ...]]:
    """Rows detector, begin_s, end_s, veh, occupancy_pct, speed_mps of one SUMO run (speed empty without vehicles)."""
    with tempfile.TemporaryDirectory() as folder:
        additional, result = Path(folder, "loops.add.xml"), Path(folder, "loops.out.xml")
        lines = [
            f"<inductionLoop id={quoteattr(x.detector)} lane={quoteattr(f'{x.link}_{x.lane}')} "
            f'pos="{x.pos_m:.2f}" period="{interval_s:.10g}" file={quoteattr(str(result))}/>'
            for x in loops
        ]
        additional.write_text("\n".join(["<additional>", *lines, "</additional>"]), encoding="utf-8")
        run_sumo([*scenario.options(additional), "--seed", str(seed), *COMMON_OPTIONS])
        return list(_intervals(result))


def _intervals(path: Path) -> Iterator[tuple[object, ...]]:
    for event, _, element in iter_xml(path):
        if event == "end" and element.tag == "interval":
            veh = int(float(element.attrib["nVehContrib"]))
            yield (
                element.attrib["id"],
                float(element.attrib["begin"]),
                float(element.attrib["end"]),
                veh,
                element.attrib["occupancy"],
                float(element.attrib["speed"]) if veh else "",
            )
            element.clear()


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def makecounts_job(
    network_path: Path,
    route_paths: Sequence[Path],
    *,
    additional_paths: Sequence[Path] = (),
    begin_s: float | None = None,
    end_s: float | None = None,
    interval_s: float = 300.0,
    seed: int = 42,
    detectors_path: Path | None = None,
    scale: float = 1.0,
    out: Path,
) -> int:
    """`its makecounts`: write detectors.csv and counts.csv.gz into `out`; the period's default is 0 to 3600 s.

    Loops lie before every signal, or where `detectors_path` has them. `scale` is the share of the vehicles that drive.

    Raises
    ------
    InputError
        A file is missing, the network has no signals, or no vehicle passed any loop.
    OutsideProgramError
        SUMO is missing or failed.
    """
    begin_s = DEFAULT_BEGIN_S if begin_s is None else begin_s
    end_s = begin_s + DEFAULT_END_S if end_s is None else end_s
    scenario = Scenario(
        network=network_path,
        routes=tuple(route_paths),
        additional=tuple(additional_paths),
        begin_s=begin_s,
        end_s=end_s,
        scale=scale,
    )
    scenario.check_files()
    network = read_sumo_net(network_path)
    loops = (
        loops_before_signals(network) if detectors_path is None else loops_at(read_detectors(detectors_path, network))
    )
    if not loops:
        raise InputError(str(network_path), "has no signals to put loops before; give a network with signals")
    console = Console()
    with console.stage("SUMO"):
        rows = count_with_sumo(loops, scenario, interval_s=interval_s, seed=seed)
    if not any(row[3] for row in rows):
        raise InputError(
            "routes", f"no vehicle passed any loop from {begin_s:g} to {end_s:g} s; mend --begin and --end"
        )
    detectors = [(x.detector, x.link, x.lane, x.pos_m, x.kind) for x in loops]
    write_aside(out / "detectors.csv", _csv(("detector", "link", "lane", "pos_m", "kind"), detectors))
    header = ("detector", "begin_s", "end_s", "veh", "occupancy_pct", "speed_mps")
    # mtime=0: the same run gives the same bytes
    write_aside(out / "counts.csv.gz", gzip.compress(_csv(header, rows).encode(), mtime=0))
    total = sum(int(str(row[3])) for row in rows)
    console.say(f"{len(loops)} loops, {total} vehicles counted at them; written to {out}")
    return DONE
