"""`its inspect` and `its convert`: what is said of each format, and ways between them that lose nothing silently."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from its.cli import app
from network_data.formats.gmns import read_gmns
from network_data.formats.salt import read_salt_signals
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_tls import read_sumo_programs
from network_data.formats.sumo_waut import read_sumo_day
from network_data.formats.utdf import read_utdf
from tests.network_data.formats.test_korea import DAEJEON, GGITS, shapefiles
from tests.network_data.formats.test_salt import folder
from tests.network_data.formats.test_utdf import FILE, VOLUMES, shown, written
from tests.network_data.real_networks import files
from tests.packs import data_pack


def its(*arguments: object) -> tuple[int, str]:
    """Exit code and all output of a command."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    return result.exit_code, result.output


def test_inspect_tells_what_a_network_lacks(tmp_path: Path) -> None:
    """Signals, links, lanes, plans, findings, and what an optimization still needs; as a table and as JSON."""
    code, text = its("inspect", folder(tmp_path))
    assert code == 0
    for words in ("SALT folder", "signals", "finding: no-demand", "missing for an optimization: demand", "crossings"):
        assert words in text
    code, text = its("inspect", tmp_path, "--json")
    said = json.loads(text)
    assert said["parts"][0]["kind"] == "salt"
    assert said["parts"][0]["contents"]["signals"] == 1
    assert any("demand" in line for line in said["missing"])


def test_inspect_tells_all_files_of_a_folder() -> None:
    """A folder of SUMO files: each with its kind; the loops are placed on the network that lies beside."""
    code, text = its("inspect", data_pack() / "bologna_acosta")
    assert code == 0
    for words in ("58 loops", "58 detectors", "7 signals, 7 programs", "sumo-routes", "unknown"):
        assert words in text


def test_inspect_of_tables(tmp_path: Path) -> None:
    """A table of unknown columns: which they are and what to do; with settings that name them counts and days."""
    table, settings = tmp_path / "c.csv", tmp_path / "t.toml"
    hours = [f"q{hour:02d}" for hour in range(24)]
    rows = [["2026-03-02", "A", *range(24)], ["2026-03-03", "A", *range(24)], ["2026-03-03", "B", *range(23), ""]]
    pd.DataFrame(rows, columns=["day", "name", *hours]).to_csv(table, index=False)
    (tmp_path / "README.md").write_text("# Counts of a town\n\nthree, four and more\n")
    code, text = its("inspect", table)
    assert code == 0
    for words in (
        "rows",
        "columns day, name, q00",
        "18 more",
        "[counts] of --settings",
        "what the columns of c.csv mean",
    ):
        assert words in text
    settings.write_text('[counts]\ndate = "day"\ndetector = "name"\nwide = "q{HH}"\n')
    code, text = its("inspect", tmp_path, "--settings", settings, "--json")
    assert code == 0, text
    kinds = {Path(part["path"]).name: part["kind"] for part in json.loads(text)["parts"]}
    assert kinds == {"README.md": "unknown", "c.csv": "counts", "t.toml": "unknown"}
    contents = next(part["contents"] for part in json.loads(text)["parts"] if part["kind"] == "counts")
    assert (contents["detectors"], contents["days of counts"], contents["from"]) == (2, 2, "2026-03-02")
    assert contents["counts"] == 71  # one of three days' hours is blank
    table.write_text(table.read_text() + "2026-03-04,C,soon" + ",1" * 23 + "\n")
    code, text = its("inspect", table, "--settings", settings)
    assert code == 2
    assert "row 5" in text


def test_inspect_of_events() -> None:
    """Cycle, offset, order of phases and splits of a controller log."""
    code, text = its("inspect", data_pack() / "odot_hires" / "events.parquet")
    assert code == 0
    for words in ("75.0", "45.0", "5-8-2-6", "phase 8: 81 greens"):
        assert words in text


def test_inspect_of_a_faulty_package_ends_with_2() -> None:
    """Faults are printed and the exit code says so."""
    code, text = its("inspect", data_pack() / "gmns_arlington_signals_errors")
    assert code == 2
    assert "lane_num is 40" in text


def test_daejeons_way_through_three_formats(tmp_path: Path) -> None:
    """SALT → GMNS → SUMO → SALT: every signal shows the same at every minute of the day."""
    start = folder(tmp_path / "salt") if (tmp_path / "salt").mkdir() is None else tmp_path
    for source, out, to in (
        (start, tmp_path / "gmns", "gmns"),
        (tmp_path / "gmns", tmp_path / "day.add.xml", "sumo"),
        (tmp_path / "day.add.xml", tmp_path / "tss.xml", "salt-signals"),
    ):
        code, text = its("convert", source, out, "--to", to)
        assert code == 0, text
    before, after = read_salt_signals(start / "d.xml")["c"].day, read_salt_signals(tmp_path / "tss.xml")["c"].day
    for time_s in np.arange(0, 86_400, 60):
        assert before.program_at(time_s).state_at(time_s) == after.program_at(time_s).state_at(time_s)


