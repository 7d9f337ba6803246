"""The code of docs/scenarios.md runs as it stands."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests import packs


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The tail of the worst tenth is the worst day's delay."""
    text = (packs.ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "docs/scenarios.md", "exec"), names)
    assert "71.0" in capsys.readouterr().out
