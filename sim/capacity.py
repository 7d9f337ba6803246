"""The closed forms of the field by one name each: cycles, delays, queues and levels of service of fixed-time signals.

Saturation flow is in `sim.saturation`; all of it for the lane groups of a network and a plan in `sim.closed_forms`.
"""

from __future__ import annotations

from sim.back_of_queue import BackOfQueue, back_of_queue, back_of_queue_2000, percentile_factor, stop_delay_s, storage_m
from sim.hcm import (
    ControlDelay,
    arrivals_on_green,
    control_delay,
    controller_factor,
    delay_over_periods,
    incremental_delay_s,
    initial_queue_delay_s,
    progression_factor,
    progression_factor_2000,
    queue_after_veh,
    uniform_delay_s,
    upstream_filtering,
)
from sim.khcm import KhcmDelay, critical_x, khcm_delay, khcm_progression_factor, offset_quality
from sim.queue_polygon import QueuePolygon, queue_polygon, two_piece_polygon
from sim.service import hcm_level, hcm_levels, khcm_level, khcm_levels
from sim.webster import greens_s, minimum_cycle_s, optimal_cycle_s, webster_delay_s

__all__ = [
    "BackOfQueue",
    "ControlDelay",
    "KhcmDelay",
    "QueuePolygon",
    "arrivals_on_green",
    "back_of_queue",
    "back_of_queue_2000",
    "control_delay",
    "controller_factor",
    "critical_x",
    "delay_over_periods",
    "greens_s",
    "hcm_level",
    "hcm_levels",
    "incremental_delay_s",
    "initial_queue_delay_s",
    "khcm_delay",
    "khcm_level",
    "khcm_levels",
    "khcm_progression_factor",
    "minimum_cycle_s",
    "offset_quality",
    "optimal_cycle_s",
    "percentile_factor",
    "progression_factor",
    "progression_factor_2000",
    "queue_after_veh",
    "queue_polygon",
    "stop_delay_s",
    "storage_m",
    "two_piece_polygon",
    "uniform_delay_s",
    "upstream_filtering",
    "webster_delay_s",
]
