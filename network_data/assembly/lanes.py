"""Which lane leads where, for formats that name turns but not their lanes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from network_data.assembly.plane import heading_in, heading_out, turned
from network_data.assembly.ways import Way, direction_of
from network_data.network import Link

SIDE = {"r": 0, "s": 1, "l": 2, "t": 3}
"""From the kerb inwards."""


def turns_by_lane(
    link: Link, targets: Sequence[Link], *, directions: Mapping[str, str] | None = None, turn_lanes: int = 3
) -> list[Way]:
    """Lane-to-lane ways from a link to the links that may follow it.

    From the kerb inwards lanes serve right turns, straight on, left turns. With fewer than `turn_lanes` lanes the outer
    lanes serve straight on too; from then on the leftmost lane is for left turns alone, if straight on keeps a lane.
    Lanes that vehicles may not use are left out.

    Parameters
    ----------
    link : Link
        Where they come from.
    targets : sequence of Link
        Where they may go.
    directions : mapping, optional
        Target → `s`, `l`, `r`, `t`; by default from the angle.
    turn_lanes : int
        Lanes from which on the left turn has one of its own.
    """
    lanes = [lane.index for lane in link.lanes if lane.kind != "other"]
    groups: dict[str, list[Link]] = {}
    arrives = heading_in(link.shape)
    for target in targets:
        angle = turned(arrives, heading_out(target.shape))
        groups.setdefault((directions or {}).get(target.id) or direction_of(angle), []).append(target)
    if not lanes:
        return []
    out = []
    for turn, members in groups.items():
        serving = _lanes_for(turn, lanes, groups, turn_lanes)
        for target in members:
            out += [replace(way, direction=turn) for way in _onto(link, serving, target, turn)]
    return out


def _lanes_for(turn: str, lanes: Sequence[int], groups: Mapping[str, object], turn_lanes: int) -> list[int]:
    """The lanes that serve a turn."""
    present = sorted(groups, key=lambda x: SIDE[x])
    inner = [x for x in present if x in "lt"]
    if turn == "r":
        return [lanes[0]] if "s" in groups or inner else list(lanes)
    if turn in inner:
        if turn == "t" or "s" in groups or len(lanes) == 1:
            return [lanes[-1]]
        return list(lanes[1:]) if "r" in groups else list(lanes)
    own_left = bool(inner) and len(lanes) >= turn_lanes
    return list(lanes[:-1]) if own_left else list(lanes)


def _onto(link: Link, lanes: Sequence[int], target: Link, turn: str) -> list[Way]:
    """Ways from lanes to the target's lanes, none crossing another: from the kerb for right turns, else from inside."""
    room = [lane.index for lane in target.lanes if lane.kind != "other"]
    if not room:
        return []
    pairs = []
    for n, lane in enumerate(lanes):
        if turn == "r":
            to_lane = room[min(n, len(room) - 1)]
        elif turn == "s" and len(lanes) <= len(room):
            to_lane = room[n]
        else:
            to_lane = room[max(0, len(room) - len(lanes) + n)]
        pairs.append((lane, to_lane))
    return [Way(from_link=link.id, from_lane=a, to_link=target.id, to_lane=b) for a, b in pairs]
