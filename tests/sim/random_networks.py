"""Random small networks with everything on them that the queue simulation knows; same number, same network."""

from __future__ import annotations

import random

from network_data.network import RoadNetwork
from network_data.trips import Trips
from tests.builders import NetworkBuilder, trips

LETTERS = "GGGggyrrrrs"


def random_network(rng: random.Random, n_nodes: int) -> RoadNetwork:
    """Links between a few nodes, turns with and without signals, yields and waiting places, bays and bus lanes."""
    b = NetworkBuilder()
    for n in range(n_nodes):
        b.link(f"in{n}", f"edge{n} {n}", **_link(rng))
        b.link(f"out{n}", f"{n} edge{n}", **_link(rng))
        if n + 1 < n_nodes:
            b.link(f"on{n}", f"{n} {n + 1}", **_link(rng))
            if rng.random() < 0.5:
                b.link(f"back{n}", f"{n + 1} {n}", **_link(rng))
    for n in range(n_nodes):
        _junction(b, rng, n)
    return b.build()


def _link(rng: random.Random) -> dict:
    lanes = rng.choice((1, 1, 2, 3))
    kinds = {lanes - 1: rng.choice(("bus", "general"))} if lanes > 1 else {}
    return {
        "length_m": rng.choice((6.0, 20.0, 45.5, 120.0)),
        "speed_mps": rng.choice((5.0, 8.33, 13.89, 20.0)),
        "lanes": lanes,
        "kinds": kinds,
    }


def _way(rng: random.Random) -> dict:
    return {
        "direction": rng.choice("slrtLR"),
        "length_m": rng.uniform(4, 30),
        "speed_mps": rng.choice((4.0, 7.5, 13.89)),
        "wait_m": rng.choice((0.0, 0.0, 3.0)),
        "detach_m": rng.choice((0.0, 2.0, 9.0)),
    }


def _junction(b: NetworkBuilder, rng: random.Random, n: int) -> None:
    """Every link in meets every link out; a signal with random states three times in four."""
    signalized, turns = rng.random() < 0.75, []
    for here in [x for x in b.links.values() if x.to_node == str(n)]:
        for there in [x for x in b.links.values() if x.from_node == str(n)]:
            used = [i for i in range(len(here.lanes)) if rng.random() < 0.6] or [0]
            for lane in used:
                head = (f"c{n}", len(turns)) if signalized and rng.random() < 0.9 else None
                way = f"{here.id} {there.id}"
                turns.append(b.turn(way, lanes=(lane, rng.randrange(len(there.lanes))), head=head, **_way(rng)))
    for i, turn in enumerate(turns):
        b.yielding(turn, [foe for foe in turns[:i] + turns[i + 1 :] if rng.random() < 0.25])
    if any(b.connections[t].controller_id for t in turns):
        rows = [
            (rng.randrange(3, 120) / 10, "".join(rng.choice(LETTERS) for _ in turns))
            for _ in range(rng.randrange(1, 6))
        ]
        b.program(f"c{n}", rows, offset_s=rng.randrange(0, 400) / 10)


def random_trips(rng: random.Random, network: RoadNetwork, n_veh: int, length_s: float) -> Trips:
    """Cars and buses on random walks through the network, some of them beyond the end of the run."""
    rows = []
    for _ in range(n_veh):
        route = [rng.choice(list(network.links))]
        while rng.random() < 0.8 and network.outgoing[route[-1]] and len(route) < 8:
            route.append(rng.choice(network.outgoing[route[-1]]))
        rows.append((round(rng.uniform(-2, 1.1 * length_s) * rng.choice((0.3, 1.0)), 1), " ".join(route)))
    rows.sort()
    steps = sum(len(route.split()) for _, route in rows)
    dwell = [rng.choice((0.0, 0.0, 7.5)) for _ in range(steps)] if rng.random() < 0.3 else []
    return trips(
        network, rows, length_m=[rng.choice((4.0, 5.8, 7.5, 19.0)) for _ in rows], dwell_s=dwell,
        kind=[int(rng.random() < 0.2) for _ in rows],
    )  # fmt: skip
