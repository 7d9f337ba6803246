"""Networks and plans by content, and the plan in the field."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from its.recognize import first_bytes, load_field_plan, load_network, sha256_of
from network_data.errors import InputError, NetworkError, PlanError
from network_data.formats.sumo_tls import write_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan

NETWORK = Path(__file__).parents[2] / "examples" / "district" / "network.net.xml.gz"


@pytest.fixture(scope="module")
def network() -> RoadNetwork:
    return load_network(NETWORK)


def put(tmp_path: Path, content: bytes | str) -> Path:
    path = tmp_path / "file"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_network_is_known_by_its_content(tmp_path: Path, network: RoadNetwork) -> None:
    """Neither name nor packing tells what a file is."""
    assert load_network(put(tmp_path, gzip.decompress(NETWORK.read_bytes()))).hash == network.hash


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"detector,link\n", "no network of a known format.*no XML.*known are: SUMO"),
        (b"<roads/>", "no network of a known format.*<roads>.*known are: SUMO"),
        (b"", "no network of a known format"),
        (gzip.compress(b"nothing" * 100, mtime=0)[:-12], "damaged|no network"),
        (b"<net>", "not well-formed"),
    ],
)
def test_what_is_no_network_says_what_is_known(tmp_path: Path, content: bytes, says: str) -> None:
    """Other content ends in an error that names the formats that are read."""
    with pytest.raises(InputError, match=says):
        load_network(put(tmp_path, content))


def test_a_missing_network_says_so(tmp_path: Path) -> None:
    """A path that leads nowhere."""
    with pytest.raises(InputError, match="cannot be opened"):
        load_network(tmp_path / "none.net.xml")


def test_the_network_brings_its_own_plan(network: RoadNetwork) -> None:
    """Without a file the last program of each controller is the plan in the field."""
    plan = load_field_plan(None, network)
    assert plan.controllers == {c.id: c.programs[-1] for c in network.controllers.values()}


def test_a_network_may_be_given_as_plan(network: RoadNetwork) -> None:
    """A network with programs in it is a plan too."""
    assert load_field_plan(NETWORK, network) == load_field_plan(None, network)


def test_a_partial_plan_is_completed(tmp_path: Path, network: RoadNetwork) -> None:
    """Controllers that the file leaves out keep the network's program; those in it get theirs."""
    first, *others = network.controllers
    own = load_field_plan(None, network).controllers
    given = TimingPlan(controllers={first: replace(own[first], offset_s=17.0)})
    plan = load_field_plan(put(tmp_path, write_sumo_programs(given)), network)
    assert plan.controllers[first].offset_s == 17
    assert all(plan.controllers[other] == own[other] for other in others)
    assert list(plan.controllers) == list(network.controllers)


def test_foreign_and_misfitting_programs_are_named_together(tmp_path: Path, network: RoadNetwork) -> None:
    """An unknown controller and a state of the wrong length are two faults of one error."""
    first = next(iter(network.controllers))
    text = (
        "<additional>"
        '<tlLogic id="nowhere" programID="1"><phase duration="9" state="G"/></tlLogic>'
        f'<tlLogic id="{first}" programID="1"><phase duration="9" state="G"/></tlLogic>'
        "</additional>"
    )
    with pytest.raises(PlanError) as caught:
        load_field_plan(put(tmp_path, text), network)
    faults = caught.value.faults
    assert len(faults) == 2
    assert "controller 'nowhere' is not in the network; it has" in faults[0]
    assert f"controller {first!r}: states have 1 letters" in faults[1]


def test_what_is_no_plan_says_so(tmp_path: Path, network: RoadNetwork) -> None:
    """A table of counts, a JSON of something else and a file without programs are refused."""
    with pytest.raises(PlanError, match="is no plan"):
        load_field_plan(put(tmp_path, "detector,veh\n"), network)
    with pytest.raises(PlanError, match="no plan document"):
        load_field_plan(put(tmp_path, '{"a": 1}'), network)
    with pytest.raises(InputError, match="holds no <tlLogic>"):
        load_field_plan(put(tmp_path, "<additional/>"), network)
    with pytest.raises(NetworkError, match="known are"):
        load_network(put(tmp_path, '{"a": 1}'))


def test_first_bytes_skip_the_byte_order_mark(tmp_path: Path) -> None:
    """A mark and white space before the content do not hide what it is."""
    assert first_bytes(put(tmp_path, b"\xef\xbb\xbf \n{}")) == b"{}"


def test_hash_of_a_file(tmp_path: Path) -> None:
    """SHA-256 of the bytes as they lie on disk."""
    path = put(tmp_path, b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(InputError, match="cannot be opened"):
        sha256_of(tmp_path / "none")
