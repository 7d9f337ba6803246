"""When a lane is free to discharge: greens of a program in clock time."""

from __future__ import annotations

import numpy as np
import pytest

from network_data.discharge.greens import Greens, lane_signals, program_greens
from network_data.errors import DemandError
from tests.builders import left_turn, program, two_signals

ROWS = ((20, "Gr"), (10, "GG"), (5, "yG"), (15, "rG"), (10, "rr"))


def test_greens_of_a_program_by_hand() -> None:
    """Cycle 60 from second 7: index 0 is green from 7 to 37, index 1 from 27 to 57, both from 27 to 37."""
    plan = program(ROWS, offset_s=7.0)
    first = program_greens(plan, [0], 0.0, 200.0)
    assert first.start_s.tolist() == [7, 67, 127]
    assert first.end_s.tolist() == [37, 97, 157]
    assert program_greens(plan, [1], 0.0, 200.0).end_s.tolist() == [57, 117, 177]
    assert program_greens(plan, [0, 1], 0.0, 200.0).start_s.tolist() == [27, 87, 147]


def test_a_green_across_the_end_of_the_cycle_is_one() -> None:
    """Its two parts belong together."""
    found = program_greens(program(((20, "G"), (30, "r"), (10, "G"))), [0], 0.0, 200.0)
    assert found.start_s.tolist() == [50, 110, 170]
    assert found.end_s.tolist() == [80, 140, 200]


def test_the_greens_agree_with_the_state_at_every_second() -> None:
    """Second by second: in a green of the lane all its indices show green, outside at least one does not."""
    plan = program(ROWS, offset_s=13.0)
    found = program_greens(plan, [0, 1], 0.0, 600.0)
    inside = np.zeros(600, bool)
    for a, b in zip(found.start_s, found.end_s, strict=True):
        inside[int(a) : int(b)] = True
    shown = np.array([set(plan.state_at(t + 0.5)) <= {"G"} for t in range(600)])
    assert (inside == shown).all()


def test_greens_in_which_the_lane_yields_do_not_count() -> None:
    """A permitted left turn discharges by gaps; protected, or while nobody opposes, it is free."""
    yields = left_turn(((30, "Gg"), (30, "rg"))).controllers["c"].yields
    plan = program(((30, "Gg"), (30, "rg")))
    assert program_greens(plan, [1], 0.0, 130.0, yields=yields).start_s.tolist() == [30, 90]
    assert len(program_greens(program(((60, "Gg"),)), [1], 0.0, 130.0, yields=yields)) == 0


def test_seconds_of_green_in_intervals() -> None:
    """Parts of greens count as parts."""
    greens = Greens.of([10, 70], [40, 100])
    np.testing.assert_allclose(greens.within(np.array([0, 20, 50, 95]), np.array([60, 80, 60, 200])), [30, 30, 0, 5])
    assert Greens.of([], []).within(np.array([0.0]), np.array([60.0])).tolist() == [0.0]


def test_lanes_and_their_heads() -> None:
    """Every lane before a signal with its heads; lanes without one are left out."""
    found = lane_signals(two_signals())
    assert found["a0", 0].indices == (0,)
    assert found["a0", 0].controller_id == "p"
    assert ("a2", 0) not in found


def test_greens_that_overlap_are_refused() -> None:
    """Records of two heads mixed up would double the green."""
    with pytest.raises(DemandError, match="without overlap"):
        Greens.of([0, 10], [20, 30])
