"""The report: one page that holds all it needs, escapes all it is given, and works in a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.hypotheses.discovery import discover
from graph.layout import lay_out
from graph.picture import draw, marked
from graph.report import Report, render, write_report
from pipeline.assemble import BeliefRules, make_edge
from pipeline.errors import InputError
from pipeline.types import Certainty, Document, Evidence, Failure, Polarity, edge_uid

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Position

NASTY = "</script><script>alert('1')</script> <!-- & \"β-blocker\" \u2028 \ud800"
COLOURS = {"Chemical": "#2f7ebc", "Disease": "#c8403c", "Gene": "red;} body { display: none"}

Row = tuple[str, int | None, Polarity, Certainty]


def claim(graph: nx.MultiDiGraph, subject: str, predicate: str, object_: str, *rows: Row) -> None:
    """Add an edge with evidence rows (document id, year, polarity, certainty), as the store would."""
    uid = edge_uid(subject, predicate, object_)
    evidence = []
    for document, year, polarity, certainty in rows:
        verb = "did not change" if polarity == "negative" else "changed"
        text = f"In {document}, {graph.nodes[subject]['name']} {verb} {graph.nodes[object_]['name']}."
        place = (document, 0, len(text), text, "abstract")
        evidence.append(Evidence(f"{uid}-{document}", uid, *place, polarity, certainty, 0.9, "patterns@1", year))
    edge = make_edge(subject, predicate, object_, evidence, BeliefRules())
    keep = ("uid", "predicate", "belief", "support", "refute", "speculative", "first_year", "last_year", "state")
    attributes = {name: getattr(edge, name) for name in (*keep, "evidence")}
    graph.add_edge(subject, object_, key=edge.uid, **attributes)


def fish() -> nx.MultiDiGraph:
    """Swanson's fish oil, small: two steps over blood viscosity, three other claims that are in doubt."""
    graph = nx.MultiDiGraph()
    for uid, name, type_ in (
        ("C1", "fish oil", "Chemical"),
        ("C2", "nifedipine", "Chemical"),
        ("C3", "lead", "Chemical"),
        ("D1", "Raynaud disease", "Disease"),
        ("D2", "blood viscosity", "Disease"),
        ("G1", "TNF", "Gene"),
        ("G2", "nobody's gene", "Gene"),
    ):
        graph.add_node(uid, name=name, type=type_)
    claim(graph, "C1", "LOWERS", "D2", ("p1", 1980, "positive", "certain"), ("p2", 1984, "positive", "certain"))
    claim(graph, "D1", "ASSOCIATION", "D2", ("p3", 1982, "positive", "certain"))
    claim(graph, "C2", "TREATS", "D1", ("p4", 1983, "positive", "certain"), ("p5", 1990, "negative", "certain"))
    claim(graph, "G1", "CAUSES", "D1", ("p6", 1991, "positive", "speculative"))
    claim(graph, "C3", "TREATS", "D2", ("p7", None, "negative", "certain"))
    return graph


def report(graph: nx.MultiDiGraph | None = None, **changes: Any) -> Report:
    graph = fish() if graph is None else graph
    documents = [Document(f"p{i}", f"Paper {i} & <others>\nText.", date=str(1980 + i)) for i in range(1, 8)]
    made = Report(
        title="Fish & chips",
        domains=("Biomedicine",),
        stats={"documents": 7, "mentions": 12345, "edges": 5, "digest": "abc123"},
        graph=graph,
        hypotheses=[("New links of Raynaud disease", discover(graph, source="D1"))] if "D1" in graph else [],
        failures=[Failure("b.xml", "line 2", "bad <tag>"), Failure("a.xml", "", "empty")],
        documents={document.id: document for document in documents},
        colours=COLOURS,
    )
    return replace(made, **changes)


