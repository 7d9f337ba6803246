"""Signalled ways of those we do not simulate (cycle tracks, trams): signals keep clear of them all the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

Request = tuple[str, int]
"""Junction and row of its request matrix."""
Pairs = set[tuple[int, int]]


class SilentWay(NamedTuple):
    """A signalled connection that is no part of the road network."""

    controller_id: str
    link_index: int
    request: Request | None
    text: str


def silent_rights(
    ways: Iterable[SilentWay],
    indices_of: Mapping[Request, set[int]],
    requests: Mapping[str, Mapping[int, tuple[str, str]]],
) -> tuple[Pairs, Pairs]:
    """Conflicts (i < j) and yields (i, j) between silent ways of a controller and everything it controls.

    Parameters
    ----------
    ways : iterable of SilentWay
        The controller's silent ways.
    indices_of : mapping
        Request → link indices of the controller's connections and crossings.
    requests : mapping
        Junction → row → (response, foes), one character per row of the matrix.
    """
    silent: dict[Request, set[int]] = defaultdict(set)
    for way in ways:
        if way.request is not None:
            silent[way.request].add(way.link_index)
    everything = {key: indices_of.get(key, set()) | silent.get(key, set()) for key in {*indices_of, *silent}}
    conflicts: Pairs = set()
    yields: Pairs = set()
    for (node, a), own in silent.items():
        for (other_node, b), others in everything.items():
            if other_node != node or not (_bit(requests, node, a, b, 1) or _bit(requests, node, b, a, 1)):
                continue
            pairs = [(i, j) for i in own for j in others if i != j]
            conflicts |= {(min(i, j), max(i, j)) for i, j in pairs}
            yields |= {(i, j) for i, j in pairs if _bit(requests, node, a, b, 0)}
            yields |= {(j, i) for i, j in pairs if _bit(requests, node, b, a, 0)}
    return conflicts, yields


def _bit(requests: Mapping[str, Mapping[int, tuple[str, str]]], node: str, row: int, column: int, which: int) -> bool:
    bits = requests.get(node, {}).get(row, ("", ""))[which]
    return column < len(bits) and bits[column] == "1"
