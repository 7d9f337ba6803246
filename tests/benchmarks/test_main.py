"""The benchmark command and the harness of the quality benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import __main__ as command
from benchmarks import quality
from benchmarks.cases import cases, unpacked
from benchmarks.tables import Column, Options, Table, print_table, write_rows
from network_data.errors import InputError
from tests import packs

TABLE = Table(
    title="Small",
    columns=(
        Column(key="case", heading="case"),
        Column(key="x", heading="x s", spec=".1f"),
        Column(key="ok", heading="ok"),
    ),
    rows=({"case": "a", "x": 1.25, "ok": True}, {"case": "b", "x": None, "ok": False}),
    notes=("a note",),
)


def test_an_unknown_benchmark_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the names there are."""
    assert command.main(["qualty"]) == 2
    assert "no benchmark 'qualty'; known are" in (text := capsys.readouterr().err)
    assert "quality" in text


def test_an_unknown_case_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the cases there are, before anything is run."""
    assert command.main(["quality", "--only", "cologne9"]) == 2
    text = capsys.readouterr().err
    assert all(name in text for name in ("cologne9", "bologna_acosta", "grid4x4"))


def test_the_command_prints_the_table_and_writes_its_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Options reach the benchmark, headings and cells are printed, the file holds the rows and what they depend on."""
    seen: list[Options] = []

    def benchmark(options: Options) -> Table:
        seen.append(options)
        return TABLE

    monkeypatch.setattr(command, "known_benchmarks", lambda: {"small": benchmark})
    assert command.main(["small", "--quick", "--only", "a", "--json", str(tmp_path / "rows.json")]) == 0
    assert (seen[0].quick, seen[0].only) == (True, "a")
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("x s", "1.2", "yes", "–", "a note"))
    written = json.loads((tmp_path / "rows.json").read_text())
    assert written["rows"] == [dict(row) for row in TABLE.rows]
    assert written["benchmark"] == "small"
    assert set(written["versions"]) >= {"numpy", "numba"}


def test_a_failed_benchmark_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that broke its promise is seen by whoever called."""
    failed = Table(title="t", columns=TABLE.columns, rows=TABLE.rows, failed=True)
    monkeypatch.setattr(command, "known_benchmarks", lambda: {"small": lambda options: failed})
    assert command.main(["all"]) == 1


def test_cells_are_not_cut_off_in_a_file(tmp_path: Path) -> None:
    """Outside a terminal the table is as wide as its cells need."""
    wide = Table(title="t", columns=[Column(key=f"k{n}", heading="x" * 20) for n in range(7)], rows=[{}])
    with (tmp_path / "out.txt").open("w") as stream:
        print_table(wide, Console(file=stream))
    assert (tmp_path / "out.txt").read_text().count("x" * 20) == 7


def test_rows_with_nan_are_refused(tmp_path: Path) -> None:
    """A number that is none must not pass into a file that others read."""
    odd = Table(title="t", columns=TABLE.columns, rows=({"x": float("nan")},))
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_rows(tmp_path / "rows.json", "t", odd, quick=True)


def test_quick_takes_the_small_cases() -> None:
    """Quick runs choose the small ones unless a case is named."""
    assert Options(quick=True).chosen(["a", "b"], ["b"]) == ["b"]
    assert Options(quick=False).chosen(["a", "b"], ["b"]) == ["a", "b"]
    assert Options(quick=True, only="a").chosen(["a", "b"], ["b"]) == ["a"]
    with pytest.raises(InputError, match="no case 'c'; known are a, b"):
        Options(only="c").chosen(["a", "b"], ["b"])


def test_the_six_cases_are_complete() -> None:
    """Every file of every case is there, and loops cover the approaches that the READMEs state."""
    packs.data_pack()
    packs.resco("cologne1")
    known = cases()
    assert [case.missing() for case in known.values()] == [""] * 6
    covered = {name: quality.loop_coverage(known[name], known[name].detectors or Path()) for name in list(known)[:2]}
    assert covered == {"bologna_acosta": "15 of 40", "bologna_pasubio": "24 of 45"}


def test_gzipped_routes_are_unpacked_for_the_referee(tmp_path: Path) -> None:
    """A packed file gets a plain twin, a plain one stays where it is."""
    case = cases()["bologna_acosta"]
    packs.data_pack()
    routes = unpacked((*case.routes, case.network), tmp_path)
    assert [path.parent for path in routes] == [tmp_path, tmp_path, case.network.parent]
    assert routes[0].read_bytes().startswith(b"<routes>")
