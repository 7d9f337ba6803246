"""The report: complete, self-contained, safe with any id, and tolerant of a short run record."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from its.report import render_report
from its.report.charts import nice_step, scatter
from its.report.names import Names, clock, short
from its.report.overview import NO_CROSSINGS, demand, flat, headline, today
from its.report.signals import changes_of, level_of_service, signal_views
from network_data.formats.sumo_net import read_sumo_net
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from tests.its.report_cases import record, report_data
from tests.network_data.crossroads import FIELD, crossroads, timing
from tests.packs import ROOT, resco

NEW = ((25, "GgGgrrG"), (3, "yyyyrrr"), (2, "rrrrrrr"), (20, "rrrrGGr"), (3, "rrrryyr"), (2, "rrrrrrr"))
VOID = {"meta", "br", "wbr", "link", "img", "hr", "input"}


class Tags(HTMLParser):
    """Collects attributes and complains about tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Tags:
    """The page's tags, checked to be nested properly."""
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert tags.open == []
    return tags


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(report_data(crossroads(), timing(FIELD), timing(NEW, offset_s=12.0)))


def test_the_page_tells_everything_in_its_order(page: str) -> None:
    """Headline, today, ladder, signals, assumptions: all there, one after the other."""
    parts = ["−40.0 %", 'id="today"', 'id="ladder"', 'id="signals"', 'id="signal-0"', 'id="assumptions"']
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    for text in ("40.0 s", "24.0 s", "07:30–08:30", "weekday", "All 2 safety checks passed."):
        assert text in page
    for text in (
        "cycle 90 s, offset 0 s",
        "cycle 55 s, offset 12 s",
        "W left",
        "crossing N arm",
        "the loop filled was stuck",
    ):
        assert text in page
    assert page.count("<li>an hour was missing</li>") == 1  # noted twice in the record


def test_the_page_needs_nothing_from_outside(page: str) -> None:
    """No scripts, no addresses, no files: it opens offline; drawings refer only to what is in the page."""
    tags = parsed(page)
    assert not tags.names & {"script", "link", "img", "iframe", "object", "embed", "image"}
    links = [value for _, name, value in tags.attributes if name in ("href", "src", "xlink:href")]
    assert links
    assert all(value.startswith("#") for value in links)
    assert not re.search(r"https?://|@import|url\((?!#)", page)
    ids = [value for _, name, value in tags.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in links} <= set(ids)


def renamed(network: RoadNetwork, word: str) -> RoadNetwork:
    """The network with a word put before the name of every link and movement."""
    connections = tuple(
        replace(
            c,
            from_link=word + c.from_link,
            to_link=word + c.to_link,
            movement_id=f"{word}{c.from_link}>{word}{c.to_link}",
        )
        for c in network.connections
    )
    controllers = {}
    for c in network.controllers.values():
        ids = [tuple(connections[i].movement_id for i in head.connections) for head in c.heads]
        heads = tuple(replace(head, movement_ids=mine) for head, mine in zip(c.heads, ids, strict=True))
        controllers[c.id] = replace(c, heads=heads)
    return RoadNetwork(
        nodes=network.nodes,
        links={word + k: replace(v, id=word + k, name=word) for k, v in network.links.items()},
        connections=connections,
        crossings=tuple(replace(x, crossed_links=tuple(word + y for y in x.crossed_links)) for x in network.crossings),
        controllers=controllers,
        source=f"/tmp/{word}.net.xml",
    )  # fmt: skip


def test_ids_from_files_are_text() -> None:
    """Ids that look like markup are shown as they are, everywhere: as text, in attributes and in drawings."""
    word = "\"'><script>alert(1)</script><b onload=x "
    network = renamed(crossroads(), word)
    data = report_data(network, timing(FIELD), timing(NEW))
    run = dict(data.run) | {"notes": [word], "seed": word, "settings": {word: word}, "period": {"days": [word]}}
    tags = parsed(render_report(replace(data, run=run)))
    assert "script" not in tags.names
    assert "b" in tags.names  # our own
    assert not any(name.startswith("on") for _, name, _ in tags.attributes)


