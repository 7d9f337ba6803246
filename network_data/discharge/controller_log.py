"""Greens and actuations out of the high-resolution log of a controller, as the estimates of discharge take them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from network_data.detectors import Detector
from network_data.discharge.greens import Greens
from network_data.discharge.lanes import Actuations, Lane
from network_data.errors import DemandError
from network_data.formats.hires import Code, Events, greens
from network_data.formats.hires_measures import Channel


def phase_greens(events: Events, phase: int) -> Greens:
    """The complete greens of a phase, up to its yellow."""
    shown = [g for g in greens(events) if g.phase == phase and g.end_s > g.begin_s]
    return Greens.of([g.begin_s for g in shown], [g.end_s for g in shown])


def channel_actuations(events: Events, channel: int) -> Actuations:
    """Each time somebody came onto a detector and left it; an on-event before the last one has ended adds nothing."""
    on, off = events.of(Code.DETECTOR_ON, channel), events.of(Code.DETECTOR_OFF, channel)
    n = np.searchsorted(off, on, side="right")  # a pulse takes at least a tick
    known = n < len(off)
    came, left = on[known], off[n[known]]
    first = np.concatenate([[True], np.diff(left) > 0]) if len(left) else np.zeros(0, np.bool_)
    return Actuations(np.asarray(came[first], np.float64), np.asarray(left[first], np.float64))


def from_events(
    events: Events, channels: Sequence[Channel], detectors: Sequence[Detector]
) -> tuple[dict[str, Actuations], dict[Lane, Greens]]:
    """Actuations by detector, and greens by lane from the phase that its channel belongs to.

    Parameters
    ----------
    channels : sequence of Channel
        Phase and function of each channel.
    detectors : sequence of Detector
        Where they lie; a detector is named `DEVICE/CHANNEL`, as in counts made of the log.

    Raises
    ------
    DemandError
        No detector is one of the log's.
    """
    phase_of = {f"{events.device}/{c.channel}": c for c in channels}
    data: dict[str, Actuations] = {}
    shown: dict[Lane, Greens] = {}
    made: dict[int, Greens] = {}
    for d in detectors:
        channel = phase_of.get(d.id)
        if channel is None:
            continue
        if channel.phase not in made:
            made[channel.phase] = phase_greens(events, channel.phase)
        actuations = channel_actuations(events, channel.channel)
        if len(actuations.off_s):
            data[d.id] = actuations
            shown[d.link_id, d.lane] = made[channel.phase]
    if not data:
        named = ", ".join(list(phase_of)[:8])
        raise DemandError("events", f"no detector is one of the log's; name them as the log does: {named}")
    return data, shown
