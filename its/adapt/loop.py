"""The closed loop: field and engine, second by second, and the replay of a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from its.adapt.engine import Engine
from its.adapt.field import Field
from its.adapt.log import Recording

TELL_EVERY_S = 60.0


def run_loop(
    field: Field, engine: Engine, *, length_s: float | None = None, progress: Callable[[float, str], None] | None = None
) -> int:
    """Run until the field ends; returns the seconds run.

    Parameters
    ----------
    field : Field
        The street.
    engine : Engine
        What decides.
    length_s : float, optional
        Expected length, for `progress` only. [s]
    progress : callable, optional
        Told the share done and a short text, once a minute of the field.
    """
    begin_s = field.time_s
    field.show({**engine.states, **engine.begin(begin_s)})
    n = 0
    while (seen := field.observe()) is not None:
        field.show(engine.step(seen))
        n += 1
        if progress is not None and length_s and n % TELL_EVERY_S == 0:
            progress(min(1.0, n / length_s), f"{n} s, {engine.tally.changes} changes")
    return n


@dataclass(frozen=True, slots=True)
class Difference:
    """A decision that a replay made otherwise."""

    row: int
    key: str
    was: object
    now: object


COMPARED = ("t", "signal", "stage", "inputs", "candidates", "choice", "reason", "status", "detector", "text", "state")
"""What has to be the same; milliseconds never are."""


def differences(recording: Recording, replayed: Recording, most: int = 10) -> list[Difference]:
    """Where two logs differ in what was decided, the first `most`."""
    out: list[Difference] = []
    for n, (was, now) in enumerate(zip(recording.rows, replayed.rows, strict=False)):
        out += [
            Difference(n, key, was.get(key), now.get(key))
            for key in ("kind", *COMPARED)
            if was.get(key) != now.get(key)
        ]
        if len(out) >= most:
            return out[:most]
    if len(recording.rows) != len(replayed.rows):
        out.append(
            Difference(min(len(recording.rows), len(replayed.rows)), "rows", len(recording.rows), len(replayed.rows))
        )
    return out


def late_in(recording: Recording) -> set[tuple[float, str]]:
    """(second, signal) of decisions that came too late when they were made."""

    def is_late(row: dict[str, Any]) -> bool:
        return bool(row["kind"] == "plan-goes-on" and row["reason"] == "late")

    return {(float(row["t"]), str(row["signal"])) for row in recording.rows if is_late(row)}
