"""The documents say what the code does."""

import re
import shlex
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from its.cli import app
from its.recognize import load_field_plan, load_network
from network_data.formats.sumo_tls import write_sumo_programs
from network_data.plans import TimingPlan
from network_data.settings import Settings, settings_from
from network_data.settings_signals import SignalSettings
from tests import packs
from tests.its.jobs import DAY, NETWORK, its

DOCS = Path(__file__).parents[1] / "docs"


def test_the_settings_shown_are_the_defaults() -> None:
    """The settings block of commands.md is valid and changes nothing."""
    block = re.search(r"```toml\n(.*?)```", (DOCS / "commands.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    assert settings_from(tomllib.loads(block[1]), "docs/commands.md") == Settings()


def test_the_settings_that_are_shown_as_comments_are_valid() -> None:
    """Every `# key = value` of the block may be written out; a manual is then named, for conditions that need one."""
    block = re.search(r"```toml\n(.*?)```", (DOCS / "commands.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    text = re.sub(r"^# (\w+ =)", r"\1", block[1], flags=re.MULTILINE).replace(
        'standard = "network"', 'standard = "hcm"'
    )
    settings = settings_from(tomllib.loads(text), "docs/commands.md")
    assert [c.link for c in settings.saturation.conditions] == ["a", "b"]
    assert settings.actuation.coordinated == {"J1": ("2", "6")}
    assert settings.actuation.recall == {"J1": {"4": "minimum"}}


def simulate_commands() -> list[list[str]]:
    """The `its simulate …` examples of commands.md, as arguments."""
    blocks = re.findall(
        r"^```\n(.*?)^```$", (DOCS / "commands.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    lines = [line for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("its simulate examples")]


@pytest.mark.parametrize("words", simulate_commands(), ids=lambda words: words[2])
def test_the_examples_of_its_simulate_run(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made short, beside the schedule and the queues that the page shows."""
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    (tmp_path / "examples").symlink_to(packs.ROOT / "examples")
    for name, fence in (
        ("day.toml", r"```toml\n(method = .*?)```"),
        ("queues.csv", r"```\n(from_link,to_link,veh\n.*?)```"),
    ):
        found = re.search(fence, text, re.DOTALL)
        assert found is not None
        (tmp_path / name).write_text(found[1], encoding="utf-8")
    field = load_field_plan(None, load_network(NETWORK))
    later = {
        c: replace(program, offset_s=(program.offset_s + 20) % program.cycle_s)
        for c, program in field.controllers.items()
    }
    (tmp_path / "plan.add.xml").write_text(write_sumo_programs(TimingPlan(controllers=later)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    at = words.index("--end")
    short = [*words[: at + 1], "07:40", *words[at + 2 :], "--realizations", "1"]
    result = its(*short, *(("--days", DAY) if "--counts" in words else ()))
    assert result.exit_code == 0, result.output
    assert "simulated: 1 realizations" in result.stdout
    assert ("cycles lost" in result.stdout) == ("--schedule" in words)


def test_every_module_of_sim_has_its_line() -> None:
    """architecture.md names each module of sim once."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    section = text[text.index("## Inside `sim`") : text.index("## The way of the data")]
    named = re.findall(
        r"`(\w+)`", "\n".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    )
    modules = {path.stem for path in (packs.ROOT / "sim").glob("*.py")} - {"__init__"}
    assert sorted(named) == sorted(modules)


def test_every_setting_is_shown() -> None:
    """No key of the settings is missing from commands.md; those of counts stand in counts.md."""
    text = "".join((DOCS / page).read_text(encoding="utf-8") for page in ("commands.md", "counts.md"))
    sections = [
        type(section) for name in Settings.model_fields if name != "signals" if (section := getattr(Settings(), name))
    ]
    keys = [key for section in (*sections, SignalSettings) for key in section.model_fields]
    assert [key for key in keys if f"{key} =" not in text] == []


@pytest.mark.parametrize(
    "command", ["optimize", "simulate", "check", "explain", "verify", "makecounts", "groups", "discharge"]
)
def test_every_option_is_shown(command: str) -> None:
    """Options of the commands and of commands.md are the same."""
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    usage = re.search(rf"^its {command} (.*?)^its ", text, re.DOTALL | re.MULTILINE)
    assert usage is not None
    shown = set(re.findall(r"--[a-z-]+", usage[1]))
    known = set(
        re.findall(r"^\s+(?:-\w, )?(--[a-z-]+)", CliRunner().invoke(app, [command, "--help"]).output, re.MULTILINE)
    )
    assert known - {"--help"} == shown


def test_links_between_documents_lead_somewhere() -> None:
    """Every relative link points to a file that is there."""
    for path in [*DOCS.glob("*.md"), *DOCS.parent.glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
