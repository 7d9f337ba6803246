"""`report.html`: one file that opens offline and prints well, for the engineer who has to sign the plan."""

from __future__ import annotations

import math
import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from its.report import coordination, overview
from its.report.data import ReportData, as_list, as_mapping, as_number
from its.report.names import Names, short
from its.report.plan_view import network_map
from its.report.signals import LOS_UP_TO_S, signal_views
from its.report.timespace import TimeSpace, time_space
from network_data.arterials import find_arterials

MINUS = "\u2212"
NO_VALUE = "–"


def render_report(data: ReportData) -> str:
    """The report as HTML.

    Parameters
    ----------
    data : ReportData
        Plans, measures and the content of `run.json`; whatever that lacks is left out or said to be missing.

    Returns
    -------
    str
        A complete document: no scripts, no links to anywhere, drawings inside.
    """
    names = Names(data.network)
    signals = signal_views(data, names)
    support, movements, n_small = overview.demand(data)
    template = environment().get_template("report.html.j2")
    return template.render(
        head=overview.headline(data),
        source=data.network.source.replace("\\", "/").rsplit("/", 1)[-1],
        today=overview.today(data, names),
        ladder=overview.ladder(data, names),
        confirm=data.part("confirm"),
        network_changes=overview.network_changes(data, names),
        signals=signals,
        n_signals=len(data.plan.controllers),
        map=network_map(data.network, data.before, data.after, {s.id: s.anchor for s in signals}),
        arterials=_arterials(data),
        bands=coordination.band_lines(data),
        least_band_s=coordination.least_band_s(data),
        offset_lines=coordination.offset_lines(data),
        support=support,
        demand_rows=movements,
        n_small_flows=n_small,
        levels=LOS_UP_TO_S,
        **_assumptions(data),
    )


def _arterials(data: ReportData) -> list[TimeSpace]:
    flows_vph = {movement_id: m.flow_vph for movement_id, m in data.after.movements.items()}
    begin_s = as_number(data.part("period").get("begin_s")) or 0.0
    found = enumerate(find_arterials(data.network, flows_vph))
    drawn = [time_space(a, data.field, data.plan, begin_s, f"window-{n}") for n, a in found]
    return [one for one in drawn if one is not None]


def _assumptions(data: ReportData) -> dict[str, Any]:
    """Everything of run.json that is told as it is, as (name, value) rows."""
    run, period = data.run, data.part("period")
    making = {name: run[name] for name in ("program_id", "seed", "iterations", "reproducible") if name in run}
    checks = overview.rule_checks(data)
    notes = (*data.network.notes, *data.rows("notes"), *as_list(data.part("demand").get("notes")))
    unprotected = [text for check in checks if check.rule == "protection" for text in check.warnings]
    return {
        "notes": list(dict.fromkeys(str(note) for note in notes)),
        "checks": checks,
        "unprotected": unprotected,
        "settings": overview.flat(data.part("settings")),
        "losses": [
            (str(controller), str(movement), as_number(loss_s))
            for controller, group in data.part("losses").items()
            for movement, loss_s in as_mapping(group).items()
        ],
        "warrants": [overview.flat(as_mapping(row) or {"": row}) for row in data.rows("warrants")],
        "making": overview.flat(making) + overview.flat({"period": period}),
        "versions": overview.flat(data.part("versions")),
        "inputs": [*overview.flat(data.part("inputs")), ("network content", data.network.hash)],
        "timings": overview.flat(data.part("timings_s")),
    }


def environment() -> Environment:
    """Templates and their filters."""
    environment = Environment(
        loader=PackageLoader("its.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(num=_num, percent=_percent, signed=_signed, seconds=_seconds, short=short, wrap=_wrap)
    return environment


def _num(value: float | None, digits: int = 0) -> str:
    """A number with thousands apart; a dash where there is none."""
    if value is None or math.isnan(value):
        return NO_VALUE
    if math.isinf(value):
        return "∞"
    return f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", MINUS)


def _signed(value: float | None, digits: int = 0) -> str:
    return NO_VALUE if value is None else f"{value:+,.{digits}f}".replace(",", "\u202f").replace("-", MINUS)


def _seconds(value: float) -> str:
    """Whole seconds without decimals, others with what they need."""
    return f"{round(value, 2):g}"


def _percent(value: float | None, digits: int = 0) -> str:
    return NO_VALUE if value is None else f"{100 * value:.{digits}f} %".replace("-", MINUS)


def _wrap(text: str) -> Markup:
    """An id that may break behind its separators."""
    return Markup("<wbr>").join(part for part in re.split(r"(?<=[_>:#/.])", text) if part)
