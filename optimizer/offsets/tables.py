"""The offset problem: signals in one cycle, a cost for each two neighbours over the difference of their offsets.

A problem may hold offsets fixed or within bounds: such a signal gets a table against the clock (a last signal whose
offset is 0), in which what is not allowed costs `FORBIDDEN`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from network_data.errors import InputError
from optimizer.offsets._kernels import CAP, value_of

INTS = NDArray[np.int32]
UNIT_VEH_S = 0.01
"""Costs are whole multiples of it, unless tables are so large that they would not fit. [veh·s]"""
FORBIDDEN = CAP
LARGEST = 1 << 24
"""Tables are scaled to stay below it. [units]"""


@dataclass(frozen=True, eq=False, kw_only=True)
class OffsetProblem:
    """Tables of E links over N signals, the clock (if any) behind them, in a cycle of C whole seconds.

    `cost[e, d]`: cost of link e if `head[e]`'s offset is d seconds later than `tail[e]`'s, modulo the cycle; its least
    entry is 0, what was taken off is in `floor`. All in `unit_veh_s`.
    """

    cycle_s: int
    signals: tuple[str, ...]
    tail: INTS  # (E,)
    head: INTS  # (E,) all above their tail
    cost: INTS  # (E, C)
    floor: int
    unit_veh_s: float
    has_clock: bool

    @property
    def n_free(self) -> int:
        """Signals whose offset is asked for."""
        return len(self.signals)

    @property
    def n_node(self) -> int:
        """Signals, and the clock if there is one."""
        return len(self.signals) + self.has_clock

    @cached_property
    def arcs(self) -> tuple[INTS, INTS, INTS]:
        """Per node its first arc; each arc's other node; the costs over (own − other offset), twice: (2E, 2C)."""
        n = self.cycle_s
        owner = np.concatenate([self.head, self.tail])
        other = np.concatenate([self.tail, self.head])
        tables = np.concatenate([self.cost, self.cost[:, -np.arange(n) % n]])
        order = np.lexsort((other, owner))
        first = np.searchsorted(owner[order], np.arange(self.n_node + 1))
        doubled = np.ascontiguousarray(np.concatenate([tables, tables], axis=1)[order], np.int32)
        return first.astype(np.int32), other[order].astype(np.int32), doubled

    def start(self, offsets_s: Sequence[int] | INTS | None = None) -> INTS:
        """Offsets as the kernels hold them, the clock behind; default all 0."""
        out = np.zeros(self.n_node, np.int32)
        if offsets_s is not None:
            out[: self.n_free] = np.asarray(offsets_s, np.int64) % self.cycle_s
        return out

    def value(self, offsets_s: Sequence[int] | INTS) -> int:
        """Cost of offsets above the floor; shape (N,), with or without the clock. [units]"""
        return int(value_of(self.tail, self.head, self.cost, self.start(offsets_s[: self.n_free])))

    @cached_property
    def mean(self) -> float:
        """Cost of offsets drawn at random, above the floor: the mean of every table. [units]"""
        allowed = self.cost < FORBIDDEN
        sums = np.where(allowed, self.cost, 0).sum(axis=1, dtype=np.int64)
        return float((sums / np.maximum(allowed.sum(axis=1), 1)).sum())

    def veh_s(self, units: float) -> float:
        """Units above the floor as delay. [veh·s]"""
        return (units + self.floor) * self.unit_veh_s


