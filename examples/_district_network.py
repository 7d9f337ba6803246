"""From the streets to a SUMO network: plain XML, netconvert, field programs, the same bytes each time."""

from __future__ import annotations

import gzip
import math
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

from examples._district_streets import APPROACHES, CROSSINGS, SIGNALS, STREETS, Approach, Street, positions

WALK = 1
"""Lanes that lie right of the driving lanes: the footway."""
LEG_ANGLES = {"E": 0.0, "N": 90.0, "W": 180.0, "S": 270.0}


class Layout:
    """Where each leg of a node leads, which edges come and go there, and where the bays begin."""

    def __init__(self, seed: int) -> None:
        self.at = positions(seed)
        self.bays = {(a.node, a.leg): a for a in APPROACHES if a.bay_m}
        self.incoming: dict[tuple[str, str], str] = {}  # (node, leg) → edge that ends at its stop line
        self.outgoing: dict[tuple[str, str], tuple[str, int]] = {}  # (node, leg) → edge that begins there, its lanes
        for street in STREETS:
            for a, b, lanes in ((street.a, street.b, street.lanes), (street.b, street.a, street.lanes_back)):
                if lanes:
                    self.outgoing[a, self.leg(a, b)] = (f"{a}_{b}", lanes)
                    leg = self.leg(b, a)
                    self.incoming[b, leg] = f"{a}_{b}" + (".bay" if (b, leg) in self.bays else "")

    def leg(self, node: str, other: str) -> str:
        """The compass side of `node` on which `other` lies."""
        (x, y), (u, v) = self.at[node], self.at[other]
        angle = math.degrees(math.atan2(v - y, u - x))
        return min(LEG_ANGLES, key=lambda leg: abs((angle - LEG_ANGLES[leg] + 180) % 360 - 180))

    def bay_start(self, approach: Approach, other: str) -> tuple[float, float]:
        """Where the lanes of a bay begin: its length before the stop line, some 14 m before the node."""
        (x, y), (u, v) = self.at[approach.node], self.at[other]
        share = (approach.bay_m + 14) / math.hypot(u - x, v - y)
        return round(x + share * (u - x), 2), round(y + share * (v - y), 2)


def exit_leg(leg: str, turn: str) -> str:
    """The leg by which one leaves who comes from `leg` and turns r, s or l."""
    order = "ENWS"  # counter-clockwise
    return order[(order.index(leg) + {"r": 1, "s": 2, "l": 3}[turn]) % 4]


def _nodes(layout: Layout) -> Iterator[str]:
    inner = {a.node for a in APPROACHES}
    for node, (x, y) in layout.at.items():
        kind = "traffic_light" if node in SIGNALS else "priority" if node in inner else "dead_end"
        yield f'<node id="{node}" x="{x}" y="{y}" type="{kind}"/>'
    for street in STREETS:
        for a, b in ((street.a, street.b), (street.b, street.a)):
            bay = layout.bays.get((b, layout.leg(b, a)))
            if bay and layout.incoming.get((b, bay.leg), "").startswith(f"{a}_{b}"):
                x, y = layout.bay_start(bay, a)
                yield f'<node id="{a}_{b}.split" x="{x}" y="{y}" type="priority"/>'


def _edge(edge: str, a: str, b: str, lanes: int, street: Street) -> str:
    head = (
        f'<edge id="{edge}" from="{a}" to="{b}" numLanes="{lanes + WALK}" speed="{street.speed_kph / 3.6:.2f}" '
        f'priority="{street.priority}" name={quoteattr(street.name)}>'
    )
    rest = "".join(f'<lane index="{i + WALK}" disallow="pedestrian" width="3.20"/>' for i in range(lanes))
    return head + '<lane index="0" allow="pedestrian" width="2.00"/>' + rest + "</edge>"


