"""What switches cost, simulated where the day that is found makes use of them.

There are far more switches (every plan to every other, at every interval) than anybody will run. So the cheapest day is
found with guesses, its switches are simulated, and again, until a day stands whose switches are all simulated ones.
A guess is what the same two plans' switch at another time cost per vehicle; where nothing is known, nothing: no switch
is passed over because of a guess that is too high.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from network_data.plans import TimingPlan
from optimizer.day.switching import Switching, best_of_each_size
from optimizer.day.traffic import DayTraffic

Floats = NDArray[np.float64]
MOST_ROUNDS = 40
Choice = tuple[tuple[int, ...], list[Switching]]
"""Plans chosen, and the switches of every type of day among them."""


@dataclass(eq=False)
class SwitchPrices:
    """Costs of switches of one type of day. [s]"""

    traffic: DayTraffic
    plans: Mapping[int, TimingPlan]
    costs: Floats  # (T, P)
    known: dict[tuple[int, int, int], float] = field(default_factory=dict)

    def table(self, worth_s: float) -> Floats:
        """Every switch (T, P, P): simulated, else guessed; `worth_s` is what each has to gain on top. [s]"""
        n, n_plan = self.costs.shape
        out = np.zeros((n, n_plan, n_plan))
        veh = np.maximum(self.traffic.veh, 1.0)
        rates: dict[tuple[int, int], list[float]] = {}
        for (t, old, new), price in self.known.items():
            rates.setdefault((old, new), []).append(price / veh[t])
        for (old, new), found in rates.items():
            # the cheapest seen: a guess should rather be too low, then it is simulated
            out[:, old, new] = min(found) * veh
        for (t, old, new), price in self.known.items():
            out[t, old, new] = price
        return out + worth_s

    def simulate(self, t: int, old: int, new: int) -> None:
        """Find out what one switch costs."""
        if (t, old, new) not in self.known:
            price = self.traffic.switch_cost(t, self.plans[old], self.plans[new], self.costs[:, new])
            self.known[t, old, new] = price


def priced_days(
    prices: Sequence[SwitchPrices],
    shares: Sequence[float],
    most: int,
    *,
    least: int,
    worth_s: float,
    stop: Callable[[], bool] = lambda: False,
) -> list[Choice]:
    """The best day with 1, 2, … plans, all its switches simulated (as far as time allows).

    Parameters
    ----------
    prices : sequence of SwitchPrices
        One per type of day.
    shares : sequence of float
        How often each type occurs.
    least : int
        Intervals that a plan runs at least.
    worth_s : float
        What each switch has to gain beyond its cost. [s]
    """
    around = prices[0].traffic.horizon.around
    for _ in range(MOST_ROUNDS):
        found = best_of_each_size(
            [one.costs for one in prices],
            [one.table(worth_s) for one in prices],
            shares,
            most,
            least=least,
            around=around,
        )
        missing = [
            (one, switch)
            for _, switchings in found
            for one, switching in zip(prices, switchings, strict=True)
            for switch in switching.switches(around=around)
            if switch not in one.known
        ]
        if not missing or stop():
            return found
        for one, switch in missing:
            if stop():
                return found
            one.simulate(*switch)
    return found
