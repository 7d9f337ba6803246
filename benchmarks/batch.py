"""Batch: districts of 25 signals by `its batch` on a local Dask cluster: districts a minute, what a worker more gives.

Each district goes the whole way: counts read and checked, demand estimated, a plan searched with a stated number of
iterations, every gate but SUMO, and the store. Networks and counts are invented (`benchmarks._batch_districts`). With
one worker only every fourth district is worked on; their plans must be the same bytes as with two.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from benchmarks._batch_districts import Recipe, write_project
from benchmarks.tables import Cell, Column, Options, Table
from its.batch.job import BatchRequest, batch_job
from its.store import Store
from network_data.errors import InputError

N_DISTRICT, N_QUICK = 200, 6
N_NETWORK, N_QUICK_NETWORK = 20, 2
PART = 4
"""With one worker every fourth district."""
RECIPE = Recipe()
WORKERS = (1, 2)
TITLE = "Batch: districts of 25 signals on a local Dask cluster, from counts to the store"
COLUMNS = (
    Column(key="workers", heading="workers", spec="d"),
    Column(key="districts", heading="districts", spec="d"),
    Column(key="passed", heading="passed", spec="d"),
    Column(key="stopped", heading="stopped at a gate", spec="d"),
    Column(key="failed", heading="failed", spec="d"),
    Column(key="seconds", heading="s", spec=".1f"),
    Column(key="per_min", heading="districts/min", spec=".1f"),
    Column(key="cpu_s", heading="CPU s/district", spec=".2f"),
    Column(key="scaling", heading="over 1 worker", spec=".2f"),
)

Row = dict[str, Cell]


def benchmark(options: Options) -> Table:
    """The same project with one worker and with two; quick: six districts."""
    names = [str(n) for n in WORKERS]
    chosen = [int(name) for name in options.chosen(names, names)]
    n = N_QUICK if options.quick else N_DISTRICT
    rows: list[Row] = []
    plans: dict[int, dict[str, str]] = {}
    with tempfile.TemporaryDirectory(prefix="its-batch-") as name:
        folder = options.keep or Path(name)
        begin_s = time.process_time()
        networks = N_QUICK_NETWORK if options.quick else N_NETWORK
        project = write_project(folder, RECIPE, n, networks=networks, gates="sumo = 'off'")
        options.say(f"{n} districts written in {time.process_time() - begin_s:.0f} s of processor time")
        for workers in chosen:
            districts = [f"d{k:03d}" for k in range(0, n, PART if workers == 1 and not options.quick else 1)]
            row, plans[workers] = _run(project, folder / f"run{workers}", districts, workers)
            rows.append(row)
            options.say(f"{workers} workers: {row['districts']} districts in {row['seconds']:.0f} s")
    for row in rows:
        alone = next((float(one["per_min"] or 0) for one in rows if one["workers"] == 1), 0.0)
        row["scaling"] = float(row["per_min"] or 0) / alone if alone else None
    same = _same(plans)
    iterations, days, minutes = RECIPE.iterations, RECIPE.days, RECIPE.minutes
    return Table(
        title=TITLE,
        columns=COLUMNS,
        rows=rows,
        notes=[
            f"each district: {RECIPE.columns * RECIPE.rows} signals, {minutes} minutes of {days} days of counts (one "
            f"held out), {iterations} iterations, all gates but SUMO; invented, on {networks} different grids",
            "time from the command to its end: hashing, the cluster's hand-outs and the store included, workers warm",
            f"plans with one worker and with two: {same}",
        ],
        failed=any(row["failed"] for row in rows) or same.startswith("DIFFERENT"),
    )


def _run(project: Path, out: Path, districts: list[str], workers: int) -> tuple[Row, dict[str, str]]:
    """One run of `its batch` on a fresh cluster and a fresh store; also the plans' ids by district."""
    try:
        from distributed import LocalCluster
    except ModuleNotFoundError as error:
        raise InputError("batch", f"needs {error.name}; pip install 'its-signals[cluster]'") from None
    text = project.read_text(encoding="utf-8")
    own = project.with_name(f"run{workers}.toml")
    own.write_text(f'store = "run{workers}.db"\n{text}', encoding="utf-8")
    with (
        warnings.catch_warnings(),
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
    ):
        warnings.simplefilter("ignore")
        _warm_up(cluster)
        request = BatchRequest(
            project=own, districts=tuple(districts), scheduler=cluster.scheduler_address, out=out, log=out / "log.jsonl"
        )
        begin_s = time.monotonic()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            batch_job(request)
        seconds = time.monotonic() - begin_s
    told = json.loads((out / "batch.json").read_text(encoding="utf-8"))["districts"]
    states = [one["state"] for one in told]
    cpu_s = [one.get("cpu_s", 0.0) for one in told]
    row: Row = {
        "workers": workers,
        "districts": len(told),
        "passed": states.count("passed"),
        "stopped": states.count("stopped"),
        "failed": len(states) - states.count("passed") - states.count("stopped"),
        "seconds": seconds,
        "per_min": 60 * len(told) / seconds,
        "cpu_s": sum(cpu_s) / len(cpu_s),
    }
    return row, _plans(own.with_name(f"run{workers}.db"), told)


def _warm_up(cluster: Any) -> None:
    """Let every worker import what it needs, as one that has been up for a while has."""
    from distributed import Client

    with Client(cluster) as client:  # type: ignore[no-untyped-call]
        client.run(_import_all)


def _import_all() -> None:
    from its.batch.work import work
    from its.warm import compile_kernels

    compile_kernels()
    assert callable(work)


def _plans(store_path: Path, told: list[dict[str, Any]]) -> dict[str, str]:
    """District → hash of its plan's bytes, as the store holds them."""
    store = Store.open(str(store_path))
    try:
        faults = store.faults()
        if faults:
            raise InputError(str(store_path), faults)
        return {one["district"]: plan_id for one in told for plan_id in one.get("plans", [])}
    finally:
        store.close()


def _same(plans: dict[int, dict[str, str]]) -> str:
    if len(plans) < len(WORKERS):
        return "not compared"
    one, two = (plans[n] for n in WORKERS)
    odd = [d for d, x in one.items() if two.get(d) != x]
    return f"DIFFERENT in {', '.join(odd)}" if odd else f"the same bytes in all {len(one)}"
