"""What is measured of a plan, per movement, lane group, signal and network; docs/measures.md says what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sim.emissions import MODEL
from sim.pedestrians import CrossingMeasures

Errors = Mapping[str, float | None]
"""Standard errors by the name of the figure; None where one realization tells nothing of the spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _FlowMeasures:
    """What a movement and a lane group have in common.

    `flow_vph` passed the stop line; `demand_vph` reached it in the period, so it counts those who still wait at the
    end too: delay, stops, travel time and arrivals on green are means over these. `v_over_c` is demand over
    `capacity_vph`, what the simulated discharge would have let through; both are None without a signal, the capacity of
    a movement also where nobody came. Queues, storage and spillback are those of the fullest lane: `queue_mean_veh`
    over time, the others of the back of queue in each cycle. `bus_delay_s_per_veh` is None where no bus came, levels of
    service and `on_green` without a signal.
    """

    controller_id: str | None
    links: tuple[int, ...]
    flow_vph: float
    demand_vph: float
    delay_s_per_veh: float
    bus_delay_s_per_veh: float | None
    person_delay_s: float
    stops_per_veh: float
    travel_time_s: float
    on_green: float | None
    v_over_c: float | None
    capacity_vph: float | None
    queue_mean_veh: float
    queue_p95_veh: float
    queue_max_veh: float
    storage_veh: int
    spillback_s: float
    fuel_l: float
    co2_kg: float
    los_hcm: str | None
    los_khcm: str | None
    se: Errors = field(default_factory=dict)

    @property
    def delay_se_s(self) -> float | None:
        """Standard error of the delay; None where it is not known. [s/veh]"""
        return self.se.get("delay_s_per_veh")

    @property
    def storage_use(self) -> float:
        """Longest back of queue over storage, of the fullest lane. [-]"""
        return self.queue_max_veh / self.storage_veh if self.storage_veh else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementMeasures(_FlowMeasures):
    """One movement; `links` are its link indices at the controller."""

    movement_id: str
    from_link: str
    to_link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneGroupMeasures(_FlowMeasures):
    """The lanes of a link that serve the same movements."""

    group_id: str
    link: str
    lanes: tuple[int, ...]
    movements: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaMeasures:
    """A signal (what arises on its approaches) or the network (over all vehicles due to enter).

    `queue_max_veh` is the longest back of queue of any lane, `spillback_s` of a signal lane-seconds without a free
    place, of the network vehicle-seconds in which the first of a lane found no room behind its junction. `v_over_c` is
    that of the worst lane group. `person_delay_s` is per person, people who walk included.
    """

    veh: float
    delay_s_per_veh: float
    stops_per_veh: float
    queue_max_veh: float
    spillback_s: float
    bus_delay_s_per_veh: float | None = None
    travel_time_s: float = 0.0
    on_green: float | None = None
    v_over_c: float | None = None
    persons: float = 0.0
    person_delay_s: float = 0.0
    fuel_l: float = 0.0
    co2_kg: float = 0.0
    los_hcm: str | None = None
    los_khcm: str | None = None
    se: Errors = field(default_factory=dict)

    @property
    def delay_se_s(self) -> float | None:
        """Standard error of the delay; None where it is not known. [s/veh]"""
        return self.se.get("delay_s_per_veh")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMeasures:
    """All vehicles of a class (`car`, `bus`) that are due in the period, waiting to enter included."""

    veh: float
    persons_per_veh: float
    delay_s_per_veh: float
    se: Errors = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Measures:
    """Everything measured of one plan; `entered_veh`, `left_veh`: per (link, lane), in at its start, out at its end."""

    network: AreaMeasures
    signals: dict[str, AreaMeasures]
    cycle_s: dict[str, float]
    movements: dict[str, MovementMeasures]
    entered_veh: dict[tuple[str, int], float]
    left_veh: dict[tuple[str, int], float]
    lane_groups: dict[str, LaneGroupMeasures] = field(default_factory=dict)
    crossings: dict[str, CrossingMeasures] = field(default_factory=dict)
    classes: dict[str, ClassMeasures] = field(default_factory=dict)
    fuel_model: str = MODEL
