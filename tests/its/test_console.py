"""Progress, tables and exit codes."""

import io
import logging
import time

import pytest

from its import console as console_module
from its.console import Console, StderrLines, format_table, guarded
from network_data.errors import InfeasibleError


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_plain_lines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal a stage writes lines, no control characters, and no more than one every few seconds."""
    stream = io.StringIO()
    console = Console(stream)
    with console.stage("search") as stage:
        stage.update(0.1, "best 40.0 s/veh")
        monkeypatch.setattr(console_module, "QUIET_S", 0.0)
        stage.update(0.5, "best 35.0 s/veh")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert "search:  50% best 35.0 s/veh" in lines[0]
    assert "search: 0.0 s" in lines[1]
    assert "\x1b" not in stream.getvalue()


def test_a_bar_on_a_terminal() -> None:
    """On a terminal a bar is drawn and a line said meanwhile stands whole."""
    stream = Terminal()
    console = Console(stream)
    with console.stage("search") as stage:
        stage.update(0.5, "best")
        console.say("a line [between] the bars")
    assert "a line [between] the bars" in stream.getvalue()


def test_stages_of_one_name_add_up() -> None:
    """The timings are kept per name, also of a stage that failed."""
    console = Console(io.StringIO(), quiet=True)
    for _ in range(2):
        with console.stage("read"):
            time.sleep(0.01)
    with pytest.raises(ValueError, match="broken"), console.stage("check"):
        raise ValueError("broken")
    assert console.timings_s["read"] >= 0.02
    assert set(console.timings_s) == {"read", "check"}


def test_quiet_says_nothing() -> None:
    """A quiet console writes nothing."""
    stream = io.StringIO()
    console = Console(stream, quiet=True)
    console.say("x")
    with console.stage("y"):
        pass
    assert stream.getvalue() == ""


def test_numbers_stand_to_the_right() -> None:
    """Columns of numbers are right-aligned, words left-aligned."""
    text = format_table(("plan", "delay"), [("field", "49.1"), ("offsets only", "9.0"), ("stages", "-12.5%")])
    assert text.splitlines() == [
        "plan           delay",
        "------------  ------",
        "field           49.1",
        "offsets only     9.0",
        "stages        -12.5%",
    ]


def test_guarded_lets_our_own_faults_through() -> None:
    """An error that nobody planned for keeps its traceback; a planned one becomes a code and a text."""

    def broken() -> int:
        raise ZeroDivisionError

    def infeasible() -> int:
        raise InfeasibleError("minimum greens need 190 s")

    stream = io.StringIO()
    with pytest.raises(ZeroDivisionError):
        guarded(broken, stream)
    assert guarded(infeasible, stream) == 3
    assert stream.getvalue() == "error: minimum greens need 190 s\n"


def test_log_records_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Information is a bare line, a warning says that it is one."""
    handler = StderrLines()
    for level in (logging.INFO, logging.WARNING):
        handler.handle(logging.LogRecord("its", level, "", 0, "%d rows", (3,), None))
    assert capsys.readouterr().err == "3 rows\nwarning: 3 rows\n"


def test_very_long_names_lose_their_middle() -> None:
    """A signal named by twenty nodes does not make the table wider than a screen; sentences stay whole."""
    name = "cluster_" + "_".join(str(n) for n in range(100, 140))
    table = format_table(("signal", "text"), [(name, "a sentence of many words " * 5)])
    assert "cluster_100" in table
    assert table.splitlines()[2].split("  ")[0].endswith("_139")
    assert len(table.splitlines()[2].split("  ")[0]) == 48
    assert "a sentence of many words " * 4 in table
