"""What a driver must be able to do; whatever a controller speaks, the push takes the same steps with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from network_data.errors import SignalError
from network_data.plans import ControllerPlan

Value = int | str
Values = dict[str, Value]


class RefusedError(SignalError):
    """The controller said no, or we did: surely nothing was done by this step."""


class NoAnswerError(SignalError):
    """No answer, or one that leaves it open: the step may have been done. To be resolved by reading."""


class ChangedElsewhereError(SignalError):
    """The controller holds what neither was there before nor was sent: somebody else is at work; hands off."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a push does to one controller.

    `row` goes into cells that are not in use, `switch` puts them in use; `old_row` and `old_switch` are what was read
    before. `place` says which row it is; `notes` are for the report. Where the switch does not take effect now (an
    action of another time of day), it is no change of pattern.
    """

    controller_id: str
    place: dict[str, Any]
    row: Values
    switch: Values
    old_row: Values
    old_switch: Values
    notes: tuple[str, ...] = ()
    takes_effect_now: bool = True

    def as_json(self) -> dict[str, Any]:
        """For the journal."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Change:
        """From the journal."""
        return cls(**{**content, "notes": tuple(content["notes"])})


class Driver(Protocol):
    """One controller by its interface. A call does its work, or raises `RefusedError` or `NoAnswerError`.

    `insecure` is empty, or says why the connection is not safe: every report shows it.
    """

    controller_id: str
    kind: str
    insecure: str

    async def prepare(self, plan: ControllerPlan) -> Change:
        """Right intersection, right device, fit state; the values to send, past the gate; the old ones. Reads only."""

    async def read(self, names: Iterable[str]) -> Values:
        """Values now. Cells that do not exist are left out."""

    async def write_row(self, change: Change) -> None:
        """Fill the unused row, in a transaction of the device where it has one."""

    async def switch(self, change: Change) -> None:
        """Put the row in use, provided that everything still is as it was prepared."""

    async def watch(self, change: Change) -> list[str]:
        """Whether the controller took it up; what is wrong, in words."""

    async def switch_back(self, change: Change) -> None:
        """Put the old row in use again, if the new one is."""

    async def restore_row(self, change: Change) -> None:
        """Give the row, now unused, its old content again."""

    async def clear(self, change: Change) -> str:
        """End a transaction that this push may have left open; says so, or nothing."""

    async def close(self) -> None:
        """Let the connection go."""
