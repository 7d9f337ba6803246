"""Parts of a weighted graph: bounded, connected, the same every time, and near the best cut where that is known."""

from __future__ import annotations

from itertools import product

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from network_data.partition import partition

Weights = dict[tuple[int, int], float]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Weights]:
    """Up to 14 nodes with any edges between them."""
    n = draw(st.integers(1, 14))
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return n, {pair: draw(st.floats(0.1, 100)) for pair in chosen}


def inside(parts: list[list[int]], weight: Weights) -> float:
    """Weight of the edges within parts."""
    of = {i: n for n, part in enumerate(parts) for i in part}
    return sum(w for (i, j), w in weight.items() if of[i] == of[j])


@settings(deadline=None, max_examples=150)
@given(graph=graphs(), most=st.integers(1, 14), least=st.integers(1, 5))
def test_every_node_is_in_one_connected_part_within_the_bound(
    graph: tuple[int, Weights], most: int, least: int
) -> None:
    """Whatever the graph: parts cover it, hold together, keep to the bound, and come out the same again."""
    n, weight = graph
    parts = partition(n, weight, most=most, least=min(least, most))
    assert sorted(i for part in parts for i in part) == list(range(n))
    assert all(len(part) <= most for part in parts)
    whole = nx.Graph(list(weight))
    whole.add_nodes_from(range(n))
    assert all(nx.is_connected(whole.subgraph(part)) for part in parts)
    assert partition(n, dict(reversed(weight.items())), most=most, least=min(least, most)) == parts


@settings(deadline=None, max_examples=100)
@given(graph=graphs())
def test_without_a_bound_parts_are_the_components(graph: tuple[int, Weights]) -> None:
    """Whatever is tied belongs together as long as there is room."""
    n, weight = graph
    whole = nx.Graph(list(weight))
    whole.add_nodes_from(range(n))
    parts = partition(n, weight, most=n)
    assert sorted(map(sorted, parts)) == sorted(sorted(part) for part in nx.connected_components(whole))


@settings(deadline=None, max_examples=60)
@given(graph=graphs(), most=st.integers(2, 6))
def test_no_single_move_would_hold_more(graph: tuple[int, Weights], most: int) -> None:
    """No node is tied more to another part that has room than to its own, unless its own would fall apart."""
    n, weight = graph
    parts = partition(n, weight, most=most)
    whole = nx.Graph()
    whole.add_nodes_from(range(n))
    whole.add_weighted_edges_from((i, j, w) for (i, j), w in weight.items())
    of = {i: k for k, part in enumerate(parts) for i in part}
    for i in range(n):
        ties: dict[int, float] = dict.fromkeys(range(len(parts)), 0.0)
        for j, data in whole[i].items():
            ties[of[j]] += data["weight"]
        rest = set(parts[of[i]]) - {i}
        free = not rest or nx.is_connected(whole.subgraph(rest))
        better = [k for k, tie in ties.items() if k != of[i] and len(parts[k]) < most and tie > ties[of[i]] + 1e-6]
        assert not (free and better)


def test_chains_are_cut_at_their_weakest_ties() -> None:
    """Eight signals in a row with a weak tie in the middle, four to a part."""
    weight = {(i, i + 1): 10.0 for i in range(7)}
    weight[3, 4] = 1.0
    assert partition(8, weight, most=4) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert partition(8, weight, most=5) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_near_the_best_of_all_cuts_in_small_graphs() -> None:
    """On 3 × 3 grids with seeded weights the search holds at least 90 % of what the best parts of four would."""
    shares = []
    for seed in range(12):
        weight: Weights = {}
        for i, j in product(range(3), repeat=2):
            for di, dj in ((1, 0), (0, 1)):
                if i + di < 3 and j + dj < 3:
                    weight[3 * i + j, 3 * (i + di) + j + dj] = 1.0 + (7 * i + 13 * j + 5 * di + 11 * seed) % 17
        best = max(inside(cut, weight) for cut in _cuts(9, 4, weight))
        shares.append(inside(partition(9, weight, most=4), weight) / best)
    assert min(shares) >= 0.8
    assert sum(shares) / len(shares) >= 0.9


def _cuts(n: int, most: int, weight: Weights) -> list[list[list[int]]]:
    """All ways to cut nodes into parts of at most so many."""
    out: list[list[list[int]]] = [[]]
    for i in range(n):
        out = [
            grown
            for parts in out
            for grown in (
                *([*parts[:k], [*part, i], *parts[k + 1 :]] for k, part in enumerate(parts) if len(part) < most),
                [*parts, [i]],
            )
        ]
    return out


def test_small_parts_join_where_there_is_room() -> None:
    """A triple and a pair, tied weakly: the pair joins as soon as three are asked for."""
    weight = {(0, 1): 9.0, (1, 2): 9.0, (2, 3): 1.0, (3, 4): 9.0}
    assert partition(5, weight, most=3) == [[0, 1, 2], [3, 4]]
    assert partition(5, weight, most=5, least=3) == [[0, 1, 2, 3, 4]]
    assert partition(5, weight, most=3, least=3) == [[0, 1, 2], [3, 4]]
