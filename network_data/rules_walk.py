"""The rule on people on foot: walk and clearance of crossings, mapped or assumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from network_data.clearance import EPSILON_S, crossing_need_s, walk_and_clear_s
from network_data.plans import GREEN
from network_data.program_table import ProgramTable
from network_data.rules_judged import Finding, Judged


def check_walk(judged: Judged) -> Iterator[Finding]:
    """Time to walk and to clear: 7 s plus the length at 1.0 m/s, or what the field gives where that is less.

    For a mapped crossing the time runs from the begin of its green to the next start of a conflicting green. With
    pedestrians = "assume" every other signalled approach needs one stretch of red as long.
    """
    for head in judged.heads:
        if head.kind == "crossing":
            need_s = crossing_need_s(judged.network, head)
            times = walk_times_s(judged.table, head.index, judged.foes.get(head.index, ()))
            today = walk_times_s(judged.reference, head.index, judged.foes.get(head.index, ()))
            yield from _judge(judged, judged.name(head.index), times, need_s, min(today, default=need_s))
    if judged.settings.rules.pedestrians == "assume":
        yield from _assumed(judged)


def walk_times_s(table: ProgramTable, index: int, foes: Sequence[int]) -> list[float]:
    """Per green of a crossing: seconds from its begin to the next start of a conflicting green. [s]"""
    out = []
    for run in table.runs(index, GREEN):
        first_red = next(
            (x for x in range(1, table.n_intervals) if not table.greens[(run.first + x) % table.n_intervals, index]), 0
        )
        end = (run.first + first_red) % table.n_intervals
        out.append(run.duration_s + _until_start_s(table, end, foes))
    return out


def _until_start_s(table: ProgramTable, first: int, foes: Sequence[int]) -> float:
    """Seconds from the start of an interval until one of the foes turns green anew; at most one cycle."""
    total = 0.0
    for step in range(table.n_intervals):
        n = (first + step) % table.n_intervals
        if any(table.greens[n, j] and not table.greens[n - 1, j] for j in foes):
            break
        total += table.durations_s[n]
    return total


def _assumed(judged: Judged) -> Iterator[Finding]:
    network, controller = judged.network, judged.controller
    mapped = {link_id for x in network.crossings if x.controller_id == controller.id for link_id in x.crossed_links}
    for link_id in network.approaches.get(controller.id, ()):
        if link_id in mapped:
            continue
        heads = [
            head.index
            for head in judged.heads
            if any(network.connections[i].from_link == link_id for i in head.connections)
        ]
        width_m = sum(lane.width_m for lane in network.links[link_id].lanes)
        need_s = walk_and_clear_s(width_m)
        times, today = ([_longest_stop_s(table, heads)] for table in (judged.table, judged.reference))
        yield from _judge(judged, f"assumed crossing of {link_id}", times, need_s, today[0])


def _longest_stop_s(table: ProgramTable, heads: Sequence[int]) -> float:
    """Longest time in which none of the link indices is green or yellow. [s]"""
    stopped = [all(state[k] not in "GgyYsoO" for k in heads) for state in table.states]
    if all(stopped):
        return sum(table.durations_s)
    best = now = 0.0
    for n in range(2 * table.n_intervals):
        now = now + table.durations_s[n % table.n_intervals] if stopped[n % table.n_intervals] else 0.0
        best = max(best, now)
    return best


def _judge(judged: Judged, where: str, times: Sequence[float], need_s: float, today_s: float) -> Iterator[Finding]:
    shortest_s = min(times, default=need_s)
    if shortest_s >= need_s - EPSILON_S:
        return
    fits_today = shortest_s >= min(need_s, today_s) - EPSILON_S
    text = f"{where}: {shortest_s:g} s to walk and clear; 7 s plus its length at 1.0 m/s are {need_s:.1f} s"
    text += ", the field program gives no more" if fits_today else f"; the field program gives {today_s:g} s"
    severity = "warning" if fits_today else "error"
    limit_s = min(need_s, today_s)
    yield judged.finding("walk", where, text, value=shortest_s, limit=limit_s, severity=severity)  # type: ignore[arg-type]
