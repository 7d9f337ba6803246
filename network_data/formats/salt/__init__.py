"""SALT (ETRI): a folder of node, edge, connection and trafficSignalSystem XML files."""

from network_data.formats.salt.defects import Defect, defects_of
from network_data.formats.salt.elements import SaltFiles, find_files, read_elements
from network_data.formats.salt.network import REPAIRS, SaltNetwork, read_salt
from network_data.formats.salt.signals import SaltSignal, read_salt_signals, write_salt_signals

__all__ = [
    "REPAIRS",
    "Defect",
    "SaltFiles",
    "SaltNetwork",
    "SaltSignal",
    "defects_of",
    "find_files",
    "read_elements",
    "read_salt",
    "read_salt_signals",
    "write_salt_signals",
]
