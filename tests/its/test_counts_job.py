"""`its counts check`: a table for people, JSON for programs, repaired counts in the engine's own layout."""

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from its.cli import app
from network_data.counting.options import CountLayout, QualityLimits
from network_data.counting.reader import read_block
from network_data.settings import settings_from
from tests.packs import ROOT

DISTRICT = ROOT / "examples" / "district"
PAGE = (ROOT / "docs" / "counts.md").read_text(encoding="utf-8")


def run(*words):
    """Exit code and output of the command."""
    done = CliRunner().invoke(app, ["counts", "check", *map(str, words)])
    return done.exit_code, done.stdout, done.stderr


def test_the_bundled_example():
    """Faults by detector with days and reason, and the totals."""
    places = ("--network", DISTRICT / "network.net.xml.gz", "--detectors", DISTRICT / "detectors.csv")
    code, out, _ = run(DISTRICT / "counts.parquet", *places)
    assert code == 0
    assert out.startswith("369504 rows read, 369504 used, 0 not used\n")
    assert re.search(r"drift +M2\.E\.s3 +14 +2026-04-13 +2026-04-26", out)
    assert re.search(r"pulse +M6\.E\.s3 +1 .*300 vehicles in every interval", out)
    assert "92 detectors, 14 days of 5-minute counts" in out


def test_json_and_repaired_counts(tmp_path: Path):
    """Every verdict has its rows; what is written is read again as sound counts, odd names included."""
    path = tmp_path / "c.csv"
    rows = [f"'-1#2.0,{300 * k},{300 * k + 300},{'' if k == 5 else 10 + k % 3}" for k in range(40)]
    path.write_text("\n".join(["detector,begin_s,end_s,veh", *rows, ""]), encoding="utf-8")
    code, out, _ = run(path, "--json", "--out", tmp_path / "r.csv.gz")
    assert code == 0
    said = json.loads(out)
    assert said["counts"] == {"all": 40, "repaired": 1, "missing": 0}
    (verdict,) = said["verdicts"]
    assert (verdict["code"], verdict["rows"], verdict["detector"]) == ("missing", "row 7", "-1#2.0")
    assert verdict["sd_veh"] > 0
    again = read_block([tmp_path / "r.csv.gz"])
    assert again.detectors == ("-1#2.0",)
    assert np.isfinite(again.veh).all()


def test_parquet_out_and_days(tmp_path: Path):
    """Parquet by its ending; only the days asked for."""
    code, _, _ = run(DISTRICT / "counts.parquet", "--days", "2026-04-14..2026-04-15", "--out", tmp_path / "r.parquet")
    assert code == 0
    assert [str(day) for day in read_block([tmp_path / "r.parquet"]).days] == ["2026-04-14", "2026-04-15"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nowhere.csv",), "cannot be opened"),
        ((DISTRICT / "counts.parquet", "--network", DISTRICT / "network.net.xml.gz"), "belong together"),
        ((DISTRICT / "counts.parquet", "--days", "monday"), "use weekday, sat, sun, all"),
    ],
)
def test_faulty_calls(words, says):
    """Exit code 2 and a sentence that helps."""
    code, _, err = run(*words)
    assert code == 2
    assert says in err


def toml_blocks(section: str) -> list[str]:
    """The settings that the page shows for a section."""
    blocks = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    return [block for block in blocks if block.startswith(f"[{section}]")]


def test_the_settings_of_the_page_are_valid_and_its_defaults_true():
    """Every block can be used as it stands; the longest of each section shows the defaults, all keys named."""
    for section, model in (("counts", CountLayout), ("quality", QualityLimits)):
        blocks = toml_blocks(section)
        settings = [settings_from(tomllib.loads(block), "docs/counts.md") for block in blocks]
        longest = max(range(len(blocks)), key=lambda k: len(blocks[k]))
        assert getattr(settings[longest], section) == model()
        named = {key for block in blocks for key in re.findall(r"^(?:# )?(\w+) =", block, re.MULTILINE)}
        assert named == set(model.model_fields)
