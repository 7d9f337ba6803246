"""A progress bar on a terminal: districts done, and what came of the last one."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

WIDEST = 60


class Screen:
    """The bar; where stderr is no terminal there is none, and the log says it all."""

    def __init__(self, n_district: int) -> None:
        self.shown = sys.stderr.isatty()
        self._n = n_district
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self.shown:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                TextColumn("districts"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[last]}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._progress.add_task("districts", total=self._n, last="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def done(self, district: str, state: str, reason: str) -> None:
        """One more."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, advance=1, last=f"{district}: {state}: {reason}"[:WIDEST])

    def close(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
