"""What a file or folder holds, read whatever its format is: for `its inspect` and `its convert`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from its.osm import read_osm
from its.recognize import load_day, load_network
from network_data.detectors import AREA_TAGS, GATE_TAGS, LOOP_TAGS
from network_data.errors import InputError
from network_data.formats import kinds
from network_data.formats.compass import read_compass
from network_data.formats.files import iter_xml
from network_data.formats.gmns import read_gmns
from network_data.formats.hires import read_events
from network_data.formats.hires_measures import detector_counts
from network_data.formats.kinds import Kind, kind_of
from network_data.formats.korea import TurnCounts, read_inventory, read_nodelink, read_turn_counts
from network_data.formats.plan_json import read_plan_json
from network_data.formats.salt import read_salt, read_salt_signals
from network_data.formats.sumo_detectors import SumoDetectors, read_sumo_detectors
from network_data.formats.sumo_measurements import read_flow_table, read_link_counts
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_tls import read_sumo_programs
from network_data.formats.utdf import columns_of, placed_turns, read_utdf, read_volumes, turns_of
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan
from network_data.schedule import ControllerDay, DayPlan, Switch
from network_data.turns import read_turns

COUNT_INTERVAL_S = 900.0
"""Into which events are counted where counts are asked for. [s]"""


@dataclass(frozen=True, kw_only=True)
class Content:
    """What was found. `findings` are faults that can be lived with, `notes` say what was assumed on reading."""

    kind: Kind
    network: RoadNetwork | None = None
    day: DayPlan | None = None
    programs: Mapping[str, ControllerPlan] = field(default_factory=dict)
    detectors: SumoDetectors | None = None
    counts: pd.DataFrame | None = None
    turns: pd.DataFrame | None = None
    place_counts: TurnCounts | None = None
    """Counts by intersection and approach that no link is known for."""
    inventory: pd.DataFrame | None = None
    link_counts: pd.DataFrame | None = None
    """Counts of whole links, over all their lanes."""
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def plans(self) -> DayPlan | None:
        """What the signals do in the day: the day itself, else one program all day; None without any."""
        if self.day is not None:
            return self.day
        programs = self.programs or {
            c.id: c.programs[-1] for c in (self.network.controllers if self.network else {}).values()
        }
        if not programs:
            return None
        return one_day(programs)


def one_day(programs: Mapping[str, ControllerPlan]) -> DayPlan:
    """One program all day."""
    days = {c: ControllerDay(controller_id=c, switches=(Switch(0.0, program),)) for c, program in programs.items()}
    return DayPlan(controllers=days)


def read_content(path: Path, network: RoadNetwork | None = None, *, repair: Sequence[str] = ()) -> Content:
    """Read whatever a path holds.

    Parameters
    ----------
    path : path
        A file or folder of a known format.
    network : RoadNetwork, optional
        What plans, detectors and turns are placed on, where they are not a network themselves.
    repair : sequence of str
        Repairs of SALT networks.

    Raises
    ------
    InputError
        It is of no known format, or faulty.
    """
    kind = kind_of(path)
    reader = READERS.get(kind)
    if reader is None:
        known = "; ".join(k.title for k in READERS)
        what = kind.title if kind is not kinds.UNKNOWN else "nothing known here"
        raise InputError(str(path), f"is {what}; known are: {known}")
    if kind is kinds.SALT:
        return _salt(path, repair)
    return reader(path, network)


def _sumo_net(path: Path, _: RoadNetwork | None) -> Content:
    network = read_sumo_net(path)
    return Content(kind=kinds.SUMO_NET, network=network, notes=network.notes)


def _salt(path: Path, repair: Sequence[str]) -> Content:
    read = read_salt(path, repair=repair)
    findings = tuple(f"{d.code}: {d.text}" for d in read.defects)
    return Content(
        kind=kinds.SALT,
        network=read.network,
        day=read.day,
        findings=findings,
        notes=(*read.network.notes, *(f"repaired: {text}" for text in read.repaired)),
    )


def _salt_folder(path: Path, _: RoadNetwork | None) -> Content:
    return _salt(path, ())


def _salt_signals(path: Path, _: RoadNetwork | None) -> Content:
    signals = read_salt_signals(path)
    return Content(kind=kinds.SALT_SIGNALS, day=DayPlan(controllers={c: s.day for c, s in signals.items()}))


def _gmns(path: Path, _: RoadNetwork | None) -> Content:
    read = read_gmns(path)
    timed = read.own_day is not None or bool(read.signals.windows)
    return Content(
        kind=kinds.GMNS,
        network=read.network,
        day=read.day() if timed else None,
        detectors=SumoDetectors(loops=read.detectors) if read.detectors else None,
        findings=tuple(str(fault) for fault in read.faults),
        notes=read.network.notes,
    )


def _sumo(path: Path, network: RoadNetwork | None) -> Content:
    tags = {element.tag for event, _, element in iter_xml(path) if event == "end"}
    known = {c.id: c.programs for c in network.controllers.values()} if network is not None else {}
    notes: list[str] = []
    day = None
    if "wautJunction" in tags:
        from network_data.formats.sumo_waut import read_sumo_day

        read = read_sumo_day(path, known)
        day, notes = read.day, list(read.notes)
    programs = read_sumo_programs(path) if "tlLogic" in tags else {}
    detectors = None
    if tags & {*LOOP_TAGS, *AREA_TAGS, *GATE_TAGS}:
        if network is not None:
            detectors = read_sumo_detectors(path, network)
        else:
            notes.append("holds detectors; give --network to place them")
    return Content(kind=kinds.SUMO_ADDITIONAL, day=day, programs=programs, detectors=detectors, notes=tuple(notes))


def _plan_json(path: Path, network: RoadNetwork | None) -> Content:
    if network is None:
        raise InputError(str(path), "is a plan.json; give the network it is for with --network")
    return Content(kind=kinds.PLAN_JSON, programs=read_plan_json(path, network).controllers)


def _hires(path: Path, _: RoadNetwork | None) -> Content:
    events = read_events(path)
    counts = detector_counts(events, COUNT_INTERVAL_S)
    noted = f"actuations per {COUNT_INTERVAL_S:g} s; presence loops may count several vehicles as one"
    return Content(kind=kinds.HIRES, counts=counts, notes=(*events.notes, noted))


def _utdf(path: Path, _: RoadNetwork | None) -> Content:
    read = read_utdf(path)
    measured = any(veh is not None for veh in read.volumes_vph.values())
    notes = ("volumes are per hour, of no stated hour: written from 0 to 3600 s",) if measured else ()
    return Content(
        kind=kinds.UTDF,
        network=read.network,
        turns=turns_of(read.volumes_vph) if measured else None,
        notes=(*read.network.notes, *notes),
    )


def _utdf_volumes(path: Path, network: RoadNetwork | None) -> Content:
    table = read_volumes(path)
    if network is None:
        return Content(kind=kinds.UTDF_VOLUMES, notes=("intersections become links with --network",))
    turns, notes = placed_turns(table, columns_of(network))
    return Content(kind=kinds.UTDF_VOLUMES, turns=turns, notes=tuple(notes))


def _osm(path: Path, _: RoadNetwork | None) -> Content:
    network = read_osm(path)
    return Content(kind=kinds.OSM, network=network, notes=network.notes)


def _nodelink(path: Path, _: RoadNetwork | None) -> Content:
    network = read_nodelink(path)
    return Content(kind=kinds.KOREA_LINKS, network=network, notes=network.notes)


def _korea_turns(path: Path, _: RoadNetwork | None) -> Content:
    read = read_turn_counts(path)
    return Content(kind=kinds.KOREA_TURNS, place_counts=read, notes=(f"layout {read.layout}", *read.notes))


def _korea_signals(path: Path, _: RoadNetwork | None) -> Content:
    entries = read_inventory(path)
    frame = pd.DataFrame(
        [(e.name, len(e.phase_names), len(e.lengths_s), e.cycle_s) for e in entries],
        columns=["signal", "phase_names", "lengths", "cycle_s"],
    )
    findings = tuple(e.finding for e in entries if e.finding)
    note = "yellow is inside the lengths; offsets and times of day are not in the inventory"
    return Content(kind=kinds.KOREA_SIGNALS, inventory=frame, findings=findings, notes=(note,))


def _compass(path: Path, _: RoadNetwork | None) -> Content:
    read = read_compass(path)
    return Content(kind=kinds.COMPASS, place_counts=read, notes=read.notes)


def _flow_table(path: Path, _: RoadNetwork | None) -> Content:
    read = read_flow_table(path)
    return Content(kind=kinds.FLOW_TABLE, counts=read.frame, notes=read.notes)


def _link_counts(path: Path, network: RoadNetwork | None) -> Content:
    frame = read_link_counts(path)
    odd = sorted(set(frame["link"]) - set(network.links)) if network is not None else []
    findings = tuple(f"link {name!r} is not in the network" for name in odd)
    return Content(kind=kinds.LINK_COUNTS, link_counts=frame, findings=findings)


def _turns(path: Path, network: RoadNetwork | None) -> Content:
    if network is None:
        raise InputError(str(path), "holds turns of links; give the network with --network")
    table = read_turns(path, network)
    links = list(zip(*table.pairs, strict=True))
    frame = pd.DataFrame(
        {"from_link": links[0], "to_link": links[1], "begin_s": table.begin_s, "end_s": table.end_s, "veh": table.veh}
    )
    return Content(kind=kinds.TURNS, turns=frame, notes=table.notes)


READERS: dict[Kind, Callable[[Path, RoadNetwork | None], Content]] = {
    kinds.SUMO_NET: _sumo_net,
    kinds.SUMO_ADDITIONAL: _sumo,
    kinds.SALT: _salt_folder,
    kinds.SALT_SIGNALS: _salt_signals,
    kinds.GMNS: _gmns,
    kinds.PLAN_JSON: _plan_json,
    kinds.HIRES: _hires,
    kinds.OSM: _osm,
    kinds.KOREA_LINKS: _nodelink,
    kinds.KOREA_TURNS: _korea_turns,
    kinds.KOREA_SIGNALS: _korea_signals,
    kinds.COMPASS: _compass,
    kinds.FLOW_TABLE: _flow_table,
    kinds.LINK_COUNTS: _link_counts,
    kinds.TURNS: _turns,
    kinds.UTDF: _utdf,
    kinds.UTDF_VOLUMES: _utdf_volumes,
}
"""How each kind is read."""


def with_plans(network: RoadNetwork, day: DayPlan) -> RoadNetwork:
    """The network with the programs of a day as its own, the one of the morning in force."""
    controllers = {}
    for controller in network.controllers.values():
        own = day.controllers.get(controller.id)
        if own is None:
            controllers[controller.id] = controller
            continue
        due = own.program_at(8 * 3600.0)
        rest = {p.program_id: p for p in own.programs if p.program_id != due.program_id}
        controllers[controller.id] = replace(controller, programs=(*rest.values(), due))
    return replace(network, controllers=controllers)


__all__ = ["READERS", "Content", "load_day", "load_network", "one_day", "read_content", "with_plans"]
