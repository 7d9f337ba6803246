"""Readers against mutated files: no traceback, nothing that hangs, no memory beyond 1 GiB.

Sound files of every format are changed by hypothesis (bytes, numbers, words, cells, lines, attributes, encodings,
bombs), from fixed seeds, and read in processes of their own. What a reader cannot use it has to refuse with an error
of ours.
"""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks._fuzz_mutations import Recipe, mutated, recipes
from benchmarks._fuzz_seeds import available
from benchmarks._fuzz_worker import BAD, HANG, MEMORY, READ, REFUSED, TRACEBACK, Outcome, Worker, written
from benchmarks.tables import Cell, Column, Options, Table

FILES, QUICK_FILES = 10_000, 400
WORKERS = 2
NOTED = 40
"""Most faults that are printed."""
COLUMNS = (
    Column(key="format", heading="format"),
    Column(key="files", heading="files", spec=","),
    Column(key="refused", heading="refused", spec=","),
    Column(key="read", heading="read all the same", spec=","),
    Column(key="traceback", heading="tracebacks"),
    Column(key="hang", heading="over 10 s"),
    Column(key="memory", heading="over 1 GiB"),
    Column(key="died", heading="died"),
    Column(key="slowest_s", heading="slowest s", spec=".2f"),
    Column(key="peak_mib", heading="peak MiB", spec=".0f"),
)


def numbers_of(n_files: int, names: Sequence[str]) -> dict[str, int]:
    """How many files of each format, by their shares, at least one; from a few hundred on they add up."""
    known = available()
    shares = {name: known[name].share for name in names}
    total = sum(shares.values())
    out = {name: max(1, int(n_files * share / total)) for name, share in shares.items()}
    for name in sorted(names, key=lambda name: -shares[name])[: max(0, n_files - sum(out.values()))]:
        out[name] += 1
    return out


def benchmark(options: Options) -> Table:
    """Read all files (quick: a few hundred); fails where any ended in a traceback, a hang, or too much memory."""
    known = available()
    names = options.chosen(list(known), list(known))
    numbers = numbers_of(QUICK_FILES if options.quick else FILES, names)
    outcomes = run(numbers, options.say, draw=options.seeds)
    rows = [_row(name, [outcome for _, outcome in ended]) for name, ended in outcomes.items()]
    rows.append(_row("all", [outcome for ended in outcomes.values() for _, outcome in ended]))
    faults = [(name, *one) for name, ended in outcomes.items() for one in ended if one[1].outcome in BAD]
    if options.keep is not None:
        _keep([(name, recipe) for name, recipe, _ in faults], options.keep)
    said = Counter(f"{name}: {outcome.outcome}: {outcome.what}" for name, _, outcome in faults)
    notes = [
        "sound files changed in 1 to 4 places by 20 kinds of mutation, fixed seeds (others with --seeds N); "
        "peak: of the whole process"
    ]
    notes += [f"{text} ({n} times)" for text, n in said.most_common(NOTED)]
    return Table(title="Readers against mutated files", columns=COLUMNS, rows=rows, notes=notes, failed=bool(faults))


def run(
    numbers: Mapping[str, int], say: Callable[[str], None] = print, *, draw: int = 0, workers: int = WORKERS
) -> dict[str, list[tuple[Recipe, Outcome]]]:
    """Read so many mutated files of each format; how each ended, in the order of the draw."""
    jobs = [(name, recipe) for name, n in numbers.items() for recipe in recipes(name, n, draw)]
    local = threading.local()
    started: list[Worker] = []

    def read(job: tuple[str, Recipe]) -> Outcome:
        if not hasattr(local, "worker"):
            local.worker = Worker()
            started.append(local.worker)
        outcome: Outcome = local.worker.read(*job)
        return outcome

    out: dict[str, list[tuple[Recipe, Outcome]]] = {name: [] for name in numbers}
    try:
        with ThreadPoolExecutor(workers) as pool:
            for (name, recipe), outcome in _told(zip(jobs, pool.map(read, jobs), strict=True), len(jobs), say):
                out[name].append((recipe, outcome))
    finally:
        for worker in started:
            worker.stop()
    return out


def _told(
    ended: Iterable[tuple[tuple[str, Recipe], Outcome]], n_all: int, say: Callable[[str], None]
) -> Iterator[tuple[tuple[str, Recipe], Outcome]]:
    for n, one in enumerate(ended, start=1):
        if n % 1000 == 0:
            say(f"{n:,} of {n_all:,} files")
        yield one


def _row(name: str, outcomes: Sequence[Outcome]) -> dict[str, Cell]:
    n = Counter(outcome.outcome for outcome in outcomes)
    row: dict[str, Cell] = {"format": name, "files": len(outcomes)}
    row |= {key: n[key] for key in (REFUSED, READ, TRACEBACK, HANG, MEMORY, "died")}
    row["slowest_s"] = max((outcome.wall_s for outcome in outcomes), default=0.0)
    row["peak_mib"] = max((outcome.peak_bytes for outcome in outcomes), default=0) / (1 << 20)
    return row


def _keep(faults: Sequence[tuple[str, Recipe]], folder: Path) -> None:
    """The files that did harm, for whoever mends the reader."""
    for n, (name, recipe) in enumerate(faults):
        target = folder / f"{n:03d}-{name.replace(' ', '-').replace(',', '')}"
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            sound = available()[name].files(Path(scratch))
        written(mutated(sound, recipe), target, as_folder=True)
