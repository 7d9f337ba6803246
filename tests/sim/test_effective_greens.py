"""Effective greens: what start-up, yellow and neighbouring greens make of a program."""

from __future__ import annotations

import numpy as np
import pytest

from sim.effective_greens import PERMITTED, PROTECTED, SNEAK, TURN_ON_RED, cut, served_times
from tests.builders import program


def seconds(rows: list[tuple[float, str]], index: int = 0) -> dict[int, float]:
    """Seconds per mode of a link index, off the cut cycle."""
    p = program(rows)
    n = len(rows[0][1])
    pieces = cut(p, [served_times(p, k) for k in range(n)])
    assert pieces.piece_s.sum() == pytest.approx(p.cycle_s)
    return {m: float(pieces.piece_s[pieces.mode[index] == m].sum()) for m in range(5)}


def test_a_green_loses_two_seconds_and_wins_two() -> None:
    """g = G − l₁ + e: 30 s of green and 3 s of yellow are 30 s effective."""
    assert seconds([(30, "G"), (3, "y"), (27, "r")])[PROTECTED] == pytest.approx(30)


def test_a_short_yellow_wins_no_more_than_itself() -> None:
    """One second of yellow extends by one; none by none."""
    assert seconds([(30, "G"), (1, "y"), (29, "r")])[PROTECTED] == pytest.approx(29)
    assert seconds([(30, "G"), (30, "r")])[PROTECTED] == pytest.approx(28)


def test_always_green_loses_nothing() -> None:
    """A signal that never closes serves all the time."""
    assert seconds([(60, "G")])[PROTECTED] == pytest.approx(60)


def test_greens_across_the_end_of_the_cycle_are_one() -> None:
    """A green cut by the cycle's end starts up once."""
    assert seconds([(20, "G"), (3, "y"), (27, "r"), (10, "G")])[PROTECTED] == pytest.approx(30)


def test_protected_then_permitted_starts_up_once() -> None:
    """G straight to g: no loss between; the permitted part ends with sneakers, but a change back to G does not."""
    found = seconds([(20, "G"), (20, "g"), (3, "y"), (17, "r")])
    assert found[PROTECTED] == pytest.approx(18)
    assert found[PERMITTED] == pytest.approx(22)
    assert found[SNEAK] == pytest.approx(1)
    assert seconds([(20, "g"), (20, "G"), (3, "y"), (17, "r")])[SNEAK] == 0


def test_turn_on_red_is_a_mode_of_its_own() -> None:
    """Letter s serves, by gaps."""
    assert seconds([(30, "G"), (3, "y"), (27, "s")])[TURN_ON_RED] == pytest.approx(25)


def test_pieces_have_one_mode_each() -> None:
    """No effective green begins or ends within a piece, whatever the shifts."""
    p = program([(11.3, "Gr"), (3.1, "yr"), (7.9, "rG"), (3, "ry"), (2, "rr")])
    served = [served_times(p, k, start_up_s=1.7, extension_s=2.6) for k in range(2)]
    pieces = cut(p, served, np.array([5.55, 100.0]))
    for rows, mode in zip(served, pieces.mode, strict=True):
        want = sum(r.end_s - r.start_s for r in rows)
        assert pieces.piece_s[mode > 0].sum() == pytest.approx(want, abs=1e-5)
    assert np.isclose(pieces.starts_s, 5.55).any()
