"""Changes that the field never shows are built as long as those it does show."""

import numpy as np

from network_data.clearance import UNSEEN, ClearanceMatrix
from optimizer.stages import with_changes
from optimizer.unseen_changes import with_usual_clearances


def _matrix() -> ClearanceMatrix:
    """Four movements: from 0 the field changes to 1 (6 s) and 2 (5 s), from 1 to 3 (7 s); nothing else is direct."""
    seconds = np.array([[0, 6, 5, 3], [3, 0, 0, 7], [3, 0, 0, 3], [3, 3, 3, 0]], np.float64)
    known = {(0, 1), (0, 2), (1, 3)}
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j and {i, j} != {1, 2}]
    sources = {(i, j): "field program" if (i, j) in known else f"yellow of {i}; {UNSEEN}" for i, j in pairs}
    return ClearanceMatrix("c", seconds, sources, np.full(4, 3.0), np.full(4, 5.0))


def test_an_unseen_change_takes_the_least_that_its_movement_takes_elsewhere() -> None:
    """From 0 to 3: the least from 0. From 2 to 3: the least to 3. From 3 to 0, where neither is known: of all."""
    usual = with_usual_clearances(_matrix())
    assert usual[0, 3] == 5.0
    assert usual[1, 0] == 7.0
    assert usual[2, 3] == 7.0
    assert usual[3, 0] == 5.0


def test_what_the_field_shows_stays() -> None:
    """Direct changes keep their clearance, pairs without conflict keep none, and nothing becomes shorter."""
    matrix = _matrix()
    usual = with_usual_clearances(matrix)
    assert [usual[0, 1], usual[0, 2], usual[1, 3], usual[1, 2]] == [6.0, 5.0, 7.0, 0.0]
    assert (usual.seconds >= matrix.seconds).all()


def test_stages_in_another_order_keep_the_all_red() -> None:
    """0 and then 3, an order that the field never runs: two seconds of red for both behind the yellow."""
    states, durations, _ = with_changes(["Grrr", "rrrG"], with_usual_clearances(_matrix()))
    assert list(zip(states, durations, strict=True))[1:3] == [("yrrr", 3), ("rrrr", 2)]