def test_what_the_target_cannot_hold_is_listed(tmp_path: Path) -> None:
    """SUMO's additional file holds no network, rings or actuation: each is said."""
    code, text = its("convert", data_pack() / "gmns_arlington_signals", tmp_path / "a.add.xml", "--to", "sumo")
    assert code == 0
    for words in ("not in sumo: the road network", "rings and phases", "actuated", "programs that no time of day runs"):
        assert words in text
    assert set(read_sumo_day(tmp_path / "a.add.xml").day.controllers) == {"6", "7"}


def test_programs_onto_a_network_that_is_given(tmp_path: Path) -> None:
    """A plan file and the network it is for become one GMNS package."""
    network, plans = files("acosta")
    code, text = its("convert", plans, tmp_path / "g", "--to", "gmns", "--network", network)
    assert code == 0, text
    read = read_gmns(tmp_path / "g").network
    assert set(read.links) == set(read_sumo_net(network).links)
    for controller_id, program in read_sumo_programs(plans).items():
        assert read.controllers[controller_id].programs[-1] == program


def test_detectors_and_counts(tmp_path: Path) -> None:
    """Loops go through SUMO's format, events become counts."""
    network, _ = files("acosta")
    loops = data_pack() / "bologna_acosta" / "acosta_detectors.add.xml"
    code, text = its("convert", loops, tmp_path / "d.add.xml", "--to", "sumo", "--network", network)
    assert code == 0, text
    assert (tmp_path / "d.add.xml").read_text().count("<inductionLoop") == 58
    code, text = its("convert", data_pack() / "odot_hires" / "events.parquet", tmp_path / "c.csv", "--to", "counts")
    assert code == 0, text
    assert (tmp_path / "c.csv").read_text().startswith("detector,begin_s,end_s,veh")
    assert "not in counts: signal events" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--to", "nonsense"], "no format that can be written"),
        (["--to", "counts"], "holds no counts"),
    ],
)
def test_targets_that_cannot_be(tmp_path: Path, arguments: list[str], says: str) -> None:
    """Unknown targets and contents that are not there end with 2."""
    code, text = its("convert", files("cologne1")[0], tmp_path / "x", *arguments)
    assert code == 2
    assert says in text


def test_utdf_both_ways(tmp_path: Path) -> None:
    """UTDF → GMNS → UTDF keeps the signal; its volumes become turns; a volume table is placed by compass."""
    first = written(tmp_path)
    for source, out, to in ((first, tmp_path / "g", "gmns"), (tmp_path / "g", tmp_path / "u.csv", "utdf")):
        code, text = its("convert", source, out, "--to", to)
        assert code == 0, text
    assert shown(read_utdf(tmp_path / "u.csv").network, "2") == shown(read_utdf(first).network, "2")
    code, text = its("convert", first, tmp_path / "t.csv", "--to", "turns")
    assert code == 0, text
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 11
    (tmp_path / "v.csv").write_text(VOLUMES)
    code, text = its("convert", tmp_path / "v.csv", tmp_path / "v_turns.csv", "--to", "turns", "--network", first)
    assert code == 0, text
    assert "4_2,2_1,25200.0,26100.0,10.0" in (tmp_path / "v_turns.csv").read_text()
    code, text = its("inspect", first)
    assert "Synchro UTDF" in text
    assert "turning counts" in text


def test_korean_files(tmp_path: Path) -> None:
    """Node-link shapefiles are a network without signals; counts and inventory tell what they hold and lack."""
    (tmp_path / "net").mkdir()
    shapefiles(tmp_path / "net")
    code, text = its("inspect", tmp_path / "net")
    assert code == 0, text
    for words in ("표준노드링크", "signals: the network has none", "links"):
        assert words in text
    (tmp_path / "c.csv").write_bytes(GGITS.encode("cp949"))
    code, text = its("inspect", tmp_path / "c.csv")
    assert code == 0, text
    for words in ("layout ggits", "1246", "which links these approaches are"):
        assert words in text
    code, text = its("convert", tmp_path / "net", tmp_path / "gmns", "--to", "gmns")
    assert code == 0, text
    assert len(read_gmns(tmp_path / "gmns").network.links) == 6


