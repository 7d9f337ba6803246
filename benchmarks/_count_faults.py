"""Faults of every kind, drawn by a seed and put into clean counts, and how well the quality check finds them."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks._count_stretches import Stretch
from network_data.counting.block import CountBlock
from network_data.counting.clock import change_at_s, change_days
from network_data.counting.groups import groups_of
from network_data.counting.options import CountLayout, QualityLimits
from network_data.counting.quality import Checked, check_block
from network_data.counting.reader import read_block

FLOAT = NDArray[np.float64]
Key = tuple[str, object]
KINDS = (
    "missing", "negative", "impossible", "pulse", "stuck", "dead", "level", "drift", "swapped", "time_zone",
    "clock_change", "duplicate", "late", "balance",
)  # fmt: skip


@dataclass
class Faulty:
    """Counts with faults in them. `truth` holds per kind what is wrong: (detector, day), or the detector for drifts."""

    stretch: Stretch
    veh: FLOAT
    rng: np.random.Generator
    truth: dict[str, set[Key]] = field(default_factory=dict)
    doubled: list[tuple[int, int, int, float]] = field(default_factory=list)
    late: list[tuple[int, int, int]] = field(default_factory=list)
    free: list[int] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.veh.shape

    def take(self, n: int) -> list[int]:
        """Loops that have no fault yet."""
        out, self.free = self.free[:n], self.free[n:]
        return out

    def note(self, kind: str, i: int, n: int) -> None:
        """Write down a detector's day."""
        self.truth.setdefault(kind, set()).add((self.stretch.block.detectors[i], self.stretch.block.days[n]))

    def per_hour(self) -> float:
        """Intervals in an hour."""
        return 3600 / self.stretch.block.interval_s

    def run(self, hours: tuple[float, float], within: tuple[float, float] = (6, 21)) -> slice:
        """Intervals of a random length that lie in a part of the day."""
        n = max(1, round(self.rng.uniform(*hours) * self.per_hour()))
        first, last = (round(h * self.per_hour()) for h in within)
        n = min(n, last - first)
        begin = int(self.rng.integers(first, last - n + 1))
        return slice(begin, begin + n)

    def possible(self, i: int, factor: float) -> float:
        """The factor, or its inverse where more than the lanes can pass would be counted: that is another fault."""
        block = self.stretch.block
        most = block.lanes[i] * 2400 * block.interval_s / 3600
        return factor if factor * float(np.nanmax(self.veh[i])) < most else 1 / factor

    def scaled(self, i: int, n: int, factor: float) -> None:
        """Make a loop lose vehicles of a day by chance, or count some twice."""
        veh = self.veh[i, n]
        if factor <= 1:
            kept = self.rng.binomial(np.nan_to_num(veh).astype(np.int64), factor)
            self.veh[i, n] = np.where(np.isfinite(veh), kept, np.nan)
        else:
            self.veh[i, n] = np.round(veh * factor)

    def day(self) -> int:
        return int(self.rng.integers(self.shape[1]))

    def days(self, least: int, most: int) -> list[int]:
        """A stretch of days."""
        n = int(self.rng.integers(least, most + 1))
        first = int(self.rng.integers(0, self.shape[1] - n + 1))
        return list(range(first, first + n))


def _missing(f: Faulty, i: int) -> None:
    for _ in range(int(f.rng.integers(1, 4))):
        n = f.day()
        f.veh[i, n, f.run((0.1, 12), (0, 24))] = np.nan
        f.note("missing", i, n)


def _negative(f: Faulty, i: int) -> None:
    n = f.day()
    at = f.rng.integers(0, f.shape[2], int(f.rng.integers(1, 5)))
    f.veh[i, n, at] = -np.round(f.rng.exponential(40, len(at)) + 1)
    f.note("negative", i, n)


def _impossible(f: Faulty, i: int) -> None:
    n = f.day()
    at = f.rng.integers(0, f.shape[2], int(f.rng.integers(1, 6)))
    block = f.stretch.block
    most = block.lanes[i] * (2400 * block.interval_s / 3600 + 3)
    f.veh[i, n, at] = np.round(most * f.rng.uniform(1.05, 20, len(at)))
    f.note("impossible", i, n)


def _pulse(f: Faulty, i: int) -> None:
    n, run = f.day(), f.run((4, 24), (0, 24))
    length_s = f.stretch.block.interval_s
    f.veh[i, n, run] = np.round(length_s + f.rng.normal(0, 0.003 * length_s, run.stop - run.start))
    f.note("pulse", i, n)


def _stuck(f: Faulty, i: int) -> None:
    n, run = f.day(), f.run((9, 24) if f.per_hour() == 1 else (4, 16), (0, 24))
    value = f.veh[i, n, run.start]
    if value < 2:
        value = 2 + f.rng.integers(0, 20)
    f.veh[i, n, run] = value
    f.note("stuck", i, n)


def _dead(f: Faulty, i: int) -> None:
    for n in f.days(1, 4):
        run = f.run((4, 12))
        if f.veh[i, n, run].sum() >= 100:
            f.veh[i, n, run] = 0
            f.note("dead", i, n)


