"""The people of the settings as the simulation counts them."""

from __future__ import annotations

from network_data.network import RoadNetwork
from network_data.settings import Settings
from sim.persons import People


def people_of(settings: Settings, network: RoadNetwork) -> People:
    """Persons per vehicle and pedestrians per crossing.

    Raises
    ------
    NetworkError
        Pedestrians at crossings that the network does not have.
    """
    return People(**settings.people.model_dump()).checked(network)
