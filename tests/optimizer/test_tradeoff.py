"""The front of delay, stops and waits on foot: dominance, its volume, legal plans."""

from itertools import pairwise

import numpy as np
import pytest

from network_data.rules import check_plan
from network_data.settings import Settings
from optimizer.tradeoff import Front, Tradeoff, dominates, front_of, trade_off, volume_of
from tests.builders import field_plan
from tests.optimizer.scenes import arterial

NETWORK, FLOWS = arterial(offsets_s=(0.0, 58.0))
FIELD = field_plan(NETWORK)


def point(*values: float) -> Tradeoff:
    delay, stops, *wait = values
    return Tradeoff(
        name=str(values), plan=FIELD, delay_s_per_veh=delay, stops_per_veh=stops, wait_s=wait[0] if wait else None
    )


@pytest.fixture(scope="module")
def front() -> Front:
    return trade_off(NETWORK, FLOWS, FIELD, Settings(), begin_s=0.0, end_s=900.0, iterations=12)


def test_dominance() -> None:
    """Nowhere worse and somewhere better; equal ones do not dominate each other."""
    assert dominates((1, 2), (1, 3))
    assert not dominates((1, 3), (1, 3))
    assert not dominates((1, 3), (2, 2))


def test_only_what_nothing_dominates_is_kept() -> None:
    """Of six points three remain, in order of delay, equal ones once; against a plain double loop on random points."""
    points = [point(*v) for v in ((3, 1), (1, 3), (2, 2), (2, 2), (3, 3), (2, 4))]
    assert [p.values for p in front_of(points)] == [(1, 3), (2, 2), (3, 1)]
    rng = np.random.default_rng(0)
    many = [point(*row) for row in rng.integers(0, 6, (60, 3)).astype(float).tolist()]
    values = {p.values for p in many}
    want = {v for v in values if not any(dominates(other, v) for other in values)}
    assert {p.values for p in front_of(many)} == want


def test_volume_by_hand_and_by_counting_cells() -> None:
    """Two boxes that overlap; in three dimensions every unit cell that a point dominates is counted."""
    assert volume_of([(1.0, 2.0), (2.0, 1.0)], (3.0, 3.0)) == pytest.approx(2 + 1)
    assert volume_of([(4.0, 1.0)], (3.0, 3.0)) == 0
    rng = np.random.default_rng(1)
    for _ in range(10):
        points = rng.integers(0, 6, (8, 3))
        cells = np.argwhere(np.ones((6, 6, 6)))
        inside = (cells[:, None] >= points[None]).all(axis=2).any(axis=1)
        assert volume_of(points.tolist(), (6, 6, 6)) == pytest.approx(inside.sum())


def test_more_points_never_make_the_volume_smaller() -> None:
    """The volume is that of the front, whatever lies behind it."""
    rng = np.random.default_rng(2)
    points = rng.random((12, 3)).tolist()
    volumes = [volume_of(points[:n], (1.0, 1.0, 1.0)) for n in range(1, 13)]
    assert all(b >= a - 1e-12 for a, b in pairwise(volumes))
    kept = [p.values for p in front_of([point(*p) for p in points])]
    assert volume_of(kept, (1.0, 1.0, 1.0)) == pytest.approx(volumes[-1])


def test_every_plan_of_the_front_is_legal_and_none_dominates_another(front: Front) -> None:
    """Found by several searches, checked, numbered; less delay than the field somewhere."""
    assert front.n_searches >= 3
    assert front.plans
    for one in front.plans:
        found = check_plan(NETWORK, one.plan, FIELD, Settings())
        assert [f.text for f in found if f.severity == "error"] == []
        assert not any(dominates(other.values, one.values) for other in front.plans)
    assert min(one.delay_s_per_veh for one in front.plans) < front.field.delay_s_per_veh
    assert 0 < front.volume < 1


def test_without_crossings_it_says_so(front: Front) -> None:
    """No waits on foot where nobody walks, and a note."""
    assert all(one.wait_s is None for one in front.plans)
    assert "no crossings" in front.notes[0]


def test_same_seed_same_front(front: Front) -> None:
    """By iterations the front is the same again."""
    again = trade_off(NETWORK, FLOWS, FIELD, Settings(), begin_s=0.0, end_s=900.0, iterations=12)
    assert [one.values for one in again.plans] == [one.values for one in front.plans]


def test_asked_to_stop_what_is_known_is_the_front() -> None:
    """No search is begun; the plans given are measured."""
    found = trade_off(
        NETWORK, FLOWS, FIELD, Settings(), begin_s=0.0, end_s=900.0, first=[("mine", FIELD)], stop=lambda: True
    )
    assert found.n_searches == 0
    assert [one.name for one in found.plans] == ["1: mine"]
