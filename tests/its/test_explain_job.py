"""`its explain`: each changed number with who gains, who pays and what binds."""

from __future__ import annotations

import json
from pathlib import Path

from tests.its.jobs import NETWORK, Job, its, settings_of


def test_the_run_record_and_the_report_explain_each_changed_number(job: Job) -> None:
    """Every signal whose offset, cycle or greens changed has its lines, in run.json and on the page."""
    told = job.run["explanations"]
    assert told
    assert {row["what"] for row in told} <= {"stages", "cycle", "offset", "green"}
    for row in told:
        if row["what"] == "green":
            assert row["change_s"] == row["after_s"] - row["before_s"] != 0
            assert row["text"].startswith(f"{row['change_s']:+g} s: ")
        assert all(one["text"] for one in row["binds"])
    assert "what changed, who gains, who pays, what binds" in job.report


def test_a_plan_is_explained_against_the_field(job: Job, turns: Path) -> None:
    """Text by signal; the same rows in JSON."""
    args = ("explain", job.out / "plan.json", "--network", NETWORK, "--turns", turns, "--realizations", "2")
    told = its(*args)
    assert told.exit_code == 0, told.output
    rows = json.loads(its(*args, "--json").stdout)["explanations"]
    assert {row["controller"] for row in rows} == {row["controller"] for row in job.run["explanations"]}
    for row in rows:
        assert f"\n{row['controller']}\n" in f"\n{told.stdout}"
        assert row["text"] in told.stdout


def test_the_field_s_own_plan_needs_no_explanation(turns: Path) -> None:
    """The network as PLAN changes nothing."""
    told = its("explain", NETWORK, "--network", NETWORK, "--turns", turns, "--realizations", "1")
    assert told.exit_code == 0, told.output
    assert told.stdout.strip() == "the plan changes no number of the field's"


def test_names_that_are_not_there_end_with_2(job: Job, turns: Path, tmp_path: Path) -> None:
    """Settings are held against the network here too."""
    settings = settings_of(tmp_path, '[change]\nfixed_offsets = ["nowhere"]\n')
    told = its("explain", job.out / "plan.json", "--network", NETWORK, "--turns", turns, "--settings", settings)
    assert told.exit_code == 2
    assert "'nowhere', which is no signal" in told.stderr
