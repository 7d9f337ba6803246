"""Closed forms of the lane groups of one signal, from what its lanes can serve in every piece of the cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from network_data.network import RoadNetwork
from sim.back_of_queue import percentile_factor
from sim.effective_greens import EXTENSION_S, START_UP_S
from sim.hcm import incremental_delay_s, initial_queue_delay_s, queue_after_veh, unmet_hours
from sim.khcm import khcm_delay
from sim.lane_groups import LaneGroup
from sim.lane_service import LaneService, ServedLane, SignalService
from sim.queue_polygon import QueuePolygon, queue_polygon
from sim.saturation import SaturationSettings, gap_doubt
from sim.service import hcm_level, khcm_level
from sim.sources import TURN_ON_RED
from sim.webster import webster_terms_s

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]
Formula = Literal["webster", "hcm", "khcm"]
NOBODY_VPH = 1e-6
"""Flow that stands for nobody: a lane without vehicles is given the delay of the next to none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedFormSettings:
    """How the closed forms are taken.

    `period_h` is the length of the period, `start_up_s` and `extension_s` what a green loses and wins, `on_green` the
    share of a group's vehicles that arrive on green and `queue_veh` its queue at the begin, both by lane group id.
    """

    saturation: SaturationSettings = field(default_factory=SaturationSettings)
    period_h: float = 0.25
    start_up_s: float = START_UP_S
    extension_s: float = EXTENSION_S
    use_lanes_unevenly: bool = True
    k: float = 0.5
    i: float = 1.0
    on_green: Mapping[str, float] = field(default_factory=dict)
    queue_veh: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedFormGroup:
    """Closed forms of a lane group.

    `saturation_vph` is that of all its lanes for the vehicles as they are, were the green never to end; `capacity_vph`
    what its greens serve; `green_share` the one over the other. `webster_s` is None at v/c of 1 or more, where
    Webster's formula has no value. Queues are those of its fullest lane, by the HCM. `unverified` says what the figures
    rest on without proof.
    """

    id: str
    link: str
    lanes: tuple[int, ...]
    movements: tuple[str, ...]
    controller_id: str
    cycle_s: float
    flow_vph: float
    saturation_vph: float
    capacity_vph: float
    green_share: float
    x: float
    webster_s: float | None
    hcm_s: float
    uniform_s: float
    incremental_s: float
    initial_queue_s: float
    khcm_s: float
    los_hcm: str
    los_khcm: str
    queue_mean_veh: float
    queue_p95_veh: float
    queue_after_veh: float
    unverified: tuple[str, ...]

    def delay_s(self, formula: Formula) -> float:
        """Delay by one formula; Webster's where it has a value and stays below the HCM's, else the HCM's. [s/veh]"""
        if formula == "webster":
            return self.hcm_s if self.webster_s is None else min(self.webster_s, self.hcm_s)
        return self.hcm_s if formula == "hcm" else self.khcm_s


@dataclass(frozen=True, eq=False, kw_only=True)
class _Figures:
    """Figures of the groups of a signal, each of shape (G,); `queues_veh` is (2, G)."""

    flow_vph: FLOAT
    capacity_vph: FLOAT
    saturation_vph: FLOAT
    share: FLOAT
    x: FLOAT
    uniform_s: FLOAT
    incremental_s: FLOAT
    initial_s: FLOAT
    hcm_s: FLOAT
    khcm_s: FLOAT
    webster_s: FLOAT
    queue_after_veh: FLOAT
    queues_veh: FLOAT


