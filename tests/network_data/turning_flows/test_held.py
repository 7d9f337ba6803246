"""Traffic that queues let pass only after the period is demand of the period."""

from __future__ import annotations

import math

import numpy as np

from network_data.turning_flows.held import bring_forward
from network_data.turning_flows.series import DaySeries


def test_what_comes_late_is_booked_within_the_period() -> None:
    """Loop "a" counts 20 and 10 more than its later level; "b" counts nothing later, which brings nothing forward."""
    begin_s = 300.0 * np.arange(8)
    veh = np.array([[50.0] * 4 + [70, 60, 50, 50], [30.0] * 4 + [math.nan] * 4])
    series = DaySeries(
        begin_s=begin_s,
        end_s=begin_s + 300,
        row={"a": 0, "b": 1},
        veh=veh,
        occupancy_pct=np.full(veh.shape, 60.0),
        repaired=np.zeros(veh.shape, dtype=bool),
    )
    brought, late_share = bring_forward(series, frozenset({"a"}), 0, 1200)
    np.testing.assert_allclose(brought.veh[0, :4], 50 + 30 / 4)
    np.testing.assert_array_equal(brought.veh[1, :4], 30)
    assert late_share == 30 / 320
