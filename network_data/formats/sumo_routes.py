"""Read SUMO route files (vehicles, trips, flows, buses with stops) as the single vehicles that the simulation moves."""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from network_data.errors import DemandError
from network_data.formats.files import iter_xml
from network_data.formats.sumo_flows import flow_departures, seconds
from network_data.formats.sumo_vtypes import (
    DEFAULT_TYPES,
    Choice,
    VehicleType,
    listed_weights,
    number,
    vehicle_type,
    weight_of,
)
from network_data.network import RoadNetwork
from network_data.routing import Router
from network_data.trips import BUS, Trips

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_FAULTS = 20
"""Faults printed of one reading; the rest is counted."""
MAX_REPEAT = 1000
STOP_PLACES = {"busStop", "trainStop", "containerStop", "chargingStation", "parkingArea"}
MOVERS = {"vehicle", "trip", "flow"}
OTHER_ROOTS = {"net", "configuration", "sumoConfiguration"}
IGNORED = {"person", "personFlow", "container", "containerFlow"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Stop:
    link: int
    dwell_s: float


@dataclass(frozen=True, slots=True)
class _Route:
    """Links of a route, and the stops that belong to the route itself."""

    links: tuple[int, ...]
    stops: tuple[_Stop, ...]


@dataclass(frozen=True, slots=True)
class _Vehicle:
    depart_s: float
    links: tuple[int, ...]
    kind: int
    length_m: float
    dwell_s: tuple[float, ...]
    id: str


def read_routes(
    paths: Sequence[Path],
    network: RoadNetwork,
    *,
    begin_s: float = 0.0,
    end_s: float = math.inf,
    additional: Sequence[Path] = (),
    seed: int = 0,
) -> Trips:
    """Read route files as vehicles with departure and route.

    Trips and flows from link to link take the free-flow shortest way over permitted connections (SUMO itself lets them
    avoid links that are jammed when they depart; on cologne8 96 % of the trips take the same way in both). Persons,
    containers and vehicles that do not queue in the simulated lanes (trams, cycles) are left out, and a log line says
    how many. Buses stand at each stop for its `duration`; `until` is not read.

    Parameters
    ----------
    paths : sequence of Path
        Route files, plain or gzipped.
    network : RoadNetwork
        The network that they drive on.
    begin_s, end_s : float
        Only departures in [begin_s, end_s) are kept. [s]
    additional : sequence of Path
        Files with vehicle types and bus stops; other elements in them are passed over.
    seed : int
        Seed of what is drawn: members of distributions, departures of flows with a probability.

    Returns
    -------
    Trips
        In order of departure; `links` are the network's, in its order.

    Raises
    ------
    DemandError
        All faults of all files together, the first 20 of them printed.
    """
    reader = _Reader(network, begin_s, end_s, np.random.default_rng(seed))
    for path in [*additional, *paths]:
        reader.read(Path(path), only_definitions=path not in paths)
    reader.raise_faults(paths)
    if reader.left_out:
        log.info("left out of the routes: %s", ", ".join(f"{n} {what}" for what, n in sorted(reader.left_out.items())))
    return _trips(reader.vehicles, network)


def _trips(vehicles: list[_Vehicle], network: RoadNetwork) -> Trips:
    vehicles = sorted(vehicles, key=lambda v: v.depart_s)
    start = np.zeros(len(vehicles) + 1, dtype=np.int64)
    np.cumsum([len(v.links) for v in vehicles], out=start[1:])
    dwells = any(v.dwell_s for v in vehicles)
    return Trips(
        links=tuple(network.links),
        depart_s=np.array([v.depart_s for v in vehicles], dtype=np.float64),
        route_start=start,
        route_link=np.array([link for v in vehicles for link in v.links], dtype=np.int32),
        kind=np.array([v.kind for v in vehicles], dtype=np.int8),
        length_m=np.array([v.length_m for v in vehicles], dtype=np.float64),
        dwell_s=np.array(
            [s for v in vehicles for s in v.dwell_s or (0.0,) * len(v.links)] if dwells else [], dtype=np.float64
        ),
        ids=tuple(v.id for v in vehicles),
    )


class _Reader:
    """Definitions met so far, the vehicles made of them, and the faults."""

    def __init__(self, network: RoadNetwork, begin_s: float, end_s: float, rng: np.random.Generator) -> None:
        self.router = Router(network)
        self.begin_s, self.end_s, self.rng = begin_s, end_s, rng
        self.types = {name: Choice([kind], [1.0]) for name, kind in DEFAULT_TYPES.items()}
        self.routes: dict[str, Choice[_Route]] = {}
        self.places: dict[str, int] = {}
        self.vehicles: list[_Vehicle] = []
        self.faults: list[tuple[str, str]] = []
        self.departures_s = (math.inf, -math.inf)
        self.left_out: Counter[str] = Counter()
        self._known_edges: dict[str, tuple[int, ...]] = {}
        self._kind_of: dict[tuple[tuple[int, ...], VehicleType], int] = {}

    def read(self, path: Path, *, only_definitions: bool) -> None:
        """Take in one file; in additional files elements that are no business of routes are passed over."""
        for event, depth, element in iter_xml(path):
            if event == "start" and depth == 0 and element.tag in OTHER_ROOTS:
                self.faults.append((str(path), f"the root is <{element.tag}>; give a route or additional file"))
                return
            if event == "end" and depth == 1:
                try:
                    self._take(element, only_definitions=only_definitions)
                except ValueError as error:
                    name = element.get("id")
                    self.faults.append(
                        (str(path), f"<{element.tag}{'' if name is None else f' id={name!r}'}>: {error}")
                    )
                element.clear()

    def raise_faults(self, paths: Sequence[Path]) -> None:
        """Raise what was found wrong in the files, all of it together."""
        if not self.faults and not self.vehicles:
            first_s, last_s = self.departures_s
            found = (
                f"those in it depart from {first_s:g} to {last_s:g} s; mend --begin/--end"
                if last_s >= first_s
                else "there are none; give files with <vehicle>, <trip> or <flow>"
            )
            raise DemandError(
                ", ".join(map(str, paths)), f"no vehicle departs in [{self.begin_s:g}, {self.end_s:g}) s; {found}"
            )
        where = {name for name, _ in self.faults}
        texts = [text if len(where) == 1 else f"{name}: {text}" for name, text in self.faults[:MAX_FAULTS]]
        if len(self.faults) > MAX_FAULTS:
            texts.append(f"and {len(self.faults) - MAX_FAULTS} more faults")
        if texts:
            raise DemandError(where.pop() if len(where) == 1 else "routes", texts)

    def _take(self, element: Element, *, only_definitions: bool) -> None:
        tag = element.tag
        if tag == "vType":
            self.types[_id(element)] = Choice([vehicle_type(element)], [1.0])
        elif tag == "vTypeDistribution":
            self.types[_id(element)] = self._type_distribution(element)
        elif tag == "route":
            self.routes[_id(element)] = Choice([self._route(element)], [1.0])
        elif tag == "routeDistribution":
            self.routes[_id(element)] = self._route_distribution(element)
        elif tag in STOP_PLACES:
            self.places[_id(element)] = self._link_of_lane(element.get("lane", ""))
        elif tag in MOVERS and not only_definitions:
            self._mover(element)
        elif tag in IGNORED:
            self.left_out[f"<{tag}>"] += 1
        elif tag == "include":
            raise ValueError("files that include others are not read; name the included file itself")

    def _type_distribution(self, element: Element) -> Choice[VehicleType]:
        members: list[VehicleType] = []
        weights: list[float] = []
        for child in element.findall("vType"):
            members.append(vehicle_type(child))
            weights.append(weight_of(child))
            if child.get("id"):
                self.types[_id(child)] = Choice([members[-1]], [1.0])
        listed = element.get("vTypes", "").split()
        for name, weight in zip(listed, listed_weights(element, len(listed)) if listed else [], strict=True):
            members.append(self._type(name).draw(self.rng))
            weights.append(weight)
        return _choice(members, weights, "vType")

    def _route_distribution(self, element: Element) -> Choice[_Route]:
        members: list[_Route] = []
        weights: list[float] = []
        for child in element.findall("route"):
            name = child.get("refId")
            members.append(self._route(child) if name is None else self._named_route(name).draw(self.rng))
            weights.append(weight_of(child))
        listed = element.get("routes", "").split()
        for name, weight in zip(listed, listed_weights(element, len(listed)) if listed else [], strict=True):
            members.append(self._named_route(name).draw(self.rng))
            weights.append(weight)
        return _choice(members, weights, "route")

    def _type(self, name: str) -> Choice[VehicleType]:
        if name not in self.types:
            raise ValueError(f"vType {name!r} is not defined before it; give the file that defines it (--additional)")
        return self.types[name]

    def _named_route(self, name: str) -> Choice[_Route]:
        if name not in self.routes:
            raise ValueError(f"route {name!r} is not defined before it; define it or give the file that does")
        return self.routes[name]

    def _links(self, text: str) -> tuple[int, ...]:
        known = self._known_edges.get(text)
        if known is None:
            names = text.split()
            unknown = [name for name in dict.fromkeys(names) if name not in self.router.index]
            if unknown:
                raise ValueError(f"{_listed('link', unknown)} not in the network; is it the right network?")
            known = self._known_edges[text] = tuple(self.router.index[name] for name in names)
        return known

    def _route(self, element: Element) -> _Route:
        links = self._links(element.get("edges", ""))
        if not links:
            raise ValueError("the route has no edges; list the links it takes")
        repeat = number(element, "repeat", 0.0)
        if not (0 <= repeat < MAX_REPEAT and repeat.is_integer()):
            raise ValueError(f"repeat is {repeat:g}; give a whole number from 0 to {MAX_REPEAT}")
        return _Route(links * (1 + int(repeat)), self._stops(element))

    def _stops(self, element: Element) -> tuple[_Stop, ...]:
        return tuple(self._stop(stop) for stop in element.findall("stop"))

    def _stop(self, stop: Element) -> _Stop:
        dwell_s = seconds(stop.get("duration", "0"), "duration of a stop")
        if dwell_s < 0:
            raise ValueError(f"stops for {dwell_s:g} s; give seconds of at least 0")
        for place in sorted(STOP_PLACES & set(stop.keys())):
            name = stop.attrib[place]
            if name not in self.places:
                raise ValueError(f"{place} {name!r} is not defined; give the file that defines it (--additional)")
            return _Stop(self.places[name], dwell_s)
        if stop.get("edge"):
            return _Stop(self._links(stop.attrib["edge"])[0], dwell_s)
        return _Stop(self._link_of_lane(stop.get("lane", "")), dwell_s)

    def _link_of_lane(self, lane: str) -> int:
        link, _, number = lane.rpartition("_")
        if link not in self.router.index or not number.isdigit():
            raise ValueError(f"lane {lane!r} is not in the network; is it the right network?")
        return self.router.index[link]

    def _mover(self, element: Element) -> None:
        """A vehicle, trip or flow: one `_Vehicle` for each departure in the period."""
        name = _id(element)
        if element.tag == "flow":
            departures = flow_departures(element, self.begin_s, self.end_s, self.rng)
            ids = [f"{name}.{n}" for n, _ in departures]
            times = [depart_s for _, depart_s in departures]
        else:
            ids, times = [name], [self._depart(element)]
        self.departures_s = min([self.departures_s[0], *times]), max([self.departures_s[1], *times])
        types = self._type(element.get("type", "DEFAULT_VEHTYPE"))
        inside = [(x, t) for x, t in zip(ids, times, strict=True) if self.begin_s <= t < self.end_s]
        if not inside:
            return
        routes = self._routes_of(element)
        stops = self._stops(element)
        for vehicle_id, depart_s in inside:
            kind = types.draw(self.rng)
            if not kind.simulated:
                self.left_out[f"vehicles of class {kind.vclass}"] += 1
                continue
            way = self._way(element, kind) if routes is None else routes.draw(self.rng)
            use = self._kind(way.links, kind)
            dwell = _dwell(way.links, (*way.stops, *stops), self.router)
            self.vehicles.append(_Vehicle(depart_s, way.links, use, kind.length_m, dwell, vehicle_id))

    def _depart(self, element: Element) -> float:
        text = element.get("depart", "")
        if text == "begin":
            return self.begin_s
        if not re.match(r"[\d.:]", text):
            raise ValueError(f"depart is {text!r}; give the second of departure, other triggers are not simulated")
        return seconds(text, "depart")

    def _routes_of(self, element: Element) -> Choice[_Route] | None:
        """The routes to draw from; None where the element says only where from and where to."""
        if element.get("route"):
            return self._named_route(element.attrib["route"])
        inline, several = element.find("route"), element.find("routeDistribution")
        if inline is not None:
            return Choice([self._route(inline)], [1.0])
        if several is not None:
            return self._route_distribution(several)
        if not (element.get("from") and element.get("to")):
            raise ValueError("has neither a route nor from and to links (zones and junctions are not read); give one")
        return None

    def _way(self, element: Element, kind: VehicleType) -> _Route:
        points = self._links(f"{element.attrib['from']} {element.get('via', '')} {element.attrib['to']}")
        way: tuple[int, ...] = points[:1]
        for origin, target in pairwise(points):
            part = self.router.route(origin, target, kind.kind)
            if part is None and kind.vclass != "passenger":
                part = self.router.route(origin, target, BUS)
            if part is None:
                names = self.router.names
                raise ValueError(
                    f"no way leads from link {names[origin]!r} to link {names[target]!r}; mend from, to or via"
                )
            way += part[1:]
        return _Route(way, ())

    def _kind(self, links: tuple[int, ...], kind: VehicleType) -> int:
        """How the vehicle can drive its route: bus lanes count where its class is not held to the general ones."""
        known = self._kind_of.get((links, kind))
        if known is not None:
            return known
        use = kind.kind
        gap = self.router.gap(links, use)
        if gap is not None and kind.vclass != "passenger":
            use = BUS
            gap = self.router.gap(links, use)
        if gap is not None:
            ends = (self.router.names[links[gap]], self.router.names[links[gap + 1]])
            raise ValueError(
                f"no connection for class {kind.vclass} from link {ends[0]!r} to link {ends[1]!r}; mend the route"
            )
        self._kind_of[links, kind] = use
        return use


def _id(element: Element) -> str:
    name = element.get("id")
    if not name:
        raise ValueError("has no id; name it")
    return name


def _choice(members: list, weights: list[float], what: str) -> Choice:  # type: ignore[type-arg]
    if not members or not sum(weights) > 0:
        raise ValueError(f"the distribution has no {what} with a probability above 0; give at least one")
    return Choice(members, weights)


def _listed(what: str, names: list[str], most: int = 4) -> str:
    text = ", ".join(repr(name) for name in names[:most])
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{what}{'s' if len(names) > 1 else ''} {text}{more}"


def _dwell(links: tuple[int, ...], stops: tuple[_Stop, ...], router: Router) -> tuple[float, ...]:
    """Seconds to stand on each link of the route; stops follow each other along it."""
    if not stops:
        return ()
    dwell_s = [0.0] * len(links)
    at = 0
    for stop in stops:
        try:
            at = links.index(stop.link, at)
        except ValueError:
            name = router.names[stop.link]
            raise ValueError(
                f"stops on link {name!r}, which its route does not reach then; mend route or stop"
            ) from None
        dwell_s[at] += stop.dwell_s
    return tuple(dwell_s)
