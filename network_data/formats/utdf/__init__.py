"""Synchro's Universal Traffic Data Format: the combined csv, and tables of turning volumes."""

from network_data.formats.utdf.read import UtdfNetwork, read_utdf
from network_data.formats.utdf.volumes import (
    VolumeTable,
    placed_turns,
    read_volumes,
    turns_of,
    volumes_of,
    write_volumes,
)
from network_data.formats.utdf.write import columns_of, write_utdf

__all__ = [
    "UtdfNetwork",
    "VolumeTable",
    "columns_of",
    "placed_turns",
    "read_utdf",
    "read_volumes",
    "turns_of",
    "volumes_of",
    "write_utdf",
    "write_volumes",
]
