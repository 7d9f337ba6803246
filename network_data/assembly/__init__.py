"""From nodes, links and turns to a whole `RoadNetwork`, for formats that do not say how ways cross in a junction."""

from network_data.assembly.assemble import CrossingPlan, assemble, shape_of
from network_data.assembly.bays import Bay, into_bay, widened
from network_data.assembly.lanes import turns_by_lane
from network_data.assembly.plane import Point, local_plane
from network_data.assembly.ways import Way

__all__ = [
    "Bay",
    "CrossingPlan",
    "Point",
    "Way",
    "assemble",
    "into_bay",
    "local_plane",
    "shape_of",
    "turns_by_lane",
    "widened",
]
