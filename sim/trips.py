"""Draw single vehicles from turning flows: entries clumped as real arrivals are, routes by the turning shares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from network_data.demand import Demand
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.trips import Trips

MAX_STEPS = 300
MINUTE_S, COUNT_S = 60.0, 300.0
LEAST_VEH = 1e-200
"""Fewer vehicles than these are none: gamma noise on a small flow can come so near 0 that dividing by it overflows."""
MINUTE_SHARE = 1 / 3
"""Variance over mean beyond Poisson's: 1-minute counts have this share of what 5-minute counts have.

Measured on departures of TAPAS Cologne: 4-6 at 60 s, 11-15 at 300 s.
"""


@njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    start_link, depart_s, link_time_s, choice_start, choice_to, cumulative, begin_s, end_s, draws, out
):
    """Follow one vehicle by turning shares; fills out (MAX_STEPS,) with links and returns how many.

    cumulative (choices, T): cumulative share of each choice within its link and interval; choice_to -1 ends the trip.
    """
    link, t, n = start_link, depart_s, 0
    interval = 0
    while n < out.shape[0]:
        out[n] = link
        n += 1
        first, last = choice_start[link], choice_start[link + 1]
        if first == last:
            return n
        t += link_time_s[link]
        while interval + 1 < begin_s.shape[0] and t >= end_s[interval]:
            interval += 1
        u = draws[n - 1]
        chosen = -1
        for c in range(first, last):
            if u <= cumulative[c, interval]:
                chosen = c
                break
        if chosen < 0:
            return n  # nobody went on from here at that time: the trip ends
        link = choice_to[chosen]
        if link < 0:
            return n
    return n


def draw_trips(
    network: RoadNetwork, demand: Demand, *, seed: int, warmup_s: float = 0.0, spacing_m: float = 6.5
) -> Trips:
    """One realization of a demand.

    Entries are doubly random: how the flow varies from interval to interval stands in the demand; within it the rate of
    each minute is multiplied by gamma noise as the demand's dispersion of 5-minute counts suggests; then Poisson.

    Parameters
    ----------
    seed : int
        Same seed, same vehicles.
    warmup_s : float
        Vehicles are also drawn for this long before the first interval, at its rates. [s]
    spacing_m : float
        Length and gap of every vehicle. [m]
    """
    rng = np.random.default_rng(seed)
    links = tuple(network.links)
    index = {link: i for i, link in enumerate(links)}
    choice_start, choice_to, cumulative = _shares(network, demand, index)
    time_s = np.array([link.length_m / link.speed_mps for link in network.links.values()])
    departs, starts = _entries(demand, index, rng, warmup_s)
    order = np.argsort(departs, kind="stable")
    departs, starts = departs[order], starts[order]
    routes, lengths = [], np.zeros(len(departs) + 1, np.int64)
    out = np.empty(MAX_STEPS, np.int64)
    for v, (depart, start) in enumerate(zip(departs, starts, strict=True)):
        n = _walk(
            start, depart, time_s, choice_start, choice_to, cumulative, demand.begin_s, demand.end_s,
            rng.random(MAX_STEPS), out,
        )  # fmt: skip
        routes.append(out[:n].astype(np.int32))
        lengths[v + 1] = n
    return Trips(
        links=links,
        depart_s=departs,
        route_start=np.cumsum(lengths),
        route_link=np.concatenate(routes) if routes else np.empty(0, np.int32),
        kind=np.zeros(len(departs), np.int8),
        length_m=np.full(len(departs), spacing_m),
        dwell_s=np.empty(0),
    )


def with_queues(
    network: RoadNetwork,
    demand: Demand,
    trips: Trips,
    queues_veh: Mapping[tuple[str, str], int],
    *,
    at_s: float,
    seed: int,
    spacing_m: float = 6.5,
) -> Trips:
    """Trips with vehicles that stand in queues already when the simulation begins; they go on by the turning shares.

    Parameters
    ----------
    queues_veh : mapping
        (link, link they turn to) → vehicles standing there. [veh]
    at_s : float
        When the simulation begins, its warm-up included. [s]

    Raises
    ------
    DemandError
        Turns that are not in the network, and numbers below 0; all of them together.
    """
    faults = [
        f"queue of {n} vehicles from link {a!r} to {b!r}: " + ("needs to be 0 or more" if n < 0 else "no such turn")
        for (a, b), n in queues_veh.items()
        if n < 0 or b not in network.outgoing.get(a, ())
    ]
    if faults:
        raise DemandError("queues", faults)
    rng = np.random.default_rng(seed)
    at = {link: i for i, link in enumerate(trips.links)}
    index = {link: i for i, link in enumerate(network.links)}
    choice_start, choice_to, cumulative = _shares(network, demand, index)
    time_s = np.array([link.length_m / link.speed_mps for link in network.links.values()])
    names = tuple(network.links)
    missing = tuple(link for link in names if link not in at)
    at |= {link: len(trips.links) + n for n, link in enumerate(missing)}
    routes, out = [], np.empty(MAX_STEPS, np.int64)
    for (here, there), n_veh in queues_veh.items():
        for _ in range(n_veh):
            n = _walk(
                index[there], at_s, time_s, choice_start, choice_to, cumulative, demand.begin_s, demand.end_s,
                rng.random(MAX_STEPS), out,
            )  # fmt: skip
            routes.append(np.array([at[here], *(at[names[i]] for i in out[:n])], np.int32))
    n_veh = len(routes)
    lengths = [len(route) for route in routes]
    return Trips(
        links=(*trips.links, *missing),
        depart_s=np.concatenate([np.full(n_veh, at_s), trips.depart_s]),
        route_start=np.concatenate([np.cumsum([0, *lengths])[:-1], sum(lengths) + trips.route_start]),
        route_link=np.concatenate([*routes, trips.route_link]).astype(np.int32),
        kind=np.concatenate([np.zeros(n_veh, np.int8), trips.kind]),
        length_m=np.concatenate([np.full(n_veh, spacing_m), trips.length_m]),
        dwell_s=np.concatenate([np.zeros(sum(lengths)), trips.dwell_s]) if len(trips.dwell_s) else trips.dwell_s,
        ids=(*(f"queue{n}" for n in range(n_veh)), *trips.ids) if trips.ids else (),
        standing=np.concatenate([np.ones(n_veh, np.bool_), trips.standing])
        if len(trips.standing)
        else np.arange(n_veh + len(trips)) < n_veh,
    )


def _shares(
    network: RoadNetwork, demand: Demand, index: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Choices at the end of each link with their cumulative shares per interval."""
    rows: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for m, (origin, target) in enumerate(demand.pairs):
        connected = target == "" or target in network.outgoing.get(origin, ())
        if origin and connected:
            rows[index[origin]].append((index[target] if target else -1, m))
    start, to, shares = [0], [], []
    for link in range(len(index)):
        chosen = rows.get(link, [])
        veh = np.array([demand.veh[m] for _, m in chosen]).reshape(len(chosen), len(demand.begin_s))
        total = veh.sum(axis=0)
        # where an interval has no flow, the period's shares stand in
        whole = veh.sum(axis=1, keepdims=True)
        veh = np.where(total > 1e-9, veh, np.broadcast_to(whole, veh.shape))
        total = np.maximum(veh.sum(axis=0), 1e-12)
        to += [target for target, _ in chosen]
        shares.append(np.cumsum(veh, axis=0) / total if len(chosen) else np.empty((0, len(demand.begin_s))))
        start.append(len(to))
    return np.array(start), np.array(to, np.int64), np.concatenate(shares) if shares else np.empty((0, 0))


