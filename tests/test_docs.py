"""The documents say what the code does."""

import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from its.cli import app
from network_data.settings import Settings, settings_from

DOCS = Path(__file__).parents[1] / "docs"


def test_the_settings_shown_are_the_defaults() -> None:
    """The settings block of commands.md is valid and changes nothing."""
    block = re.search(r"```toml\n(.*?)```", (DOCS / "commands.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    assert settings_from(tomllib.loads(block[1]), "docs/commands.md") == Settings()


def test_every_setting_is_shown() -> None:
    """No key of the settings is missing from commands.md."""
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    keys = [key for section in Settings.model_fields for key in type(getattr(Settings(), section)).model_fields]
    assert [key for key in keys if f"{key} =" not in text] == []


@pytest.mark.parametrize("command", ["optimize", "simulate", "check", "verify", "makecounts"])
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
