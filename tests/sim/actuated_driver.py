"""Artificial traffic for actuated controllers: lanes with arrivals and a plain discharge, no network and no kernel.

`drive` runs a controller (the compiled one or its twin) and notes what every head shows at every tick.
"""

from dataclasses import dataclass, field

import numpy as np

from network_data.actuation import ActuatedController, ActuatedPhase, HeadTiming, PhaseDetector
from sim import _actuated as k
from sim import _tables as c
from sim.actuated import LaneData, actuated_state, compile_actuated
from tests.sim.actuated_twin import Twin

LANE_M, SPEED_MPS, ROOM_M = 150.0, 15.0, 7.5
TRAVEL = 100
"""Ticks from entering a lane to its stop line."""
HEADWAY, START_UP = 20, 20
YELLOW, RED = 30, 20


def phase(name, heads, **more) -> ActuatedPhase:
    """A phase of heads that are all protected and seen at 30 m and at the stop line of their own lanes."""
    settings = {"min_green_s": 5.0, "max_green_s": 30.0, "gap_s": 3.0, "change_s": 5.0} | more
    return ActuatedPhase(
        name=name,
        heads=tuple(HeadTiming(h, "G", 3.0) for h in heads),
        detectors=tuple(PhaseDetector(f"l{h}", 0, d) for h in heads for d in (0.0, 30.0)),
        **settings,
    )


@dataclass
class Traffic:
    """Vehicles by lane in the tables that the queue simulation would keep."""

    arrivals: list[list[int]]  # per lane, ticks at the stop line, in order
    lanes: np.ndarray = field(init=False)
    vehicles: np.ndarray = field(init=False)

    def __post_init__(self):
        n = sum(map(len, self.arrivals))
        self.lanes = np.zeros((len(self.arrivals), c.N_LANE_STATE), np.int32)
        self.vehicles = np.zeros((max(1, n), c.N_VEH_STATE), np.int32)
        self.lanes[:, [c.HEAD, c.TAIL]] = -1
        self.lanes[:, [c.FREE_AT, c.LAST_LEAVE, c.LAST_ARRIVAL]] = -c.NEVER
        self.due = sorted((t - TRAVEL, lane, t) for lane, times in enumerate(self.arrivals) for t in times)
        self.n = 0

    def enter(self, now):
        """Vehicles whose time has come stand at the end of their lane's queue."""
        while self.n < len(self.due) and self.due[self.n][0] <= now:
            _, lane, arrival = self.due[self.n]
            self.vehicles[self.n, c.ARRIVAL], self.vehicles[self.n, c.NEXT] = arrival, -1
            if self.lanes[lane, c.HEAD] < 0:
                self.lanes[lane, c.HEAD] = self.n
            else:
                self.vehicles[self.lanes[lane, c.TAIL], c.NEXT] = self.n
            self.lanes[lane, c.TAIL] = self.n
            self.lanes[lane, c.LAST_ARRIVAL] = arrival
            self.n += 1

    def leave(self, now, green_for):
        """Heads of lanes go at green, one per headway; `green_for` says for how long each lane has had it."""
        for lane, since in enumerate(green_for):
            veh = self.lanes[lane, c.HEAD]
            if veh < 0 or since < 0 or self.vehicles[veh, c.ARRIVAL] > now or self.lanes[lane, c.FREE_AT] > now:
                continue
            if since < START_UP and self.vehicles[veh, c.ARRIVAL] < now - since:
                continue
            self.lanes[lane, c.HEAD] = self.vehicles[veh, c.NEXT]
            self.lanes[lane, c.FREE_AT] = now + HEADWAY
            self.lanes[lane, c.LAST_LEAVE] = now


class Compiled:
    """The compiled controller with the twin's interface."""

    def __init__(self, actuated: ActuatedController, n_lane: int, begin_s: float):
        heads = range(n_lane)
        self.t = compile_actuated(
            [actuated],
            {(actuated.controller_id, h): (h, 2 * h) for h in heads},
            {(f"l{h}", 0): h for h in heads},
            {(f"l{h}", 0): LaneData(LANE_M, SPEED_MPS, ROOM_M) for h in heads},
            begin_s=begin_s,
        )
        self.s = actuated_state(self.t, n_past=10_000)
        self.windows = np.zeros((2 * n_lane, k.N_WINDOW), np.int32)

    def start(self):
        return k.start(self.t, self.s, self.windows, 0)

    def decide(self, traffic, now):
        return k.decide(self.t, self.s, self.windows, traffic.lanes, traffic.vehicles, 0, now)

    def letters(self, now):
        return shown(self.windows, now)


def shown(windows, now) -> str:
    """The letters of signals with two windows each at a tick."""
    return "".join(_letter(windows[w : w + 2], now) for w in range(0, len(windows), 2))


def _letter(rows, now):
    modes = {c.PROTECTED: "G", c.PERMITTED: "g", c.STOP_AND_GO: "s"}
    for row in rows:
        if row[k.GREEN0] <= now < row[k.GREEN1]:
            return modes[int(row[k.GREEN_MODE])]
    return "y" if rows[0, k.GREEN1] <= now < rows[0, k.GREEN1] + rows[0, k.BEHIND] else "r"


def drive(actuated, arrivals, *, until_s=600.0, begin_s=0.0, twin=False, keep=None):
    """Letters of all heads at every tick, and how often the controller was called; `keep` gets what the run left."""
    traffic = Traffic([sorted(times) for times in arrivals])
    controller = Twin(actuated, len(arrivals), begin_s) if twin else Compiled(actuated, len(arrivals), begin_s)
    wake, calls, states = controller.start(), 0, []
    since = [-1] * len(arrivals)
    for now in range(round(until_s * 10)):
        traffic.enter(now)
        if now == wake:
            wake = controller.decide(traffic, now)
            assert wake > now
            calls += 1
        letters = controller.letters(now)
        states.append(letters)
        since = [s + 1 if letter in "Gg" else -1 for s, letter in zip(since, letters, strict=True)]
        traffic.leave(now, since)
    if keep is not None:
        keep.update(state=controller.s, windows=controller.windows)
    return states, calls


def greens(states, head):
    """(from, until) of every green of a head, in ticks; the last one may be cut by the end."""
    out, begin = [], None
    for now, letters in enumerate(states):
        if letters[head] in "Gg" and begin is None:
            begin = now
        elif letters[head] not in "Gg" and begin is not None:
            out.append((begin, now))
            begin = None
    return out if begin is None else [*out, (begin, len(states))]
