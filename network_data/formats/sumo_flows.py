"""When the vehicles of a SUMO `<flow>` depart, and how SUMO writes times."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from network_data.formats.sumo_vtypes import number

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_VEHICLES = 1_000_000
"""Most vehicles of one flow; more is a slip of the pen."""


def seconds(text: str, what: str) -> float:
    """A time as SUMO writes it: seconds, or [days:]hours:minutes:seconds."""
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(parts) not in (1, 3, 4) or not numbers or not all(math.isfinite(x) for x in numbers):
        raise ValueError(f"{what} is {text!r}; give seconds or h:m:s")
    return sum(x * scale for x, scale in zip(reversed(numbers), (1, 60, 3600, 86_400), strict=False))


def flow_departures(
    element: Element, begin_s: float, end_s: float, rng: np.random.Generator
) -> list[tuple[int, float]]:
    """Number and departure of each vehicle of a flow, in order; the caller drops those outside its period.

    Equal gaps for number, period and vehsPerHour, exponential ones for `period="exp(rate)"`, and one draw per second
    for probability, as SUMO does. A flow without begin or end runs from `begin_s` or to `end_s`.

    Raises
    ------
    ValueError
        The attributes do not say how many vehicles depart when.
    """
    first_s = _time(element, "begin", begin_s)
    last_s = _time(element, "end", end_s)
    count = math.floor(number(element, "number", math.inf)) if element.get("number") else math.inf
    rate = _rate_vps(element)
    poisson = re.fullmatch(r"exp\(([\d.eE+-]*)\)", element.get("period", ""))
    if poisson is None and element.get("period", "").startswith("exp"):
        raise ValueError(f"period is {element.get('period')!r}; give seconds or exp(vehicles per second)")
    if element.get("probability") is not None:
        return _by_probability(element, first_s, last_s, count, rng)
    if poisson is None and rate is None and not math.isfinite(count):
        raise ValueError("states none of number, period, vehsPerHour and probability; give one")
    if not math.isfinite(last_s) and not math.isfinite(count):
        raise ValueError("runs without end; give its end or number, or the end of the period (--end)")
    if poisson is not None:
        return _exponential(poisson[1], first_s, last_s, count, rng)
    if rate is None:
        if not math.isfinite(last_s):
            raise ValueError("has a number but no end or period; give one")
        rate = count / (last_s - first_s) if last_s > first_s else 0.0
    if rate <= 0:
        return []
    # the tiny allowance keeps rounding from adding a vehicle at the end itself
    n = min(count, math.ceil((last_s - first_s) * rate - 1e-9))
    _check_size(n)
    return [(k, first_s + k / rate) for k in range(max(0, int(n)))]


def _time(element: Element, name: str, default_s: float) -> float:
    text = element.get(name)
    return default_s if text is None else seconds(text, name)


def _rate_vps(element: Element) -> float | None:
    """Vehicles per second that a flow states by period or per hour; None where it states neither. [veh/s]"""
    for name in ("vehsPerHour", "perHour"):
        per_hour = number(element, name, math.nan)
        if not math.isnan(per_hour):
            if not 0 <= per_hour < math.inf:
                raise ValueError(f"{name} is {per_hour:g}; needs to be at least 0")
            return per_hour / 3600
    if element.get("period", "exp").startswith("exp"):
        return None
    period_s = number(element, "period", math.nan)
    if not 0 < period_s < math.inf:
        raise ValueError(f"period is {period_s:g} s; needs to be above 0")
    return 1 / period_s


def _check_size(n: float) -> None:
    if n > MAX_VEHICLES:
        raise ValueError(f"is {n:.0f} vehicles, more than {MAX_VEHICLES}; check its numbers")


def _by_probability(
    element: Element, first_s: float, last_s: float, count: float, rng: np.random.Generator
) -> list[tuple[int, float]]:
    chance = number(element, "probability", 0.0)
    if not 0 <= chance <= 1:
        raise ValueError(f"probability is {chance}; needs to be from 0 to 1 per second")
    if not math.isfinite(last_s):
        raise ValueError("has a probability but no end; give one, or the end of the period (--end)")
    _check_size(last_s - first_s)
    hit = np.flatnonzero(rng.random(max(0, math.ceil(last_s - first_s))) < chance)
    return [(k, first_s + float(second)) for k, second in enumerate(hit) if k < count]


def _exponential(
    rate: str, first_s: float, last_s: float, count: float, rng: np.random.Generator
) -> list[tuple[int, float]]:
    try:
        rate_vps = float(rate)
    except ValueError:
        rate_vps = math.nan
    if not 0 < rate_vps < math.inf:
        raise ValueError(f"period is 'exp({rate})'; needs a rate above 0")
    _check_size(min(count, (last_s - first_s) * rate_vps))
    out: list[tuple[int, float]] = []
    time_s = first_s + rng.exponential(1 / rate_vps)
    while time_s < last_s and len(out) < count:
        out.append((len(out), time_s))
        time_s += rng.exponential(1 / rate_vps)
    return out
