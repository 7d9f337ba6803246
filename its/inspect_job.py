"""`its inspect`: what a file or folder is, what is in it, and what is missing for an optimization."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from its.console import BAD_INPUT, DONE, format_table
from its.content import READERS, Content, read_content
from its.inspect_tables import DEMAND, NETWORK, TABLES, Seen, as_counts, table_of
from its.recognize import NETWORK_READERS
from network_data.assembly.default_programs import PROGRAM_ID
from network_data.counting.options import CountLayout
from network_data.errors import InputError
from network_data.formats import kinds
from network_data.formats.hires import read_events
from network_data.formats.hires_measures import cycle_of, phase_order, phase_summaries
from network_data.formats.kinds import kind_of
from network_data.formats.korea import TurnCounts
from network_data.limits import MAX_MEMBERS
from network_data.network import RoadNetwork
from network_data.settings import load_settings

VARIES = re.compile(r"'[^']*'|\d+")
SALT_CODE = re.compile(r"[a-z-]+: ")
FEW = 3
"""So many findings of a kind are printed one by one."""
MAX_SHOWN = 20
"""Most findings that are printed one by one; JSON has all."""


def inspect_job(path: Path, *, network_path: Path | None, settings_path: Path | None, as_json: bool) -> int:
    """Run the job; returns the exit code: 2 where anything of a known format is faulty.

    `[counts]` of the settings tells which columns mean what: tables that have them are read as counts.
    """
    layout = load_settings(settings_path).counts if settings_path is not None else None
    network = read_content(network_path).network if network_path is not None else None
    kind = kind_of(path)
    if path.is_dir() and kind is kinds.UNKNOWN:
        parts = [p for p in sorted(path.iterdir())[:MAX_MEMBERS] if p.is_file() or p.is_dir()]
        network = network or _network_among(parts)
        seen = [_look(p, network, layout) for p in parts]
        known = [one for one in seen if one.kind is not kinds.UNKNOWN]
        missing = _missing_of_all(known)
    else:
        seen = known = [_look(path, network, layout)]
        missing = known[0].missing
    if as_json:
        rows = [_json(one) for one in seen]
        print(json.dumps({"path": str(path), "parts": rows, "missing": missing}, indent=1, ensure_ascii=False))
    else:
        print(_text(seen, missing))
    return BAD_INPUT if any(one.faults for one in seen) else DONE


def _network_among(parts: list[Path]) -> RoadNetwork | None:
    """The only network in a folder, on which detectors and plans beside it are placed."""
    found = []
    for path in parts:
        try:
            if kind_of(path) is kinds.SUMO_NET:
                found.append(path)
        except InputError:
            continue  # told where the file itself is looked at
    try:
        return read_content(found[0]).network if len(found) == 1 else None
    except InputError:
        return None


def _look(path: Path, network: RoadNetwork | None, layout: CountLayout | None) -> Seen:
    try:
        kind = kind_of(path)
    except InputError as error:
        return Seen(path, kinds.UNKNOWN, notes=[f"cannot be read: {error.faults[0]}"])
    seen = Seen(path, kind)
    try:
        if layout is not None and as_counts(seen, layout):
            return seen
        if kind in TABLES:
            TABLES[kind](seen)
        elif kind is kinds.UNKNOWN:
            table_of(seen)
            if seen.kind is kinds.UNKNOWN:
                seen.missing.append("a file of a known format (docs/formats.md)")
        elif kind in READERS and not (kind is kinds.PLAN_JSON and network is None):
            _of_content(seen, read_content(path, network))
        elif kind is kinds.PLAN_JSON:
            seen.missing.append(NETWORK)
    except InputError as error:
        seen.faults += error.faults
        seen.missing.append("what its faults keep from being read: mend them")
    return seen


def _of_content(seen: Seen, content: Content) -> None:
    seen.findings += content.findings
    seen.notes += content.notes
    if content.network is not None:
        _of_network(seen, content.network)
    programs = {
        (c, p.program_id) for c, own in (content.day.controllers.items() if content.day else ()) for p in own.programs
    }
    programs |= {(c, p.program_id) for c, p in content.programs.items()}
    if programs and content.network is None:
        seen.contents["signals"] = len({c for c, _ in programs})
        seen.contents["programs"] = len(programs)
        seen.missing += [NETWORK, DEMAND]
    if content.day is not None:
        seen.contents["switches a day"] = sum(len(own.switches) for own in content.day.controllers.values())
    if content.detectors is not None:
        found = content.detectors
        seen.contents |= {"loops": len(found.loops), "lane areas": len(found.areas), "entry-exit": len(found.gates)}
    if content.counts is not None:
        seen.contents["count intervals"] = len(content.counts)
    if content.kind is kinds.FLOW_TABLE and content.counts is not None:
        _of_flows(seen, content.counts)
    if content.link_counts is not None:
        _of_link_counts(seen, content.link_counts)
    if content.turns is not None:
        seen.contents["turning counts"] = len(content.turns)
        if content.network is None:
            seen.missing.append(NETWORK)
        else:
            seen.missing.remove(DEMAND)
            seen.missing.append(f"{DEMAND} (its convert … --to turns makes turns of the volumes in it)")
    if content.kind is kinds.HIRES:
        _of_events(seen)
    if content.place_counts is not None:
        _of_places(seen, content.place_counts)
    if content.inventory is not None:
        seen.contents |= {"signals": len(content.inventory), "cycles_s": _span(content.inventory["cycle_s"].tolist())}
        seen.missing += [NETWORK, "offsets, yellow and hours of the signals", DEMAND]


def _of_network(seen: Seen, network: RoadNetwork) -> None:
    controllers = network.controllers.values()
    driven = [lane for link in network.links.values() for lane in link.lanes if lane.kind != "other"]
    seen.contents |= {
        "nodes": len(network.nodes),
        "links": len(network.links),
        "lanes": len(driven),
        "movements": len(network.movements),
        "signals": len(network.controllers),
        "programs": sum(len(c.programs) for c in controllers),
        "crossings": len(network.crossings),
    }
    seen.missing.append(DEMAND)
    if not network.controllers:
        seen.missing.insert(0, "signals: the network has none that controls anything")
    assumed = [c.id for c in controllers if c.programs[-1].program_id == PROGRAM_ID]
    if assumed:
        seen.missing.append(f"the field's timing of {len(assumed)} signals: give --plans (programs are assumed)")
    actuated = sum(c.programs[-1].actuated for c in controllers)
    if actuated:
        seen.notes.append(f"{actuated} signals are actuated")
    if network.controllers and not network.crossings:
        seen.missing.append("crossings: none are mapped; a plan is not fit for a street with people on foot")


def _of_events(seen: Seen) -> None:
    events = read_events(seen.path)
    begin_s, end_s = events.period_s
    cycle = cycle_of(events)
    seen.contents |= {
        "events": len(events),
        "device": events.device,
        "date": str(events.date),
        "hours": round((end_s - begin_s) / 3600, 2),
        "phases": " ".join(map(str, events.phases)),
        "detector channels": len(events.parameters(82)),
    }
    if cycle is not None:
        seen.contents["cycle_s"] = cycle.cycle_s
        seen.notes.append(f"cycle from {cycle.source}, {cycle.share:.0%} of cycles alike")
        if cycle.offset_s is not None:
            seen.contents["offset_s"] = cycle.offset_s
    orders = phase_order(events)
    if orders:
        seen.contents["phase order"] = "-".join(map(str, orders[0][0]))
    for s in phase_summaries(events):
        ended = ", ".join(f"{n} {why}" for why, n in sorted(s.ended.items()))
        splits = f"{s.split_s:.1f} s ({s.split_min_s:.1f} to {s.split_max_s:.1f})"
        seen.notes.append(
            f"phase {s.phase}: {s.greens} greens, split {splits}, yellow {s.yellow_s:.1f} s, red {s.red_s:.1f} s; "
            f"ended by {ended}"
        )
    seen.missing += ["what the channels are: detector places on links", NETWORK]


def _of_flows(seen: Seen, counts: pd.DataFrame) -> None:
    seen.contents |= {"detectors": int(counts["detector"].nunique()), "vehicles": float(counts["veh"].sum())}
    if counts["end_s"].isna().any():
        seen.missing.append(
            "how long was counted: the table has one time (a row with the next time of a detector says it)"
        )
    seen.missing += ["where the detectors lie: --detectors", NETWORK]


def _of_link_counts(seen: Seen, frame: pd.DataFrame) -> None:
    seen.contents |= {
        "counts": len(frame),
        "links": int(frame["link"].nunique()),
        "vehicles": float(frame["veh"].sum()),
        "from_s": float(frame["begin_s"].min()),
        "to_s": float(frame["end_s"].max()),
    }
    seen.missing += ["how links split among their lanes or turns: they are counted as a whole", NETWORK, DEMAND]


def _of_places(seen: Seen, counts: TurnCounts) -> None:
    frame = counts.frame
    days = sorted({str(x)[:10] for x in frame["begin"]}) if counts.dated else []
    seen.contents |= {
        "counts": len(frame),
        "intersections": int(frame["intersection"].nunique()),
        "approaches": len(frame.groupby(["intersection", "approach"])),
        "vehicles": float(frame["veh"].sum()),
        "intervals": int(frame["begin"].nunique()),
    }
    if days:
        seen.contents |= {"days of counts": len(days), "from": days[0], "to": days[-1]}
    seen.missing += ["which links these approaches are: --places of its convert", NETWORK]


def _span(values: list[float]) -> str:
    given = [x for x in values if x > 0]
    return f"{min(given):g} to {max(given):g}" if given else "none"


def _missing_of_all(seen: list[Seen]) -> list[str]:
    """What the parts of a folder lack together."""
    found = {one.kind for one in seen if not one.faults}
    networks = any("links" in one.contents and one.kind in NETWORK_READERS for one in seen)
    loops = kinds.DETECTORS in found or any(one.contents.get("loops") for one in seen) or any(
        "detectors" in note for one in seen for note in one.notes
    )  # fmt: skip
    demand = kinds.TURNS in found or (kinds.COUNTS in found and loops)
    out = [] if networks else ["a road network"]
    out += [] if demand else [DEMAND]
    if not demand and kinds.SUMO_ROUTES in found:
        out.append("routes are no counts: its simulate takes them, its makecounts makes counts of them")
    return out + [line for one in seen for line in one.missing if line not in (DEMAND, NETWORK) and "--" not in line]


def _json(seen: Seen) -> dict[str, Any]:
    return {
        "path": str(seen.path),
        "kind": seen.kind.name,
        "is": seen.kind.title,
        "contents": seen.contents,
        "findings": seen.findings,
        "notes": seen.notes,
        "faults": seen.faults,
        "missing": seen.missing,
    }


def _text(seen: list[Seen], missing: list[str]) -> str:
    blocks = []
    if len(seen) > 1:
        rows = [(one.path.name, one.kind.name, _short(one.contents)) for one in seen]
        blocks.append(format_table(("file", "format", "holds"), rows))
    for one in seen:
        if len(seen) == 1:
            blocks.append(f"{one.path}: {one.kind.title}")
            if one.contents:
                blocks.append(format_table(("what", "how many"), [(k, str(v)) for k, v in one.contents.items()]))
        prefix = f"{one.path.name}: " if len(seen) > 1 else ""
        for name, lines in (("fault", one.faults), ("finding", one.findings), ("note", one.notes)):
            alike = _alike(lines)
            shown = [f"{prefix}{name}: {line}" for line in alike[:MAX_SHOWN]]
            if len(alike) > MAX_SHOWN:
                shown.append(f"{prefix}and {len(alike) - MAX_SHOWN} more {name}s (--json lists all)")
            if shown:
                blocks.append("\n".join(shown))
    wanted = "\n".join(f"missing for an optimization: {line}" for line in dict.fromkeys(missing))
    return "\n\n".join([*blocks, wanted or "nothing is missing for an optimization"])


def _alike(lines: list[str]) -> list[str]:
    """Lines that differ only in numbers and names, more than a few of them, as the first of them and how many more."""
    groups: dict[str, list[str]] = {}
    for line in lines:
        code = line.split(": ", 1)[0] if SALT_CODE.match(line) else VARIES.sub("", line)
        groups.setdefault(code, []).append(line)
    out = []
    for same in groups.values():
        more = [f"{same[0]} (and {len(same) - 1} more like it)"]
        out += same if len(same) <= FEW else more
    return out


def _short(contents: Mapping[str, Any]) -> str:
    return ", ".join(f"{value} {key}" for key, value in contents.items())
