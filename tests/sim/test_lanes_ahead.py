"""Lanes that drivers take early: rows told apart by one number each."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.lanes_ahead import unique_rows

tables = st.lists(st.tuples(*[st.integers(-1, 5)] * 3), max_size=30)


@settings(deadline=None, derandomize=True)
@given(rows=tables)
def test_rows_are_told_apart_as_numpy_does(rows: list[tuple[int, int, int]]) -> None:
    """The same different rows as `np.unique` finds along axis 0, and every row found again."""
    table = np.array(rows, np.int64).reshape(len(rows), 3)
    unique, inverse = unique_rows(table)
    assert {tuple(row) for row in unique.tolist()} == set(rows)
    assert len(unique) == len(set(rows))
    assert (unique[inverse] == table).all()