def test_a_salt_folder_is_simulated_through_its_day(tmp_path: Path) -> None:
    """The folder is network and schedule; turns name links with pockets by their own names; plans switch at 07:00."""
    start = folder(tmp_path)
    (tmp_path / "t.csv").write_text(
        "from_link,to_link,begin_s,end_s,veh\nwc,ce,24600,25800,150\nwc,cn,24600,25800,30\nec,cw,24600,25800,60\n"
    )
    period = ("--begin", "06:55", "--end", "07:05", "--realizations", "1")
    code, text = its("simulate", start, "--turns", tmp_path / "t.csv", "--schedule", start, *period, "--json")
    assert code == 0, text
    said = json.loads(text[text.index("{") :])
    assert said["network"]["veh"] > 100
    assert [(t["from_program"], t["to_program"]) for t in said["simulated"]["transitions"]] == [("1", "2")]
    assert {row["from_link"] for row in said["movements"]} >= {"wc.bay", "ec.bay"}


def test_korean_counts_become_turns(tmp_path: Path) -> None:
    """With the links of the approaches the counts are demand; what has no link is listed."""
    (tmp_path / "c.csv").write_text(DAEJEON)
    code, text = its("convert", tmp_path / "c.csv", tmp_path / "t.csv", "--to", "turns")
    assert code == 2
    assert "--places" in text
    (tmp_path / "p.csv").write_text("intersection,approach,turn,from_link,to_link\nC7,C7,through,a,b\nC7,C7,left,a,c\n")
    code, text = its("convert", tmp_path / "c.csv", tmp_path / "t.csv", "--to", "turns", "--places", tmp_path / "p.csv")
    assert code == 0, text
    assert "a,b,25500.0,25800.0,63.0" in (tmp_path / "t.csv").read_text()
    assert "C7 / C7 / right" in text


def test_utdf_volumes_both_ways(tmp_path: Path) -> None:
    """A volume table becomes turns of the network, these a volume table again, and volumes of a combined file."""
    network, volumes = written(tmp_path, FILE), tmp_path / "v.csv"
    volumes.write_text(VOLUMES)
    assert its("inspect", volumes)[0] == 0
    code, text = its("convert", volumes, tmp_path / "t.csv", "--to", "turns", "--network", network)
    assert code == 0, text
    turns = pd.read_csv(tmp_path / "t.csv")
    code, text = its("convert", tmp_path / "t.csv", tmp_path / "v2.csv", "--to", "utdf-volumes", "--network", network)
    assert code == 0, text
    assert "01/03/2000 is written" in text
    code, _ = its("convert", tmp_path / "v2.csv", tmp_path / "t2.csv", "--to", "turns", "--network", network)
    assert code == 0
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t2.csv").sort_values(list(turns), ignore_index=True),
                                  turns.sort_values(list(turns), ignore_index=True))  # fmt: skip
    code, text = its("convert", tmp_path / "t.csv", tmp_path / "u2.csv", "--to", "utdf", "--network", network)
    assert code == 0, text
    measured = {k: v for k, v in read_utdf(tmp_path / "u2.csv").volumes_vph.items() if v}
    # two intervals of 15 minutes each: vehicles of half an hour, twice that an hour
    assert sum(measured.values()) == pytest.approx(2 * turns["veh"].sum(), rel=0.01)
    assert "the mean rate of 2 intervals" in text


def test_counts_that_lack_something_say_what() -> None:
    """Utah's counts lack their links, Wildau's the length of their time: both are told."""
    pack = data_pack()
    code, text = its("inspect", pack / "utah_state_street" / "turning_counts_pm.csv")
    assert code == 0
    assert "which links these approaches are" in text
    code, text = its("inspect", pack / "wildau" / "counts.csv")
    assert code == 0
    assert "how long was counted" in text
    code, text = its("convert", pack / "wildau" / "counts.csv", "x.csv", "--to", "counts")
    assert code == 2
    assert "does not say how long was counted" in text


def test_utah_s_counts_become_turns_of_its_network(tmp_path: Path) -> None:
    """With a table of nodes the counts at one intersection find their links by the compass."""
    pack = data_pack() / "utah_state_street"
    nodes = tmp_path / "nodes.csv"
    nodes.write_text("intersection,node\nState St & 1700 S,0\n")
    counts = pack / "turning_counts_pm.csv"
    code, text = its("convert", counts, tmp_path / "t.csv", "--to", "turns", "--network", pack, "--places", nodes)
    assert code == 0, text
    turns = pd.read_csv(tmp_path / "t.csv")
    assert len(turns) > 10
    assert turns["veh"].sum() > 4000