def offset_problem(
    cycle_s: int,
    signals: Sequence[str],
    links: Sequence[tuple[str, str]],
    delay_s: NDArray[np.float64],
    *,
    allowed: Mapping[str, NDArray[np.bool_]] | None = None,
) -> OffsetProblem:
    """Gather tables into a problem; those of the same two signals are added up.

    Parameters
    ----------
    links : sequence of (from, to)
        Signals at the begin and end of each table.
    delay_s : ndarray, shape (L, C)
        Entry d: `to`'s offset is d seconds later than `from`'s. [veh·s]
    allowed : mapping, optional
        Signal → which of its offsets are allowed, shape (C,); all, where it is not named.

    Raises
    ------
    InputError
        Tables of another length or not finite, unknown signals, signals without an allowed offset.
    """
    index = {name: i for i, name in enumerate(signals)}
    _check(cycle_s, index, links, delay_s, allowed or {})
    sums: dict[tuple[int, int], NDArray[np.float64]] = {}
    back = -np.arange(cycle_s) % cycle_s
    for (start, end), row in zip(links, delay_s, strict=True):
        a, b = index[start], index[end]
        key, table = ((a, b), row) if a < b else ((b, a), row[back])
        sums[key] = sums[key] + table if key in sums else table.astype(np.float64)
    for name, mask in sorted((allowed or {}).items(), key=lambda item: index[item[0]]):
        if not mask.all():
            # the clock comes behind all signals: the table is over (clock - signal)
            sums[index[name], len(signals)] = np.where(mask, 0.0, np.inf)[back]
    pairs = sorted(sums)
    finite = [row[np.isfinite(row)] for row in sums.values()]
    highest = max((float(np.ptp(row)) for row in finite), default=0.0)
    unit = max(UNIT_VEH_S, highest / LARGEST)
    lows = [round(float(sums[pair][np.isfinite(sums[pair])].min()) / unit) for pair in pairs]
    cost = np.full((len(pairs), cycle_s), FORBIDDEN, np.int32)
    for n, (pair, low) in enumerate(zip(pairs, lows, strict=True)):
        fine = np.isfinite(sums[pair])
        cost[n, fine] = np.rint(sums[pair][fine] / unit).astype(np.int64) - low
    ends = np.array(pairs, np.int32).reshape(-1, 2)
    return OffsetProblem(
        cycle_s=cycle_s,
        signals=tuple(signals),
        tail=np.ascontiguousarray(ends[:, 0]),
        head=np.ascontiguousarray(ends[:, 1]),
        cost=cost,
        floor=sum(lows),
        unit_veh_s=unit,
        has_clock=bool(len(ends)) and int(ends.max()) == len(signals),
    )


def with_allowed(problem: OffsetProblem, allowed: Mapping[str, NDArray[np.bool_]]) -> OffsetProblem:
    """The same tables under other rules about which offsets are allowed; floors and units stay."""
    index = {name: i for i, name in enumerate(problem.signals)}
    inner = problem.head < problem.n_free
    held = sorted(
        ((index[name], mask) for name, mask in allowed.items() if name in index and not mask.all()),
        key=lambda item: item[0],
    )
    back = -np.arange(problem.cycle_s) % problem.cycle_s
    fences = [np.where(mask, 0, FORBIDDEN)[back].astype(np.int32) for _, mask in held]
    tail = np.concatenate([problem.tail[inner], np.array([i for i, _ in held], np.int32)])
    head = np.concatenate([problem.head[inner], np.full(len(held), problem.n_free, np.int32)])
    cost = np.concatenate([problem.cost[inner], np.array(fences, np.int32).reshape(-1, problem.cycle_s)])
    return replace(
        problem,
        tail=tail.astype(np.int32),
        head=head.astype(np.int32),
        cost=np.ascontiguousarray(cost, np.int32),
        has_clock=bool(held),
    )


def _check(
    cycle_s: int,
    index: Mapping[str, int],
    links: Sequence[tuple[str, str]],
    delay_s: NDArray[np.float64],
    allowed: Mapping[str, NDArray[np.bool_]],
) -> None:
    faults = []
    if delay_s.shape != (len(links), cycle_s):
        faults.append(f"delay_s is {delay_s.shape}, needs to be {(len(links), cycle_s)}: a row per link, of its cycle")
    elif not np.isfinite(delay_s).all():
        faults.append("delay_s holds numbers that are not finite; mend the tables")
    faults += [f"link {a!r} to {b!r} starts and ends at one signal; leave it out" for a, b in links if a == b]
    unknown = sorted({name for link in links for name in link if name not in index} | (set(allowed) - set(index)))
    if unknown:
        faults.append(f"unknown signals {unknown}; name them in `signals`")
    faults += [
        f"signal {name!r} has {len(mask)} offsets allowed or not, needs {cycle_s}, at least one of them allowed"
        for name, mask in allowed.items()
        if len(mask) != cycle_s or not mask.any()
    ]
    if faults:
        raise InputError("offset problem", faults)