class SignalForms:
    """Closed forms of the lanes of one signal.

    Parameters
    ----------
    network : RoadNetwork
        The streets.
    cycle_s : float
        Cycle of the program. [s]
    lanes : sequence of ServedLane
        All lanes before the signal.
    service : SignalService
        What they serve.
    settings : ClosedFormSettings
        How the forms are taken.
    """

    def __init__(
        self,
        network: RoadNetwork,
        cycle_s: float,
        lanes: Sequence[ServedLane],
        service: SignalService,
        settings: ClosedFormSettings,
    ) -> None:
        self.network, self.cycle_s, self.lanes, self.service, self.settings = network, cycle_s, lanes, service, settings
        self.flow_vph = np.array([3600 * sum(service.flow_vps[i] for i in lane.ways) for lane in lanes])
        self.capacity_vph = (service.service_vps * service.pieces.piece_s).sum(1) / cycle_s * 3600
        self.saturation_vph = np.array([self._saturation_vph(lane) for lane in lanes])

    def _saturation_vph(self, lane: ServedLane) -> float:
        shares = LaneService.shares(lane, self.service.flow_vps)
        return lane.use * lane.saturation.of_mix_vph(dict(zip(lane.ways, shares.tolist(), strict=True)))

    def groups(self, groups: Sequence[LaneGroup], of_group: Sequence[Sequence[int]]) -> dict[str, ClosedFormGroup]:
        """All figures of the groups, `of_group` being their lanes' numbers; those that are never green are left out."""
        green = [n for n, lanes in enumerate(of_group) if (self.capacity_vph[list(lanes)] > 0).all()]
        if not green:
            return {}
        mine = [groups[n] for n in green]
        rows = np.array([lane for n in green for lane in of_group[n]])
        owner = np.repeat(np.arange(len(green)), [len(of_group[n]) for n in green])
        figures = self._figures(mine, rows, owner)
        return {g.id: self._one(g, n, rows[owner == n], figures) for n, g in enumerate(mine)}

    def _figures(self, groups: Sequence[LaneGroup], rows: INT, owner: INT) -> _Figures:
        """Figures of the groups; `owner` is the group of each lane in `rows`."""
        s = self.settings
        flow, capacity, saturation = (
            _sums(owner, v[rows]) for v in (self.flow_vph, self.capacity_vph, self.saturation_vph)
        )
        share, x = np.minimum(1.0, capacity / saturation), flow / capacity
        waiting = np.array([s.queue_veh.get(g.id, 0.0) for g in groups])
        queue_veh = np.where(flow > NOBODY_VPH, waiting, 0.0)  # delay per arriving vehicle needs some
        polygon = self._polygon(rows, [s.on_green.get(groups[n].id) for n in owner])
        weight = np.maximum(NOBODY_VPH, self.flow_vph[rows])
        uniform = _sums(owner, polygon.delay_s * weight) / _sums(owner, weight)
        incremental = incremental_delay_s(x, capacity, s.period_h, k=s.k, i=s.i)
        korean = khcm_delay(
            cycle_s=self.cycle_s, green_s=share * self.cycle_s, flow_vph=flow, saturation_flow_vph=capacity / share,
            period_h=s.period_h, queue_veh=queue_veh,
        )  # fmt: skip
        # the formula's uniform delay is that of one green; without an initial queue the polygon's holds for all
        korean_s = np.where(queue_veh > 0, korean.uniform_s, uniform) + korean.incremental_s + korean.initial_queue_s
        steady = x < 1
        rest = webster_terms_s(np.array(self.cycle_s), share, flow / 3600, np.where(steady, x, 0.0))[1:].sum(axis=0)
        initial = initial_queue_delay_s(queue_veh, flow, capacity, s.period_h)
        after_veh = queue_after_veh(waiting, flow, capacity, s.period_h)
        return _Figures(
            flow_vph=flow, capacity_vph=capacity, saturation_vph=saturation, share=share, x=x, uniform_s=uniform,
            incremental_s=incremental, initial_s=initial, hcm_s=uniform + incremental + initial, khcm_s=korean_s,
            webster_s=np.where(steady, uniform + rest, np.nan), queue_after_veh=after_veh,
            queues_veh=self._queues_veh(rows, owner, polygon, (flow, capacity, share, x, incremental, queue_veh)),
        )  # fmt: skip

    def _one(self, group: LaneGroup, n: int, lanes: INT, f: _Figures) -> ClosedFormGroup:
        return ClosedFormGroup(
            id=group.id,
            link=group.link,
            lanes=group.lanes,
            movements=group.movements,
            controller_id=str(group.controller_id),
            cycle_s=self.cycle_s,
            flow_vph=float(f.flow_vph[n]),
            saturation_vph=float(f.saturation_vph[n]),
            capacity_vph=float(f.capacity_vph[n]),
            green_share=float(f.share[n]),
            x=float(f.x[n]),
            webster_s=float(f.webster_s[n]) if f.x[n] < 1 else None,
            hcm_s=float(f.hcm_s[n]),
            uniform_s=float(f.uniform_s[n]),
            incremental_s=float(f.incremental_s[n]),
            initial_queue_s=float(f.initial_s[n]),
            khcm_s=float(f.khcm_s[n]),
            los_hcm=hcm_level(float(f.hcm_s[n]), float(f.x[n])),
            los_khcm=khcm_level(float(f.khcm_s[n])),
            queue_mean_veh=float(f.queues_veh[0, n]),
            queue_p95_veh=float(f.queues_veh[1, n]),
            queue_after_veh=float(f.queue_after_veh[n]),
            unverified=self._unverified(lanes),
        )

    def _polygon(self, rows: INT, on_green: Sequence[float | None]) -> QueuePolygon:
        """Queue polygons of lanes; those with a share `on_green` get so much of their flow while they are served."""
        piece, service = self.service.pieces.piece_s, self.service.service_vps[rows]
        going = service > 0
        share = (going * piece).sum(1) / self.cycle_s
        p = np.array([s if given is None else given for given, s in zip(on_green, share, strict=True)])
        always = share >= 1 - 1e-9
        red = np.where(always, 1.0, (1 - p) / np.where(always, 1.0, 1 - share))
        pace = np.where(going, np.where(always, 1.0, p / share)[:, None], red[:, None])
        return queue_polygon(piece, np.maximum(NOBODY_VPH, self.flow_vph[rows])[:, None] / 3600 * pace, service)

    def _queues_veh(self, rows: INT, owner: INT, polygon: QueuePolygon, figures: tuple[FLOAT, ...]) -> FLOAT:
        """Mean and 95th percentile back of queue of each group's fullest lane, stacked (equations 31-142 to 31-153)."""
        flow, capacity, share, x, incremental, queue_veh = figures
        period_h, n_lane = self.settings.period_h, np.bincount(owner)
        unmet = unmet_hours(queue_veh, flow, capacity, np.full(len(flow), period_h))
        end, alone = queue_veh + unmet * (flow - capacity), np.maximum(0.0, period_h * (flow - capacity))
        third = np.where(queue_veh > 0, unmet * (queue_veh + end - alone) / (2 * n_lane * period_h), 0.0)
        first = np.zeros(len(flow))
        np.maximum.at(first, owner, back_veh(polygon, self.service.service_vps[rows]))
        random = first + capacity * incremental / (3600 * n_lane)
        high = random * percentile_factor(random, 95, x, share, self.settings.i)
        return np.stack([random + third, high + third])

    def _unverified(self, lanes: INT) -> tuple[str, ...]:
        found: list[str] = []
        for lane in (self.lanes[n] for n in lanes):
            found += lane.saturation.unverified
            for way in (i for i in lane.ways if self.service.flow_vps[i] > 0):
                found += gap_doubt(self.network.connections[way]) if way in self.service.waits else ()
                found += [TURN_ON_RED] if way in self.service.on_red else []
        return tuple(dict.fromkeys(found))


def _sums(owner: INT, values: FLOAT) -> FLOAT:
    return np.asarray(np.bincount(owner, weights=values), np.float64)


def back_veh(polygon: QueuePolygon, service_vps: FLOAT) -> FLOAT:
    """Longest back of queue of each lane in a cycle: who stands when the signal opens, and who joins after. [veh]

    With one green it is the first term of the HCM's back of queue, all who are slowed down counted.
    """
    queue, joined = polygon.queue_veh, polygon.arrival_vps * polygon.cleared_s
    back, longest = np.zeros(len(queue)), np.zeros(len(queue))
    for n in [*range(service_vps.shape[1]), *range(service_vps.shape[1])]:
        moving = np.where(queue[:, n] > 0, back, 0.0) + joined[:, n]
        back = np.where(service_vps[:, n] <= 0, queue[:, n + 1], moving)
        longest = np.maximum(longest, back)
    return longest
