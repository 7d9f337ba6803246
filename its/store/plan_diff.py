"""What differs between two plan documents: cycle, offset, splits and stages of each signal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plan_diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, str]]:
    """One row per difference.

    Returns
    -------
    list of dict
        `signal`, `what`, `old` and `new`, in the order of the signals; what makes no difference in the street (where
        the plan comes from) is left out.
    """
    before = {c["id"]: c for c in old["controllers"]}
    after = {c["id"]: c for c in new["controllers"]}
    out: list[dict[str, str]] = []
    for name in sorted(before | after):
        if name not in after:
            out.append({"signal": name, "what": "signal", "old": "in the plan", "new": "not in it"})
        elif name not in before:
            out.append({"signal": name, "what": "signal", "old": "not in it", "new": "in the plan"})
        else:
            out += [{"signal": name, **row} for row in _controller(before[name], after[name])]
    return out


def _controller(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, str]]:
    rows = [
        {"what": what.removesuffix("_s"), "old": f"{old[what]:g} s", "new": f"{new[what]:g} s"}
        for what in ("cycle_s", "offset_s")
        if old[what] != new[what]
    ]
    was, now = _splits(old), _splits(new)
    if list(was) == list(now):
        rows += [
            {"what": f"split {name}", "old": f"{was[name]:g} s", "new": f"{now[name]:g} s"}
            for name in now
            if was[name] != now[name]
        ]
    else:
        rows.append({"what": "phases", "old": " ".join(was) or "none", "new": " ".join(now) or "none"})
    if [x["state"] for x in old["intervals"]] != [x["state"] for x in new["intervals"]]:
        rows.append(
            {"what": "stages", "old": f"{len(old['intervals'])} states", "new": f"{len(new['intervals'])} states"}
        )
    elif not rows and old["intervals"] != new["intervals"]:
        rows.append({"what": "intervals", "old": _durations(old), "new": _durations(new)})
    return rows


def _splits(controller: Mapping[str, Any]) -> dict[str, float]:
    phases = [phase for group in controller["barrier_groups"] for ring in group["rings"] for phase in ring]
    return {p["name"]: round(p["green_s"] + p["yellow_s"] + p["red_clearance_s"], 6) for p in phases}


def _durations(controller: Mapping[str, Any]) -> str:
    return " ".join(f"{x['duration_s']:g}" for x in controller["intervals"])
