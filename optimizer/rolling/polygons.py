"""Local queue polygons: what each lane would lose under other timings of its signal, or if its vehicles came later.

Arrivals are those of a run of the queue simulation, folded to the cycle; each lane's rate is set so that the polygon
loses what the lane lost in the run. So gaps, shared lanes and random arrivals count as the run had them, and only
changes of timing are left to the polygon. It proposes; runs decide.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.plans import OPEN
from optimizer.candidate import Setting
from optimizer.models import ControllerModel
from optimizer.rolling import _polygon_kernels as p
from optimizer.rolling.layout import FLOAT, INTS, StreetLayout

OFFSET_STEPS_S = np.array([s * sign for s in (1, 2, 3, 5, 8, 12) for sign in (1, -1)], np.int64)
SPLIT_STEPS_S = np.array([1, 2, 4], np.int64)
RATES, RATE_STEPS = (0.35, 1.15), 7
"""Rates of lanes over their saturation flow, and halvings in which they are found. [-]"""
LEAST_GAIN = 0.003
"""Of a signal's delay, what a change must save in the polygon. [-]"""
KEPT = 0.8
"""Of what earlier steps said of profiles and delays, how much is kept when a new one comes. [-]"""
FEWEST = 4
"""Vehicles of a lane in a run from which on its delay says something."""


NONE = np.empty(0, np.int64)


class Pieces(NamedTuple):
    """A skeleton as arrays: which kernel signals are open in which interval, what stretches, the rules."""

    shown: NDArray[np.bool_]  # (heads, N)
    stretch: NDArray[np.bool_]  # (N,)
    mask: INTS  # (R,) one bit per interval
    least: INTS  # (R,)
    most: INTS  # (R,)


@dataclass(frozen=True, eq=False)
class Collected:
    """What runs have said, per lane before a signal: arrivals around the cycle, delay per cycle."""

    profile: FLOAT  # (L, longest cycle) [veh/s]
    delay: FLOAT  # (L,) [veh·s]; 0 where too few came
    cycle: INTS  # (L,) [s]
    clock_s: int  # second of the field's clock that the profiles begin at


