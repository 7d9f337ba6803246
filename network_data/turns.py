"""Turning counts: vehicles that want to go from one link to another, per interval."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from network_data.demand import Pair
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.tables import Table, capped, name_rows, need_columns, numbers, read_table, texts

FLOAT = NDArray[np.float64]
EXAMPLE = "from_link,to_link,begin_s,end_s,veh[,sd_veh]"
MAX_VEH_PER_S = 20.0


@dataclass(frozen=True, eq=False)
class TurnTable:
    """Turning counts as parallel arrays, one entry per row.

    A pair of links that do not meet stands for the vehicles that go from one to the other over the fastest way in free
    flow: `ways` holds that way's movements for every named pair (a movement's own pair for links that meet, the pair
    itself for entries and exits).
    """

    pairs: tuple[Pair, ...]
    begin_s: FLOAT
    end_s: FLOAT
    veh: FLOAT
    sd_veh: FLOAT
    ways: dict[Pair, tuple[Pair, ...]]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pairs)


def read_turns(path: Path | str, network: RoadNetwork) -> TurnTable:
    """Read turning counts: CSV, CSV.gz or parquet `from_link,to_link,begin_s,end_s,veh[,sd_veh]`.

    `veh` counts per interval, never per hour; an empty from_link is traffic that enters the network on to_link, an
    empty to_link traffic that ends on from_link. Without `sd_veh` the standard error is the root of `veh` (at least 1).

    Raises
    ------
    DemandError
        Every row with an unknown link, no way between its links, or an unusable number.
    """
    table = read_table(path)
    need_columns(path, table, ("from_link", "to_link", "begin_s", "end_s", "veh"), EXAMPLE)
    faults = list(table.faults)
    values = {name: _column(table, name, faults) for name in ("begin_s", "end_s", "veh")}
    sd_veh = np.sqrt(np.maximum(values["veh"], 1.0))
    if "sd_veh" in table.columns:
        given, *odd = numbers(table.columns["sd_veh"])
        bad = odd[0] | odd[1] | (given < 0)
        faults += [f"row {table.row[i]}: sd_veh must be a number of at least 0, or blank" for i in np.flatnonzero(bad)]
        sd_veh = np.where(np.isnan(given), sd_veh, given)
    faults += _value_faults(table, **values)
    from_link, to_link = texts(table.columns["from_link"]), texts(table.columns["to_link"])
    pairs = tuple(zip(from_link.astype(object), to_link.astype(object), strict=True))
    ways, pair_faults = _ways(network, pairs, table.row)
    faults += pair_faults
    if not len(table) and not faults:
        faults.append(f"holds no rows; needed: {EXAMPLE}")
    if faults:
        raise DemandError(str(path), capped(faults))
    return TurnTable(pairs, **values, sd_veh=sd_veh, ways=ways, notes=tuple(_notes(table, pairs, ways)))


def _column(table: Table, name: str, faults: list[str]) -> FLOAT:
    value, not_number, not_finite = numbers(table.columns[name])
    column = table.columns[name]
    bad = np.flatnonzero(not_number | not_finite | np.isnan(value))
    faults += [f"row {table.row[i]}: {name} is {str(column[i])[:40]!r}; needs a plain number" for i in bad]
    return value


def _value_faults(table: Table, begin_s: FLOAT, end_s: FLOAT, veh: FLOAT) -> list[str]:
    row = table.row
    faults = [
        f"row {row[i]}: the interval is {begin_s[i]:g} to {end_s[i]:g} s; needs 0 <= begin_s < end_s"
        for i in np.flatnonzero((end_s <= begin_s) | (begin_s < 0) | (end_s > 2 * 86_400))
    ]
    length_s = np.maximum(end_s - begin_s, 1.0)
    return faults + [
        f"row {row[i]}: veh is {veh[i]:g} in {length_s[i]:g} s; needs vehicles in the interval, 0 or more"
        for i in np.flatnonzero((veh < 0) | (veh > MAX_VEH_PER_S * length_s))
    ]


def _ways(
    network: RoadNetwork, pairs: tuple[Pair, ...], row: NDArray[np.int64]
) -> tuple[dict[Pair, tuple[Pair, ...]], list[str]]:
    ways: dict[Pair, tuple[Pair, ...]] = {}
    wrong: dict[Pair, str] = {}
    faults = []
    for n, pair in enumerate(pairs):
        if pair not in ways and pair not in wrong:
            unknown = [link for link in pair if link and link not in network.links]
            unknown += [link for link in pair if link and link not in unknown and not network.links[link].drivable]
            way = () if unknown else _way(network, pair)
            if unknown:
                wrong[pair] = f"no link {unknown[0]!r} that vehicles may use in the network; correct the name"
            elif not way:
                wrong[pair] = f"there is no way from {pair[0]!r} to {pair[1]!r}; correct the links"
            else:
                ways[pair] = way
        if pair in wrong:
            faults.append(f"row {row[n]}: {wrong[pair]}")
    return ways, faults


def _way(network: RoadNetwork, pair: Pair) -> tuple[Pair, ...]:
    """The movements from one link to the other, over the fastest way in free flow; empty if there is none."""
    start, goal = pair
    if not start and not goal:
        return ()
    if not start or not goal or goal in network.outgoing[start]:
        return (pair,)
    best: dict[str, tuple[float, str]] = {start: (0.0, "")}
    heap = [(0.0, start)]
    done: set[str] = set()
    while heap:
        time_s, link = heapq.heappop(heap)
        if link in done:
            continue
        done.add(link)
        if link == goal and best[link][1]:
            break
        for onwards in network.outgoing[link]:
            record = network.links[onwards]
            reach_s = time_s + record.length_m / record.speed_mps
            if onwards not in done and reach_s < best.get(onwards, (np.inf, ""))[0]:
                best[onwards] = (reach_s, link)
                heapq.heappush(heap, (reach_s, onwards))
    if goal not in best or not best[goal][1]:
        return ()
    links = [goal]
    while links[-1] != start:
        links.append(best[links[-1]][1])
    links.reverse()
    return tuple(itertools.pairwise(links))


def _notes(table: Table, pairs: tuple[Pair, ...], ways: dict[Pair, tuple[Pair, ...]]) -> list[str]:
    notes = [f"{len(table)} rows read and used, {len(ways)} pairs of links"]
    far = np.array([len(ways[pair]) > 1 for pair in pairs])
    if far.any():
        notes.append(
            f"links that do not meet, taken over the fastest way between them: rows {name_rows(table.row[far])}"
        )
    return notes


def spread(turns: TurnTable, begin_s: FLOAT, end_s: FLOAT) -> dict[Pair, tuple[FLOAT, FLOAT, FLOAT]]:
    """Turns of single movements on a grid of intervals, rows spread evenly over their time.

    Returns
    -------
    dict of Pair → (veh, sd_veh, covered)
        Each of shape (T,): vehicles, their standard error, and the share of the interval the rows cover [-]. Rows over
        several movements add to each; a movement that has rows of its own keeps to those.
    """
    direct = {pair for pair in turns.pairs if turns.ways[pair] == (pair,)}
    out: dict[Pair, tuple[FLOAT, FLOAT, FLOAT]] = {}
    sources: dict[Pair, dict[Pair, FLOAT]] = {}
    for n, pair in enumerate(turns.pairs):
        overlap_s = np.clip(np.minimum(end_s, turns.end_s[n]) - np.maximum(begin_s, turns.begin_s[n]), 0.0, None)
        share = overlap_s / (turns.end_s[n] - turns.begin_s[n])
        for movement in turns.ways[pair]:
            if movement in direct and movement != pair:
                continue
            veh, variance, _ = out.setdefault(movement, tuple(np.zeros(len(begin_s)) for _ in range(3)))  # type: ignore[arg-type]
            veh += turns.veh[n] * share
            variance += turns.sd_veh[n] ** 2 * share
            cover = sources.setdefault(movement, {}).setdefault(pair, np.zeros(len(begin_s)))
            cover += overlap_s / (end_s - begin_s)
    return {
        movement: (veh, np.sqrt(variance), np.minimum(np.min(list(sources[movement].values()), axis=0), 1.0))
        for movement, (veh, variance, _) in out.items()
    }
