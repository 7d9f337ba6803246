"""How a rolling optimizer filters, looks ahead and bounds its steps."""

from __future__ import annotations

from dataclasses import dataclass

from network_data.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingOptions:
    """Bounds and constants of `Rolling`; the defaults fit any network.

    Attributes
    ----------
    memory_s : float
        Time constant of the demand filter: counts this old weigh 1/e. [s]
    prior_veh : float
        Vehicles that the day's history is worth against the counts remembered. [veh]
    horizon_s : float
        How far ahead plans are simulated; 0.4 of it in networks of more than `large` signals. [s]
    max_offset_step_s, max_green_step_s, max_cycle_step_s : float
        How far one decision may move an offset, the green of an interval, a cycle. [s]
    cycle_every_s : float
        Least time between two changes of the cycle. [s]
    least_gain : float
        Of the delay ahead, what a new plan must save to be handed over. [-]
    hand_over_share : float
        Of the budget, what checking and handing over may take. [-]
    wall_factor : float
        How many times the budget a step may take by the wall clock, on a busy machine; programs change after that. [-]
    seed : int
        Of the vehicles drawn and the moves tried.
    """

    memory_s: float = 900.0
    prior_veh: float = 30.0
    horizon_s: float = 600.0
    large: int = 2_000
    max_offset_step_s: float = 12.0
    max_green_step_s: float = 8.0
    max_cycle_step_s: float = 10.0
    cycle_every_s: float = 600.0
    least_gain: float = 0.001
    hand_over_share: float = 0.35
    wall_factor: float = 6.0
    seed: int = 0

    def __post_init__(self) -> None:
        positive = ("memory_s", "prior_veh", "horizon_s", "cycle_every_s", "wall_factor")
        faults = [
            f"{name} is {getattr(self, name)}; needs to be above 0" for name in positive if not getattr(self, name) > 0
        ]
        steps = ("max_offset_step_s", "max_green_step_s", "max_cycle_step_s", "least_gain")
        faults += [
            f"{name} is {getattr(self, name)}; needs to be 0 or more" for name in steps if not getattr(self, name) >= 0
        ]
        if not 0 < self.hand_over_share < 1:
            faults.append(f"hand_over_share is {self.hand_over_share}; needs a share between 0 and 1")
        if faults:
            raise SettingsError("rolling options", faults)
