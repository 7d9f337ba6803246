"""What the street has told since the last look: counts and occupancy of loops, and which of them may be trusted.

The one record that passes from the field to everything that adapts. It holds detectors only; nothing in it knows a
vehicle. One second long for what decides within a cycle, a cycle long for what re-optimizes plans (`joined`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.errors import DemandError


class Health(NamedTuple):
    """Codes of `Observation.health`."""

    SOUND: int = 0
    SILENT: int = 1
    """Says nothing (no answer), or nothing for far longer than its traffic allows."""
    STUCK: int = 2
    """Occupied without end while neighbours or signals say that traffic moves; or chatters."""


HEALTH = Health()


@dataclass(frozen=True, eq=False, kw_only=True)
class Observation:
    """Detectors over (time_s - interval_s, time_s]; D detectors in the order of `detector_ids`.

    Attributes
    ----------
    time_s : float
        End of the interval, on the clock of the field. [s]
    interval_s : float
        Its length. [s]
    detector_ids : tuple of str
        The same tuple in every observation of a field, so that arrays need no look-up.
    count_veh : ndarray, shape (D,), float32
        Vehicles whose front passed the loop. [veh]; NaN where the detector did not answer
    occupancy : ndarray, shape (D,), float32
        Share of the interval in which the loop was covered, 0 to 1. [-]; NaN where it did not answer
    health : ndarray, shape (D,), uint8
        0 sound, else a code of `HEALTH`: its values are not to be used, history stands in.
    """

    time_s: float
    interval_s: float
    detector_ids: tuple[str, ...]
    count_veh: NDArray[np.float32]
    occupancy: NDArray[np.float32]
    health: NDArray[np.uint8]

    def __post_init__(self) -> None:
        faults = []
        if not self.interval_s > 0:
            faults.append(f"interval_s is {self.interval_s}; needs to be above 0")
        want = (len(self.detector_ids),)
        shapes = {name: getattr(self, name).shape for name in ("count_veh", "occupancy", "health")}
        faults += [
            f"{name} is {shape}; needs {want}: one number per detector"
            for name, shape in shapes.items()
            if shape != want
        ]
        if faults:
            raise DemandError(f"observation at {self.time_s:g} s", faults)

    @property
    def sound(self) -> NDArray[np.bool_]:
        """Whose values may be used. (D,)"""
        return np.asarray((self.health == HEALTH.SOUND) & np.isfinite(self.count_veh))

    @property
    def flow_vph(self) -> NDArray[np.float32]:
        """Counts as hourly flows; NaN where the detector is not sound. (D,)"""
        out = self.count_veh * np.float32(3600.0 / self.interval_s)
        return np.where(self.sound, out, np.float32(np.nan))

    def hash(self) -> str:
        """SHA-256 over times, ids and values: what a decision was made from. [hex]"""
        digest = hashlib.sha256(repr((self.time_s, self.interval_s, self.detector_ids)).encode())
        for array in (self.count_veh, self.occupancy, self.health):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def joined(parts: Sequence[Observation]) -> Observation:
    """Observations that follow each other as one: counts added, occupancy weighted by time, the last health.

    A detector that failed to answer in some of them has the counts of the rest scaled to the whole time.

    Raises
    ------
    DemandError
        None given, or they are not of the same detectors.
    """
    if not parts:
        raise DemandError("observations", "none to join; give at least one")
    last = parts[-1]
    if any(part.detector_ids != last.detector_ids for part in parts):
        raise DemandError("observations", "are of different detectors; join those of one field only")
    seconds = np.array([part.interval_s for part in parts])[:, None]
    counts = np.stack([part.count_veh for part in parts])
    told = np.isfinite(counts)
    told_s = np.where(told, seconds, 0.0).sum(0)
    whole_s = float(seconds.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        count_veh = np.where(told, counts, 0.0).sum(0) * np.where(told_s > 0, whole_s / told_s, np.nan)
        occupied = np.where(told, np.stack([part.occupancy for part in parts]), 0.0)
        occupancy = (occupied * seconds).sum(0) / np.where(told_s > 0, told_s, np.nan)
    return Observation(
        time_s=last.time_s,
        interval_s=whole_s,
        detector_ids=last.detector_ids,
        count_veh=count_veh.astype(np.float32),
        occupancy=occupancy.astype(np.float32),
        health=last.health,
    )
