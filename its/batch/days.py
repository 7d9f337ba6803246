"""Counts of a district: which days are good, which of them plans are made from, and on which they are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from its.batch.gates import DataFigures
from its.batch.task import Task
from its.counted import Counted
from its.project import Gates
from network_data.counting.counts import label_of
from network_data.counting.groups import groups_of
from network_data.counting.quality import Checked, check_block
from network_data.counting.reader import read_block
from network_data.day_types import DayTypes
from network_data.detectors import Detector
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.settings import Settings


@dataclass(frozen=True, eq=False, kw_only=True)
class TypedDays:
    """The good days of one type: those that plans are made from, and the newest, on which they are judged."""

    figures: DataFigures
    training: Counted
    held_out: tuple[Counted, ...]


def read_days(task: Task, detectors: tuple[Detector, ...], network: RoadNetwork, settings: Settings) -> Counted:
    """All counts of the window, every day held against the others, checked and repaired."""
    block = read_block(task.count_paths, settings.counts, frozenset(d.id for d in detectors))
    order = sorted(range(len(block.days)), key=lambda n: label_of(block.days[n]))
    block = block.on(order[-task.content.window_days :])
    groups = groups_of(block.detectors, settings.quality, detectors, network)
    checked = check_block(block, groups, settings.quality, settings.counts.time_zone or task.zone)
    return Counted(checked, tuple(label_of(day) for day in block.days))


def of_type(
    counted: Counted, kind: str, types: DayTypes, n_detector: int, gates: Gates, begin_s: float, end_s: float
) -> TypedDays:
    """The days of one type, the newest good ones held out.

    Parameters
    ----------
    kind : str
        A type of day, or `all`.
    n_detector : int
        Detectors there should be; those that no row names count as unsound.
    begin_s, end_s : float
        The part of the day that matters. [s after midnight]

    Raises
    ------
    DemandError
        No such day was counted, or none of it in this part of the day.
    """
    block = counted.checked.block
    picked = [n for n, day in enumerate(block.days) if kind in ("all", types.of(day))]
    if not picked:
        raise DemandError("counts", f"none of the {len(block.days)} counted days is of type {kind!r}")
    part = block.between(begin_s, end_s)
    if part.start == part.stop:
        raise DemandError("counts", f"cover nothing of {begin_s:g} to {end_s:g} s; mend the schedule")
    sound = _sound(counted.checked)[:, picked][:, :, part]
    share = sound.sum(axis=(0, 2)) / max(1, n_detector * sound.shape[2])
    good = [n for n, x in zip(picked, share.tolist(), strict=True) if x >= gates.sound_share]
    at = [picked.index(n) for n in good]
    often = (sound[:, at].mean(axis=2) >= gates.sound_share).mean(axis=1) >= 0.5 if good else np.zeros(0)
    figures = DataFigures(
        type=kind,
        n_day=len(picked),
        good=tuple(counted.labels[n] for n in good),
        measured=float(often.sum()) / max(1, n_detector),
        repaired=int(counted.checked.repaired[:, picked][:, :, part].sum()),
        missing=int(np.isnan(block.veh[:, picked][:, :, part]).sum()),
    )
    n_held = min(gates.held_out_days, max(0, len(good) - 1))
    held, made = good[len(good) - n_held :], good[: len(good) - n_held]
    return TypedDays(
        figures=figures,
        training=some_days(counted, made),
        held_out=tuple(some_days(counted, [n]) for n in held),
    )


def _sound(checked: Checked) -> NDArray[np.bool_]:
    """Where a count is as it was read, (D, N, K)."""
    return ~np.isnan(checked.block.veh) & ~checked.repaired


def some_days(counted: Counted, days: Sequence[int]) -> Counted:
    """The counts of some of the days, as they were checked among all."""
    checked, pick = counted.checked, np.asarray(days, np.int64)
    kept = replace(
        checked,
        block=checked.block.on(list(days)),
        repaired=checked.repaired[:, pick],
        sd_veh=checked.sd_veh[:, pick],
    )
    return Counted(kept, tuple(counted.labels[n] for n in days))
