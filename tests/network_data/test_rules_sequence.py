"""Forbidden changes of stages, rings and barriers."""

from network_data.plans import BarrierGroup, Phase
from network_data.rules import check_plan
from network_data.settings import Settings, settings_from
from tests.network_data.crossroads import FIELD, crossroads, timing

# stages of the field: 1 through and permitted lefts, 2 protected lefts, 3 the side street
SIDE = ((29, "rrrrGGr"), (3, "rrrryyr"), (2, "rrrrrrr"))
LEFTS = ((10, "rGrGrrr"), (3, "ryryrrr"), (2, "rrrrrrr"))
MAIN = ((30, "GgGgrrG"), (8, "GgGgrrr"), (3, "yyyyrrr"), (2, "rrrrrrr"))
RINGS = [[["wi>eo 6", "wi>no"], ["ei>wo", "ei>so"]], [["ni>so"], ["si>no"]]]


def refused(rows, table, *, field=None) -> list[tuple[str, str]]:
    network = crossroads()
    found = check_plan(network, timing(rows), field or timing(FIELD), settings_from(table, "test"))
    return [(f.rule, f.text) for f in found if f.severity == "error" and f.rule in ("ring", "stage-change")]


def test_a_forbidden_change_of_stages_is_refused() -> None:
    """From the side street to the lefts: in the order main, side, lefts, and not in the field's."""
    table = {"signals": {"c": {"forbidden_changes": [["3", "2"]]}}}
    assert refused(FIELD, table) == []
    ((rule, text),) = refused((*MAIN, *SIDE, *LEFTS), table)
    assert rule == "stage-change"
    assert "stage 3 of the field is followed by stage 2" in text
    assert refused((*MAIN, *SIDE, *LEFTS), {"signals": {"c": {"forbidden_changes": [["2", "3"]]}}}) == []


def test_movements_of_one_ring_are_never_green_together() -> None:
    """Through and permitted left of one approach follow each other in ring 1: the field's first stage breaks that."""
    found = refused(FIELD, {"signals": {"c": {"rings": RINGS}}})
    assert any("follow each other in ring 1 of group 1" in text for _, text in found)
    split = ((30, "GrGrrrG"), (8, "GrGrrrr"), (3, "yryrrrr"), (2, "rrrrrrr"), *LEFTS, *SIDE)
    assert refused(split, {"signals": {"c": {"rings": RINGS}}}) == []


def test_barriers_part_the_groups() -> None:
    """Green on both sides of the barrier, and groups that come twice, are refused."""
    table = {"signals": {"c": {"rings": RINGS}}}
    across = ((20, "GrGrGrr"), (3, "yryryrr"), *LEFTS, *SIDE)
    assert any("both sides of a barrier" in text for _, text in refused(across, table))
    twice = ((30, "GrGrrrG"), (3, "yryrrrr"), (2, "rrrrrrr"), *SIDE, *LEFTS, *SIDE)
    ((rule, text),) = refused(twice, table)
    assert rule == "ring"
    assert "1 → 2 → 1 → 2" in text


def test_a_field_plan_with_rings_keeps_them() -> None:
    """Two groups in the field's document bind the plan; one stage sequence binds nothing."""

    def phase(name: str, *movements: str) -> Phase:
        return Phase(
            name=name, movements=movements, permitted=(), crossings=(), green_s=20.0, yellow_s=3.0,
            red_clearance_s=2.0, min_green_s=5.0, max_green_s=50.0,
        )  # fmt: skip

    groups = (
        BarrierGroup(rings=((phase("1", "wi>eo"), phase("2", "wi>no")), (phase("5", "ei>wo"), phase("6", "ei>so")))),
        BarrierGroup(rings=((phase("4", "ni>so"),), (phase("8", "si>no"),))),
    )
    assert refused(FIELD, {}, field=timing(FIELD, barrier_groups=groups)) != []
    assert refused(FIELD, {}, field=timing(FIELD, barrier_groups=(BarrierGroup(rings=(groups[0].rings[0],)),))) == []
    assert Settings().signals == {}


def test_stages_are_told_apart_by_their_letters_however_short_they_are() -> None:
    """Two stages with the same greens, one permitted, one protected: the order is read right, also at one second."""
    split = ((20, "GgGgrrG"), (10, "GGGGrrr"), (3, "yyyyrrr"), (2, "rrrrrrr"), *SIDE)
    field = timing(split)  # 1 permitted lefts, 2 the same with G, 3 the side street
    table = {"signals": {"c": {"forbidden_changes": [["1", "3"]]}}}
    assert refused(split, table, field=field) == []
    short = ((29, "GgGgrrG"), (1, "GGGGrrr"), *split[2:])
    assert refused(short, table, field=field) == []
    without = ((30, "GgGgrrG"), *split[2:])
    assert [rule for rule, _ in refused(without, table, field=field)] == ["stage-change"]
