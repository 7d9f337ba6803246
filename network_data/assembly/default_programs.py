"""Programs for signals whose file has none: they stand in until the field's are known, and notes say so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from network_data.assembly.plane import heading_in, heading_out, turned
from network_data.assembly.ways import Way, direction_of
from network_data.network import Link
from network_data.plans import ControllerPlan, Interval

PROGRAM_ID = "assumed"
MAIN_GREEN_S, SIDE_GREEN_S, WALK_RED_S = 42.0, 38.0, 25.0
YELLOW_S, ALL_RED_S = 3.0, 2.0
SAME_STREET_RAD = math.radians(45)


def default_program(controller_id: str, ways: Sequence[Way], links: Mapping[str, Link]) -> ControllerPlan:
    """Two stages of a cycle of 90 s: the most important street both ways, then all others; left turns permitted.

    A signal on one street alone shows red for `WALK_RED_S` in between, as at a crossing for people on foot.

    Parameters
    ----------
    controller_id : str
        Whose program it is.
    ways : sequence of Way
        All ways it controls, each with its link index.
    links : mapping
        Their links.
    """
    heads = max((way.link_index or 0) for way in ways) + 1
    first = max(dict.fromkeys(way.from_link for way in ways), key=lambda name: (links[name].priority, name))
    axis = heading_in(links[first].shape)
    stages: list[list[Way]] = [[], []]
    for way in ways:
        angle = abs(turned(axis, heading_in(links[way.from_link].shape)))
        stages[0 if min(angle, math.pi - angle) <= SAME_STREET_RAD else 1].append(way)
    rows: list[Interval] = []
    for members, green_s in zip(stages, (MAIN_GREEN_S, SIDE_GREEN_S), strict=True):
        if not members:
            rows.append(Interval(WALK_RED_S, "r" * heads))
            continue
        letters = ["r"] * heads
        for way in members:
            letters[way.link_index or 0] = "g" if _turns_across(way, links) else "G"
        green = "".join(letters)
        yellow = "".join("y" if letter in "Gg" else letter for letter in letters)
        rows += [Interval(green_s, green), Interval(YELLOW_S, yellow), Interval(ALL_RED_S, "r" * heads)]
    return ControllerPlan(controller_id=controller_id, program_id=PROGRAM_ID, offset_s=0.0, intervals=tuple(rows))


def _turns_across(way: Way, links: Mapping[str, Link]) -> bool:
    turn = way.direction or direction_of(
        turned(heading_in(links[way.from_link].shape), heading_out(links[way.to_link].shape))
    )
    return turn in "lt"
