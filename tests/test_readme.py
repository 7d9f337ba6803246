"""What the README shows runs: its commands on the bundled example made small, make targets, headings of tables."""

from __future__ import annotations

import gzip
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from typer.main import get_group
from typer.testing import Result

from its.cli import app
from its.recognize import load_field_plan, load_network
from network_data.formats.sumo_tls import write_sumo_programs
from tests import packs
from tests.its.jobs import COUNTS, DAY, DETECTORS, NETWORK, its

README = (packs.ROOT / "README.md").read_text(encoding="utf-8")
PERIOD = {"--begin": "07:30", "--end": "07:40"}
SMALL = {
    "optimize": {**PERIOD, "--iterations": "1"},
    "simulate": {**PERIOD, "--realizations": "1"},
    "verify": {"--begin": "07:15", "--end": "07:20", "--seeds": "2"},
    "check": {},
    "makecounts": {"--begin": "07:15", "--end": "07:20"},
}
"""Options that make each command a matter of seconds."""


def blocks(language: str) -> list[str]:
    """Fenced blocks of a language, continued lines joined."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [re.sub(r"\\\n\s*", "", block) for block in found]


def commands() -> Iterator[list[str]]:
    """The `its …` commands of the README in order, as arguments."""
    for block in blocks("sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["its"]:
                yield words[1:]


def small(words: list[str]) -> list[str]:
    """The command with the options that make it small."""
    out = list(words)
    for option, value in SMALL[words[0]].items():
        if option in out:
            out[out.index(option) + 1] = value
        else:
            out += [option, value]
    return out


def demo() -> list[str]:
    """What `make demo` runs, installation left out."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    asked = ["make", "--no-print-directory", "-n", "demo"]
    told = subprocess.run(asked, cwd=packs.ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    (line,) = (line for line in re.sub(r"\\\n\s*", "", told).splitlines() if "/its optimize " in line)
    return shlex.split(line)[1:]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example, and with files named as in the README: a network, a day of counts, a field plan."""
    path = tmp_path_factory.mktemp("readme")
    (path / "examples").symlink_to(packs.ROOT / "examples")
    (path / "network.net.xml").write_bytes(gzip.decompress(NETWORK.read_bytes()))
    shutil.copy(DETECTORS, path / "detectors.csv")
    counts = pd.read_parquet(COUNTS)
    counts[counts["begin"].astype(str).str.startswith(DAY)].to_csv(path / "counts.csv.gz", index=False)
    network = load_network(NETWORK)
    (path / "field.add.xml").write_text(write_sumo_programs(load_field_plan(None, network)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def shown(place: Path) -> Result:
    """The demo, made small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        return its(*small(demo()))


def test_the_demo_prints_what_the_readme_shows(shown: Result) -> None:
    """Headings, steps, signals and files of the block behind `make demo` are those that are printed."""
    assert shown.exit_code == 0, shown.output
    said = README[README.index("make demo") :]
    (block,) = re.findall(r"^```\n(step .*?)^```$", said, re.DOTALL | re.MULTILINE)
    printed = shown.stdout.splitlines()
    for line in block.splitlines():
        words = re.split(r"\s{2,}", line)
        if len(words) > 1 and set(line) > set("- "):
            heads = [text for text in printed if re.split(r"\s{2,}", text)[0] == words[0]]
            assert [len(re.split(r"\s{2,}", text)) for text in heads] == [len(words)], line
            assert not line.startswith(("step ", "signal:")) or re.split(r"\s{2,}", heads[0]) == words
        elif line.startswith("demo-out/"):
            assert line in printed
    assert [line for line in block.splitlines() if line.startswith("demo-out/")] == printed[-5:]


@pytest.mark.slow
def test_the_commands_run(place: Path, shown: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, each does its work; `verify` may say that so small a search is not confirmed."""
    monkeypatch.chdir(place)
    with_sumo = importlib.util.find_spec("sumo") is not None
    for words in commands():
        if words[0] in ("verify", "makecounts") and not with_sumo:
            continue
        result = its(*small(words))
        assert result.exit_code in ({0, 3} if words[0] == "verify" else {0}), (words, result.output)
        if words[0] == "verify":
            plain = re.findall(r"^```\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
            (heading,) = (block.splitlines()[0] for block in plain if "±95 %" in block)
            assert heading.split() == result.stdout.splitlines()[0].split()


def test_there_are_commands_to_run() -> None:
    """The README shows how to optimize, check, simulate and verify, and names no command that is not there."""
    assert {words[0] for words in commands()} >= {"optimize", "check", "simulate", "verify"}
    known = set(get_group(app).commands)
    assert set(re.findall(r"`its ([a-z]+)", README)) <= known


def test_the_make_targets_are_there() -> None:
    """Every `make …` of the README is a target of the Makefile, demo and test above all."""
    named = set(re.findall(r"^make ([a-z]+)$|`make ([a-z]+)`", README, re.MULTILINE))
    targets = {name for pair in named for name in pair if name}
    known = set(re.findall(r"^([a-z]+):", (packs.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= targets
    assert targets <= known


def test_the_benchmarks_are_there() -> None:
    """Every `python -m benchmarks …` of the README is a module of the benchmarks."""
    for name in re.findall(r"`python -m benchmarks ([a-z_]+)", README):
        assert list((packs.ROOT / "benchmarks").glob(f"{name}*")), name
