"""Turns that nobody makes: a junction offers more of them than are driven, and least squares give each a little.

Where counts leave a turn unsure but near 0, two views of it are weighed: nobody drives there, or any share of the
street alike. How common unused turns are is read off the movements of the same network that the counts do fix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.turning_flows.layout import Layout
from network_data.turning_flows.program import Program
from network_data.turning_flows.ranges import variances

FLOAT = NDArray[np.float64]
KNOWN_SHARE = 0.06
"""A turn is known if its standard error is so small a share of the street's flow. [-]"""
UNUSED_SHARE = 0.03
LEAST_THROUGH_VPH = 50.0
FEW_UNUSED, FEW_KNOWN = 1.0, 20.0
"""As if so many of so many known turns of other networks had been unused."""
PULL = 5.0
"""Standard errors by which a turn that is taken for unused is moved towards 0. [-]"""


def unused_pull(layout: Layout, program: Program, flow: FLOAT, hours: float) -> FLOAT:
    """Linear cost of the turns that are more likely unused than used, (N,), 0 for all others. [1/veh]

    Parameters
    ----------
    flow : ndarray, shape (N,)
        Flows of the unknowns as the program has them without that view. [veh]
    """
    unknowns = layout.unknowns
    n_turn, pairs = len(unknowns.turns), layout.split_pairs
    by_pair = sparse.csr_matrix(
        (np.ones(n_turn), (unknowns.pair, np.arange(n_turn))), shape=(layout.n_pair, len(program.cost))
    )[pairs]
    veh = by_pair[:, : len(flow)] @ flow
    sd = np.sqrt(np.maximum(variances(program.information(), by_pair), 1e-6))
    through = np.maximum((unknowns.goes @ flow)[layout.pair_tail[pairs]], 1e-6)
    known = (sd <= KNOWN_SHARE * through) & (through >= LEAST_THROUGH_VPH * hours)
    unused = known & (veh <= UNUSED_SHARE * through)
    chance = (unused.sum() + FEW_UNUSED) / (known.sum() + FEW_KNOWN)
    # likelihood of 0 against that of any share alike
    density = np.exp(-0.5 * np.minimum(veh / sd, 30.0) ** 2) / np.sqrt(2 * np.pi)
    odds = through / sd * density * chance / (1.0 - chance)
    cost: FLOAT = np.zeros(layout.n_pair)
    taken = odds > 1.0
    cost[pairs[taken]] = PULL / sd[taken]
    out = np.zeros(len(program.cost))
    out[:n_turn] = cost[unknowns.pair]
    return out
