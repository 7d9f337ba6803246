"""Which loops lie side by side, and which loops count the same vehicles up and down a road."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from network_data.counting.options import QualityLimits
from network_data.detectors import Detector
from network_data.network import RoadNetwork

SAME_SECTION_M = 12.0
"""Loops of one link that lie this close together count one cross-section."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows of a block that belong together.

    `sections` are loops side by side on one link; `balances` pairs of sets whose sums agree but for what happens
    between them.
    """

    sections: tuple[tuple[int, ...], ...] = ()
    balances: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = ()


def groups_of(
    names: Sequence[str], limits: QualityLimits, detectors: Sequence[Detector] = (), network: RoadNetwork | None = None
) -> Groups:
    """Groups among the counted detectors: those of the network, and those of the settings.

    Sums agree between two complete cross-sections of one link, and at a node between all ways in and all ways out where
    every lane of them is counted.
    """
    row = {name: i for i, name in enumerate(names)}
    sections, balances = [], []
    if network is not None:
        by_link: dict[str, list[Detector]] = defaultdict(list)
        for detector in detectors:
            if detector.id in row and detector.link_id in network.links:
                by_link[detector.link_id].append(detector)
        found = {link: cross_sections(loops) for link, loops in by_link.items()}
        sections = [tuple(row[d.id] for d in section) for of_link in found.values() for section in of_link]
        complete = {
            link: [
                [row[d.id] for d in section] for section in of_link if len(section) == len(network.links[link].lanes)
            ]
            for link, of_link in found.items()
        }
        balances = _along(complete) + _at_nodes(network, complete)
    sections += [tuple(row[name] for name in side if name in row) for side in limits.neighbours]
    for balance in limits.balances:
        both = [[row[name] for name in names if name in row] for names in (balance.upstream, balance.downstream)]
        if len(both[0]) == len(balance.upstream) and len(both[1]) == len(balance.downstream):
            balances.append((tuple(both[0]), tuple(both[1])))
    return Groups(tuple(section for section in sections if section), tuple(balances))


def cross_sections(loops: Sequence[Detector]) -> list[list[Detector]]:
    """Loops of one link, grouped where they lie side by side, in order of position.

    A second loop on a lane starts a section of its own.
    """
    out: list[list[Detector]] = []
    for loop in sorted(loops, key=lambda d: (d.pos_m, d.lane)):
        for section in out:
            near = abs(section[0].pos_m - loop.pos_m) <= SAME_SECTION_M and section[0].kind == loop.kind
            if near and loop.lane not in {d.lane for d in section}:
                section.append(loop)
                break
        else:
            out.append([loop])
    return out


def _along(complete: dict[str, list[list[int]]]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Complete sections that follow each other on a link."""
    return [(tuple(up), tuple(down)) for sections in complete.values() for up, down in pairwise(sections)]


def _at_nodes(
    network: RoadNetwork, complete: dict[str, list[list[int]]]
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Nodes of which every way in and every way out is counted: the last section before, the first one behind.

    Where a way in leads nowhere or a way out comes from nowhere, traffic enters and leaves the network: no balance.
    """
    ways_in: dict[str, list[str]] = defaultdict(list)
    ways_out: dict[str, list[str]] = defaultdict(list)
    for link_id, link in network.links.items():
        ways_out[link.from_node].append(link_id)
        ways_in[link.to_node].append(link_id)
    out = []
    for node, before in ways_in.items():
        behind = ways_out.get(node, [])
        led_to = {link for way in before for link in network.outgoing.get(way, ())}
        if not led_to >= set(behind) or not all(network.outgoing.get(way) for way in before):
            continue
        if behind and all(complete.get(link) for link in (*before, *behind)):
            up = tuple(i for link in before for i in complete[link][-1])
            down = tuple(i for link in behind for i in complete[link][0])
            out.append((up, down))
    return out
