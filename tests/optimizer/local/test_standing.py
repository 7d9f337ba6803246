"""Tests of lanes that stand although they have green."""

import numpy as np
import pytest

from network_data.network import RoadNetwork
from network_data.observations import Observation
from network_data.settings import Settings
from optimizer.local.estimate import Outlook
from optimizer.local.layout import Layout, layout_of
from optimizer.local.lookahead import LookAhead, LookAheadSettings
from optimizer.local.signal_model import SignalModel, signal_model
from optimizer.local.stage_pool import stage_pool
from optimizer.local.standing import AGAIN, BEHIND, FORGET_S, STANDS_S, STILL, Standing
from tests.builders import crossing, field_plan, left_turn
from tests.its.adapt.toy_field import loops


def scene(network: RoadNetwork, links: tuple[str, str]) -> tuple[Layout, SignalModel, Standing]:
    """One signal with loops on two links, lanes in their order."""
    layout = layout_of(network, loops(network, links))
    plan = field_plan(network).controllers["c"]
    return (
        layout,
        signal_model(layout, stage_pool(network, network.controllers["c"], plan, Settings())),
        _spoken(layout),
    )


def _spoken(layout: Layout) -> Standing:
    """Loops that have counted somebody before."""
    standing = Standing(layout)
    seconds(standing, 1, covered=False, count=1.0, is_open=True)
    return standing


def seconds(
    standing: Standing, n: int, *, covered: bool, count: float = 0.0, is_open: bool, sound: bool = True
) -> None:
    """So many seconds of the first lane's stop line; the second lane is red, `count` pass there too."""
    here = np.array([is_open, False])
    for _ in range(n):
        seen = Observation(
            time_s=1.0,
            interval_s=1.0,
            detector_ids=("a", "s", "b", "t"),
            count_veh=np.array([0.0, count, 0.0, count], np.float32),
            occupancy=np.array([0.0, float(covered), 0.0, 0.0], np.float32),
            health=np.array([0, int(not sound), 0, 0], np.uint8),
        )
        standing.update(seen, here, here)


def test_a_covered_loop_that_counts_nobody_under_green_says_that_the_lane_stands() -> None:
    """Six seconds of it; on red, with a vehicle that passes, or from a loop that is lost, it says nothing."""
    layout, _, standing = scene(crossing(), ("si", "wi"))
    assert layout.approaches == ("si", "wi")
    seconds(standing, 30, covered=True, is_open=False)
    assert not standing.stands.any()
    seconds(standing, int(STANDS_S) - 1, covered=True, is_open=True)
    assert not standing.stands.any()
    seconds(standing, 1, covered=True, is_open=True)
    assert standing.stands.tolist() == [True, False]
    seconds(standing, 1, covered=True, count=1.0, is_open=True)
    assert not standing.stands.any()
    seconds(standing, 20, covered=True, is_open=True, sound=False)
    assert not standing.stands.any()
    fresh = Standing(layout)  # its loops have not told anything yet
    seconds(fresh, 20, covered=True, is_open=True)
    assert not fresh.stands.any()


def test_every_green_in_vain_halves_what_the_next_is_expected_to_do() -> None:
    """In the green that stands a tenth is left, after it a half, after two a quarter; until it fades or one passes."""
    _, model, standing = scene(crossing(), ("si", "wi"))
    full = model.base[1, 0]
    seconds(standing, 10, covered=True, is_open=True)
    assert standing.service(model, 1).base[1, 0] == pytest.approx(STILL * full)
    for n in (1, 2):
        seconds(standing, 10, covered=True, is_open=False)
        assert standing.service(model, 0).base[1, 0] == pytest.approx(AGAIN ** (n - 10 / FORGET_S) * full)
        seconds(standing, 10, covered=True, is_open=True)
    seconds(standing, 1, covered=True, is_open=False)
    seconds(standing, int(3 * FORGET_S), covered=True, is_open=False)
    assert standing.service(model, 0).base is model.base
    seconds(standing, 10, covered=True, is_open=True)
    seconds(standing, 1, covered=True, count=1.0, is_open=True)
    assert standing.service(model, 1).base is model.base


def test_the_first_of_a_lane_that_stands_wants_the_way_that_yields() -> None:
    """Beside a way that yields half of the lane is taken to go by gaps, which is no failure of its green."""
    _, model, standing = scene(left_turn(rows=((20, "Gg"), (3, "yy"), (20, "rG"), (3, "ry"))), ("ei", "wi"))
    assert model.perm[0, 1] > 0
    here, nowhere = np.array([True, True]), np.zeros(2, np.bool_)
    seen = Observation(
        time_s=1.0, interval_s=1.0, detector_ids=("a", "s", "b", "t"), count_veh=np.zeros(4, np.float32),
        occupancy=np.array([0, 0, 0, 1], np.float32), health=np.zeros(4, np.uint8),
    )  # fmt: skip
    for _ in range(10):
        standing.update(seen, here, nowhere)
    service = standing.service(model, 0)
    assert service.base[0, 1] == pytest.approx(BEHIND * model.base[0, 1])
    assert service.perm[0, 1] == pytest.approx(model.perm[0, 1] + (1 - BEHIND) * model.base[0, 1])
    standing.update(seen, nowhere, nowhere)
    assert standing.service(model, 1).base is model.base


def test_green_for_a_lane_that_stands_goes_across() -> None:
    """Fifteen who cannot leave against three across: the look-ahead changes; without the knowledge it stays."""
    _, model, standing = scene(crossing(), ("si", "wi"))
    search = LookAhead(model, LookAheadSettings(horizon_s=50))
    outlook, free = Outlook(np.array([15.0, 3.0]), np.zeros((50, 2))), np.zeros(2, np.int64)
    assert search.choose(outlook, 1, free).leave_in_s > 10
    seconds(standing, 10, covered=True, is_open=True)
    choice = search.choose(outlook, 1, free, service=standing.service(model, 1))
    assert (choice.leave_in_s, choice.stage) == (0, 0)
