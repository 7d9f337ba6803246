"""Networks and plans from file names: recognized by content, held against each other."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

from network_data.errors import InputError, NetworkError, PlanError
from network_data.formats.files import open_bytes, root_tag
from network_data.formats.plan_json import read_plan_json
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_tls import read_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan

log = logging.getLogger(__name__)


def sha256_of(path: Path | str) -> str:
    """SHA-256 of the file's bytes. [hex]"""
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(str(path), f"cannot be opened: {error.strerror}; check the path and the permissions") from None


def first_bytes(path: Path | str, n: int = 512) -> bytes:
    """The beginning of a file, unpacked, without byte order mark and white space."""
    with open_bytes(path) as stream:
        try:
            return stream.read(n).removeprefix(b"\xef\xbb\xbf").lstrip()
        except (OSError, EOFError) as error:
            raise InputError(str(path), f"cannot be read: {error}; the file is damaged, fetch it again") from None


def load_network(path: Path | str) -> RoadNetwork:
    """Read a road network, in whichever known format it is.

    Raises
    ------
    NetworkError
        The content is of no known format, or faulty.
    """
    tag = root_tag(path) if first_bytes(path).startswith(b"<") else ""
    if tag == "net":
        return read_sumo_net(path)
    found = f"its root element is <{tag}>" if tag else "it is no XML"
    raise NetworkError(str(path), f"is no network of a known format ({found}); known are: SUMO .net.xml, plain or .gz")


def load_field_plan(path: Path | str | None, network: RoadNetwork) -> TimingPlan:
    """The plan in the field: of a file, completed by the programs in the network; one program per controller.

    Parameters
    ----------
    path : path, optional
        SUMO additional file with `tlLogic`s, another network, or an earlier `plan.json`; None takes the programs in the
        network. Where a controller has several programs, the last one is in force.

    Raises
    ------
    PlanError
        Programs for controllers that the network does not have, or with states of the wrong length; all together.
    """
    own = {controller.id: controller.programs[-1] for controller in network.controllers.values()}
    if path is None:
        return TimingPlan(controllers=own)
    given = _programs(path, network)
    faults = []
    for controller_id, program in given.items():
        if controller_id not in own:
            faults.append(f"controller {controller_id!r} is not in the network; it has {some(list(own))}")
            continue
        have, need = len(program.intervals[0].state), network.controllers[controller_id].n_heads
        if have != need:
            faults.append(
                f"controller {controller_id!r}: states have {have} letters, the network's link indices need {need}"
            )
    if faults:
        raise PlanError(str(path), faults)
    missing = [controller_id for controller_id in own if controller_id not in given]
    if missing:
        log.info("%s: no program for %s; the network's is taken", path, some(missing))
    return TimingPlan(
        controllers={controller_id: given.get(controller_id, own[controller_id]) for controller_id in own}
    )


def _programs(path: Path | str, network: RoadNetwork) -> dict[str, ControllerPlan]:
    """Programs of a plan file; of a network only those of controllers that regulate roads (no level crossings)."""
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
