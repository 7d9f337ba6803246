"""Counts made by SUMO for networks that have none."""

from __future__ import annotations

import csv
import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from its.makecounts import loops_before_signals, makecounts_job
from network_data.errors import InputError
from network_data.formats.sumo_net import read_sumo_net
from tests import packs

BEGIN_S, END_S = 25200.0, 25800.0


def rows(path: Path) -> list[list[str]]:
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return list(csv.reader(text.splitlines()))


def test_loops_lie_before_the_stop_line_and_behind_the_start() -> None:
    """Each signalled lane has a stop-bar loop 2 m before its end; lanes over 60 m an advance loop at 5 m."""
    folder = packs.resco("cologne1")
    network = read_sumo_net(folder / "cologne1.net.xml")
    loops = loops_before_signals(network)
    lanes = {(c.from_link, c.from_lane) for c in network.connections if c.controller_id}
    assert {(x.link, x.lane) for x in loops if x.kind == "stopbar"} == lanes
    for loop in loops:
        length_m = network.links[loop.link].lanes[loop.lane].length_m
        assert loop.pos_m == (pytest.approx(length_m - 2, abs=0.005) if loop.kind == "stopbar" else 5.0)
        assert loop.kind == "stopbar" or length_m > 60


def test_the_files_equal_those_of_the_tool(tmp_path: Path) -> None:
    """Row by row the same detectors and counts as the reference tool makes."""
    packs.sumo()
    pytest.importorskip("sumolib")
    tool, folder = packs.tool("make_counts.py"), packs.resco("cologne1")
    network, routes = folder / "cologne1.net.xml", folder / "cologne1.rou.xml"
    options = ["--net", network, "--routes", routes, "--begin", BEGIN_S, "--end", END_S, "--out", tmp_path / "theirs"]
    subprocess.run([sys.executable, tool, *map(str, options)], check=True, capture_output=True)
    ours = tmp_path / "ours"
    assert makecounts_job(network, [routes], begin_s=BEGIN_S, end_s=END_S, out=ours) == 0
    for name in ("detectors.csv", "counts.csv.gz"):
        assert rows(ours / name) == rows(tmp_path / "theirs" / name)
    assert sum(int(row[3]) for row in rows(ours / "counts.csv.gz")[1:]) > 500


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    """No clock time gets into the files."""
    packs.sumo()
    folder = packs.resco("cologne1")
    written = []
    for name in ("a", "b"):
        makecounts_job(
            folder / "cologne1.net.xml",
            [folder / "cologne1.rou.xml"],
            begin_s=BEGIN_S,
            end_s=BEGIN_S + 120,
            interval_s=60,
            out=tmp_path / name,
        )
        written.append((tmp_path / name / "counts.csv.gz").read_bytes())
    assert written[0] == written[1]


def test_loops_that_are_there_count_a_share_of_the_demand(tmp_path: Path) -> None:
    """`--detectors` keeps the loops where they are, `--scale` lets a share of the vehicles drive."""
    packs.sumo()
    folder = packs.resco("cologne1")
    network, routes = folder / "cologne1.net.xml", folder / "cologne1.rou.xml"
    everywhere = loops_before_signals(read_sumo_net(network))[:3]
    given = tmp_path / "mine.csv"
    lines = [f"{x.detector},{x.link},{x.lane},{x.pos_m},{x.kind}" for x in everywhere]
    given.write_text("\n".join(["detector,link,lane,pos_m,kind", *lines]) + "\n", encoding="utf-8")
    counted = {}
    for scale in (1.0, 0.5):
        out = tmp_path / f"{scale}"
        assert (
            makecounts_job(network, [routes], begin_s=BEGIN_S, end_s=END_S, detectors_path=given, scale=scale, out=out)
            == 0
        )
        told = rows(out / "counts.csv.gz")[1:]
        assert {row[0] for row in told} == {x.detector for x in everywhere}
        counted[scale] = sum(int(row[3]) for row in told)
    assert 0.3 * counted[1.0] < counted[0.5] < 0.7 * counted[1.0]


def test_a_period_without_traffic_is_refused(tmp_path: Path) -> None:
    """Nothing is written where no vehicle was counted, and the text names the options to mend."""
    packs.sumo()
    folder = packs.resco("cologne1")
    with pytest.raises(InputError, match="no vehicle passed any loop from 0 to 60 s; mend --begin and --end"):
        makecounts_job(
            folder / "cologne1.net.xml", [folder / "cologne1.rou.xml"], begin_s=0, end_s=60, out=tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()
