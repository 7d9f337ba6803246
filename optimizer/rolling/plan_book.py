"""The plan as the kernel reads it, kept up to date signal by signal instead of being laid out anew each time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from network_data.plans import ControllerPlan
from sim import _tables as k
from sim.compile import CompiledNetwork, compile_controller, join_controllers, ticks


class PlanBook:
    """The arrays of one plan; signals in the order of `CompiledNetwork.heads_of`."""

    def __init__(self, compiled: CompiledNetwork, programs: Sequence[ControllerPlan]) -> None:
        self.compiled = compiled
        self.parts = [compile_controller(compiled, program) for program in programs]
        self.offset_ticks = np.array([ticks(program.offset_s) for program in programs], np.int64)
        self._join()

    def _join(self) -> None:
        self.arrays = join_controllers(self.parts)
        n_signal, n_window = [len(p.signal) for p in self.parts], [len(p.window) for p in self.parts]
        self._signal_at = np.concatenate(([0], np.cumsum(n_signal)))
        self._window_at = np.concatenate(([0], np.cumsum(n_window)))
        self._controller = np.repeat(np.arange(len(self.parts)), n_signal)

    def put(self, at: int, program: ControllerPlan) -> None:
        """Give a signal another program."""
        part = compile_controller(self.compiled, program)
        before, self.parts[at] = self.parts[at], part
        self.offset_ticks[at] = ticks(program.offset_s)
        if len(part.window) != len(before.window):
            self._join()
            return
        first, last = self._signal_at[at], self._signal_at[at + 1]
        rows = self.arrays.signal[first:last]
        rows[:] = part.signal
        rows[:, k.WINDOW0 : k.WINDOW1 + 1] += np.int32(self._window_at[at])
        self.arrays.window[self._window_at[at] : self._window_at[at + 1]] = part.window

    def at_moment(self, time_s: float) -> k.PlanArrays:
        """The plan from a moment on: its cycles counted from there."""
        cycle = self.arrays.signal[:, k.CYCLE].astype(np.int64)
        base = (self.offset_ticks[self._controller] - ticks(time_s)) % cycle - 2 * cycle
        self.arrays.signal[:, k.BASE] = base
        return self.arrays

    def green_share(self) -> NDArray[np.float64]:
        """Share of the cycle for which each kernel signal is open; shape (kernel signals,). [-]"""
        window, signal = self.arrays.window, self.arrays.signal
        length = np.concatenate(([0], np.cumsum((window[:, k.GREEN1] - window[:, k.GREEN0]).astype(np.int64))))
        green = length[signal[:, k.WINDOW1]] - length[signal[:, k.WINDOW0]]
        return np.minimum(1.0, green / np.maximum(signal[:, k.CYCLE], 1))