def test_a_short_run_record_is_enough() -> None:
    """Whatever run.json lacks is left out or said to be missing; odd values are no reason to fail."""
    data = report_data(crossroads(), timing(FIELD), timing(NEW))
    for run in (
        {},
        {"period": None, "ladder": [], "today": {}, "demand": {"movements": None}, "checks": None, "notes": None},
        {"ladder": [{"step": "field plan"}], "today": {"detectors": [{"detector": "d"}]}, "notes": "one", "losses": 3},
        {"today": {"detectors": [{"counted_veh": float("nan"), "simulated_veh": None, "geh": float("inf")}]}},
    ):
        page = render_report(replace(data, run=run))
        parsed(page)
        assert "No safety check is recorded" in page


def test_streets_without_crossings_are_named() -> None:
    """No signalled crossing: one line says so, unless crossings are assumed; failed checks stand at the top too."""
    network = replace(crossroads(), crossings=())
    data = report_data(network, timing(FIELD), timing(NEW))
    assert headline(data).warnings == (NO_CROSSINGS,)
    assert NO_CROSSINGS in render_report(data)
    assumed = dict(data.run) | {"settings": {"rules": {"pedestrians": "assume"}}}
    assert headline(replace(data, run=assumed)).warnings == ()
    assert headline(report_data(crossroads(), timing(FIELD), timing(NEW))).warnings == ()
    failed = dict(data.run) | {"checks": [{"rule": "yellow", "ok": False}, {"rule": "sum", "ok": True}]}
    assert headline(replace(data, run=failed)).checks == "1 of 2 safety checks failed: yellow."
    assert not headline(replace(data, run=failed)).checks_ok


def test_misses_are_marked() -> None:
    """Detectors that the model misses come first; their signal is called unproven in the check and in its own part."""
    data = report_data(crossroads(), timing(FIELD), timing(NEW))
    shown = today(data, Names(data.network))
    assert [row.detector for row in shown.rows if not row.ok] == ["missed"]
    assert shown.rows[0].detector == "missed"
    assert (shown.n_ok, shown.n_judged) == (2, 3)
    assert [row.detector for row in shown.rows if row.repaired] == ["filled"]
    view = signal_views(data, Names(data.network))[0]
    assert view.unproven
    assert render_report(data).count(">unproven<") == 2


def test_level_of_service() -> None:
    """The limits of HCM belong to the better letter; above capacity it is F whatever the delay."""
    assert [level_of_service(d, 0.5) for d in (0, 10, 10.1, 20, 35, 55, 80, 80.1)] == list("AABBCDEF")
    assert level_of_service(5.0, 1.01) == "F"
    assert level_of_service(5.0, None) == "A"


def test_full_queues_and_overload_are_marked() -> None:
    """A movement above capacity is F and red, and so is a queue that fills its lane."""
    data = report_data(crossroads(), timing(FIELD), timing(NEW), v_over_c=1.2, queue_p95_veh=12.0)
    rows = {row.movement_id: row for row in signal_views(data, Names(data.network))[0].movements}
    first = rows["wi>eo"]
    assert first.before is not None
    assert first.after is not None
    assert (first.before.level, first.after.level) == ("D", "F")
    assert (first.before.full, first.after.full) == (False, True)
    assert first.storage_veh == 12
    assert first.support == "measured"


def test_who_gains_and_who_pays() -> None:
    """Sorted by change of flow times delay; the bars of a signal add up to its total."""
    data = report_data(crossroads(), timing(FIELD), timing(NEW), delay_s_per_veh=90.0)
    changes = changes_of(data, Names(data.network), "c")
    assert [c.change for c in changes] == sorted(c.change for c in changes)
    assert changes[-1].full == "wi>eo"
    assert changes[-1].change == pytest.approx(100 * (90 - 40))
    assert changes[0].change == pytest.approx(150 * (24 - 40))


