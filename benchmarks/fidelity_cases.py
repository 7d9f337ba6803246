"""The networks of the fidelity benchmark, each with routes fixed beforehand: every vehicle keeps its way in all plans.

Trips that only say from where and to where get the way they take in one SUMO run under the shipped programs. The fixed
routes are made where they are needed, the same each time, and kept in a cache folder (environment variable
SIGNAL_CACHE, else `~/.cache/its-signals`).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import defusedxml.ElementTree as SafeTree

from benchmarks.cases import Case, cases, resco_case
from its.sumo import COMMON_OPTIONS, Scenario, run_sumo
from network_data.controllers import Controller
from network_data.errors import InputError, OutsideProgramError
from network_data.formats.files import read_bytes, write_aside
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_routes import read_routes
from network_data.formats.sumo_tls import read_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.trips import Trips

CLEAR_S = 3600.0
"""The run that fixes the routes goes on so long after the period, so that every vehicle enters. [s]"""
KEEP_VEHICLE = ("id", "type", "depart", "departLane", "departPos", "departSpeed", "arrivalLane", "arrivalPos")


@dataclass(frozen=True, kw_only=True)
class FidelityCase:
    """A case with the share of its vehicles that drive. `base` says where its files are."""

    name: str
    base: Case
    share: float = 1.0

    @cached_property
    def network(self) -> RoadNetwork:
        """The road network."""
        return read_sumo_net(self.base.network)

    @cached_property
    def field(self) -> TimingPlan:
        """The shipped programs."""
        programs: dict[str, ControllerPlan] = {c: _last(x) for c, x in self.network.controllers.items() if x.programs}
        if self.base.field_plan is not None:
            programs |= read_sumo_programs(self.base.field_plan)
        return TimingPlan(controllers={c: programs[c] for c in self.network.controllers})

    @cached_property
    def routes(self) -> tuple[Path, ...]:
        """The files with the fixed routes; made where they are not in the cache yet."""
        return fixed_routes(self)

    @cached_property
    def route_hash(self) -> str:
        """First digits of the hash of the fixed routes' content."""
        return hashlib.sha256(b"".join(path.read_bytes() for path in self.routes)).hexdigest()[:12]

    @cached_property
    def trips(self) -> Trips:
        """The vehicles of the period with their fixed routes."""
        base = self.base
        return read_routes(
            self.routes, self.network, begin_s=base.begin_s, end_s=base.end_s, additional=base.base_additional
        )

    @property
    def scenario(self) -> Scenario:
        """What SUMO runs, without a plan of ours."""
        base = self.base
        return Scenario(
            network=base.network,
            routes=self.routes,
            additional=base.base_additional,
            begin_s=base.begin_s,
            end_s=base.end_s,
        )


def _last(controller: Controller) -> ControllerPlan:
    return controller.programs[-1]


def fidelity_cases() -> dict[str, FidelityCase]:
    """All cases by name."""
    known = {**cases(), "ingolstadt7": resco_case("ingolstadt7", "ingolstadt7.rou.xml", 57600, 61200, 106.8)}
    plain = [FidelityCase(name=name, base=known[name]) for name in ("cologne1", "cologne3", "grid4x4", "cologne8")]
    return {
        case.name: case
        for case in (
            *plain,
            FidelityCase(name="acosta60", base=known["bologna_acosta"], share=0.6),
            FidelityCase(name="acosta100", base=known["bologna_acosta"]),
            FidelityCase(name="pasubio", base=known["bologna_pasubio"]),
            FidelityCase(name="ingolstadt7", base=known["ingolstadt7"]),
        )
    }


def cache_folder() -> Path:
    """Where fixed routes are kept."""
    stated = os.environ.get("SIGNAL_CACHE")
    return (Path(stated) if stated else Path.home() / ".cache" / "its-signals") / "fidelity"


def fixed_routes(case: FidelityCase) -> tuple[Path, ...]:
    """Route files in which every vehicle has its way; the same bytes every time.

    Raises
    ------
    InputError
        A file of the case is not there.
    OutsideProgramError
        SUMO failed, or a vehicle did not enter in time.
    """
    if reason := case.base.missing():
        raise InputError(case.name, reason)
    folder = cache_folder() / case.name
    out = []
    for path in case.base.routes:
        # the cache knows its file by what it was made from
        source = hashlib.sha256(read_bytes(path) + case.base.network.read_bytes()).hexdigest()[:12]
        target = folder / f"{path.name.removesuffix('.gz').removesuffix('.xml')}.{source}.xml"
        if not target.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            write_aside(target, _fixed(case, path))
        out.append(target)
    return tuple(out)


def _fixed(case: FidelityCase, path: Path) -> bytes:
    """The content of one route file with ways, and with the share of its vehicles that drive."""
    root = SafeTree.fromstring(read_bytes(path))
    if root.find("trip") is not None or case.base.programs == "invented":
        root = _with_ways(case, path, root)
    for mover in [x for x in root if x.tag in ("vehicle", "trip") and not kept(x.get("id", ""), case.share)]:
        root.remove(mover)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def kept(vehicle_id: str, share: float) -> bool:
    """Whether a vehicle belongs to a share of the demand; a hash of its id decides."""
    digest = hashlib.sha256(f"demand:{vehicle_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def _with_ways(case: FidelityCase, path: Path, source: Element) -> Element:
    """One SUMO run under the shipped programs: which way every vehicle took."""
    base = case.base
    with tempfile.TemporaryDirectory() as name:
        out = Path(name, "ways.xml")
        scenario = Scenario(
            network=base.network,
            routes=(path,),
            additional=base.base_additional,
            begin_s=base.begin_s,
            end_s=base.end_s + CLEAR_S,
        )
        options = [*scenario.options(), "--seed", "1", *COMMON_OPTIONS, "--vehroute-output", str(out)]
        options += ["--vehroute-output.intended-depart", "true", "--vehroute-output.sorted", "true"]
        run_sumo([*options, "--vehroute-output.write-unfinished", "true"])
        driven = SafeTree.parse(out).getroot()
    root = Element("routes")
    root.extend(deepcopy(x) for x in source if x.tag in ("vType", "vTypeDistribution"))
    for vehicle in driven.iter("vehicle"):
        entry = SubElement(root, "vehicle", {key: vehicle.attrib[key] for key in KEEP_VEHICLE if key in vehicle.attrib})
        way = vehicle.findall(".//route")[-1]
        SubElement(entry, "route", {"edges": way.attrib["edges"]})
        for stop in vehicle.findall("stop"):
            entry.append(stop)
    due = [x for x in source if x.tag in ("vehicle", "trip") and base.begin_s <= float(x.get("depart", "nan"))]
    if len(due) != len(root.findall("vehicle")):
        raise OutsideProgramError(
            f"{case.name}: {len(due)} vehicles were due, {len(root.findall('vehicle'))} entered within {CLEAR_S:g} s"
        )
    return root


def with_programs(programs: dict[str, ControllerPlan], program_id: str) -> TimingPlan:
    """A timing plan whose programs bear one name, so that SUMO takes them for new ones."""
    return TimingPlan(controllers={c: replace(p, program_id=program_id) for c, p in programs.items()})
