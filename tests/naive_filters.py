"""Slow and obvious versions of the filters' kernels: one plan at a time, one second at a time, plain Python numbers."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from network_data.plans import TimingPlan
from sim import _wave_kernels as w
from sim._level_kernels import FULL, GAP_POWER
from sim.filter_flows import movement_flows_vps
from sim.filter_levels import Levels, LevelTables
from sim.profile import Profile
from sim.wave import Wave
from sim.wave_layout import ENTRY_HEADWAY


class Clock:
    """What one plan lets each movement serve at an absolute second. [veh/s]"""

    def __init__(self, tables: LevelTables, levels: Levels) -> None:
        self.tables, self.levels = tables, levels
        signals = dict(zip(tables.net.mv_link.tolist(), [-1] * len(tables.net.mv_link), strict=True))
        for m, clock in enumerate(tables.net.mv_clock):
            if clock >= 0:
                signals[int(tables.net.mv_link[m])] = int(clock)
        self.clock = [signals[int(link)] for link in tables.net.mv_link]

    def _level(self, m: int, second: int, behind: int) -> float:
        c = self.clock[m]
        at = self.levels.first[c] + second % self.levels.cycle_s[c, 0] * self.levels.stride[c]
        return float(self.levels.level[at + self.tables.row[m] + behind, 0]) / FULL * self.tables.most_vps[m]

    def capacity_vps(self, m: int, second: int, against_vps: float) -> float:
        """Capacity with this flow against it."""
        free = self._level(m, second, 0)
        if not self.tables.yields[m]:
            return free
        share = max(0.0, 1 - self.tables.gap_s * against_vps) ** GAP_POWER
        return free + self._level(m, second, 1) * self.tables.giving[m] * share


class NaiveWave:
    """The link transmission model of one plan, link by link in dictionaries, flows in vehicles of any size."""

    def __init__(self, wave: Wave, plan: TimingPlan) -> None:
        self.wave, self.net = wave, wave.net
        self.clock = Clock(wave.levels, wave.batch([plan]))
        kernel = wave.layout
        # orders and rounded lags are the kernel's; the rest is worked out anew
        self.order = kernel.movement.tolist()
        self.foes = self._foes()
        self.lag, self.back = {}, {}
        for rank, link in enumerate(kernel.link):
            ring = kernel.records[rank].astype(int)
            self.lag[int(link)] = (ring[w.IN_WRITE] - ring[w.IN_READ]) % (ring[w.IN_END] - ring[w.IN_FIRST]) or (
                ring[w.IN_END] - ring[w.IN_FIRST]
            )
            self.back[int(link)] = (ring[w.OUT_WRITE] - ring[w.OUT_READ]) % (ring[w.OUT_END] - ring[w.OUT_FIRST]) or (
                ring[w.OUT_END] - ring[w.OUT_FIRST]
            )
        self.sinks = set(range(len(self.net.links))) - set(self.net.mv_link.tolist())
        self.ties = {
            m: [j for j in range(len(self.net.movements)) if j != m and self._lanes(m) <= self._lanes(j)]
            for m in range(len(self.net.movements))
        }

    def _lanes(self, m: int) -> set[int]:
        return {turn.lane for turn in self.net.turns if turn.movement == m}

    def _foes(self) -> dict[int, list[int]]:
        place = {m: n for n, m in enumerate(self.order)}
        return {m: [j for j in self.net.mv_foes[m] if place[j] < place[m]] for m in self.order}

    def run(self, n_step: int) -> tuple[np.ndarray, np.ndarray]:
        """Delay by link and outside by link after so many steps. [veh·s]"""
        net, flows, parameters = self.net, self.wave.flows, self.net.parameters
        entered, left = defaultdict(list), defaultdict(list)
        queue, waiting = [0.0] * len(net.movements), [0.0] * len(net.links)
        room = net.storage_veh.tolist()
        speed = [net.network.links[link].speed_mps for link in net.links]
        delay, gate_delay = np.zeros(len(net.links)), np.zeros(len(net.links))
        interval = 0
        for t in range(n_step):
            while interval + 1 < len(flows.share_end_s) and t >= flows.share_end_s[interval] - flows.begin_s:
                interval += 1
            entry = flows.entry_vps[int(t // flows.entry_step_s)]
            sent, want = {}, [0.0] * len(net.links)
            arrived = [
                entered[k][t - self.lag[k]] if t >= self.lag[k] and k not in self.sinks else 0.0
                for k in range(len(net.links))
            ]
            for m in self.order:
                k = int(net.mv_link[m])
                x = queue[m] + arrived[k] * flows.share[interval, m]
                against = sum(sent[j] for j in self.foes[m])
                sent[m] = min(x, self.clock.capacity_vps(m, int(flows.begin_s) + t, against))
                queue[m] = x
                want[int(net.mv_target[m])] += sent[m]
            asks, part = [0.0] * len(net.links), [1.0] * len(net.links)
            for k in range(len(net.links)):
                waiting[k] += entry[k]
                asks[k] = min(waiting[k], net.n_lane[k] / parameters.entry_headway_s)
                want[k] += asks[k]
                top = net.n_lane[k] / (ENTRY_HEADWAY * parameters.reaction_headway_s + net.spacing_m / speed[k])
                if k not in self.sinks:
                    room[k] += left[k][t - self.back[k]] if t >= self.back[k] else 0.0
                    top = min(top, room[k])
                part[k] = min(1.0, top / want[k]) if want[k] > 0 else 1.0
            going, inflow = defaultdict(float), [0.0] * len(net.links)
            for m in self.order:
                target = int(net.mv_target[m])
                limits = [part[int(net.mv_target[j])] for j in self.ties[m] if sent[j] > 0]
                x = sent[m] * min([part[target], *limits])
                queue[m] -= x
                inflow[target] += x
                going[int(net.mv_link[m])] += x
            for k in range(len(net.links)):
                x = asks[k] * part[k]
                waiting[k] -= x
                gate_delay[k] += waiting[k]
                entered[k].append(inflow[k] + x)
                room[k] -= inflow[k] + x
                left[k].append(going[k] + arrived[k] * flows.end_share[interval, k])
                delay[k] += sum(queue[m] for m in range(len(queue)) if net.mv_link[m] == k)
        return delay, gate_delay


def naive_profile(profile: Profile, plan: TimingPlan, *, sweeps: int) -> np.ndarray:
    """Mean cyclic queue of each movement of one plan, all controllers in one cycle. [veh]

    Every profile is a list over the cycle; dispersion runs so often around it that where it began is forgotten.
    """
    net, order, kernel = profile.net, profile.layout.order, profile.layout.periods[0]
    levels = profile.levels.batch([plan])
    clock, n = Clock(profile.levels, levels), levels.n_slot
    share, _ = profile.flows.mean_share()
    entry = profile.flows.mean_entry_vps()
    feeders = defaultdict(list)
    for m, target in enumerate(net.mv_target):
        feeders[int(target)].append(m)
    start = movement_flows_vps(net, profile.flows)
    out = {m: [float(start[m])] * n for m in range(len(net.movements))}
    passed = {m: [0.0] * n for m in range(len(net.movements))}
    queues = np.zeros(len(net.movements))
    for _ in range(sweeps):
        for rank in range(len(order.link)):
            k = int(order.link[rank])
            lag, factor = int(kernel.lag_s[rank]), float(kernel.smoothing[rank])
            inflow = [sum(out[m][t] for m in feeders[k]) for t in range(n)]
            y, arrivals = 0.0, [0.0] * n
            for lap in range(400 if factor < 0.2 else 60):
                for t in range(n):
                    y = factor * inflow[(t - lag) % n] + (1 - factor) * y
                    arrivals[t] = y + entry[k]
                if lap > 2 and factor == 1.0:
                    break
            for m in order.movement[order.link_mv[rank] : order.link_mv[rank + 1]].tolist():
                mine = [a * share[m] for a in arrivals]
                capacity = [clock.capacity_vps(m, t, sum(passed[j][t] for j in net.mv_foes[m])) for t in range(n)]
                scale = min(1.0, sum(capacity) / sum(mine)) if sum(mine) > 0 else 1.0
                queue, total = 0.0, 0.0
                for lap in range(2):
                    for t in range(n):
                        x = queue + mine[t] * scale
                        served = min(x, capacity[t])
                        queue = x - served
                        if lap == 1:
                            total += queue
                            out[m][t] = passed[m][t] = served
                queues[m] = total / n
    return queues
