"""Finding and running SUMO."""

from __future__ import annotations

from pathlib import Path

import pytest

from its.sumo import Scenario, run_sumo, sumo_home, sumo_version
from network_data.errors import InputError, OutsideProgramError
from tests import packs


def test_a_missing_sumo_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without package, path and SUMO_HOME the error says what to install."""
    monkeypatch.delenv("SUMO_HOME", raising=False)
    monkeypatch.setattr("its.sumo.importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("its.sumo.shutil.which", lambda name: None)
    with pytest.raises(OutsideProgramError, match=r"pip install 'its-signals\[sumo\]'"):
        sumo_home()


def test_a_wrong_sumo_home_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A SUMO_HOME without a SUMO in it is the fault, not a reason to look elsewhere."""
    monkeypatch.setenv("SUMO_HOME", str(tmp_path))
    with pytest.raises(OutsideProgramError, match="has no bin/sumo"):
        sumo_home()


def test_a_failure_of_sumo_is_told_in_its_words(tmp_path: Path) -> None:
    """What SUMO prints as its error is in ours."""
    packs.sumo()
    with pytest.raises(OutsideProgramError, match=r"SUMO failed:\n.*nowhere\.net\.xml"):
        run_sumo(["-n", str(tmp_path / "nowhere.net.xml")])


def test_the_version_is_known() -> None:
    """Three numbers with dots."""
    packs.sumo()
    assert sumo_version().count(".") >= 2


def test_missing_files_are_told_together(tmp_path: Path) -> None:
    """Every file that SUMO would fail on is named before it starts."""
    odd = tmp_path / "a,b.xml"
    odd.touch()
    scenario = Scenario(network=tmp_path / "no.net.xml", routes=(odd,), additional=(tmp_path / "no.add.xml",))
    with pytest.raises(InputError) as caught:
        scenario.check_files()
    assert [fault.rpartition("; ")[2] for fault in caught.value.faults] == [
        "check the path",
        "rename it",
        "check the path",
    ]


def test_options_say_only_what_was_asked() -> None:
    """Period and scale appear when given, a plan's files behind the scenario's own."""
    plain = Scenario(network=Path("n"), routes=(Path("r"), Path("s")))
    assert plain.options() == ["-n", "n", "-r", "r,s"]
    full = Scenario(
        network=Path("n"), routes=(Path("r"),), additional=(Path("a"),), begin_s=25200.0, end_s=28800.5, scale=1.1
    )
    wanted = ["-n", "n", "-r", "r", "-a", "a,p", "--begin", "25200", "--end", "28800.5", "--scale", "1.1"]
    assert full.options(Path("p")) == wanted
