"""One SUMO run of a plan, measured so that none is lost: vehicles on the way and those still waiting count too."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from its.sumo import COMMON_OPTIONS, Scenario, run_sumo
from network_data.errors import OutsideProgramError
from network_data.formats.files import iter_xml

LOCK_WAIT_S, LOCK_STOP_S = 900.0, 300.0
"""A run counts as locked when a vehicle on the way has stood so long in all, and so long per stop on average. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRun:
    """What arose on a signal's approach links: time loss there, and the wait to enter of those who start there."""

    delay_s: float
    veh: float

    @property
    def delay_s_per_veh(self) -> float:
        """Mean over vehicles that entered an approach or wait to. [s/veh]"""
        return self.delay_s / self.veh if self.veh else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SumoRun:
    """The measures of one run; every loaded vehicle counts.

    `delay_s_per_veh` is time loss plus wait to enter over all loaded vehicles; stops and waiting (time below 0.1 m/s)
    are means over those that entered.
    """

    seed: int
    delay_s_per_veh: float
    stops_per_veh: float
    waiting_s_per_veh: float
    loaded: int
    finished: int
    running: int
    undeparted: int
    teleports: int
    collisions: int
    locked: bool
    signals: dict[str, SignalRun]


@dataclass(frozen=True, slots=True)
class _Trip:
    """The line of a vehicle in SUMO's trip table; `link` is where it entered, empty where it did not yet."""

    id: str
    link: str
    depart_delay_s: float
    loss_s: float
    waiting_s: float
    stops: int
    departed: bool
    arrived: bool


def run_plan(scenario: Scenario, plan: Sequence[Path], seed: int, approaches: Mapping[str, Sequence[str]]) -> SumoRun:
    """Run a scenario with a plan's additional files on top.

    Parameters
    ----------
    scenario : Scenario
        Network, traffic, period.
    plan : sequence of Path
        Additional files with the programs under test; none to run what is in force.
    seed : int
        SUMO's seed.
    approaches : mapping
        Controller id to its approach links.

    Raises
    ------
    OutsideProgramError
        SUMO failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        trips, totals = Path(folder, "trips.xml"), Path(folder, "totals.xml")
        edges, probe = Path(folder, "edges.xml"), Path(folder, "probe.add.xml")
        probe.write_text(
            f'<additional><edgeData id="its" file={quoteattr(str(edges))} excludeEmpty="true"/></additional>',
            encoding="utf-8",
        )
        output = {"--tripinfo-output": trips, "--statistic-output": totals}
        options = [*scenario.options(*plan, probe), "--seed", str(seed), *COMMON_OPTIONS]
        options += ["--tripinfo-output.write-unfinished", "true", "--tripinfo-output.write-undeparted", "true"]
        options += [text for name, path in output.items() for text in (name, str(path))]
        run_sumo([*options, "--duration-log.statistics", "true"])
        return read_run(scenario, seed, approaches, trips=trips, totals=totals, edges=edges)


def read_run(
    scenario: Scenario, seed: int, approaches: Mapping[str, Sequence[str]], *, trips: Path, totals: Path, edges: Path
) -> SumoRun:
    """The measures of a run from what SUMO wrote: trip table, statistics, edge data of the whole run."""
    rows = _read_trips(trips)
    return _measure(seed, rows, _counters(totals), _signals(rows, edges, scenario, approaches))


def _read_trips(path: Path) -> list[_Trip]:
    out = []
    for event, _, element in iter_xml(path):
        if event == "end" and element.tag == "tripinfo":
            get = element.attrib
            out.append(
                _Trip(
                    id=get["id"],
                    link=get["departLane"].rpartition("_")[0],
                    depart_delay_s=float(get["departDelay"]),
                    loss_s=float(get["timeLoss"]),
                    waiting_s=float(get["waitingTime"]),
                    stops=int(get["waitingCount"]),
                    departed=float(get["depart"]) >= 0,
                    arrived=float(get["arrival"]) >= 0,
                )
            )
            element.clear()
    return out


def _counters(path: Path) -> dict[str, int]:
    """SUMO's own counters: vehicles that entered, teleports, collisions."""
    out = {}
    wanted = {"vehicles": "inserted", "teleports": "total", "safety": "collisions"}
    for event, _, element in iter_xml(path):
        if event == "end" and element.tag in wanted:
            out[element.tag] = int(element.get(wanted[element.tag], "0"))
    return out


def _measure(seed: int, rows: list[_Trip], counters: dict[str, int], signals: dict[str, SignalRun]) -> SumoRun:
    inside = [row for row in rows if row.departed]
    if counters.get("vehicles") != len(inside):
        count = counters.get("vehicles")
        raise OutsideProgramError(
            f"SUMO's trip table has {len(inside)} vehicles that entered, its counter says {count}"
        )
    n, n_inside = max(1, len(rows)), max(1, len(inside))
    return SumoRun(
        seed=seed,
        delay_s_per_veh=(sum(r.loss_s for r in inside) + sum(r.depart_delay_s for r in rows)) / n,
        stops_per_veh=sum(r.stops for r in inside) / n_inside,
        waiting_s_per_veh=sum(r.waiting_s for r in inside) / n_inside,
        loaded=len(rows),
        finished=sum(r.arrived for r in inside),
        running=sum(not r.arrived for r in inside),
        undeparted=len(rows) - len(inside),
        teleports=counters.get("teleports", 0),
        collisions=counters.get("safety", 0),
        locked=any(not r.arrived and r.waiting_s >= max(LOCK_WAIT_S, LOCK_STOP_S * r.stops) for r in inside),
        signals=signals,
    )


def _signals(
    rows: list[_Trip], edges: Path, scenario: Scenario, approaches: Mapping[str, Sequence[str]]
) -> dict[str, SignalRun]:
    delay_s: dict[str, float] = defaultdict(float)
    veh: dict[str, float] = defaultdict(float)
    for event, _, element in iter_xml(edges):
        if event == "end" and element.tag == "edge":
            link = element.attrib["id"]
            delay_s[link] += float(element.get("timeLoss", "0"))
            veh[link] += float(element.get("entered", "0")) + float(element.get("departed", "0"))
    waiting = {row.id for row in rows if not row.departed}
    first_link = first_links(scenario.routes, waiting) if waiting else {}
    for row in rows:
        link = row.link or first_link.get(row.id, "")
        delay_s[link] += row.depart_delay_s
        veh[link] += not row.departed
    return {
        controller_id: SignalRun(delay_s=sum(delay_s[x] for x in links), veh=sum(veh[x] for x in links))
        for controller_id, links in approaches.items()
    }


def first_links(routes: Sequence[Path], wanted: set[str]) -> dict[str, str]:
    """Where vehicles are to enter, by their id; flows number theirs `id.n`, scaling adds `.n` to copies."""
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in wanted:
        by_stem[name].append(name)
        stem = name
        while "." in stem:
            stem = stem.rpartition(".")[0]
            by_stem[stem].append(name)
    out: dict[str, str] = {}
    named: dict[str, str] = {}
    for path in routes:
        for event, depth, element in iter_xml(path):
            if event != "end" or depth != 1:
                continue
            name = element.get("id", "")
            inline = element.find("route")
            edges = (element if inline is None else inline).get("edges", "").split()
            start = edges[0] if edges else element.get("from") or named.get(element.get("route", ""), "")
            if element.tag == "route":
                named[name] = start
            elif element.tag in ("vehicle", "trip", "flow"):
                out.update({vehicle: start for vehicle in by_stem.get(name, ()) if start})
            element.clear()
    return out
