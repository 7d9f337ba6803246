"""How fast this machine moves memory: the triad of the STREAM benchmark, in one thread.

J. D. McCalpin, "Memory bandwidth and machine balance in current high performance computers", IEEE TCCA, 1995.
"""

from __future__ import annotations

import time

import numpy as np
from numba import njit

N = 8_000_000
"""Numbers of each array: three of 64 MB, more than any cache holds."""
BYTES = 24
"""Moved per number by STREAM's count: two read, one written."""


@njit(cache=True, nogil=True)
def _triad(a, b, c, scalar):  # type: ignore[no-untyped-def]
    for i in range(a.shape[0]):
        a[np.uint64(i)] = b[np.uint64(i)] + scalar * c[np.uint64(i)]


class Triad:
    """Three arrays, ready to be timed."""

    def __init__(self, n: int = N) -> None:
        self.a, self.b, self.c = np.zeros(n), np.ones(n), np.full(n, 2.0)
        _triad(self.a, self.b, self.c, 3.0)  # compiles

    def gb_per_s(self) -> float:
        """Bandwidth of one pass. [GB/s]"""
        began_s = time.process_time()
        _triad(self.a, self.b, self.c, 3.0)
        return BYTES * len(self.a) / (time.process_time() - began_s) / 1e9
