"""The unit files, the cron line and the CronJob say what the program knows."""

from __future__ import annotations

import configparser
import shlex
from typing import Any

import pytest
from typer.testing import CliRunner

from its.batch.job import BUSY
from its.cli import app
from its.console import BAD_INPUT, RULES_NOT_MET
from tests import packs

DEPLOY = packs.ROOT / "examples" / "deploy"


def unit(name: str) -> configparser.ConfigParser:
    """A unit file by sections."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / name, encoding="utf-8")
    return parser


def understood(words: list[str]) -> None:
    """The command line takes the words: what is missing is the project file alone."""
    result = CliRunner().invoke(app, words)
    assert result.exit_code == BAD_INPUT
    assert "project.toml" in result.output
    assert "No such option" not in result.output


def test_the_service_runs_the_batch_and_knows_its_exit_codes() -> None:
    """One run; a stopped plan and another run at work are no faults; no secret stands in the file."""
    service = unit("its-batch.service")["Service"]
    assert service["Type"] == "oneshot"
    assert {int(x) for x in service["SuccessExitStatus"].split()} == {RULES_NOT_MET, BUSY}
    understood(shlex.split(service["ExecStart"])[1:])
    assert unit("its-batch.timer")["Timer"]["Persistent"] == "true"


def test_the_cron_line_runs_the_batch() -> None:
    """Five fields of time, a user, a command."""
    (line,) = [x for x in (DEPLOY / "its-batch.cron").read_text(encoding="utf-8").splitlines() if x[:1].isdigit()]
    assert len(line.split()[:5]) == 5
    command = line.split("&&")[1].split(">>")[0]
    understood(shlex.split(command)[1:])


def test_the_cron_job_is_one_at_a_time() -> None:
    """Kubernetes starts no second one, and does not try again what cannot change."""
    yaml = pytest.importorskip("yaml")
    job: dict[str, Any] = yaml.safe_load((DEPLOY / "its-batch.cronjob.yaml").read_text(encoding="utf-8"))
    spec = job["spec"]["jobTemplate"]["spec"]
    assert (job["apiVersion"], job["kind"], job["spec"]["concurrencyPolicy"]) == ("batch/v1", "CronJob", "Forbid")
    assert spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [BAD_INPUT, RULES_NOT_MET, BUSY]
    (container,) = spec["template"]["spec"]["containers"]
    understood(container["args"])
    assert container["env"][0]["valueFrom"]["secretKeyRef"]