def _entries(
    demand: Demand, index: dict[str, int], rng: np.random.Generator, warmup_s: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Departure times and first links, clumped within intervals and minutes."""
    departs: list[NDArray[np.float64]] = []
    starts: list[NDArray[np.int64]] = []
    for m, (origin, target) in enumerate(demand.pairs):
        if origin or not target:
            continue
        for k, (begin, end) in enumerate(zip(demand.begin_s, demand.end_s, strict=True)):
            begin_s = begin - warmup_s if k == 0 else begin
            mean = float(demand.veh[m, k]) * (end - begin_s) / (end - begin)
            times = _clumped(mean, begin_s, end, demand.dispersion, rng)
            departs.append(times)
            starts.append(np.full(len(times), index[target], np.int64))
    if not departs:
        return np.empty(0), np.empty(0, np.int64)
    return np.concatenate(departs), np.concatenate(starts)


def _clumped(
    mean: float,
    begin_s: float,
    end_s: float,
    dispersion: float,
    rng: np.random.Generator,
    minute_share: float = MINUTE_SHARE,
) -> NDArray[np.float64]:
    """Times of about `mean` vehicles in an interval, clumped from minute to minute.

    An interval longer than 5 minutes is split first: what varies between its parts is not in the demand.
    """
    if mean <= LEAST_VEH:
        return np.empty(0)
    extra = max(0.0, dispersion - 1.0)
    n_part = round((end_s - begin_s) / COUNT_S)
    if n_part > 1:
        edges, share = np.linspace(begin_s, end_s, n_part + 1), mean / n_part
        # so that 5-minute counts have all of the extra variance and minute counts MINUTE_SHARE of it
        minute = (MINUTE_SHARE - 1 / 5) / (1 - 1 / 5)
        rates = [_noise((1 - minute) * extra / share, rng) for _ in range(n_part)]
        cells = zip(rates, pairwise(edges), strict=True)
        return np.concatenate([_clumped(share * r, float(a), float(b), dispersion, rng, minute) for r, (a, b) in cells])
    n_minute = max(1, round((end_s - begin_s) / MINUTE_S))
    rates = [_noise(minute_share * extra * n_minute / mean, rng) for _ in range(n_minute)]
    counts = rng.poisson(mean / n_minute * np.array(rates))
    width = (end_s - begin_s) / n_minute
    minutes = np.repeat(np.arange(n_minute), counts)
    return np.asarray(np.sort(begin_s + (minutes + rng.random(len(minutes))) * width))


def _noise(variance: float, rng: np.random.Generator) -> float:
    """Gamma noise with mean 1."""
    return float(rng.gamma(1 / variance, variance)) if variance > 1e-9 else 1.0
