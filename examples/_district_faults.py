"""The faults that loops have: put into sound counts, and written down so that a quality check can be judged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from examples._district_counts import Loop

DAY_S = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of one loop, from `begin_s` to `end_s` counted from the first day's midnight."""

    detector: str
    kind: str  # gap, stuck, dead, chatter, drift, swapped
    begin_s: int
    end_s: int
    detail: str


def draw_faults(sites: list[Loop], n_day: int, seed: int) -> list[Fault]:
    """Choose which loops fail, how and when; no loop fails twice, but for the cabinet that was without power."""
    rng = np.random.default_rng([seed, 4])
    cabinet = "S5"
    names = [x.detector for x in sites if not x.detector.startswith(cabinet)]
    pairs = [(f"{x}.s2", f"{x}.s3") for x in ("M2.W", "M3.W", "M5.S", "M6.E")]  # through lane and left bay
    swapped = pairs[int(rng.integers(len(pairs)))]
    free = [x for x in names if x not in swapped]
    chosen = [str(x) for x in rng.choice(free, 8, replace=False)]
    whole = (0, n_day * DAY_S)
    out = list(_gaps(rng, chosen[:3], n_day))
    out += [
        Fault(detector=x.detector, kind="gap", begin_s=int(9.5 * 3600), end_s=15 * 3600, detail="cabinet without power")
        for x in sites
        if x.detector.startswith(cabinet)
    ]
    stuck_from_s = int(rng.integers(2, max(3, n_day // 2))) * DAY_S + 11 * 3600
    dead_from_s = int(rng.integers(1, max(2, n_day // 2))) * DAY_S + 3 * 3600
    workdays = [day for day in range(n_day) if day % 7 < 5]  # the first day is a Monday
    pulse_from_s = int(rng.choice(workdays)) * DAY_S + 6 * 3600
    last = whole[1]
    value = int(rng.integers(4, 12))
    out.append(
        Fault(
            detector=chosen[3], kind="stuck", begin_s=min(stuck_from_s, last), end_s=last, detail=f"{value} veh always"
        )
    )
    out.append(
        Fault(detector=chosen[4], kind="dead", begin_s=min(dead_from_s, last), end_s=last, detail="0 veh always")
    )
    out.append(
        Fault(
            detector=chosen[5],
            kind="chatter",
            begin_s=pulse_from_s,
            end_s=pulse_from_s + 12 * 3600,
            detail="1 pulse a second",
        )
    )
    out.append(Fault(detector=chosen[6], kind="drift", begin_s=0, end_s=last, detail="loses up to 45 %"))
    out.append(Fault(detector=chosen[7], kind="drift", begin_s=0, end_s=last, detail="gains up to 30 %"))
    out += [
        Fault(detector=a, kind="swapped", begin_s=0, end_s=last, detail=f"with {b}")
        for a, b in (swapped, swapped[::-1])
    ]
    return out


def _gaps(rng: np.random.Generator, chosen: list[str], n_day: int) -> Iterator[Fault]:
    """Some hours on several days, two and a half days at a stretch, and the second week's mornings."""
    for day in sorted(rng.choice(n_day, min(4, n_day), replace=False)):
        begin_s = int(day) * DAY_S + int(rng.integers(0, 20 * 12)) * 300
        length_s = int(rng.integers(6, 48)) * 300
        yield Fault(detector=chosen[0], kind="gap", begin_s=begin_s, end_s=begin_s + length_s, detail="line dropped")
    begin_s = int(rng.integers(0, max(1, n_day - 3))) * DAY_S + int(14.25 * 3600)
    yield Fault(detector=chosen[1], kind="gap", begin_s=begin_s, end_s=begin_s + 60 * 3600, detail="card failed")
    for day in range(n_day // 2, n_day):
        begin_s = day * DAY_S + 7 * 3600
        yield Fault(
            detector=chosen[2], kind="gap", begin_s=begin_s, end_s=begin_s + 3600, detail="restart every morning"
        )


def _clock_s(table: pd.DataFrame) -> np.ndarray:
    return np.asarray((table["day"] - table["day"].min()) * DAY_S + table["begin_s"])


def inject(table: pd.DataFrame, faults: list[Fault], seed: int) -> pd.DataFrame:
    """The counts as the faulty loops report them."""
    rng = np.random.default_rng([seed, 5])
    table = table.copy()
    clock_s, detector = _clock_s(table), table["detector"].to_numpy()
    swaps = {f.detector: f.detail.removeprefix("with ") for f in faults if f.kind == "swapped"}
    lost = np.zeros(len(table), dtype=bool)
    for fault in faults:
        hit = (detector == fault.detector) & (clock_s >= fault.begin_s) & (clock_s < fault.end_s)
        if fault.kind == "gap":
            lost |= hit
        elif fault.kind == "stuck":
            table.loc[hit, ["veh", "occupancy_pct", "speed_mps"]] = [int(fault.detail.split()[0]), 12.5, 8.3]
        elif fault.kind == "dead":
            table.loc[hit, ["veh", "occupancy_pct", "speed_mps"]] = [0, 0.0, np.nan]
        elif fault.kind == "chatter":
            table.loc[hit, ["veh", "occupancy_pct", "speed_mps"]] = [300, 60.0, np.nan]
        elif fault.kind == "drift":
            table.loc[hit, "veh"] = _drifted(rng, table.loc[hit, "veh"].to_numpy(), clock_s[hit], fault)
    table["detector"] = table["detector"].map(lambda x: swaps.get(x, x))
    table = table[~lost]
    return table.sort_values(["day", "begin_s", "detector"], ignore_index=True)


def _drifted(rng: np.random.Generator, veh: np.ndarray, clock_s: np.ndarray, fault: Fault) -> np.ndarray:
    """Counts with a share lost (or counted twice) that grows evenly over the time of the fault."""
    most = 0.45 if fault.detail.startswith("loses") else 0.30
    share = most * (clock_s - fault.begin_s) / (fault.end_s - fault.begin_s)
    changed = rng.binomial(veh, share)
    return np.asarray(veh - changed if fault.detail.startswith("loses") else veh + changed)


def faults_csv(faults: list[Fault], first: dt.date) -> str:
    """The truth about the faults: detector,kind,from,to,detail."""
    midnight = dt.datetime.combine(first, dt.time())
    lines = ["detector,kind,from,to,detail"]
    for f in sorted(faults, key=lambda f: (f.kind, f.detector, f.begin_s)):
        begin, end = (midnight + dt.timedelta(seconds=s) for s in (f.begin_s, f.end_s))
        lines.append(f"{f.detector},{f.kind},{begin.isoformat()},{end.isoformat()},{f.detail}")
    return "\n".join([*lines, ""])
