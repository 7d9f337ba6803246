"""The real networks that tests of plans run on, with their plans in the field."""

from functools import cache
from pathlib import Path

from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_tls import read_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from tests.packs import data_pack, resco

BOLOGNA = ("acosta", "pasubio")
RESCO = ("cologne1", "cologne3", "cologne8", "grid4x4")
REAL = BOLOGNA + RESCO


def files(name: str) -> tuple[Path, Path | None]:
    """Network file, and the additional file with its programs where there is one."""
    if name in BOLOGNA:
        folder = data_pack() / f"bologna_{name}"
        return folder / f"{name}_buslanes.net.xml", folder / f"{name}_tls.add.xml"
    return resco(name) / f"{name}.net.xml", None


@cache
def _load(network_file: Path, programs_file: Path | None) -> tuple[RoadNetwork, TimingPlan]:
    network = read_sumo_net(network_file)
    programs = {x.id: x.programs[-1] for x in network.controllers.values()}
    if programs_file is not None:
        programs |= read_sumo_programs(programs_file)
    return network, TimingPlan(controllers=programs)


def load(name: str) -> tuple[RoadNetwork, TimingPlan]:
    """Network and plan in the field; the test is skipped where they are not at hand."""
    return _load(*files(name))
