"""GMNS: the General Modeling Network Specification, a folder of csv tables."""

from network_data.formats.gmns.check import Fault, Package, read_package
from network_data.formats.gmns.read import GmnsNetwork, read_gmns
from network_data.formats.gmns.signals import GmnsSignals
from network_data.formats.gmns.write import write_gmns

__all__ = ["Fault", "GmnsNetwork", "GmnsSignals", "Package", "read_gmns", "read_package", "write_gmns"]
