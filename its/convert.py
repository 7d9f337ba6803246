"""`its convert`: from any format into any that can hold the content; what it cannot hold is listed."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from its.console import DONE
from its.content import Content, load_network, one_day, read_content, with_plans
from network_data.detectors import Detector
from network_data.errors import InputError
from network_data.formats import kinds
from network_data.formats.compass import LAYOUT, places_at, read_nodes
from network_data.formats.files import write_aside
from network_data.formats.gmns import write_gmns
from network_data.formats.korea import TurnCounts, place_turns, read_places
from network_data.formats.plan_csv import plan_csv
from network_data.formats.salt import find_files, read_salt_signals, write_salt_signals
from network_data.formats.sumo_detectors import SumoDetectors, as_loops, write_sumo_detectors
from network_data.formats.sumo_tls import write_sumo_programs
from network_data.formats.sumo_waut import write_sumo_day
from network_data.formats.utdf import columns_of, volumes_of, write_utdf, write_volumes
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.schedule import DayPlan

NO_DATE = datetime.date(2000, 1, 3)
"""Written where a format wants a date and there is none: a Monday."""


@dataclass
class Job:
    """A conversion: what was read, where it goes, and what stays behind."""

    source: Path
    out: Path
    content: Content
    network: RoadNetwork | None
    places: Path | None = None
    left: list[str] = field(default_factory=list)

    def need_network(self) -> RoadNetwork:
        """The network, of the input or as given."""
        if self.network is None:
            raise InputError(str(self.source), "holds no network, which the target needs; give it with --network")
        return self.network

    def need_day(self) -> DayPlan:
        """What the signals do."""
        day = self.content.plans
        if day is None:
            raise InputError(str(self.source), "holds no signal programs, which the target is for")
        self.leave_programs(day)
        return day

    def leave_programs(self, day: DayPlan) -> None:
        """List the programs that no time of the day runs."""
        if self.content.network is None:
            return
        used = {(c, p.program_id) for c, own in day.controllers.items() for p in own.programs}
        idle = [
            f"{c.id}/{p.program_id}"
            for c in self.content.network.controllers.values()
            for p in c.programs
            if (c.id, p.program_id) not in used
        ]
        if idle:
            more = f" and {len(idle) - 10} more" if len(idle) > 10 else ""
            self.left.append(
                f"{len(idle)} programs that no time of day runs (signal/program): {', '.join(idle[:10])}{more}"
            )


def convert_job(
    source: Path,
    out: Path,
    target: str,
    *,
    network_path: Path | None,
    repair: Sequence[str],
    places: Path | None,
    as_json: bool,
) -> int:
    """Run the conversion; returns the exit code."""
    writer = WRITERS.get(target)
    if writer is None:
        raise InputError("--to", f"{target!r} is no format that can be written; known are {', '.join(WRITERS)}")
    given = load_network(network_path) if network_path is not None else None
    content = read_content(source, given, repair=repair)
    job = Job(source, out, content, content.network or given, places)
    written = writer(job)
    if as_json:
        said = {
            "from": content.kind.name,
            "to": target,
            "written": written,
            "left_out": job.left,
            "notes": content.notes,
        }
        print(json.dumps(said, indent=1, ensure_ascii=False))
        return DONE
    print(f"{content.kind.name} -> {target}: {', '.join(written)}")
    for line in job.left:
        print(f"not in {target}: {line}")
    for note in content.notes:
        print(f"note: {note}")
    return DONE


def _to_gmns(job: Job) -> list[str]:
    network = job.need_network()
    day = job.content.plans
    if day is not None:
        network = with_plans(network, day)
        day = DayPlan(controllers={c: d for c, d in day.controllers.items() if c in network.controllers})
    loops: tuple[Detector, ...] = ()
    if job.content.detectors is not None:
        loops, notes = as_loops(job.content.detectors, network)
        job.left += notes
    timed = day if day is not None and _switches(day) else None
    job.left += write_gmns(network, job.out, day=timed, detectors=loops)
    _leave(job, counts=True)
    return [str(job.out)]


def _switches(day: DayPlan) -> bool:
    return any(len(own.switches) > 1 for own in day.controllers.values())


def _to_sumo(job: Job) -> list[str]:
    """An additional file: programs, switching, detectors."""
    day = job.content.plans
    detectors = job.content.detectors or SumoDetectors()
    if day is None and not (detectors.loops or detectors.areas or detectors.gates):
        raise InputError(str(job.source), "holds neither signal programs nor detectors; nothing for an additional file")
    if day is not None:
        job.leave_programs(day)
    parts = []
    if day is not None and _switches(day):
        parts.append(write_sumo_day(day))
    elif day is not None:
        parts.append(
            write_sumo_programs(TimingPlan(controllers={c: d.programs[0] for c, d in day.controllers.items()}))
        )
    if detectors.loops or detectors.areas or detectors.gates:
        parts.append(write_sumo_detectors(detectors))
    body = "".join(part.removeprefix("<additional>\n").removesuffix("</additional>\n") for part in parts)
    write_aside(job.out, f"<additional>\n{body}</additional>\n")
    if job.content.network is not None:
        job.left.append("the road network itself: a SUMO network is made by netconvert")
    if day is not None:
        _leave_minima(job, day)
    _leave(job, counts=True)
    return [str(job.out)]


def _to_salt(job: Job) -> list[str]:
    """A `trafficSignalSystem` file."""
    day = job.need_day()
    signals = None
    if job.content.kind is kinds.SALT:
        files = find_files(job.source)
        signals = read_salt_signals(files.tss) if files is not None else None
    elif job.content.kind is kinds.SALT_SIGNALS:
        signals = read_salt_signals(job.source)
    write_aside(job.out, write_salt_signals(day, signals))
    if job.content.network is not None:
        job.left.append("the road network: only signals are written (node, edge and connection files are not)")
    actuated = [c for c, own in day.controllers.items() if any(p.actuated for p in own.programs)]
    if actuated:
        job.left.append(f"that {len(actuated)} signals are actuated: their interval tables are written")
    _leave(job, detectors=True, counts=True)
    return [str(job.out)]


def _to_plan_csv(job: Job) -> list[str]:
    network, day = job.need_network(), job.need_day()
    plan = TimingPlan(controllers={c: d.program_at(8 * 3600.0) for c, d in day.controllers.items()})
    write_aside(job.out, plan_csv(network, plan))
    if _switches(day):
        job.left.append("the times of day: the programs due at 08:00 are written")
    if job.content.network is not None:
        job.left.append("the road network: the table is of plans")
    _leave(job, detectors=True, counts=True)
    return [str(job.out)]


def _to_detectors(job: Job) -> list[str]:
    """The table that `--detectors` takes."""
    if job.content.detectors is None:
        raise InputError(str(job.source), "holds no detectors that can be placed (--network)")
    loops, notes = as_loops(job.content.detectors, job.need_network())
    job.left += notes
    lines = ["detector,link,lane,pos_m,kind"]
    lines += [f"{_cell(d.id)},{_cell(d.link_id)},{d.lane},{d.pos_m:.2f},{d.kind}" for d in loops]
    write_aside(job.out, "\n".join([*lines, ""]))
    if job.content.network is not None:
        job.left.append("the road network and its signals")
    return [str(job.out)]


def _cell(text: str) -> str:
    """A name as a CSV cell."""
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text


def _to_counts(job: Job) -> list[str]:
    counts = job.content.counts
    if counts is None:
        raise InputError(str(job.source), "holds no counts of detectors")
    if counts["end_s"].isna().any():
        raise InputError(
            str(job.source), "does not say how long was counted: add a row with the next time of a detector"
        )
    write_aside(job.out, counts.to_csv(index=False))
    if job.content.kind is kinds.HIRES:
        job.left.append("signal events: phases, splits and coordination (its inspect shows them)")
    return [str(job.out)]


def _to_turns(job: Job) -> list[str]:
    turns = _turns(job)
    write_aside(job.out, turns.to_csv(index=False))
    if job.content.network is not None:
        job.left.append("the road network and its signals")
    return [str(job.out)]


def _turns(job: Job) -> pd.DataFrame:
    """The turning counts of the source, by links."""
    turns = job.content.turns
    if job.content.place_counts is not None:
        turns = _placed(job, job.content.place_counts)
    if turns is None or not len(turns):
        raise InputError(str(job.source), "holds no turning counts, or none that fit the network (--network)")
    return turns


def _placed(job: Job, counts: TurnCounts) -> pd.DataFrame:
    """Counts by approach as turns of links; of several days the mean."""
    if job.places is None:
        columns = "intersection,approach,turn,from_link,to_link"
        columns += "; with --network also intersection,node" if counts.layout == LAYOUT else ""
        raise InputError(
            str(job.source), f"counts by approach: say which links these are with --places (CSV {columns})"
        )
    nodes = read_nodes(job.places) if counts.layout == LAYOUT else None
    places = read_places(job.places) if nodes is None else places_at(nodes, columns_of(job.need_network()))
    turns, lost = place_turns(counts, places)
    job.left += lost
    days = turns["date"].nunique()
    if days > 1:
        job.left.append(f"single days: the mean of {days} days is written")
    keys = ["from_link", "to_link", "begin_s", "end_s"]
    return turns.groupby(keys, sort=False)["veh"].mean().reset_index()


def _to_utdf(job: Job) -> list[str]:
    network = job.need_network()
    day = job.content.plans or one_day({c.id: c.programs[-1] for c in network.controllers.values()})
    job.leave_programs(day)
    network = with_plans(network, day)
    plan = TimingPlan(controllers={c.id: c.programs[-1] for c in network.controllers.values()})
    volumes = {} if job.content.turns is None else _mean_rates(job)
    text, left = write_utdf(network, plan, volumes)
    write_aside(job.out, text)
    job.left += left
    if _switches(day):
        job.left.append("the times of day: the programs due at 08:00 are written")
    _leave(job, detectors=True)
    return [str(job.out)]


def _mean_rates(job: Job) -> dict[tuple[str, str], float | None]:
    """Vehicles per hour of each turn over all the seconds it was counted: the file has one volume a movement."""
    turns = _turns(job)
    spans = turns[["begin_s", "end_s"]].drop_duplicates()
    if len(spans) > 1:
        job.left.append(f"single intervals of the counts: the mean rate of {len(spans)} intervals is written")
    sums = turns.assign(seconds=turns["end_s"] - turns["begin_s"]).groupby(["from_link", "to_link"], sort=False)
    rates = sums["veh"].sum() * 3600.0 / sums["seconds"].sum()
    return {(str(turn[0]), str(turn[1])): float(vph) for turn, vph in zip(rates.index, rates, strict=True)}


def _to_utdf_volumes(job: Job) -> list[str]:
    """A volume table: turns by intersection and compass movement, of a day that no turns name."""
    turns = _turns(job)
    table, lost = volumes_of(turns, columns_of(job.need_network()), NO_DATE)
    job.left += lost
    job.left.append(f"the date: turns have none, {NO_DATE:%m/%d/%Y} is written")
    write_aside(job.out, write_volumes(table))
    if job.content.network is not None:
        job.left.append("the road network and its signals")
    return [str(job.out)]


def _leave_minima(job: Job, day: DayPlan) -> None:
    programs = [p for own in day.controllers.values() for p in own.programs]
    if any(x is not None for p in programs for x in p.min_durations_s):
        job.left.append("minimum durations of phases")
    if any(p.barrier_groups for p in programs):
        job.left.append("rings and phases: their interval tables are written")
    if any(p.actuated for p in programs):
        job.left.append("that programs are actuated: their interval tables are written as fixed time")


def _leave(job: Job, *, detectors: bool = False, counts: bool = False) -> None:
    found = job.content.detectors
    if detectors and found is not None:
        n = len(found.loops) + len(found.areas) + len(found.gates)
        job.left.append(f"{n} detectors")
    if counts and job.content.counts is not None:
        job.left.append("counts")
    if counts and job.content.turns is not None:
        job.left.append("turning counts")


WRITERS: dict[str, Callable[[Job], list[str]]] = {
    "gmns": _to_gmns,
    "sumo": _to_sumo,
    "salt-signals": _to_salt,
    "plan-csv": _to_plan_csv,
    "utdf": _to_utdf,
    "utdf-volumes": _to_utdf_volumes,
    "detectors": _to_detectors,
    "counts": _to_counts,
    "turns": _to_turns,
}
"""How each target is written."""
