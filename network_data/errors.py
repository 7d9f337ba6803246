"""The errors a user can meet: each says what is wrong, where, and how to mend it."""

from __future__ import annotations


class SignalError(Exception):
    """Base of all errors that the engine raises on purpose."""


class InputError(SignalError):
    """A file or argument cannot be used; carries every fault found, not only the first.

    Parameters
    ----------
    where : str
        File or argument the faults were found in.
    faults : list of str
        One sentence each: what, at which row or element, how to mend it.
    """

    def __init__(self, where: str, faults: list[str] | str) -> None:
        self.where = where
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        super().__init__("\n".join(f"{where}: {fault}" for fault in self.faults))


class NetworkError(InputError):
    """The road network or a controller in it contradicts itself."""


class DemandError(InputError):
    """Detectors, counts, turns or routes cannot be used."""


class PlanError(InputError):
    """A timing plan is malformed."""


class SettingsError(InputError):
    """A setting is unknown or out of its range."""


class InfeasibleError(SignalError):
    """No plan satisfies all rules; the text names those that conflict."""


class OutsideProgramError(SignalError):
    """A program that we call (SUMO) failed or is not installed."""
