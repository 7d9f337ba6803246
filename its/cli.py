"""The command line: parse, call one function, print. Heavy modules are imported inside the commands."""

from __future__ import annotations

import math
import os
import re
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Annotated

import typer

from its.cli_adapt import adapt
from its.cli_batch import batch
from its.cli_counts import counts_app
from its.cli_day import day
from its.cli_formats import convert, inspect
from its.cli_plans import plans_app
from its.cli_push import push
from its.console import guarded, log_to_stderr
from its.requests import (
    DEFAULT_DAYS,
    DEFAULT_TIME_LIMIT_S,
    Confirm,
    Controllers,
    DemandSource,
    ExplainRequest,
    OptimizeRequest,
    Parameters,
    SimulateRequest,
    Standard,
)
from its.time_limit import process_began_s

CLOCK = re.compile(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?")
SOURCES = "give --detectors and --counts together, or --turns, or all three"

app = typer.Typer(
    name="its",
    help="Detector counts in, better and checked traffic-signal plans out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.add_typer(plans_app)
app.add_typer(counts_app)
app.command()(push)
app.command()(adapt)
app.command()(day)
app.command()(batch)
app.command()(convert)
app.command()(inspect)


def seconds(text: str) -> float:
    """Seconds after midnight from `25200`, `07:00` or `07:00:30`."""
    clock = CLOCK.fullmatch(text.strip())
    try:
        value = int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3] or 0) if clock else float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time; give seconds after midnight or HH:MM[:SS]") from None
    if not 0 <= value < 1e7:
        raise typer.BadParameter(f"{text!r} lies outside the day; give seconds after midnight or HH:MM[:SS]")
    return value


def finite(value: float | None) -> float | None:
    """Refuse `nan` and `inf`, which pass any range check."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number to work with; give a finite one")
    return value


def paths(text: str) -> tuple[Path, ...]:
    """Paths from a comma list."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise typer.BadParameter(f"{text!r} has an empty name; give paths with commas between")
    return tuple(Path(part) for part in parts)


