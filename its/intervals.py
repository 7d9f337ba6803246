"""Means of a few runs with their 95 % confidence interval (Student's t)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Two-sided 95 % quantiles of Student's t for 1, 2, … 30 degrees of freedom."""
Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and the half-width of its 95 % interval; NaN where one run alone gives none."""

    mean: float
    ci95: float

    @property
    def below_zero(self) -> bool:
        """Whether the whole interval lies below 0; never true of a single run."""
        return self.mean + self.ci95 < 0

    def as_json(self) -> dict[str, float | None]:
        """For JSON, which knows no NaN."""
        return {"mean": self.mean, "ci95": self.ci95 if math.isfinite(self.ci95) else None}


def t95(freedom: int) -> float:
    """The factor for `freedom` degrees of freedom; beyond the table by its series in 1/freedom."""
    if freedom <= len(T95):
        return T95[freedom - 1]
    return Z95 + (Z95**3 + Z95) / (4 * freedom)


def estimate(values: Sequence[float]) -> Estimate:
    """Mean of independent runs with its interval."""
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return Estimate(mean, math.nan)
    variance = math.fsum((x - mean) ** 2 for x in values) / (n - 1)
    return Estimate(mean, t95(n - 1) * math.sqrt(variance / n))
