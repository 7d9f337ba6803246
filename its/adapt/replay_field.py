"""A recorded run as the field: it tells what was told, and takes what is shown without acting on it."""

from __future__ import annotations

from collections.abc import Mapping

from its.adapt.log import Recording
from network_data.observations import Observation


class ReplayField:
    """See `Field`. `shown` holds what the engine would show now."""

    def __init__(self, recording: Recording) -> None:
        self.detector_ids: tuple[str, ...] = tuple(recording.header["detectors"])
        self.time_s = float(recording.header["begin_s"])
        self.shown: dict[str, str] = dict(recording.header["states"])
        self._rest = recording.observations()

    def observe(self) -> Observation | None:
        """See `Field`."""
        seen = next(self._rest, None)
        if seen is not None:
            self.time_s = seen.time_s
        return seen

    def show(self, states: Mapping[str, str]) -> None:
        """See `Field`."""
        self.shown.update(states)

    def close(self) -> None:
        """See `Field`."""
