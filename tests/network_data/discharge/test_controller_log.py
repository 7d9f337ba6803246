"""From a controller's log to saturation flows: on-off pairs, greens of phases, and two hours of a real signal."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from network_data.detectors import Detector
from network_data.discharge.controller_log import channel_actuations, from_events, phase_greens
from network_data.discharge.lanes import lane_discharges
from network_data.errors import DemandError
from network_data.formats.hires import Code, Events, read_events
from network_data.formats.hires_measures import Channel, read_channels
from tests import packs
from tests.builders import field_plan, single_approach

LOG = (
    (0.0, Code.DETECTOR_ON, 7),
    (5.0, Code.GREEN_BEGIN, 2),
    (8.0, Code.DETECTOR_OFF, 7),
    (9.0, Code.DETECTOR_ON, 7),
    (9.5, Code.DETECTOR_ON, 7),  # again without an off
    (10.0, Code.DETECTOR_OFF, 7),
    (25.0, Code.GREEN_END, 2),
    (60.0, Code.GREEN_BEGIN, 2),  # the log ends before its end
    (61.0, Code.DETECTOR_ON, 7),
)


def log() -> Events:
    """A few events of one phase and one channel."""
    return Events(
        device="s",
        date=datetime.date(2024, 5, 13),
        time_s=np.array([row[0] for row in LOG]),
        code=np.array([int(row[1]) for row in LOG], np.int64),
        parameter=np.array([row[2] for row in LOG], np.int64),
    )


def test_pairs_and_greens_by_hand() -> None:
    """Two vehicles with their off-events; the green that the log cuts off is left out."""
    found = channel_actuations(log(), 7)
    assert found.on_s.tolist() == [0.0, 9.0]
    assert found.off_s.tolist() == [8.0, 10.0]
    greens = phase_greens(log(), 2)
    assert (greens.start_s.tolist(), greens.end_s.tolist()) == ([5.0], [25.0])


def test_detectors_are_found_by_device_and_channel() -> None:
    """Others are left out; none at all is an error that says how they are named."""
    channels = (Channel(channel=7, phase=2, function="stop bar count"),)
    mine = Detector(id="s/7", link_id="in", lane=0, pos_m=299.0, kind="stopbar")
    other = Detector(id="x", link_id="in", lane=0, pos_m=299.0, kind="stopbar")
    data, shown = from_events(log(), channels, (mine, other))
    assert list(data) == ["s/7"]
    assert shown["in", 0].start_s.tolist() == [5.0]
    with pytest.raises(DemandError, match="s/7"):
        from_events(log(), channels, (other,))


def test_two_hours_of_a_real_signal() -> None:
    """Oregon DOT, phase 6: both count loops tell a flow of a street, with a start-up loss.

    Nobody knows the truth there; 1,200 to 1,900 veh/h per lane is what surveys find.
    """
    folder = packs.data_pack() / "odot_hires"
    events = read_events(folder / "events.parquet")
    channels = read_channels(folder / "detector_config.csv", device=events.device)
    network = single_approach()
    told = {}
    for channel in (19, 20):
        loop = Detector(id=f"{events.device}/{channel}", link_id="in", lane=0, pos_m=498.0, kind="stopbar")
        data, shown = from_events(events, channels, (loop,))
        begin_s, end_s = events.period_s
        told[channel] = lane_discharges(
            network, field_plan(network), [loop], data, begin_s=begin_s, end_s=end_s, greens=shown
        )["in", 0]
    assert [one.basis for one in told.values()] == ["headways", "headways"]
    for one in told.values():
        assert one.saturation_vph is not None
        assert one.startup_loss_s is not None
        assert 1200 < one.saturation_vph.low < one.saturation_vph.high < 1900
        assert 0 < one.startup_loss_s.value < 5
