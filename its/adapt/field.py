"""The field: what detectors tell and signals show, behind one small interface. The engine never sees a vehicle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from network_data.observations import Observation


class Field(Protocol):
    """A street that goes on by itself, second by second, whether somebody decides or not."""

    @property
    def detector_ids(self) -> tuple[str, ...]:
        """The detectors, in the order of every observation."""
        ...

    @property
    def time_s(self) -> float:
        """Now, on the clock of the field. [s]"""
        ...

    def observe(self) -> Observation | None:
        """Wait for the next second and return what the detectors told in it; None when the field has ended."""
        ...

    def show(self, states: Mapping[str, str]) -> None:
        """Letters for controllers from now on; each keeps what it shows until told otherwise."""
        ...

    def close(self) -> None:
        """Let go of the field."""
        ...