def _level(f: Faulty, i: int) -> None:
    if f.rng.random() < 0.4:  # a few days, far off
        factor, days = float(f.rng.choice([f.rng.uniform(0.1, 0.3), f.rng.uniform(3.2, 5)])), f.days(1, 3)
    else:  # it lasts: to the end, or for a while
        factor = float(f.rng.choice([f.rng.uniform(0.2, 0.6), f.rng.uniform(1.7, 2.4)]))
        first = int(f.rng.integers(5, f.shape[1] - 4))
        last = f.shape[1] if f.rng.random() < 0.6 else min(f.shape[1], first + int(f.rng.integers(4, 9)))
        days = list(range(first, last))
    factor = f.possible(i, factor)
    for n in days:
        f.scaled(i, n, factor)
        f.note("level", i, n)


def _drift(f: Faulty, i: int) -> None:
    to = 1 + float(f.rng.choice([-1, 1])) * f.rng.uniform(0.4, 0.6) * np.sqrt(max(1.0, f.shape[1] / 14))
    for n, factor in enumerate(np.linspace(1, f.possible(i, max(to, 0.2)), f.shape[1]).tolist()):
        f.scaled(i, n, factor)
    f.truth.setdefault("drift", set()).add((f.stretch.block.detectors[i], None))


def _shift(f: Faulty, i: int) -> None:
    days = [n for n in f.days(1, 4) if np.isfinite(f.veh[i, n]).all()]  # not when the clocks change
    hours = int(f.rng.choice([h for h in range(-11, 12) if h]))
    whole = np.nan_to_num(f.veh[i].ravel())
    moved = np.roll(whole, round(hours * f.per_hour())).reshape(f.shape[1], -1)
    for n in days:
        f.veh[i, n] = moved[n]
        f.note("time_zone", i, n)


def _clock_change(f: Faulty, i: int) -> None:
    """The change is not followed; or the hour that does not exist has counts, and the one that comes twice both."""
    block, zone = f.stretch.block, f.stretch.zone
    dated = [day for day in block.days if day is not None]
    changes = change_days(zone, min(dated), max(dated)) if zone else {}
    for day, by_s in changes.items():
        n = block.days.index(day)
        at_s = change_at_s(str(zone), day)
        hour = slice(round((at_s + min(by_s, 0)) / block.interval_s), round((at_s + max(by_s, 0)) / block.interval_s))
        if f.rng.random() < 0.5 and n + 2 < f.shape[1]:
            step = round(by_s / block.interval_s)
            whole = np.concatenate([f.veh[i, m] for m in range(n + 1, f.shape[1])])
            f.veh[i, n + 1 :] = np.roll(whole, -step).reshape(-1, f.shape[2])
            for m in range(n + 1, f.shape[1]):
                f.note("clock_change", i, m)
        elif by_s > 0:
            f.veh[i, n, hour] = f.rng.poisson(3, hour.stop - hour.start) + 1
            f.note("clock_change", i, n)
        elif f.veh[i, n, hour].sum() >= 25:
            f.veh[i, n, hour] *= 2
            f.note("clock_change", i, n)


def _duplicate(f: Faulty, i: int) -> None:
    n, run = f.day(), f.run((0.1, 6), (0, 24))
    other = f.rng.random() < 0.5
    for k in range(run.start, run.stop):
        if np.isfinite(f.veh[i, n, k]):
            f.doubled.append((i, n, k, float(f.veh[i, n, k] + (f.rng.integers(1, 9) if other else 0))))
            f.note("duplicate", i, n)


def _late(f: Faulty, i: int) -> None:
    n, run = int(f.rng.integers(0, f.shape[1] - 1)), f.run((0.1, 3), (0, 24))
    for k in range(run.start, run.stop):
        if np.isfinite(f.veh[i, n, k]):
            f.late.append((i, n, k))
            f.note("late", i, n)


BY_LOOP: dict[str, Callable[[Faulty, int], None]] = {
    "missing": _missing,
    "negative": _negative,
    "impossible": _impossible,
    "pulse": _pulse,
    "stuck": _stuck,
    "dead": _dead,
    "level": _level,
    "drift": _drift,
    "time_zone": _shift,
    "clock_change": _clock_change,
    "duplicate": _duplicate,
    "late": _late,
}


def put_faults(stretch: Stretch, seed: int, share: float = 0.025) -> Faulty:
    """Draw faults of every kind: each kind at a share of the loops, at least two, no loop twice."""
    rng = np.random.default_rng([seed, 5])
    f = Faulty(stretch, stretch.block.veh.astype(float), rng)
    _leave_out_hours(f)
    n = max(2, round(share * f.shape[0]))
    f.free = [int(i) for i in rng.permutation(f.shape[0])]
    _swap(f, n)
    _unbalance(f, n)
    for kind, put in BY_LOOP.items():
        for i in f.take(n):
            put(f, i)
        f.truth.setdefault(kind, set())
    return f