class Polygons:
    """Arrays of timings and lanes; `remember` takes runs in, `improve` proposes settings."""

    def __init__(self, layout: StreetLayout, models: Sequence[ControllerModel], horizon_s: float) -> None:
        self.layout, self.models, self._horizon_s = layout, models, horizon_s
        n_signal = layout.n_signal
        real = np.flatnonzero(layout.owner_of_lane[: layout.compiled.n_real_lane] < n_signal)
        self._lane = real[np.argsort(layout.owner_of_lane[real], kind="stable")]
        self._signal = layout.owner_of_lane[self._lane]
        self._first = np.searchsorted(self._signal, np.arange(n_signal + 1))
        self._row_of_lane = np.full(layout.compiled.n_lane, -1, np.int64)
        self._row_of_lane[self._lane] = np.arange(len(self._lane))
        self._saturation = lane_saturation_vps(layout)[self._lane]
        self._feeds = self._feeding_signals()
        self._most = max((len(s.states) for m in models for s in m.skeletons), default=1)
        self._most = max(self._most, max((len(m.field.intervals) for m in models if m.fixed), default=1))
        self._kept: Collected | None = None
        self._cut: dict[tuple[int, int], Pieces] = {}

    def _feeding_signals(self) -> INTS:
        """The signal that sends vehicles to each row's link; -1 where it is none, several, or the same."""
        layout = self.layout
        goes = layout.target >= 0
        feeder = np.full(len(layout.links), -1, np.int64)
        feeder[layout.target[goes]] = layout.signal_of_link[layout.choice_link[goes]]
        out = feeder[layout.link_of_lane[self._lane]]
        return np.where((out == layout.n_signal) | (out == self._signal), -1, out)

    def _pieces(self, at: int, skeleton: int) -> Pieces:
        """One skeleton as arrays; kept. A program that is left untouched has nothing that stretches."""
        key = (at, skeleton)
        if key not in self._cut:
            heads = self.layout.compiled.heads_of[self.layout.signals[at]]
            if skeleton < 0:
                states = tuple(row.state for row in self.models[at].field.intervals)
                stretch, mask, least, most = np.zeros(len(states), np.bool_), NONE, NONE, NONE
            else:
                found = self.models[at].skeletons[skeleton]
                states, stretch, least, most = found.states, found.stretch, found.least_s, found.most_s
                mask = found.member.astype(np.int64) @ (1 << np.arange(len(states), dtype=np.int64))
            shown = np.array([[state[head] in OPEN for state in states] for head in heads], np.bool_)
            self._cut[key] = Pieces(shown.reshape(len(heads), len(states)), stretch, mask, least, most)
        return self._cut[key]

    def collect(self, settings: Sequence[Setting], log: NDArray[np.int32], n_log: int, horizon_s: float) -> Collected:
        """What one run under these settings says of arrivals and delays."""
        n_row = len(self._lane)
        cycle = np.array([s.cycle_s for s in settings], np.int64)[self._signal]
        profile, delay, count = np.zeros((n_row, int(cycle.max(initial=1)))), np.zeros(n_row), np.zeros(n_row)
        p.arrivals(log, n_log, self._row_of_lane, cycle, profile, delay, count)
        profile /= (horizon_s / cycle)[:, None]
        p.smooth(profile, cycle, np.zeros(profile.shape[1]))
        return Collected(profile, np.where(count >= FEWEST, delay * cycle / horizon_s, 0.0), cycle, 0)

    def remember(self, runs: Sequence[Collected], time_s: float) -> None:
        """Take in what runs said that began at time_s; what was known before is forgotten bit by bit."""
        if not runs:
            return
        first, before = runs[0], self._kept
        for run in runs[1:]:
            np.add(first.profile, run.profile, out=first.profile)
            np.add(first.delay, run.delay, out=first.delay)
        np.divide(first.profile, len(runs), out=first.profile)
        now = replace(first, delay=first.delay / len(runs), clock_s=round(time_s))
        if before is not None and before.profile.shape == now.profile.shape:
            p.blend(now.profile, before.profile, now.cycle, before.cycle, before.clock_s - now.clock_s, KEPT)
            same = now.cycle == before.cycle
            now = replace(now, delay=np.where(same, KEPT * before.delay + (1 - KEPT) * now.delay, now.delay))
        self._kept = now

    def start_over(self, runs: Sequence[Collected], time_s: float) -> None:
        """As `remember` after all was forgotten; the runs stay as they are."""
        self._kept = None
        if runs:
            first = replace(runs[0], profile=runs[0].profile.copy(), delay=runs[0].delay.copy())
            self.remember([first, *runs[1:]], time_s)

    @property
    def knows(self) -> bool:
        """Whether a run has been taken in."""
        return self._kept is not None

    def prepare(self, settings: Sequence[Setting], choice_vps: FLOAT, time_s: float) -> None:
        """Lay these settings out from a moment on, with what is remembered of arrivals and delays."""
        timing = self.timing = self._timing(settings, round(time_s))
        self.moved = np.zeros(len(settings), np.int64)
        self.lanes = self._lanes(settings, choice_vps, timing.cycle)
        self._service = np.zeros(int(timing.cycle.max(initial=1)))
        kept = self._kept
        if kept is None:
            return
        of_row = timing.cycle[self.lanes.signal]
        p.blend(self.lanes.profile, kept.profile, of_row, kept.cycle, kept.clock_s - round(time_s), 1.0)
        wanted = np.where(of_row == kept.cycle, kept.delay, 0.0)
        p.calibrate(timing, self.lanes, wanted, self._saturation, *RATES, RATE_STEPS, self._service)

    def _timing(self, settings: Sequence[Setting], time_s: int) -> p.Timing:
        n_signal, most = len(settings), self._most
        n_interval = np.array([len(s.durations_s) for s in settings], np.int64)
        duration, stretch = np.zeros((n_signal, most), np.int64), np.zeros((n_signal, most), np.bool_)
        pieces = [self._pieces(at, setting.skeleton) for at, setting in enumerate(settings)]
        for at, setting in enumerate(settings):
            duration[at, : n_interval[at]] = setting.durations_s
            stretch[at, : n_interval[at]] = pieces[at].stretch
        cycle = duration.sum(axis=1)
        return p.Timing(
            n_interval=n_interval,
            cycle=cycle,
            duration=duration,
            offset=(np.array([s.offset_s for s in settings], np.int64) - time_s) % cycle,
            stretch=stretch,
            rule_first=np.concatenate(([0], np.cumsum([len(x.mask) for x in pieces]))).astype(np.int64),
            rule_mask=np.concatenate([x.mask for x in pieces]),
            rule_least=np.concatenate([x.least for x in pieces]),
            rule_most=np.concatenate([x.most for x in pieces]),
            running=duration.copy(),
        )

    def _lanes(self, settings: Sequence[Setting], choice_vps: FLOAT, cycle: INTS) -> p.Lanes:
        layout, n_row, width = self.layout, len(self._lane), self._most
        shown = [self._pieces(at, setting.skeleton).shown for at, setting in enumerate(settings)]
        table = np.zeros((sum(len(x) for x in shown) + 1, width))
        at = 0
        for one in shown:
            table[at : at + len(one), : one.shape[1]] = one
            at += len(one)
        table[-1] = 1.0
        choice, lane, share = layout.lane_share
        row = self._row_of_lane[lane]
        use = (row >= 0) & (layout.target[choice] >= 0)
        flow = choice_vps[choice[use]] * share[use] + 1e-9
        sums = np.bincount(row[use], weights=flow, minlength=n_row)
        opened = np.zeros((n_row, width))
        np.add.at(opened, row[use], table[layout.signal_head[choice[use]]] * flow[:, None])
        feeds = np.where((self._feeds >= 0) & (cycle[self._feeds] == cycle[self._signal]), self._feeds, -1)
        order = np.argsort(feeds, kind="stable")
        sent = order[np.searchsorted(feeds[order], 0) :]
        return p.Lanes(
            lane=self._lane,
            first=self._first,
            out_first=np.searchsorted(feeds[sent], np.arange(layout.n_signal + 1)),
            out=sent,
            signal=self._signal,
            open_share=opened / np.maximum(sums, 1e-12)[:, None],
            rate=self._saturation.copy(),
            profile=np.zeros((n_row, int(cycle.max(initial=1)))),
            shift=np.zeros(n_row, np.int64),
            growing=np.array([self._horizon_s / 2 / max(1, int(np.median(cycle)))]),
        )

    def adopt(self) -> None:
        """What is left of the proposals is taken: platoons that are sent later come later from now on."""
        if self._kept is not None:
            p.turn(self._kept.profile, self._kept.cycle, self.lanes.shift, np.zeros(self._kept.profile.shape[1]))

    def take_back(self, signals: Collection[int]) -> None:
        """Signals go back to where they were when this was prepared."""
        at = np.fromiter(signals, np.int64, len(signals))
        self.timing.duration[at] = self.timing.running[at]
        self.timing.offset[at] = (self.timing.offset[at] - self.moved[at]) % self.timing.cycle[at]
        self.moved[at] = 0
        gone = np.zeros(self.layout.n_signal + 1, np.bool_)
        gone[at] = True
        self.lanes.shift[gone[self._feeds]] = 0

    def improve(
        self, order: INTS, *, offsets: bool, splits: bool, most_offset_s: int, most_green_s: int, sweeps: int = 2
    ) -> float:
        """Better offsets and splits of some signals, in this order; returns the share of the delay ahead saved. [-]"""
        gained = 0.0
        trial, best = np.zeros(self._most, np.int64), np.zeros(self._most, np.int64)
        for _ in range(sweeps):
            if splits:
                gained += p.improve_splits(
                    self.timing, self.lanes, order, SPLIT_STEPS_S, self.moved, most_offset_s if offsets else 0,
                    most_green_s, LEAST_GAIN, 2, trial, best, self._service,
                )  # fmt: skip
            if offsets:
                gained += p.improve_offsets(
                    self.timing, self.lanes, order, OFFSET_STEPS_S, self.moved, most_offset_s, LEAST_GAIN, self._service
                )
        return gained

    def shift_tables(self, cycle_s: int) -> tuple[INTS, INTS, FLOAT]:
        """What lanes of signals in one cycle lose per cycle, over the seconds by which their vehicles come later.

        Returns
        -------
        sender, signal : ndarray, shape (K,)
            The signal that sends a lane its vehicles, in the same cycle, and the lane's own.
        delay : ndarray, shape (K, cycle_s)
            [veh·s]
        """
        cycle = self.timing.cycle
        sent = (self._feeds >= 0) & (cycle[self._signal] == cycle_s) & (cycle[self._feeds] == cycle_s)
        rows = np.flatnonzero(sent)
        delay = np.zeros((len(rows), cycle_s))
        p.shift_tables(self.timing, self.lanes, rows, delay, self._service)
        return self._feeds[rows], self._signal[rows], delay

    def proposed(self, settings: Sequence[Setting]) -> dict[int, Setting]:
        """The settings that differ from those given."""
        timing, out = self.timing, {}
        changed = (timing.duration != timing.running).any(axis=1) | (self.moved != 0)
        for at in np.flatnonzero(changed).tolist():
            now = settings[at]
            durations = timing.duration[at, : timing.n_interval[at]].copy()
            out[at] = Setting(now.skeleton, durations, int((now.offset_s + self.moved[at]) % now.cycle_s))
        return out


def lane_saturation_vps(layout: StreetLayout) -> FLOAT:
    """Saturation flow of each kernel lane under green: the mean of what its turns allow. [veh/s]"""
    choice, lane, share = layout.lane_share
    real = np.isfinite(layout.room_vps[choice])
    per_lane = np.where(real, layout.room_vps[choice] * share, 0.0)
    n = layout.compiled.n_lane
    many = np.bincount(lane[real], minlength=n)
    return np.bincount(lane, weights=per_lane, minlength=n) / np.maximum(many, 1)
