"""`its plans …` on the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from its.console import guarded
from network_data.errors import InputError

if TYPE_CHECKING:
    from its.store import Store

plans_app = typer.Typer(
    name="plans",
    help="The plan store: list, show, compare, approve, reject and export plans.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StoreUrl = Annotated[
    str,
    typer.Option(
        "--store", envvar="ITS_STORE", metavar="URL", help="File, sqlite:///FILE or postgresql://USER@HOST/NAME."
    ),
]
PlanRef = Annotated[str, typer.Argument(metavar="PLAN", help="Plan id, or the first digits of it.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides.", show_default=False)]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_STORE = "its-store.db"


def _run(where: str, job: Callable[[Store], int], *, actor: str | None = None) -> None:
    def guarded_job() -> int:
        try:
            from its.plans_job import with_store
        except ModuleNotFoundError as error:
            raise InputError("plan store", f"needs {error.name}; pip install 'its-signals[store]'") from None
        return with_store(where, job, actor=actor)

    code = guarded(guarded_job)
    sys.stdout.flush()
    raise typer.Exit(code)


@plans_app.command("list")
def list_plans(
    store: StoreUrl = DEFAULT_STORE,
    district: Annotated[str | None, typer.Option(metavar="NAME", help="Only this district.")] = None,
    as_json: Json = False,
) -> None:
    """The plans of the store, the newest first."""

    def job(opened: Store) -> int:
        from its.plans_job import list_job

        return list_job(opened, district, as_json)

    _run(store, job)


@plans_app.command()
def show(plan: PlanRef, store: StoreUrl = DEFAULT_STORE, as_json: Json = False) -> None:
    """A plan and all that is recorded about it."""

    def job(opened: Store) -> int:
        from its.plans_job import show_job

        return show_job(opened, plan, as_json)

    _run(store, job)


@plans_app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Plan id or plan.json.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Plan id or plan.json.")],
    store: StoreUrl = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """What differs between two plans."""

    def job(opened: Store) -> int:
        from its.plans_job import diff_job

        return diff_job(opened, old, new, as_json)

    _run(store, job)


@plans_app.command()
def approve(plan: PlanRef, by: By, reason: Reason = "", store: StoreUrl = DEFAULT_STORE) -> None:
    """Approve a plan under your name."""
    _decide(store, plan, "approve", by, reason)


@plans_app.command()
def reject(plan: PlanRef, by: By, reason: Reason = "", store: StoreUrl = DEFAULT_STORE) -> None:
    """Reject a plan under your name; this outweighs approvals until you approve it yourself."""
    _decide(store, plan, "reject", by, reason)


def _decide(store: str, plan: str, verdict: str, by: str, reason: str) -> None:
    def job(opened: Store) -> int:
        from its.plans_job import decide_job

        return decide_job(opened, plan, verdict, by, reason)

    _run(store, job)


@plans_app.command()
def export(
    plan: PlanRef,
    out: Annotated[Path, typer.Option(metavar="FILE", help="plan.json, plan.add.xml or plan.csv.", show_default=False)],
    network: Annotated[Path | None, typer.Option(metavar="NETWORK", help="Its road network, for CSV.")] = None,
    store: StoreUrl = DEFAULT_STORE,
) -> None:
    """A plan into a file."""

    def job(opened: Store) -> int:
        from its.plans_job import export_job

        return export_job(opened, plan, out, network)

    _run(store, job)


@plans_app.command()
def add(
    path: Annotated[Path, typer.Argument(metavar="PLAN.json", help="The plan document.")],
    district: Annotated[str, typer.Option(metavar="NAME", help="What it is for.", show_default=False)],
    zone: Annotated[str, typer.Option(metavar="ZONE", help="Time zone of its days.")] = "UTC",
    store: StoreUrl = DEFAULT_STORE,
) -> None:
    """Store a plan and print its id."""

    def job(opened: Store) -> int:
        from its.plans_job import add_job

        return add_job(opened, path, district, zone)

    _run(store, job)


@plans_app.command()
def verify(store: StoreUrl = DEFAULT_STORE) -> None:
    """Recompute the audit chain; exit code 3 where it is broken."""

    def job(opened: Store) -> int:
        from its.plans_job import verify_job

        return verify_job(opened)

    _run(store, job)