def _edges(layout: Layout) -> Iterator[str]:
    for street in STREETS:
        for a, b, lanes in ((street.a, street.b, street.lanes), (street.b, street.a, street.lanes_back)):
            bay = layout.bays.get((b, layout.leg(b, a)))
            if lanes and bay:
                yield _edge(f"{a}_{b}", a, f"{a}_{b}.split", lanes, street)
                yield _edge(f"{a}_{b}.bay", f"{a}_{b}.split", b, len(bay.all_lanes), street)
            elif lanes:
                yield _edge(f"{a}_{b}", a, b, lanes, street)


def _connection(edge: str, to: str, from_lane: int, to_lane: int) -> str:
    return f'<connection from="{edge}" to="{to}" fromLane="{from_lane + WALK}" toLane="{to_lane + WALK}"/>'


def _turns(layout: Layout, approach: Approach) -> Iterator[str]:
    """Connections over the junction: straight lanes side by side, right turns to the right lane, left to the left."""
    edge = layout.incoming[approach.node, approach.leg]
    for turn in "rsl":
        lanes = [i for i, turns in enumerate(approach.all_lanes) if turn in turns]
        if lanes:
            to, n_lane = layout.outgoing[approach.node, exit_leg(approach.leg, turn)]
            first = n_lane - len(lanes) if turn == "l" else 0
            for k, lane in enumerate(lanes):
                yield _connection(edge, to, lane, first + k)


def _fan(layout: Layout, approach: Approach) -> Iterator[str]:
    """Connections from a street into its section with bays."""
    edge = layout.incoming[approach.node, approach.leg]
    shift = int(bool(approach.right_bay))
    last = len(approach.lanes) - 1
    if approach.right_bay:
        yield _connection(edge.removesuffix(".bay"), edge, 0, 0)
    for lane in range(last + 1):
        yield _connection(edge.removesuffix(".bay"), edge, lane, lane + shift)
    if approach.left_bay:
        yield _connection(edge.removesuffix(".bay"), edge, last, last + shift + 1)


def _crossings(layout: Layout) -> Iterator[str]:
    for node, legs in CROSSINGS.items():
        for leg in legs:
            edges = [layout.incoming.get((node, leg)), layout.outgoing.get((node, leg), (None, 0))[0]]
            yield f'<crossing node="{node}" edges="{" ".join(e for e in edges if e)}" width="4.00"/>'


def _document(root: str, items: Iterator[str]) -> str:
    return "\n".join([f"<{root}>", *items, f"</{root}>", ""])


def convert(layout: Layout) -> str:
    """Run netconvert over the plain XML; the network as text, with netconvert's own signal programs."""
    import sumo  # SUMO is a development tool here, not a dependency

    def connections() -> Iterator[str]:
        for approach in APPROACHES:
            yield from _turns(layout, approach)
            if approach.bay_m:
                yield from _fan(layout, approach)
        yield from _crossings(layout)

    with tempfile.TemporaryDirectory() as folder:
        parts = {"nodes": _nodes(layout), "edges": _edges(layout), "connections": connections()}
        for name, items in parts.items():
            (Path(folder) / f"{name}.xml").write_text(_document(name, items))
        command = [
            str(Path(sumo.SUMO_HOME) / "bin" / "netconvert"),
            "-n", "nodes.xml", "-e", "edges.xml", "-x", "connections.xml", "-o", "net.xml",
            "--no-turnarounds", "true", "--walkingareas", "true", "--output.street-names", "true",
            "--offset.disable-normalization", "true", "--precision", "2", "--no-warnings", "true",
        ]  # fmt: skip
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        text = (Path(folder) / "net.xml").read_text()
    return re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)  # date and options of the run


def with_programs(net: str, programs: dict[str, str]) -> str:
    """The network with our field programs in place of netconvert's."""
    return re.sub(r'<tlLogic id="([^"]+)".*?</tlLogic>', lambda m: programs[m.group(1)], net, flags=re.DOTALL)


def packed(text: str) -> bytes:
    """Gzip without a time stamp: the same text gives the same bytes."""
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)
