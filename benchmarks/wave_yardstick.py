"""A bare wave-theory kernel as a yardstick for the filter: nothing but its inner loop, on a grid without ends.

Link transmission in float32 with 1 s steps and 16 plans innermost: what is ready at the stop line (inflow a free travel
time ago), what the next link takes (room, given back by the backward wave), fixed turning shares, greens as windows of
the cycle. Node by node in blocks of time no longer than any travel time, so that a block's state stays in cache. No
gaps, lanes, gates or measures: what does that work too cannot be faster.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

PLANS, LEGS, MOVEMENTS, CYCLE_S = 16, 4, 12, 90
BLOCK_S = 10
FREE_S, WAVE_S = (10, 22), (20, 56)
"""Travel times and backward waves of the links, drawn evenly. [s]"""
STORAGE_VEH, SHARES = 40.0, (0.13, 0.77, 0.10)
# rows of PLANS numbers in the workspace: queue and room of each leg, then per leg and step what came and what went
CAME, BACK, LEFT, INTO = (2 * LEGS + n * LEGS * BLOCK_S for n in range(4))
ROWS = 2 * LEGS + 4 * LEGS * BLOCK_S
u = np.uint64  # indices that cannot be negative: signed ones keep the loops from being vectorized
FAST = {"cache": True, "nogil": True, "error_model": "numpy"}


class WaveGrid(NamedTuple):
    """N nodes; link 4 n + leg ends at node n. Rings hold the flows of the last seconds, a row of PLANS each."""

    exit_link: NDArray[np.int64]  # (N, LEGS) the link that leaves at each leg
    free_s: NDArray[np.int64]  # (K,)
    wave_s: NDArray[np.int64]  # (K,)
    first_in: NDArray[np.int64]  # (K + 1,) first row of each link in ring_in
    first_out: NDArray[np.int64]  # (K + 1,)
    ring_in: NDArray[np.float32]  # (rows × PLANS,)
    ring_out: NDArray[np.float32]
    queue: NDArray[np.float32]  # (K × PLANS,)
    room: NDArray[np.float32]  # (K × PLANS,)
    share: NDArray[np.float32]  # (N, MOVEMENTS)
    green: NDArray[np.int32]  # (N × LEGS × 2 × PLANS,) begin and length of each leg's green


@njit(**FAST)
def _copy(source, at, target, to, n):  # type: ignore[no-untyped-def]
    for x in range(n * PLANS):
        target[u(to * PLANS + x)] = source[u(at * PLANS + x)]


@njit(**FAST)
def _from_ring(ring, first, length, at, w, to):  # type: ignore[no-untyped-def]
    n = min(BLOCK_S, length - at)
    _copy(ring, first + at, w, to, n)
    _copy(ring, first, w, to + n, BLOCK_S - n)


@njit(**FAST)
def _to_ring(w, to, ring, first, length, at):  # type: ignore[no-untyped-def]
    n = min(BLOCK_S, length - at)
    _copy(w, to, ring, first + at, n)
    _copy(w, to + n, ring, first, BLOCK_S - n)


@njit(**FAST)
def _steps(share, n, w, phase):  # type: ignore[no-untyped-def]
    """BLOCK_S steps of one node: rows of w, and of each leg the cycle time and length of green in phase."""
    a0, a1, a2, a3, a4, a5 = share[n, 0], share[n, 1], share[n, 2], share[n, 3], share[n, 4], share[n, 5]
    a6, a7, a8, a9, a10, a11 = share[n, 6], share[n, 7], share[n, 8], share[n, 9], share[n, 10], share[n, 11]
    one, tiny, cycle, second = np.float32(1.0), np.float32(1e-6), np.int32(CYCLE_S), np.int32(1)
    e, f, g = PLANS, 2 * PLANS, 3 * PLANS
    for step in range(BLOCK_S):
        came, back = (CAME + step) * PLANS, (BACK + step) * PLANS
        left, into, leg = (LEFT + step) * PLANS, (INTO + step) * PLANS, BLOCK_S * PLANS
        for p in range(PLANS):
            x0, x1, x2, x3 = phase[u(p)], phase[u(e + p)], phase[u(f + p)], phase[u(g + p)]
            q0, q1 = w[u(p)] + w[u(came + p)], w[u(e + p)] + w[u(came + leg + p)]
            q2, q3 = w[u(f + p)] + w[u(came + 2 * leg + p)], w[u(g + p)] + w[u(came + 3 * leg + p)]
            s0 = min(q0, one) * np.float32(x0 < phase[u(4 * e + p)])
            s1 = min(q1, one) * np.float32(x1 < phase[u(5 * e + p)])
            s2 = min(q2, one) * np.float32(x2 < phase[u(6 * e + p)])
            s3 = min(q3, one) * np.float32(x3 < phase[u(7 * e + p)])
            x0, x1, x2, x3 = x0 + second, x1 + second, x2 + second, x3 + second
            phase[u(p)] = x0 - cycle * np.int32(x0 == cycle)
            phase[u(e + p)] = x1 - cycle * np.int32(x1 == cycle)
            phase[u(f + p)] = x2 - cycle * np.int32(x2 == cycle)
            phase[u(g + p)] = x3 - cycle * np.int32(x3 == cycle)
            w0, w1 = s3 * a9 + s2 * a7 + s1 * a5, s0 * a0 + s3 * a10 + s2 * a8
            w2, w3 = s1 * a3 + s0 * a1 + s3 * a11, s2 * a6 + s1 * a4 + s0 * a2
            r0, r1 = w[u(4 * e + p)] + w[u(back + p)], w[u(5 * e + p)] + w[u(back + leg + p)]
            r2, r3 = w[u(6 * e + p)] + w[u(back + 2 * leg + p)], w[u(7 * e + p)] + w[u(back + 3 * leg + p)]
            f0, f1 = min(one, r0 / max(w0, tiny)), min(one, r1 / max(w1, tiny))
            f2, f3 = min(one, r2 / max(w2, tiny)), min(one, r3 / max(w3, tiny))
            w0, w1, w2, w3 = w0 * f0, w1 * f1, w2 * f2, w3 * f3
            w[u(into + p)], w[u(into + leg + p)] = w0, w1
            w[u(into + 2 * leg + p)], w[u(into + 3 * leg + p)] = w2, w3
            w[u(4 * e + p)], w[u(5 * e + p)], w[u(6 * e + p)], w[u(7 * e + p)] = r0 - w0, r1 - w1, r2 - w2, r3 - w3
            o0, o1 = s0 * (a0 * f1 + a1 * f2 + a2 * f3), s1 * (a3 * f2 + a4 * f3 + a5 * f0)
            o2, o3 = s2 * (a6 * f3 + a7 * f0 + a8 * f1), s3 * (a9 * f0 + a10 * f1 + a11 * f2)
            w[u(left + p)], w[u(left + leg + p)] = o0, o1
            w[u(left + 2 * leg + p)], w[u(left + 3 * leg + p)] = o2, o3
            w[u(p)], w[u(e + p)], w[u(f + p)], w[u(g + p)] = q0 - o0, q1 - o1, q2 - o2, q3 - o3


@njit(**FAST)
def run_blocks(  # type: ignore[no-untyped-def]
    exit_link, free_s, wave_s, first_in, first_out, ring_in, ring_out, queue, room, share, green, begin_s, n_block, w,
    phase,
):  # fmt: skip
    """Move all flows on by n_block × BLOCK_S seconds; begin_s is a multiple of BLOCK_S, past the longest wave."""
    for now in range(begin_s, begin_s + n_block * BLOCK_S, BLOCK_S):
        for n in range(exit_link.shape[0]):
            for leg in range(LEGS):
                i, j = LEGS * n + leg, exit_link[n, leg]
                at = (now - free_s[i]) % (free_s[i] + BLOCK_S)
                _from_ring(ring_in, first_in[i], free_s[i] + BLOCK_S, at, w, CAME + leg * BLOCK_S)
                at = (now - wave_s[j]) % (wave_s[j] + BLOCK_S)
                _from_ring(ring_out, first_out[j], wave_s[j] + BLOCK_S, at, w, BACK + leg * BLOCK_S)
                _copy(queue, i, w, leg, 1)
                _copy(room, j, w, LEGS + leg, 1)
                for p in range(PLANS):
                    phase[u(leg * PLANS + p)] = (now - green[u(2 * i * PLANS + p)]) % CYCLE_S
                _copy(green, 2 * i + 1, phase, LEGS + leg, 1)
            _steps(share, n, w, phase)
            for leg in range(LEGS):
                i, j = LEGS * n + leg, exit_link[n, leg]
                length = free_s[j] + BLOCK_S
                _to_ring(w, INTO + leg * BLOCK_S, ring_in, first_in[j], length, now % length)
                length = wave_s[i] + BLOCK_S
                _to_ring(w, LEFT + leg * BLOCK_S, ring_out, first_out[i], length, now % length)
                _copy(w, leg, queue, i, 1)
                _copy(w, LEGS + leg, room, j, 1)


def wave_grid(side: int, *, seed: int) -> WaveGrid:
    """A grid of side × side nodes whose ends are joined, with flows on their way and random splits and offsets."""
    rng = np.random.default_rng(seed)
    n_node = side * side
    place = np.arange(n_node).reshape(side, side)
    steps = ((1, 0), (0, 1), (-1, 0), (0, -1))
    exits = [4 * np.roll(place, (-a, -b), (0, 1)).reshape(-1) + (leg + 2) % LEGS for leg, (a, b) in enumerate(steps)]
    free_s = rng.integers(FREE_S[0], FREE_S[1] + 1, LEGS * n_node)
    wave_s = rng.integers(WAVE_S[0], WAVE_S[1] + 1, LEGS * n_node)
    first_in = np.concatenate([[0], np.cumsum(free_s + BLOCK_S)])
    first_out = np.concatenate([[0], np.cumsum(wave_s + BLOCK_S)])
    green = np.empty((n_node, LEGS, 2, PLANS), np.int32)
    green[:, 0, 0] = green[:, 2, 0] = rng.integers(0, CYCLE_S, (n_node, PLANS))
    green[:, 1, 0] = green[:, 3, 0] = green[:, 0, 0] + CYCLE_S // 2
    green[:, :, 1] = rng.integers(35, 43, (n_node, 1, PLANS))
    return WaveGrid(
        exit_link=np.stack(exits, axis=1),
        free_s=free_s,
        wave_s=wave_s,
        first_in=first_in,
        first_out=first_out,
        ring_in=rng.uniform(0, 0.2, int(first_in[-1]) * PLANS).astype(np.float32),
        ring_out=np.zeros(int(first_out[-1]) * PLANS, np.float32),
        queue=np.zeros(LEGS * n_node * PLANS, np.float32),
        room=np.full(LEGS * n_node * PLANS, STORAGE_VEH, np.float32),
        share=np.tile(np.array(SHARES * LEGS, np.float32), (n_node, 1)),
        green=green.reshape(-1),
    )


class Yardstick:
    """The bare kernel on a grid, ready to be timed."""

    def __init__(self, side: int, *, seed: int = 1, steps: int = 2_000_000) -> None:
        self.grid = wave_grid(side, seed=seed)
        self.n_block = max(4, steps // (side * side * MOVEMENTS * BLOCK_S))
        self._now_s = 10 * CYCLE_S * BLOCK_S
        self._work = np.zeros(ROWS * PLANS, np.float32), np.zeros(2 * LEGS * PLANS, np.int32)
        self.run(1)  # compiles

    def run(self, n_block: int) -> None:
        """Go on by so many blocks."""
        run_blocks(*self.grid, self._now_s, n_block, *self._work)
        self._now_s += n_block * BLOCK_S

    def ns(self) -> float:
        """CPU time per movement, step and plan, of one run. [ns]"""
        began_s = time.process_time()
        self.run(self.n_block)
        spent_s = time.process_time() - began_s
        return spent_s * 1e9 / (len(self.grid.exit_link) * MOVEMENTS * self.n_block * BLOCK_S * PLANS)