Network = Annotated[
    Path,
    typer.Argument(
        metavar="NETWORK", help="Road network of any format (docs/formats.md): file or folder.", show_default=False
    ),
]
Detectors = Annotated[
    Path | None,
    typer.Option(metavar="D", help="Where the loops lie: CSV detector,link,lane,pos_m[,kind], or SUMO additional."),
]
Counts = Annotated[
    Path | None,
    typer.Option(
        metavar="C", help="Counts: CSV, CSV.gz or parquet detector,begin_s,end_s,veh[,occupancy_pct,speed_mps]."
    ),
]
Turns = Annotated[
    Path | None, typer.Option(metavar="T", help="Demand: CSV from_link,to_link,begin_s,end_s,veh[,sd_veh].")
]
Plans = Annotated[
    Path | None,
    typer.Option(
        metavar="P", help="Plan in the field: SUMO additional or plan.json. [default: the programs in the network]"
    ),
]
Begin = Annotated[
    float | None, typer.Option(parser=seconds, metavar="S", help="Seconds after midnight, or HH:MM[:SS].")
]
End = Annotated[float | None, typer.Option(parser=seconds, metavar="S", help="Seconds after midnight, or HH:MM[:SS].")]
Days = Annotated[str, typer.Option(metavar="D", help="weekday, sat, sun, all, DATE or DATE..DATE.")]
SettingsFile = Annotated[
    Path | None, typer.Option(metavar="T.toml", help="Limits, rules, allowed change, objective, search: TOML.")
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Seed of everything random.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Routes = Annotated[str, typer.Option(metavar="R[,R…]", help="SUMO route files.", show_default=False)]
Additional = Annotated[str | None, typer.Option(metavar="A[,A…]", help="SUMO additional files.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"its {package_version('its-signals')}")
        raise typer.Exit


@app.callback()
def _its(
    version: Annotated[  # the callback does the work
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def optimize(
    network: Network,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where plans, report and run record go.", show_default=False)
    ],
    detectors: Detectors = None,
    counts: Counts = None,
    turns: Turns = None,
    plans: Plans = None,
    begin: Begin = None,
    end: End = None,
    days: Days = DEFAULT_DAYS,
    settings: SettingsFile = None,
    seed: Seed = 0,
    time_limit: Annotated[
        float | None,
        typer.Option(
            min=1,
            metavar="S",
            callback=finite,
            help=f"Seconds for everything. [default: {DEFAULT_TIME_LIMIT_S:g}; none with --iterations]",
        ),
    ] = None,
    iterations: Annotated[int | None, typer.Option(min=0, metavar="N", help="Iterations of the search.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, metavar="N", help="Threads. [default: 2]")] = None,
    confirm: Annotated[
        Confirm | None, typer.Option(help="The last few candidates also run in SUMO; the plan wins in both models.")
    ] = None,
    tradeoff: Annotated[
        bool,
        typer.Option("--tradeoff", help="Also plans of which none has less delay, stops and waits on foot at once."),
    ] = False,
) -> None:
    """Better signal plans from counts: plan.json, plan.add.xml, plan.csv, report.html and run.json into DIR."""
    started_s = process_began_s()
    if tradeoff and confirm is not None:
        raise typer.BadParameter("--tradeoff gives many plans, --confirm asks for one; leave either out")
    source = _source(detectors, counts, turns, None, begin, end, days)
    request = OptimizeRequest(
        network=network,
        source=source,
        out=_writable(out),
        plans=plans,
        settings=settings,
        seed=seed,
        time_limit_s=time_limit,
        iterations=iterations,
        workers=workers,
        confirm=confirm,
        tradeoff=tradeoff,
        started_s=started_s,
    )

    def job() -> int:
        from its.optimize_job import optimize_job

        return optimize_job(request)

    _end(job)


@app.command()
def simulate(
    network: Network,
    detectors: Detectors = None,
    counts: Counts = None,
    turns: Turns = None,
    routes: Annotated[str | None, typer.Option(metavar="R[,R…]", help="SUMO route files instead of counts.")] = None,
    plans: Plans = None,
    schedule: Annotated[
        Path | None, typer.Option(metavar="S.toml", help="Plans of the day and when they switch, instead of --plans.")
    ] = None,
    controllers: Annotated[
        Controllers, typer.Option(help="Actuated programs by their interval table, or deciding themselves.")
    ] = "fixed",
    queues: Annotated[
        Path | None, typer.Option(metavar="Q", help="Vehicles that stand at the begin: CSV from_link,to_link,veh.")
    ] = None,
    parameters: Annotated[
        Parameters | None,
        typer.Option(help="Drivers as in the street, or as in SUMO for comparisons. [default: sumo with --routes]"),
    ] = None,
    begin: Begin = None,
    end: End = None,
    days: Days = DEFAULT_DAYS,
    settings: SettingsFile = None,
    warmup: Annotated[
        float, typer.Option(min=0, metavar="S", callback=finite, help="Seconds simulated before --begin.")
    ] = 0.0,
    seed: Seed = 0,
    realizations: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Draws of the traffic.")] = 4,
    as_json: Json = False,
) -> None:
    """Delay, stops and queues of a plan in the queue simulation."""
    if schedule is not None and plans is not None:
        raise typer.BadParameter("--schedule names its plans itself; leave --plans out")
    if schedule is not None and controllers == "actuated":
        raise typer.BadParameter("--schedule switches fixed-time programs; leave --controllers actuated out")
    if queues is not None and routes is not None:
        raise typer.BadParameter("--queues go on by the turning flows of counts or turns; leave --routes out")
    request = SimulateRequest(
        network=network,
        source=_source(detectors, counts, turns, routes, begin, end, days, or_routes=True),
        plans=plans,
        schedule=schedule,
        queues=queues,
        controllers=controllers,
        parameters=parameters,
        settings=settings,
        warmup_s=warmup,
        seed=seed,
        realizations=realizations,
        as_json=as_json,
    )

    def job() -> int:
        from its.simulate_job import simulate_job

        return simulate_job(request)

    _end(job)


@app.command()
def check(
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", help="plan.json, SUMO additional, or a network with programs in it.")
    ],
    network: Annotated[Path, typer.Option(metavar="NETWORK", help="Road network the plan is for.", show_default=False)],
    settings: SettingsFile = None,
    against: Annotated[
        Path | None, typer.Option(metavar="OLD", help="The plan in the field. [default: the programs in the network]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Whether a plan keeps the rules of the street; exit code 3 where it does not."""

    def job() -> int:
        from its.check import check_job

        return check_job(plan, network, settings, as_json, against=against)

    _end(job)


@app.command()
def explain(
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", help="plan.json, SUMO additional, or a network with programs in it.")
    ],
    network: Annotated[Path, typer.Option(metavar="NETWORK", help="Road network the plan is for.", show_default=False)],
    detectors: Detectors = None,
    counts: Counts = None,
    turns: Turns = None,
    against: Annotated[
        Path | None, typer.Option(metavar="OLD", help="The plan in the field. [default: the programs in the network]")
    ] = None,
    begin: Begin = None,
    end: End = None,
    days: Days = DEFAULT_DAYS,
    settings: SettingsFile = None,
    seed: Seed = 0,
    realizations: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Draws of the traffic.")] = 4,
    as_json: Json = False,
) -> None:
    """For each number that a plan changes: what binds it, who gains and who pays."""
    request = ExplainRequest(
        plan=plan,
        network=network,
        source=_source(detectors, counts, turns, None, begin, end, days),
        against=against,
        settings=settings,
        seed=seed,
        realizations=realizations,
        as_json=as_json,
    )

    def job() -> int:
        from its.explain_job import explain_job

        return explain_job(request)

    _end(job)


@app.command()
def verify(
    network: Network,
    routes: Routes,
    plans: Annotated[Path, typer.Option(metavar="NEW", help="The plan to confirm.", show_default=False)],
    against: Annotated[Path | None, typer.Option(metavar="OLD", help="[default: the programs in the network]")] = None,
    additional: Additional = None,
    begin: Begin = None,
    end: End = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Common seeds of both plans.")] = 5,
    scale: Annotated[float, typer.Option(min=0.01, max=100, metavar="F", callback=finite, help="Demand factor.")] = 1.0,
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where SUMO's results go.")] = None,
) -> None:
    """Run old and new plan in SUMO under the same seeds; exit code 3 where the new one is not confirmed."""
    route_files, more = paths(routes), paths(additional) if additional is not None else ()
    _check_period(begin, end)
    target = _writable(out) if out is not None else None

    def job() -> int:
        from its.verify import verify_job

        return verify_job(
            network,
            route_files,
            plans,
            against_path=against,
            additional_paths=more,
            begin_s=begin,
            end_s=end,
            seeds=seeds,
            scale=scale,
            as_json=as_json,
            out=target,
        )

    _end(job)


@app.command()
def makecounts(
    network: Network,
    routes: Routes,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where detectors.csv and counts go.", show_default=False)],
    additional: Additional = None,
    begin: Begin = None,
    end: End = None,
    interval: Annotated[int, typer.Option(min=1, max=86_400, metavar="S", help="Seconds per count.")] = 300,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="SUMO's seed.")] = 42,
    detectors: Annotated[
        Path | None, typer.Option(metavar="D", help="Count at these loops instead.", show_default=False)
    ] = None,
    scale: Annotated[
        float, typer.Option(min=0.01, max=10.0, metavar="F", callback=finite, help="Share of the vehicles that drive.")
    ] = 1.0,
) -> None:
    """Loops at every approach and their counts from a SUMO run: detectors and counts to try the engine with."""
    route_files, more = paths(routes), paths(additional) if additional is not None else ()
    _check_period(begin, end)
    target = _writable(out)

    def job() -> int:
        from its.makecounts import makecounts_job

        return makecounts_job(
            network,
            route_files,
            additional_paths=more,
            begin_s=begin,
            end_s=end,
            interval_s=interval,
            seed=seed,
            detectors_path=detectors,
            scale=scale,
            out=target,
        )

    _end(job)


@app.command()
def groups(
    network: Network,
    detectors: Detectors = None,
    counts: Counts = None,
    turns: Turns = None,
    plans: Plans = None,
    begin: Begin = None,
    end: End = None,
    days: Days = DEFAULT_DAYS,
    settings: SettingsFile = None,
    most_signals: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Largest group.")] = 25,
    least_signals: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Smallest, where coupled.")] = 1,
    least_coupling: Annotated[
        float, typer.Option(min=0, max=1, metavar="X", callback=finite, help="Weaker pairs do not belong together.")
    ] = 0.15,
    as_json: Json = False,
) -> None:
    """Which signals belong together: by distance, platoons and cycles; by lanes where no demand is given."""
    given = detectors is not None or counts is not None or turns is not None
    source = _source(detectors, counts, turns, None, begin, end, days) if given else None

    def job() -> int:
        from its.groups_job import GroupsRequest, groups_job
        from network_data.groups import GroupRules

        rules = GroupRules(most_signals=most_signals, least_signals=least_signals, least_coupling=least_coupling)
        return groups_job(
            GroupsRequest(network=network, source=source, plans=plans, settings=settings, rules=rules, as_json=as_json)
        )

    _end(job)


@app.command()
def discharge(
    network: Network,
    detectors: Annotated[Path, typer.Option(metavar="D", help="Where the loops lie, as for optimize.")],
    actuations: Annotated[
        Path | None, typer.Option(metavar="A", help="Single actuations: CSV or parquet detector,on_s,off_s.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(metavar="E", help="High-resolution log of a controller, instead of actuations.")
    ] = None,
    channels: Annotated[
        Path | None, typer.Option(metavar="CH", help="Its detector channels: CSV DeviceId,Phase,Parameter,Function.")
    ] = None,
    counts: Counts = None,
    greens: Annotated[
        Path | None, typer.Option(metavar="G", help="Recorded greens: CSV or parquet link,lane,start_s,end_s.")
    ] = None,
    plans: Plans = None,
    begin: Begin = None,
    end: End = None,
    days: Days = DEFAULT_DAYS,
    standard: Annotated[Standard, typer.Option(help="Manual where the data cannot tell.")] = "hcm",
    settings: Annotated[Path | None, typer.Option(metavar="T.toml", help="[counts]: the table's layout.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="T.toml", help="Settings file to write.")] = None,
    as_json: Json = False,
) -> None:
    """Saturation flow and start-up loss per lane group, from stop-bar loops and the greens that were shown."""
    if sum(given is not None for given in (actuations, events, counts)) != 1:
        raise typer.BadParameter("give one of --actuations, --events and --counts")
    if (events is None) != (channels is None):
        raise typer.BadParameter("--events and --channels go together")
    _check_period(begin, end)

    def job() -> int:
        from its.discharge_job import DischargeRequest, discharge_job

        return discharge_job(
            DischargeRequest(
                network=network, detectors=detectors, actuations=actuations, events=events, channels=channels,
                counts=counts, greens=greens, plans=plans,
                begin_s=begin, end_s=end, days=days, standard=standard, out=out, as_json=as_json, settings=settings,
            )
        )  # fmt: skip

    _end(job)


def _source(
    detectors: Path | None,
    counts: Path | None,
    turns: Path | None,
    routes: str | None,
    begin_s: float | None,
    end_s: float | None,
    days: str,
    *,
    or_routes: bool = False,
) -> DemandSource:
    """The demand's files, once it is clear that they fit together."""
    hint = SOURCES + (", or --routes alone" if or_routes else "")
    if (detectors is None) != (counts is None):
        lone, missing = ("--detectors", "--counts") if counts is None else ("--counts", "--detectors")
        raise typer.BadParameter(f"{lone} without {missing}; {hint}")
    measured = counts is not None or turns is not None
    if routes is not None and measured:
        raise typer.BadParameter(f"--routes does not go with counts or turns; {hint}")
    if routes is None and not measured:
        raise typer.BadParameter(f"no demand; {hint}")
    _check_period(begin_s, end_s)
    return DemandSource(
        detectors=detectors,
        counts=counts,
        turns=turns,
        routes=paths(routes) if routes is not None else (),
        begin_s=begin_s,
        end_s=end_s,
        days=days,
    )


def _check_period(begin_s: float | None, end_s: float | None) -> None:
    if begin_s is not None and end_s is not None and not begin_s < end_s:
        raise typer.BadParameter(f"--begin {begin_s:g} s is not before --end {end_s:g} s; swap or mend them")


def _writable(out: Path) -> Path:
    """The folder results go to, refused before any work where it cannot be written."""
    nearest = next(p for p in (out, *out.absolute().parents) if p.exists())
    if not nearest.is_dir():
        raise typer.BadParameter(f"--out {str(out)!r}: {str(nearest)!r} is a file; name a folder")
    try:
        # the rights say too little: root has them all, a disk may be read-only or full
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        raise typer.BadParameter(
            f"--out {str(out)!r}: cannot write into {str(nearest)!r} ({error.strerror}); name another folder"
        ) from error
    return out


def _end(job: Callable[[], int]) -> None:
    code = guarded(job)
    sys.stdout.flush()
    raise typer.Exit(code)


def main() -> None:
    """Entry point of the `its` command."""
    log_to_stderr()
    try:
        app()
    except BrokenPipeError:
        # whoever read our output has enough (`its … | head`); keep the interpreter's own flush from failing too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
