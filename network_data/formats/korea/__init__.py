"""Korean formats: standard node-link shapefiles, turning counts of smart intersections, the signal inventory."""

from network_data.formats.korea.inventory import SignalEntry, read_inventory
from network_data.formats.korea.nodelink import read_nodelink
from network_data.formats.korea.turns import TurnCounts, place_turns, read_places, read_turn_counts

__all__ = [
    "SignalEntry",
    "TurnCounts",
    "place_turns",
    "read_inventory",
    "read_nodelink",
    "read_places",
    "read_turn_counts",
]