def _leave_out_hours(f: Faulty) -> None:
    """The hour that a forward clock change leaves out has no counts at any sound loop."""
    block, zone = f.stretch.block, f.stretch.zone
    dated = [day for day in block.days if day is not None]
    for day, by_s in (change_days(zone, min(dated), max(dated)) if zone else {}).items():
        if by_s > 0:
            at_s = change_at_s(str(zone), day)
            f.veh[:, block.days.index(day), (block.begin_s >= at_s) & (block.begin_s < at_s + by_s)] = np.nan


def _swap(f: Faulty, n: int) -> None:
    f.truth["swapped"] = set()
    pairs = [s for s in f.stretch.groups.sections if len(s) == 2]
    for k in f.rng.permutation(len(pairs))[:n]:
        a, b = pairs[int(k)]
        for day in f.days(1, 7):
            f.veh[[a, b], day] = f.veh[[b, a], day]
            f.note("swapped", a, day)
            f.note("swapped", b, day)
        f.free = [i for i in f.free if i not in (a, b)]


def _unbalance(f: Faulty, n: int) -> None:
    """A loop of a sum loses or gains for a day or two, within what its own history allows for a day."""
    f.truth["balance"] = set()
    members = sorted({i for sides in f.stretch.groups.balances for side in sides for i in side} & set(f.free))
    for i in f.rng.permutation(np.array(members, dtype=int))[:n].tolist():
        factor = float(f.rng.choice([f.rng.uniform(0.42, 0.5), f.rng.uniform(1.8, 2.3)]))
        factor = f.possible(i, factor)
        for day in f.days(1, 2):
            f.scaled(i, day, factor)
            f.note("balance", i, day)
        f.free.remove(i)


def written(f: Faulty, path: Path) -> None:
    """The counts as a parquet file in order of time, faults of rows included."""
    block = f.stretch.block
    n, k, i = np.nonzero(np.isfinite(f.veh).transpose(1, 2, 0))
    late = {(a, b, c) for a, b, c in f.late}
    order = np.arange(len(i), dtype=float)
    if late:
        at = np.array([(a, b, c) in late for a, b, c in zip(i.tolist(), n.tolist(), k.tolist(), strict=True)])
        order[at] += round(f.per_hour() * 1.5) * f.shape[0]  # an hour and a half later
    frame = pd.DataFrame({"i": i, "n": n, "k": k, "veh": f.veh[i, n, k], "order": order})
    if f.doubled:
        more = pd.DataFrame(f.doubled, columns=["i", "n", "k", "veh"])
        place = frame.set_index(["i", "n", "k"])["order"]
        more["order"] = place.loc[list(zip(more["i"], more["n"], more["k"], strict=True))].to_numpy() + 0.5
        frame = pd.concat([frame, more])
    frame = frame.sort_values("order", kind="stable")
    midnight = np.array([np.datetime64(day, "s") for day in block.days])
    begin = midnight[frame["n"]] + (block.begin_s[frame["k"]]).astype("timedelta64[s]")
    names = np.array(block.detectors, dtype=object)[frame["i"]]
    pd.DataFrame({"detector": names, "begin": begin, "veh": frame["veh"]}).to_parquet(path)


def checked(f: Faulty) -> Checked:
    """Write, read and check the faulty counts, as a user would."""
    block = f.stretch.block
    layout = CountLayout(
        interval_s=block.interval_s,
        time_zone=f.stretch.zone,
        lanes={name: int(n) for name, n in zip(block.detectors, block.lanes, strict=True)},
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "counts.parquet")
        written(f, path)
        read = read_block([path], layout)
    return check_block(read, _renumbered(f.stretch, read), QualityLimits(), f.stretch.zone)


def _renumbered(stretch: Stretch, read: CountBlock):  # type: ignore[no-untyped-def]
    names = stretch.block.detectors
    neighbours = tuple(tuple(names[i] for i in side) for side in stretch.groups.sections)
    balances = tuple(
        {"upstream": tuple(names[i] for i in up), "downstream": tuple(names[i] for i in down)}
        for up, down in stretch.groups.balances
    )
    return groups_of(read.detectors, QualityLimits(neighbours=neighbours, balances=balances))


def scores(f: Faulty, found: Checked) -> dict[str, Counter[str]]:
    """Per kind the true, false and missed verdicts: a detector's day each, a detector for drifts.

    A sum that disagrees because of any fault put in is a true disagreement: loops of such sums are not counted as
    false; elsewhere every verdict of a kind that was not put in counts as false.
    """
    said: dict[str, set[Key]] = {kind: set() for kind in KINDS}
    for verdict in found.verdicts:
        said[verdict.code].add((verdict.detector, None if verdict.code == "drift" else verdict.day))
    block = f.stretch.block
    touched = {name for kind, keys in f.truth.items() for name, _ in keys}
    beside: dict[str, set[str]] = {}
    for up, down in f.stretch.groups.balances:
        names = {block.detectors[i] for i in (*up, *down)}
        for name in names:
            beside.setdefault(name, set()).update(names)
    out = {}
    for kind in KINDS:
        truth, hits = f.truth.get(kind, set()), said[kind]
        false = hits - truth
        if kind == "balance":
            false = {key for key in false if not beside.get(key[0], set()) & touched}
        out[kind] = Counter(true=len(hits & truth), false=len(false), missed=len(truth - hits))
    return out
