"""Networks and plans from file names: recognized by content, held against each other."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from its.osm import read_osm
from network_data.errors import InputError, NetworkError, PlanError
from network_data.formats import kinds
from network_data.formats.files import read_bytes, root_tag
from network_data.formats.gmns import read_gmns
from network_data.formats.kinds import first_bytes, kind_of
from network_data.formats.korea import read_nodelink
from network_data.formats.plan_json import read_plan_json
from network_data.formats.salt import find_files, read_salt, read_salt_signals
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_tls import read_sumo_programs
from network_data.formats.sumo_waut import read_sumo_day
from network_data.formats.utdf import read_utdf
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.schedule import ControllerDay, DayPlan, Switch

log = logging.getLogger(__name__)


def _read_salt_network(path: Path | str) -> RoadNetwork:
    return read_salt(path).network


def _read_gmns_network(path: Path | str) -> RoadNetwork:
    return read_gmns(path).network


def _read_utdf_network(path: Path | str) -> RoadNetwork:
    return read_utdf(path).network


NETWORK_READERS: dict[kinds.Kind, Callable[[Path | str], RoadNetwork]] = {
    kinds.SUMO_NET: read_sumo_net,
    kinds.SALT: _read_salt_network,
    kinds.GMNS: _read_gmns_network,
    kinds.UTDF: _read_utdf_network,
    kinds.OSM: read_osm,
    kinds.KOREA_LINKS: read_nodelink,
}
"""How a road network of each kind is read."""


def sha256_of(path: Path | str) -> str:
    """SHA-256 of a file's bytes; of a folder: of the names and hashes of the files in it. [hex]"""
    path = Path(path)
    try:
        if path.is_dir():
            files = sorted(p for p in path.iterdir() if p.is_file())
            lines = [f"{p.name} {sha256_of(p)}\n" for p in files]
            return hashlib.sha256("".join(lines).encode()).hexdigest()
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(str(path), f"cannot be opened: {error.strerror}; check the path and the permissions") from None


def load_network(path: Path | str) -> RoadNetwork:
    """Read a road network, in whichever known format it is: file or folder, by its content.

    Raises
    ------
    NetworkError
        The content is of no known format, or faulty.
    """
    kind = kind_of(path)
    reader = NETWORK_READERS.get(kind)
    if reader is None:
        known = "; ".join(k.title for k in NETWORK_READERS)
        raise NetworkError(str(path), f"is no network of a known format ({_seen(path, kind)}); known are: {known}")
    return reader(path)


def _seen(path: Path | str, kind: kinds.Kind) -> str:
    if kind is not kinds.UNKNOWN:
        return f"it is {kind.title}"
    if Path(path).is_dir():
        return "its files are none of those"
    return f"its root element is <{root_tag(path)}>" if first_bytes(path).startswith(b"<") else "it is no XML"


def load_day(path: Path | str, network: RoadNetwork) -> DayPlan | None:
    """The plans of a day out of what holds one (SUMO with WAUT, SALT, GMNS: a Monday's); None for other files.

    Raises
    ------
    PlanError
        What is wrong with it, held against the network too.
    """
    kind = kind_of(path)
    day: DayPlan | None = None
    if kind in (kinds.SALT, kinds.SALT_SIGNALS):
        files = find_files(path) if kind is kinds.SALT else None
        signals = read_salt_signals(files.tss if files is not None else path)
        day = DayPlan(controllers={c: signals[c].day for c in network.controllers if c in signals})
    elif kind is kinds.GMNS:
        read = read_gmns(path)
        timed = read.own_day is not None or bool(read.signals.windows)
        day = read.day() if timed else None
    elif kind is kinds.SUMO_ADDITIONAL and b"wautJunction" in read_bytes(path):
        day = read_sumo_day(path, {c.id: c.programs for c in network.controllers.values()}).day
    if day is None:
        return None
    faults = [
        fault
        for controller_day in day.controllers.values()
        for fault in _misfits({p.program_id: p for p in controller_day.programs}.values(), network)
    ]
    if faults:
        raise PlanError(str(path), faults)
    alone = {
        c.id: ControllerDay(controller_id=c.id, switches=(Switch(0.0, c.programs[-1]),))
        for c in network.controllers.values()
        if c.id not in day.controllers
    }
    if alone:
        log.info("%s: no day for %s; the network's program runs", path, some(list(alone)))
    return DayPlan(controllers=day.controllers | alone)


def _misfits(programs: Iterable[ControllerPlan], network: RoadNetwork) -> list[str]:
    """Programs of controllers that the network does not have, or with states of the wrong length."""
    faults = []
    for program in programs:
        controller = network.controllers.get(program.controller_id)
        if controller is None:
            known = some(list(network.controllers))
            faults.append(f"controller {program.controller_id!r} is not in the network; it has {known}")
            continue
        have, need = len(program.intervals[0].state), controller.n_heads
        if have != need:
            faults.append(
                f"controller {controller.id!r}: states have {have} letters, the network's link indices need {need}"
            )
    return faults


def load_field_plan(path: Path | str | None, network: RoadNetwork, at_s: float = 0.0) -> TimingPlan:
    """The plan in the field: of a file, completed by the programs in the network; one program per controller.

    Parameters
    ----------
    path : path, optional
        SUMO additional file with `tlLogic`s, another network, an earlier `plan.json`, or the plans of a day (SUMO with
        WAUT, SALT); None takes the programs in the network. Where a controller has several programs, the last one is in
        force.
    at_s : float
        Second after midnight whose programs are taken from the plans of a day. [s]

    Raises
    ------
    PlanError
        Programs for controllers that the network does not have, or with states of the wrong length; all together.
    """
    own = {controller.id: controller.programs[-1] for controller in network.controllers.values()}
    if path is None:
        return TimingPlan(controllers=own)
    given = _programs(path, network, at_s)
    faults = _misfits(given.values(), network)
    if faults:
        raise PlanError(str(path), faults)
    missing = [controller_id for controller_id in own if controller_id not in given]
    if missing:
        log.info("%s: no program for %s; the network's is taken", path, some(missing))
    return TimingPlan(
        controllers={controller_id: given.get(controller_id, own[controller_id]) for controller_id in own}
    )


def _programs(path: Path | str, network: RoadNetwork, at_s: float) -> dict[str, ControllerPlan]:
    """Programs of a plan file; of a network only those of controllers that regulate roads (no level crossings)."""
    day = load_day(path, network)
    if day is not None:
        return day.plan_at(at_s).controllers
    if Path(path).is_dir():
        return {c.id: c.programs[-1] for c in load_network(path).controllers.values()}
    head = first_bytes(path)
    if head.startswith(b"{"):
        return read_plan_json(path, network).controllers
    if not head.startswith(b"<"):
        raise PlanError(str(path), "is no plan; give a SUMO additional file with <tlLogic>s, a network or a plan.json")
    programs = read_sumo_programs(path)
    if root_tag(path) == "net":
        return {
            controller_id: program
            for controller_id, program in programs.items()
            if controller_id in network.controllers
        }
    return programs


def some(names: Sequence[str], most: int = 10) -> str:
    """The first names, quoted, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + more
