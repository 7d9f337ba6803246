"""People in vehicles and on foot: how many of them each kind of user stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from network_data.errors import NetworkError, SettingsError
from network_data.network import RoadNetwork

CAR_PERSONS = 1.5
"""Weekday mean of personal vehicles: US National Household Travel Survey 2001, table A-15 (7-8 h: 1.33). [persons]"""
BUS_PERSONS = 30.0
"""An assumption for a city bus at peak, no measurement: give the operator's own. [persons]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Persons per car and per bus, and pedestrians per hour by crossing id (none where nothing is said)."""

    car_persons: float = CAR_PERSONS
    bus_persons: float = BUS_PERSONS
    pedestrians_ph: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        persons = {"car_persons": self.car_persons, "bus_persons": self.bus_persons}
        faults = [f"{name} is {x}; needs to be above 0" for name, x in persons.items() if not x > 0]
        faults += [
            f"pedestrians_ph of {crossing!r} is {flow}; needs to be 0 or more"
            for crossing, flow in self.pedestrians_ph.items()
            if not flow >= 0
        ]
        if faults:
            raise SettingsError("[people]", faults)

    def checked(self, network: RoadNetwork) -> People:
        """Itself, when all its crossings are in the network and signalled.

        Raises
        ------
        NetworkError
            Every crossing that is not.
        """
        known = {x.id for x in network.crossings if x.controller_id is not None}
        unknown = sorted(set(self.pedestrians_ph) - known)
        if unknown:
            some = ", ".join(sorted(known)[:5]) or "none"
            raise NetworkError(
                "[people] pedestrians_ph",
                [
                    f"no signalled crossing {x!r}; those of the network are {some}{' …' * (len(known) > 5)}"
                    for x in unknown
                ],
            )
        return self
