"""Tables named `its_*` beside the standard ones: what GMNS has no columns for, so that a network comes back as it was.

| table | columns |
|---|---|
| its_link | link_id, priority |
| its_lane | link_id, index (0 at the kerb), length_m, speed_mps, width_m, kind |
| its_connection | movement_id, node_id, from_link, from_lane, to_link, to_lane, direction, length_m, speed_mps,
  wait_m, detach_m, kind, right_of_way, controller_id, link_index, yields_to, conflicts, yields_to_crossings
  (numbers of rows, from 0) |
| its_crossing | crossing_id, node_id, crossed_links, length_m, width_m, controller_id, link_indices, conflicts |
| its_head | controller_id, link_index, kind, connections, movements, crossings, text |
| its_conflict | controller_id, a, b, what (`conflict`, or `yield`: a gives way to b) |
| its_controller | controller_id, nodes |
| its_program | controller_id, program_id, offset_s, actuated |
| its_interval | controller_id, program_id, duration_s, state, min_duration_s (blank, or `none` for one of several) |
| its_phase | controller_id, program_id, group, ring, name, movements, permitted, crossings, green_s, yellow_s,
  red_clearance_s, min_green_s, max_green_s: the splits, yellow and red that GMNS merges or lacks |
| its_day | controller_id, at_s, program_id |

Lists are separated by spaces, names in them are percent-encoded where they hold spaces or percent signs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, unquote

from network_data.controllers import Controller, SignalHead
from network_data.network import Connection, Crossing, RoadNetwork
from network_data.plans import ControllerPlan
from network_data.schedule import DayPlan

EXTENSION = "its_connection"
"""The table that marks a package as ours."""
TableRows = dict[str, tuple[tuple[str, ...], list[list[Any]]]]
"""Table → columns and rows."""


def join(names: Sequence[object]) -> str:
    """Names as one cell."""
    return " ".join(quote(str(name), safe="/:#>;,()[]{}+*!@$&'~^`|\\?=\"<") for name in names)


def split(text: str) -> tuple[str, ...]:
    """Names out of a cell."""
    return tuple(unquote(part) for part in text.split())


def extension_tables(network: RoadNetwork, day: DayPlan | None) -> TableRows:
    """All `its_*` tables of a network."""
    out: TableRows = {
        "its_link": (("link_id", "priority"), [[link.id, link.priority] for link in network.links.values()]),
        "its_lane": (
            ("link_id", "index", "length_m", "speed_mps", "width_m", "kind"),
            [
                [link.id, x.index, x.length_m, x.speed_mps, x.width_m, x.kind]
                for link in network.links.values()
                for x in link.lanes
            ],
        ),
        "its_connection": (CONNECTION, [_connection_row(c) for c in network.connections]),
        "its_crossing": (CROSSING, [_crossing_row(x) for x in network.crossings]),
    }
    controllers = network.controllers.values()
    out["its_controller"] = ("controller_id", "nodes"), [[c.id, join(c.node_ids)] for c in controllers]
    out["its_head"] = HEAD, [_head_row(c.id, head) for c in controllers for head in c.heads]
    out["its_conflict"] = (
        ("controller_id", "a", "b", "what"),
        [[c.id, a, b, "conflict"] for c in controllers for a, b in sorted(c.conflicts)]
        + [[c.id, a, b, "yield"] for c in controllers for a, b in sorted(c.yields)],
    )
    programs = [p for c in controllers for p in _all_programs(c, day)]
    out["its_program"] = (
        ("controller_id", "program_id", "offset_s", "actuated"),
        [[p.controller_id, p.program_id, p.offset_s, int(p.actuated)] for p in programs],
    )
    out["its_interval"] = INTERVAL, [row for p in programs for row in _interval_rows(p)]
    out["its_phase"] = PHASE, [row for p in programs for row in _phase_rows(p)]
    if day is not None:
        rows = [[d.controller_id, s.at_s, s.program.program_id] for d in day.controllers.values() for s in d.switches]
        out["its_day"] = ("controller_id", "at_s", "program_id"), rows
    return out


CONNECTION = (
    "movement_id", "node_id", "from_link", "from_lane", "to_link", "to_lane", "direction", "length_m", "speed_mps",
    "wait_m", "detach_m", "kind", "right_of_way", "controller_id", "link_index", "yields_to", "conflicts",
    "yields_to_crossings",
)  # fmt: skip
CROSSING = (
    "crossing_id", "node_id", "crossed_links", "length_m", "width_m", "controller_id", "link_indices", "conflicts",
)  # fmt: skip
HEAD = ("controller_id", "link_index", "kind", "connections", "movements", "crossings", "text")
INTERVAL = ("controller_id", "program_id", "duration_s", "state", "min_duration_s")
PHASE = (
    "controller_id", "program_id", "group", "ring", "name", "movements", "permitted", "crossings", "green_s",
    "yellow_s", "red_clearance_s", "min_green_s", "max_green_s",
)  # fmt: skip


def _all_programs(controller: Controller, day: DayPlan | None) -> list[ControllerPlan]:
    """The network's programs, and those that only the day has, which come before the one in force."""
    own = list(controller.programs)
    known = {p.program_id for p in own}
    more = day.controllers[controller.id].programs if day is not None and controller.id in day.controllers else ()
    added = {p.program_id: p for p in more if p.program_id not in known}
    return [*own[:-1], *added.values(), own[-1]]


def _connection_row(c: Connection) -> list[Any]:
    signal = ["" if c.controller_id is None else c.controller_id, "" if c.link_index is None else c.link_index]
    ways = [join(c.yields_to), join(c.conflicts), join(c.yields_to_crossings)]
    return [
        c.movement_id, c.node_id, c.from_link, c.from_lane, c.to_link, c.to_lane, c.direction, c.length_m, c.speed_mps,
        c.wait_m, c.detach_m, c.kind, c.right_of_way, *signal, *ways,
    ]  # fmt: skip


def _crossing_row(x: Crossing) -> list[Any]:
    owner = "" if x.controller_id is None else x.controller_id
    lists = [join(x.link_indices), join(x.conflicts)]
    return [x.id, x.node_id, join(x.crossed_links), x.length_m, x.width_m, owner, *lists]


def _head_row(controller_id: str, head: SignalHead) -> list[Any]:
    lists = [join(head.connections), join(head.movement_ids), join(head.crossing_ids)]
    return [controller_id, head.index, head.kind, *lists, head.text]


def _interval_rows(p: ControllerPlan) -> Iterator[list[Any]]:
    for n, (duration_s, state) in enumerate(p.intervals):
        minimum = p.min_durations_s[n] if p.min_durations_s else ""
        yield [p.controller_id, p.program_id, duration_s, state, "none" if minimum is None else minimum]


def _phase_rows(p: ControllerPlan) -> Iterator[list[Any]]:
    for g, group in enumerate(p.barrier_groups):
        for r, ring in enumerate(group.rings):
            for x in ring:
                served = [join(x.movements), join(x.permitted), join(x.crossings)]
                times = [x.green_s, x.yellow_s, x.red_clearance_s, x.min_green_s, x.max_green_s]
                yield [p.controller_id, p.program_id, g, r, x.name, *served, *times]
