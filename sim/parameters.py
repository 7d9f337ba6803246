"""Constants of the queue simulation, with their sources; `SUMO` is the set used for comparisons with SUMO 1.28."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class SimParameters:
    """How vehicles discharge, yield and accelerate.

    The defaults are measured car-following figures (SUMO 1.28 defaults, single-lane discharge experiments; they agree
    with HCM's 1,900 veh/h base saturation flow at 50 km/h within 3 %).

    Attributes
    ----------
    reaction_headway_s : float
        Time part of the saturation headway; the space part is vehicle spacing over speed. [s]
    start_up_s : float
        From start of green until the first queued vehicle passes the stop line. [s]
    second_headway_s, early_headway_s : float
        Headway behind the first, and behind the next ones up to number `n_early` of a queue. [s]
    yellow_use_per_mps, yellow_unused_s : float
        A vehicle still passes until this long into yellow, per speed at the stop line, less what its driver looks ahead
        (SUMO: half a second, by its steps of one second): later ones can stop. [s/(m/s), s]
    critical_gap_s, follow_up_s : float
        Gap acceptance of permitted turns and minor roads where closed forms need one number. [s]
    gap_margin_s, least_gap_s : float
        In the simulation the gap is the time to clear the junction from standstill plus a margin, at least so much. [s]
    minor_loss_s : float
        Lost by slowing down for an unsignalized minor approach, at 50 km/h, in proportion to speed. [s]
    stop_on_red_s : float
        Lost by the full stop before a right turn on red. [s]
    accel_mps2, decel_mps2 : float
        Acceleration and braking. [m/s²]
    turn_loss : float
        Factor on (v − v_turn)²/(2v), the time lost by slowing down for a turn. [s²/m]
    dawdle : float
        Factor on length/v², the time lost by imperfect driving. [m/s]
    wave_mps : float
        Speed of the backward wave in a standing queue. [m/s]
    spacing_m : float
        Vehicle length and gap where the demand does not tell. [m]
    right_turn_pace : float
        Speed at which right turns discharge over that of their way (SUMO knows no such loss: 2.06 s at 8.3 m/s). [-]
    speed_spread : float
        Standard deviation of drivers' desired speed over the limit. [-]
    entry_headway_s, entry_loss_s : float
        Where vehicles enter the network: least headway per lane, time lost by entering. [s]
    lane_change_veh : int
        A lane that needs a lane change is chosen only when it holds this many vehicles less. [veh]
    lane_ahead_m : float
        Drivers take the lane from which their way goes on for so long without a lane change, unless its queue is longer
        by as much (SUMO at 50 km/h: 150 m to the right, 300 m to the left). [m]
    impatience_s, creep_mps : float
        Whoever has waited for a gap so long trusts that foes brake as hard as they can, in proportion before; speed of
        foes that start from a queue. [s, m/s]
    stuck_s, stuck_veh : float, int
        When the head of a lane has stood for so long, those behind it change to the lane beside it that moves, and who
        enters the link takes the lane only when it holds so many vehicles less. [s, veh]
    ignore_blocker_s : float
        Whoever yields to a vehicle that stands inside the junction goes on past it after so long. [s]
    merge_headway_s : float
        Between vehicles from two queues side by side whose ways lead into one lane (SUMO: 5.3 s per pair). [s]
    """

    reaction_headway_s: float = 1.5
    start_up_s: float = 1.0
    second_headway_s: float = 3.0
    early_headway_s: float = 2.1
    n_early: int = 4
    yellow_use_per_mps: float = 1 / 9
    yellow_unused_s: float = 0.0
    critical_gap_s: float = 4.8
    gap_margin_s: float = 0.5
    least_gap_s: float = 3.5
    follow_up_s: float = 2.13
    minor_loss_s: float = 2.3
    stop_on_red_s: float = 2.5
    accel_mps2: float = 2.6
    decel_mps2: float = 4.5
    turn_loss: float = 0.7
    dawdle: float = 0.7
    wave_mps: float = 6.0
    spacing_m: float = 6.5
    right_turn_pace: float = 0.86
    speed_spread: float = 0.1
    entry_headway_s: float = 1.2
    entry_loss_s: float = 0.0
    lane_change_veh: int = 2
    lane_ahead_m: float = 200.0
    impatience_s: float = 180.0
    creep_mps: float = 2.7
    stuck_s: float = 5.0
    stuck_veh: int = 3
    ignore_blocker_s: float = 60.0
    merge_headway_s: float = 2.65


STREET = SimParameters()
SUMO = replace(STREET, right_turn_pace=1.0, start_up_s=0.6, yellow_unused_s=0.5, entry_headway_s=2.5, entry_loss_s=3.0)
