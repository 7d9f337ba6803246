"""Settings: defaults of the contract, and errors that name the nearest right key."""

import tomllib
from pathlib import Path

import pytest

from network_data.errors import SettingsError
from network_data.settings import Settings, load_settings, settings_from
from tests.network_data.crossroads import crossroads


def from_text(text: str) -> Settings:
    return settings_from(tomllib.loads(text), "settings.toml")


def test_defaults_are_those_of_the_contract() -> None:
    """Without a file: cycles 40 to 180 s, greens from 5 s, longest red 150 s, warrant, network, keep, two workers."""
    settings = Settings()
    limits, rules = settings.limits, settings.rules
    assert (limits.cycle_min_s, limits.cycle_max_s, limits.min_green_s, limits.max_red_s) == (40, 180, 5, 150)
    assert (rules.left_turns, rules.pedestrians, rules.clearance) == ("warrant", "network", "keep")
    assert (settings.change.fixed_signals, settings.change.freeze, settings.change.max_cycle_change_s) == ((), (), None)
    assert settings.objective.delay == 1
    assert (settings.search.iterations, settings.search.workers) == (None, 2)


def test_every_section_is_read(tmp_path: Path) -> None:
    """Each section of a file arrives, lists and whole numbers included."""
    path = tmp_path / "s.toml"
    path.write_text(
        '[limits]\ncycle_min_s = 60\n[rules]\nleft_turns = "free"\n[change]\nfixed_signals = ["A", "B"]\n'
        'freeze = ["cycle", "stages"]\nmax_cycle_change_s = 20\n[objective]\nstops = 4.5\n[search]\niterations = 0\n'
    )
    settings = load_settings(path)
    assert settings.limits.cycle_min_s == 60
    assert settings.rules.left_turns == "free"
    assert settings.change.fixed_signals == ("A", "B")
    assert settings.change.freeze == ("cycle", "stages")
    assert settings.change.max_cycle_change_s == 20
    assert settings.objective.stops == 4.5
    assert settings.search.iterations == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[limits]\ncycle_mx_s = 90", r"unknown key 'limits.cycle_mx_s'; did you mean 'cycle_max_s'"),
        ("[limit]\ncycle_max_s = 90", r"unknown key 'limit'; did you mean 'limits'"),
        ("max_red_s = 90", r"unknown key 'max_red_s'; did you mean '\[limits\] max_red_s'"),
        ("[rules]\nworkers = 2", r"did you mean '\[search\] workers'"),
    ],
)
def test_an_unknown_key_names_the_nearest_right_one(text: str, says: str) -> None:
    """A misspelt key, section, or a key in the wrong place is an error with the way out."""
    with pytest.raises(SettingsError, match=says):
        from_text(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[limits]\ncycle_min_s = 5", "limits.cycle_min_s is 5"),
        ('[rules]\nleft_turns = "maybe"', "left_turns is 'maybe'.*'keep', 'warrant' or 'free'"),
        ("[limits]\ncycle_min_s = 120\ncycle_max_s = 60", "cycle_min_s is above cycle_max_s"),
        ("[objective]\ndelay = nan", "objective.delay is nan"),
        ("[objective]\nstops = inf", "objective.stops is inf"),
        ("[search]\nworkers = true", "search.workers is True"),
        ("[search]\niterations = 2.5", "search.iterations is 2.5"),
        ('[limits]\nmax_red_s = "90"', "limits.max_red_s is '90'"),
        ('[change]\nfreeze = ["cycles"]', "change.freeze.0 is 'cycles'"),
        ("limits = 3", "limits is 3"),
    ],
)
def test_values_out_of_range_are_named(text: str, says: str) -> None:
    """Wrong numbers, words and types are errors, never converted in silence."""
    with pytest.raises(SettingsError, match=says):
        from_text(text)


def test_all_faults_come_together() -> None:
    """One error names every fault of the file."""
    with pytest.raises(SettingsError) as caught:
        from_text('[limits]\nmax_red_s = 1\nmin_gren_s = 5\n[rules]\nclearance = "none"')
    assert len(caught.value.faults) == 3


@pytest.mark.parametrize("content", [b"[limits", b"\xff\xfe", b"a = 1\na = 2"])
def test_what_is_not_toml_says_so(tmp_path: Path, content: bytes) -> None:
    """Damaged files end in an error with the file's name."""
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="broken.toml: is not TOML"):
        load_settings(path)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(SettingsError, match="none.toml: cannot be opened"):
        load_settings(tmp_path / "none.toml")


def test_conditions_of_lanes_need_a_manual_or_a_count() -> None:
    """Without a manual only measured flows count; contradictions of all sections come together."""
    kept = from_text('[saturation]\nconditions = [{ link = "a", measured_vph = 1700 }, { link = "a", lane = 1 }]\n')
    assert [c.lane for c in kept.saturation.conditions] == [None, 1]
    with pytest.raises(SettingsError) as caught:
        from_text(
            "[limits]\ncycle_min_s = 100\ncycle_max_s = 90\n[saturation]\nbase_vph = 1900\n"
            'conditions = [{ link = "a", grade = 0.1 }, { link = "a" }]\n'
        )
    assert len(caught.value.faults) == 4


def test_start_ups_of_a_lane_go_before_those_of_its_link() -> None:
    """A link's time is that of all its lanes; what is said of one lane counts there; names unknown are kept."""
    table = """[saturation]
    conditions = [{ link = "ni", lane = 0, start_up_s = 3.5 }, { link = "ni", start_up_s = 1.5 },
                  { link = "si", measured_vph = 1700 }, { link = "nowhere", start_up_s = 2 }]"""
    network = crossroads()
    starts = from_text(table).saturation.start_ups_s(network)
    n = len(network.links["ni"].lanes)
    assert starts == {("ni", 0): 3.5, **{("ni", k): 1.5 for k in range(1, n)}, ("nowhere", 0): 2.0}
    with pytest.raises(SettingsError, match="start_up_s"):
        from_text('[saturation]\nconditions = [{ link = "ni", start_up_s = 40 }]')


def test_a_misspelt_condition_is_named_with_the_nearest_one() -> None:
    """Keys inside the list of conditions are looked up among the keys of conditions."""
    with pytest.raises(SettingsError, match="did you mean 'heavy_share'"):
        from_text('[saturation]\nstandard = "hcm"\nconditions = [{ link = "a", heavy_shar = 0.1 }]\n')
