"""Faults put into sound counts do what their names say, and nothing else."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from examples._district_counts import Loop
from examples._district_faults import Fault, draw_faults, faults_csv, inject

DAY = dt.date(2026, 4, 13).toordinal()
LAST_S = 2 * 86400


def sound() -> pd.DataFrame:
    """Two loops over two days: A counts 100, B counts 10 in every interval."""
    rows = [
        (DAY + d, name, s, n) for d in range(2) for s in range(0, 86400, 300) for name, n in (("A", 100), ("B", 10))
    ]
    table = pd.DataFrame(rows, columns=["day", "detector", "begin_s", "veh"])
    return table.assign(occupancy_pct=5.0, speed_mps=9.0)


def with_fault(kind: str, detail: str, begin_s: int = 0, end_s: int = LAST_S) -> pd.DataFrame:
    """The sound table with one fault of loop A."""
    fault = Fault(detector="A", kind=kind, begin_s=begin_s, end_s=end_s, detail=detail)
    return inject(sound(), [fault], seed=1)


def test_a_gap_loses_its_rows_only():
    """Twelve intervals of one hour are gone, the other loop keeps all."""
    table = with_fault("gap", "line dropped", 3600, 7200)
    assert table["detector"].value_counts().to_dict() == {"A": 2 * 288 - 12, "B": 2 * 288}
    assert not table[(table["day"] == DAY) & (table["detector"] == "A")]["begin_s"].between(3600, 6900).any()


def test_a_stuck_loop_shows_one_value():
    """From its begin on loop A says 6, before it says what it saw."""
    table = with_fault("stuck", "6 veh always", 86400)
    of_a = table[table["detector"] == "A"]
    assert set(of_a[of_a["day"] == DAY]["veh"]) == {100}
    assert set(of_a[of_a["day"] == DAY + 1]["veh"]) == {6}


def test_a_drifting_loop_loses_more_and_more():
    """On average half of the final 45 % over the whole time, little at first, nearly all of it in the end."""
    of_a = with_fault("drift", "loses up to 45 %").query("detector == 'A'")["veh"].to_numpy()
    # 288 intervals of 100 vehicles: the standard error of these means is about 0.3
    assert abs(of_a.mean() - 77.5) < 1.5
    assert of_a[:48].mean() > 96
    assert of_a[-48:].mean() < 59


def test_swapped_loops_change_places():
    """What A saw is filed under B and the other way round."""
    pair = [Fault(detector=a, kind="swapped", begin_s=0, end_s=LAST_S, detail=f"with {b}") for a, b in ("AB", "BA")]
    table = inject(sound(), pair, seed=1)
    assert set(table[table["detector"] == "A"]["veh"]) == {10}
    assert set(table[table["detector"] == "B"]["veh"]) == {100}


def test_faults_are_drawn_alike_for_one_seed_and_fit_the_fortnight():
    """Same seed, same faults; another seed, others; all within the two weeks."""
    nodes = ("M2.W", "M3.W", "M5.S", "M6.E", "M1.W", "S5.N")
    sites = [Loop(f"{x}.s{i}", "link", i, 1.0, "stopbar") for x in nodes for i in (1, 2, 3)]
    first, again, other = (draw_faults(sites, 14, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert all(0 <= f.begin_s < f.end_s for f in first)
    text = faults_csv(first, dt.date(2026, 4, 13))
    assert text.splitlines()[0] == "detector,kind,from,to,detail"
    assert len(text.splitlines()) == len(first) + 1
    assert len(np.unique([f.kind for f in first])) == 6