class Parsed(HTMLParser):
    """Collects the tags with their attributes, and the text inside style and script elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("style", "script"):
            self.raw.append((tag, ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            self.raw[-1] = (self.raw[-1][0], self.raw[-1][1] + data)
        else:
            self.text += data


def payload(page: str) -> dict[str, Any]:
    """The data that the page carries, as its script reads them."""
    found = re.search(r'<script type="application/json" id="graph-data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])  # type: ignore[no-any-return]


def test_the_page_asks_for_nothing() -> None:
    page = Parsed(render(report()))
    loading = {"src", "srcset", "data", "poster", "action", "background", "style", "srcdoc"}
    for tag, attributes in page.tags:
        assert not loading & attributes.keys(), (tag, attributes)
        assert (attributes.get("href") or "#").startswith("#"), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
    assert not any("@import" in text or "url(" in text for tag, text in page.raw if tag == "style")


def test_the_policy_allows_exactly_the_code_of_the_page() -> None:
    page = Parsed(render(report()))
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a) or ""
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    code = [text for tag, text in page.raw if not text.startswith("{")]
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(t.encode()).digest()).decode()}'" for t in code}
    assert set(re.findall(r"'sha256-[^']+'", policy)) == hashes
    assert len(code) == 3


def test_every_text_is_escaped(tmp_path: Path) -> None:
    graph = fish()
    graph.nodes["C1"]["name"] = graph.nodes["D1"]["type"] = NASTY
    claim(graph, "C1", NASTY, "D1", ("p1", 1999, "positive", "certain"), ("p2", 1999, "negative", "certain"))
    nasty = report(
        graph,
        title=NASTY,
        domains=(NASTY,),
        hypotheses=[(NASTY, discover(graph))],
        failures=[Failure(NASTY, NASTY, NASTY)],
        documents={"p1": Document("p1", NASTY)},
        colours={NASTY: NASTY},
    )
    write_report(tmp_path / "report.html", nasty)
    page = (tmp_path / "report.html").read_text("utf-8")
    parsed = Parsed(page)
    assert [tag for tag, _ in parsed.tags].count("script") == 3
    assert "<script>alert" not in page
    assert payload(page)["papers"]["p1"] == NASTY
    assert NASTY[:38] in parsed.text  # up to the lone surrogate, which a browser shows as U+FFFD
    assert "display: none" not in render(report()).split("</style>")[1].split("<script")[0]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    graph, turned = fish(), nx.MultiDiGraph()
    turned.add_nodes_from(reversed(list(graph.nodes(data=True))))
    turned.add_edges_from(reversed(list(graph.edges(keys=True, data=True))))
    first, second = report(graph), report(turned)
    for name, each in (("a.html", first), ("b.html", second)):
        write_report(tmp_path / name, replace(each, failures=list(each.failures)[:: 1 if each is first else -1]))
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_the_order_of_sets_has_no_say(root: Path) -> None:
    code = "import test_report, graph.report; print(ascii(graph.report.render(test_report.report())))"
    pages = set()
    for seed in ("1", "2"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join(map(str, (root, root / "tests"))),
        }
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True)
        pages.add(done.stdout)
    assert len(pages) == 1


def test_a_report_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    write_report(tmp_path / "new" / "report.html", report())
    write_report(tmp_path / "new" / "report.html", report(title="Second"))
    assert "<h1>Second</h1>" in (tmp_path / "new" / "report.html").read_text("utf-8")
    for taken in (tmp_path / "new", tmp_path / "new" / "report.html" / "inside"):
        with pytest.raises(InputError, match="the report cannot be written to"):
            write_report(taken, report())
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["new", "report.html"]


def test_nothing_to_show_is_said() -> None:
    text = Parsed(render(Report("Empty", (), {}, nx.MultiDiGraph()))).text
    for words in ("No hypotheses were asked for", "nothing to draw", "No claim is both", "Everything was read"):
        assert words in text


def test_a_hypothesis_shows_its_sentences_and_what_is_stated_since() -> None:
    early = fish()
    found = discover(early, source="D1", target="C1")
    claim(early, "C1", "TREATS", "D1", ("p1", 1989, "positive", "certain"))
    text = Parsed(render(report(early, hypotheses=[("As of 1985", found)]))).text
    words = " ".join(text.split())
    assert "Raynaud disease changed blood viscosity." in words
    assert "fish oil changed blood viscosity." in words
    assert "Paper 3 & <others> (1982)" in words
    assert "later supported, 1989" in words
    assert "by degree #1" in words


def test_contested_claims_show_both_sides() -> None:
    text = Parsed(render(report())).text.split("Contested claims")[-1]
    assert text.index("For") < text.index("nifedipine changed") < text.index("Against") < text.index("did not change")


def star(leaves: int) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph()
    graph.add_node("hub", name="hub", type="Gene")
    for i in range(leaves):
        graph.add_node(f"n{i:03}", name=f"leaf {i}", type="Chemical")
        claim(graph, "hub", "CAUSES", f"n{i:03}", ("p1", 1990, "positive", "certain"))
    return graph


def test_the_cap_keeps_the_connected_and_all_of_the_hypotheses() -> None:
    graph = star(30)
    graph.add_node("alone", name="alone", type="Gene")
    found = discover(graph, source="n028", target="n029")
    picture = draw(graph, found, {}, {}, most_nodes=10)
    shown = {node["id"] for node in picture.nodes}
    assert shown == {"hub", "n028", "n029", *(f"n{i:03}" for i in range(7))}
    assert (len(picture.edges), picture.all_nodes, picture.all_edges) == (9, 31, 30)
    few = draw(graph, found, {}, {}, most_nodes=2, most_edges=2)
    assert {node["id"] for node in few.nodes} == {"hub", "n028", "n029"}
    assert {edge["target"] for edge in few.edges} == {"n028", "n029"}


def test_the_default_cap_is_told_to_the_reader() -> None:
    page = render(report(star(450), hypotheses=[]))
    assert len(payload(page)["nodes"]) == 400
    assert "400 of 451 concepts that have claims and 399 of 450 claims are drawn" in " ".join(Parsed(page).text.split())


def test_sentences_of_an_edge_are_capped_on_each_side() -> None:
    graph = fish()
    rows: list[Row] = [(f"q{i:02}", 1990, "positive", "certain") for i in range(40)]
    claim(graph, "G1", "CAUSES", "C1", *rows, ("p1", 1991, "negative", "certain"))
    edge = next(e for e in draw(graph, [], {}, {}).edges if e["support"] == 40)
    assert [row["polarity"] for row in edge["evidence"]] == ["positive"] * 15 + ["negative"]


def test_marks_whole_words_only() -> None:
    assert marked("Lead and leaders", ["lead"]) == ("", "Lead", " and leaders")
    assert marked("a (S)-drug+ b", ["(S)-drug+"]) == ("a ", "(S)-drug+", " b")
    assert marked("fish oil acid", ["fish oil", "fish oil acid", ""]) == ("", "fish oil acid", "")


@settings(deadline=None)
@given(st.text(), st.lists(st.text(max_size=4), max_size=3))
def test_marking_loses_nothing(text: str, names: list[str]) -> None:
    parts = marked(text, names)
    assert "".join(parts) == text
    assert len(parts) % 2 == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=30))
def test_nodes_never_lie_on_each_other(pairs: list[tuple[int, int]]) -> None:
    graph = nx.MultiDiGraph([(str(a), str(b)) for a, b in pairs])
    places = lay_out(graph)
    assert places.keys() == set(graph)
    points = sorted(places.values())
    gaps = [max(abs(x - u), abs(y - v)) for i, (x, y) in enumerate(points) for u, v in points[:i]]
    assert min(gaps, default=99) >= 25


def test_long_chains_and_many_parts_are_laid_out() -> None:
    graph = nx.Graph([(f"c{i}", f"c{i + 1}") for i in range(60)])
    graph.add_edges_from((f"x{i}", f"y{i}") for i in range(40))
    places = list(lay_out(graph).values())
    width, height = (max(axis) - min(axis) for axis in zip(*places, strict=True))
    assert 0.4 < width / height < 3


@pytest.fixture
def page(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """The report of the small graph, opened offline; leaving asserts that it asked for nothing and said no error."""
    path = tmp_path / "report.html"
    write_report(path, report())
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True, reduced_motion="reduce")
    opened = context.new_page()
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    requests: list[str] = []
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(path.as_uri())
    yield opened
    assert said == []
    assert requests == [path.as_uri()]
    context.close()


def shown(page: Page) -> str:
    return page.locator("#status").inner_text()


def where(page: Page, uid: str) -> Position:
    """The pixel, within the canvas, where an element of the picture is drawn (of an edge, its middle)."""
    script = """uid => {
        const element = hypograph.cy.getElementById(uid);
        const at = element.isNode() ? element.renderedPosition() : element.renderedMidpoint();
        return { x: at.x, y: at.y };
    }"""
    return page.evaluate(script, uid)  # type: ignore[no-any-return]


def test_search_and_click_show_the_evidence(page: Page) -> None:
    page.fill("#search", "raynaud")
    page.keyboard.press("Enter")
    panel = page.locator("#panel")
    assert "Raynaud disease" in panel.inner_text()
    assert "3 claims" in panel.inner_text()
    panel.get_by_role("button", name="nifedipine").click()
    assert "nifedipine changed Raynaud disease." in panel.inner_text()
    assert "Paper 5 & <others> 1990 · abstract · certain" in panel.inner_text()
    assert panel.locator("mark").first.inner_text() == "nifedipine"
    assert panel.locator(".negative").count() == 1


def test_nodes_and_edges_of_the_canvas_can_be_clicked(page: Page) -> None:
    page.locator("#canvas").scroll_into_view_if_needed()
    page.locator("#canvas").click(position=where(page, edge_uid("G1", "CAUSES", "D1")))
    assert "CAUSES" in page.locator("#panel dl, #panel .ends").first.inner_text()
    assert "speculative" in page.locator("#panel").inner_text()
    page.locator("#canvas").click(position=where(page, "C1"))
    assert page.locator("#panel h3").inner_text() == "fish oil"
    page.keyboard.press("Escape")
    assert "Choose a concept" in page.locator("#panel").inner_text()


def test_the_wheel_zooms_only_what_has_the_focus(page: Page) -> None:
    canvas = page.locator("#canvas")
    canvas.scroll_into_view_if_needed()
    canvas.hover()
    zoom = "hypograph.cy.zoom()"
    start = page.evaluate(zoom)
    page.mouse.wheel(0, 40)
    page.wait_for_timeout(300)
    assert page.evaluate(zoom) == start
    canvas.press("+")
    near = page.evaluate(zoom)
    assert near == pytest.approx(start * 1.3)
    page.mouse.wheel(0, 40)
    page.wait_for_timeout(300)
    assert page.evaluate(zoom) < near


def test_filters_change_what_is_shown(page: Page) -> None:
    assert shown(page) == "6 of 6 concepts, 5 of 5 claims shown"
    page.get_by_role("checkbox", name="contested").uncheck()
    assert shown(page) == "5 of 6 concepts, 4 of 5 claims shown"
    page.get_by_role("checkbox", name="Gene").uncheck()
    assert shown(page) == "4 of 6 concepts, 3 of 5 claims shown"
    page.locator("#year").fill("1982")  # the undated claim is no longer shown either
    assert shown(page) == "3 of 6 concepts, 2 of 5 claims shown"
    page.locator("#belief").fill("0.7")
    assert shown(page) == "2 of 6 concepts, 1 of 5 claims shown"
    page.get_by_role("button", name="Reset").click()
    assert shown(page) == "6 of 6 concepts, 5 of 5 claims shown"


def test_a_hypothesis_lights_its_path_whatever_the_filters_say(page: Page) -> None:
    page.locator("#belief").fill("1")
    assert shown(page).startswith("0 of 6")
    page.locator("[data-idea='0']").click()
    lit = page.evaluate("hypograph.cy.elements('.near').map(e => e.id()).sort()")
    steps = [edge_uid("C1", "LOWERS", "D2"), edge_uid("D1", "ASSOCIATION", "D2")]
    assert lit == sorted(["C1", "D1", "D2", "hypothesis", *steps])
    assert shown(page) == "3 of 6 concepts, 2 of 5 claims shown"
    assert "blood viscosity" in page.locator("#panel").inner_text()
    assert page.evaluate("document.activeElement.id") == "panel"
    page.keyboard.press("Escape")
    assert page.evaluate("hypograph.cy.elements('.near, .hypothesis').length") == 0


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_runs_out_of_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_picture_is_printed_and_what_was_closed_closes_again(page: Page, tmp_path: Path) -> None:
    page.locator("summary").first.click()
    page.pdf(path=tmp_path / "report.pdf")
    assert page.evaluate("document.getElementById('print').naturalWidth") > 100
    assert page.locator("details").first.get_attribute("open") is None