def test_support_of_the_demand() -> None:
    """Shares of measured, implied and prior flow; what no count supports is listed first."""
    data = report_data(crossroads(), timing(FIELD), timing(NEW))
    sums, rows, n_small = demand(data)
    assert {one.kind: one.n_movements for one in sums} == {"measured": 2, "implied": 2, "prior": 2}
    assert sum(one.share for one in sums) == pytest.approx(1)
    assert rows[0].support == "prior"
    assert n_small == 0


def test_an_offset_alone_is_drawn_once() -> None:
    """Where only the offset changes, stages and bars are shown once and the new offset is told."""
    page = render_report(report_data(crossroads(), timing(FIELD), timing(FIELD, offset_s=33.0)))
    assert page.count('class="bars"') == 1
    assert "only the offset differs (33 s)" in page


def test_small_words() -> None:
    """Times of day, long ids, nested settings, steps of axes."""
    assert [clock(t) for t in (0, 27000, 30605, 86400, None)] == ["00:00", "07:30", "08:30:05", "24:00", "?"]
    assert short("a" * 30) == "a" * 11 + "…" + "a" * 10
    assert flat({"a": {"b": 1.0, "c": [1, 2]}, "d": True, "e": None}) == [
        ("a.b", "1"), ("a.c", "1, 2"), ("d", "yes"), ("e", "–")
    ]  # fmt: skip
    assert [nice_step(x) for x in (0.0, 4.0, 730.0, 12000.0)] == [1.0, 1.0, 200.0, 2500.0]
    assert "<polygon" in scatter([], 5.0)


def test_the_example_district() -> None:
    """The bundled district: crossings, an arterial with bands, street names; well below 3 MB."""
    network = read_sumo_net(ROOT / "examples" / "district" / "network.net.xml.gz")
    field = TimingPlan(controllers={c.id: c.programs[-1] for c in network.controllers.values()})
    programs = enumerate(field.controllers.items())
    later = {c: replace(p, offset_s=(p.offset_s + 7 * n) % p.cycle_s) for n, (c, p) in programs}
    plan = TimingPlan(controllers=later)
    page = render_report(report_data(network, field, plan))
    parsed(page)
    assert "Main Street: M" in page
    assert "M1 · Main Street / Mill Road" in re.sub(r"<[^>]+>", "", page)
    assert NO_CROSSINGS not in page
    assert len(page) < 1_500_000


def test_twenty_one_signals_in_time() -> None:
    """RESCO's Ingolstadt: 21 signals take less than 2 s and 3 MB."""
    network = read_sumo_net(resco("ingolstadt21") / "ingolstadt21.net.xml")
    field = TimingPlan(controllers={c.id: c.programs[-1] for c in network.controllers.values()})
    data = report_data(network, field, field)
    begin_s = time.process_time()
    page = render_report(data)
    assert time.process_time() - begin_s < 2
    assert len(page.encode()) < 3_000_000
    parsed(page)


def test_bands_and_offsets_of_the_record_are_shown() -> None:
    """Widths, efficiency, attainability and the gap of the offsets with the model they hold in."""
    network = crossroads()
    run = record(network)
    run["bands"] = [
        {
            "street": "Main", "direction": "forth", "width_before_s": 11, "width_after_s": 23, "efficiency_before": 0.1,
            "efficiency_after": 0.25, "attainability_before": 0.4, "attainability_after": 0.83, "least_s": 12,
        }
    ]  # fmt: skip
    run["offsets"] = {
        "plan": [
            {
                "model": "offset tables; cycle and splits fixed", "tables": "cyclic flow profiles",
                "signals": ["a", "b"], "cycle_s": 90, "bound": 100.0, "reached": 150.0, "gap": 0.031,
            }
        ]
    }  # fmt: skip
    page = render_report(report_data(network, timing(FIELD), timing(NEW), run))
    text = page.replace("\n", " ")
    parsed(page)

    assert "At least 12 s were asked for" in text
    assert "83 %" in text
    assert "offset tables; cycle and splits fixed" in text
    assert "3.1 %" in text
