"""The code of docs/graph.md runs as it stands."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests import packs


def test_every_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other, in one session, from the root of a checkout."""
    monkeypatch.chdir(packs.ROOT)
    blocks = re.findall(
        r"```python\n(.*?)```", (packs.ROOT / "docs" / "graph.md").read_text(encoding="utf-8"), re.DOTALL
    )
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/graph.md", "exec"), names)
    said = capsys.readouterr().out
    assert "'M1'" in said
    assert "g1" in said
    assert {s for g in names["groups"].groups for s in g.signals} == set(names["network"].controllers)
    assert {s for c in names["communities"] for s in c} == set(names["network"].controllers)
