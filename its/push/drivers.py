"""Which driver a target is spoken to with. Drivers whose packages are not installed say which extra brings them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from its.push.driver import Driver
from its.push.targets import Target, Targets
from network_data.errors import InputError

if TYPE_CHECKING:
    from its.push.snmp import Worker

MakeDriver = Callable[[Target], Driver]


class Drivers:
    """Makes the drivers of one process; those of SNMP share its engines."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._worker: Worker | None = None

    def make(self, target: Target) -> Driver:
        """The driver of a target.

        Raises
        ------
        InputError
            A package that it needs is missing.
        """
        profile = self._targets.profile_of(target)
        if profile.driver == "file":
            from its.push.filedrop import FileDropDriver

            return FileDropDriver(target, profile)
        if profile.driver == "sumo":
            from its.push.sumo_field import SumoDriver

            return SumoDriver(target, profile)
        if profile.driver == "korea":
            from its.push.korea import KoreanCentreDriver

            return KoreanCentreDriver(target, profile)
        try:
            import cryptography  # noqa: F401  # without it SNMPv3 fails with an error that nobody understands

            from its.push.ntcip import NtcipDriver
            from its.push.snmp import Worker
        except ModuleNotFoundError as error:
            raise InputError("push", f"needs {error.name}; install it with: pip install 'its-signals[push]'") from None
        if self._worker is None:
            self._worker = Worker(self._targets.order.concurrency)
        return NtcipDriver(target, profile, self._worker, requests_per_s=self._targets.order.requests_per_s)

    def close(self) -> None:
        """Close all sockets."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None
