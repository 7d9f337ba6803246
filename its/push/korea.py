"""Korean traffic centres: where their driver would go. NOT IMPLEMENTED, and it says so.

Korean cities run their controllers through a centre (UTIS and city centres of the national police standard for signal
controllers). That protocol is neither public nor at hand here, and nothing is guessed: every call refuses. Until it is,
use the file driver and let the centre fetch the drops. What a driver must do is `its.push.driver.Driver`; of the
centre's side it needs: the controller's number and model (identity), its day plan and the plan in force (read), a
plan slot that is not in force (write), the order to use it from a given second on (switch), and its state (watch).
"""

# ruff: noqa: ARG002
from __future__ import annotations

from collections.abc import Iterable

from its.push.driver import Change, RefusedError, Values
from its.push.targets import Profile, Target
from network_data.plans import ControllerPlan

SAYS = 'the driver for Korean centres is an interface without content yet: use driver = "file" (docs/push.md)'


class KoreanCentreDriver:
    """Refuses everything, so that nothing can be taken for done."""

    kind = "korea"
    insecure = ""

    def __init__(self, target: Target, profile: Profile) -> None:
        self.controller_id = target.id
        self._profile = profile

    def _refusal(self) -> RefusedError:
        return RefusedError(f"controller {self.controller_id!r}: {SAYS}")

    async def prepare(self, plan: ControllerPlan) -> Change:
        """Refuses."""
        raise self._refusal()

    async def read(self, names: Iterable[str]) -> Values:
        """Refuses."""
        raise self._refusal()

    async def write_row(self, change: Change) -> None:
        """Refuses."""
        raise self._refusal()

    async def switch(self, change: Change) -> None:
        """Refuses."""
        raise self._refusal()

    async def watch(self, change: Change) -> list[str]:
        """Refuses."""
        raise self._refusal()

    async def switch_back(self, change: Change) -> None:
        """Refuses."""
        raise self._refusal()

    async def restore_row(self, change: Change) -> None:
        """Refuses."""
        raise self._refusal()

    async def clear(self, change: Change) -> str:
        """Refuses."""
        raise self._refusal()

    async def close(self) -> None:
        """Nothing is open."""
