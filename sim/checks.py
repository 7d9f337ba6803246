"""Checks of the closed forms' arguments: every fault at once, each with the value seen and what it needs to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from network_data.errors import InputError

FLOAT = NDArray[np.float64]


class Rule(NamedTuple):
    """What an argument has to be: `good` maps its array to booleans, `need` says it in words."""

    good: Callable[[FLOAT], NDArray[np.bool_]]
    need: str


POSITIVE = Rule(lambda x: x > 0, "above 0")
NOT_NEGATIVE = Rule(lambda x: x >= 0, "0 or more")
SHARE = Rule(lambda x: (x >= 0) & (x <= 1), "between 0 and 1")
GREEN_SHARE = Rule(lambda x: (x > 0) & (x <= 1), "above 0 and at most 1 (effective green over cycle)")


def faults_of(name: str, value: ArrayLike, rule: Rule, names: Sequence[str] = ()) -> list[str]:
    """One sentence per value that breaks the rule (NaN and infinity do too); empty when all are good."""
    array = np.atleast_1d(np.asarray(value, np.float64))
    bad = np.flatnonzero(~(rule.good(array) & np.isfinite(array)).ravel())
    flat = array.ravel()
    if array.size == 1:
        return [f"{name} is {flat[0]:g}; needs to be {rule.need}" for _ in bad]
    labels = list(names) if len(names) == array.size else [f"number {i}" for i in range(array.size)]
    return [f"{name} of {labels[i]} is {flat[i]:g}; needs to be {rule.need}" for i in bad]


def check(error: type[InputError], where: str, *values: tuple[str, ArrayLike, Rule], names: Sequence[str] = ()) -> None:
    """Raise one error with all faults of all arguments; nothing where all are good."""
    faults = [fault for name, value, rule in values for fault in faults_of(name, value, rule, names)]
    if faults:
        raise error(where, faults)


def share_of(green_s: FLOAT, cycle_s: FLOAT) -> FLOAT:
    """Green over cycle; 1 where the cycle itself is at fault, so that only that is reported."""
    good = cycle_s > 0
    return np.where(good, green_s / np.where(good, cycle_s, 1.0), 1.0)
