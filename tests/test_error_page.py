"""The error page: one file that holds all it needs, escapes all it is given, and can be read without its colours."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.calibration import trust
from extractors.error_page import MOST_DOCUMENTS, Page, pieces, render
from extractors.evaluate import Score, measures, score
from extractors.mistakes import compare, mention_scores, pairs
from pipeline.errors import InputError
from pipeline.pages import write_page
from pipeline.sources.shared import gold as marks
from pipeline.types import Document, Mention, Reading

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NASTY = "</style><script>alert(1)</script> \"'& <img src=x onerror=alert(2)> {{ 7 * 7 }} \ud800 \u202e"
COLOURS = {"Chemical": "#2f7ebc", "Disease": "red;} body { display: none"}


class Parsed(HTMLParser):
    """All elements and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def readings(uid: str = "1") -> tuple[Reading, Reading]:
    """A hostile paper: gold and found, with each kind of error."""
    text = f"Aspirin {NASTY} gives severe gastric pain.\nFever {NASTY} and ulcers come, too."
    paper = Document(uid, text)

    def mention(part: str, type_: str, score: float = 1.0) -> Mention:
        start = text.index(part)
        groundings = marks.mention(paper, start, start + len(part), type_, [part[:2]]).groundings
        return Mention(start, start + len(part), uid, part, type_, score, "x", groundings)

    drug, pain, ulcers = mention("Aspirin", "Chemical"), mention("gastric pain", "Disease"), mention("ulcers", NASTY)
    whole = mention(f"{NASTY} gives severe gastric pain", "Disease", 0.7)
    fever, wrong = mention("Fever", "Disease", 0.6), mention("Aspirin", NASTY, 0.9)
    gold = Reading(paper, mentions=(drug, pain, ulcers), relations=(marks.relation(NASTY, drug, pain),))
    found = Reading(paper, mentions=(wrong, whole, fever), relations=(marks.relation("CID", fever, drug),))
    return gold, found


def page(count: int = 1) -> str:
    both = [readings(f"{at} {NASTY}") for at in range(count)]
    compared = [compare(*one) for one in both]
    scores = score(measures([gold for gold, _ in both], [found for _, found in both]))
    judged = trust("mentions", mention_scores(compared))
    assert judged is not None
    familiar = {"": (Score(1, 2, 3), Score(0, 1, 2)), NASTY: (Score(0, 0, 0), Score(0, 0, 0))}
    return render(Page(NASTY, NASTY, scores, compared, familiar, [judged], COLOURS))


def test_what_papers_say_is_text_and_never_code() -> None:
    parsed = Parsed(page())
    assert not {"script", "img", "link", "iframe", "object"} & set(parsed.elements)
    assert parsed.elements.count("style") == 1
    assert not [name for name, _ in parsed.attributes if name.startswith("on") or name in ("style", "src")]
    assert parsed.text.count("<script>alert(1)</script>") > 8
    assert "{{ 7 * 7 }}" in parsed.text


def test_the_policy_allows_the_style_of_the_page_and_nothing_else() -> None:
    made = page()
    style = re.search(r"<style>(.*?)</style>", made, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in made.replace("&#39;", "'").replace("&#43;", "+")
    assert "display: none" not in style[1]
    assert "--c:#2f7ebc" in style[1]


def test_errors_are_told_in_words() -> None:
    text = Parsed(page()).text
    for word in ("too long", "missed", "invented", "borders", "subject", "object", "Calibration", "Unseen mentions"):
        assert word in text
    assert 'data-label="✗ Disease"' in page()
    assert "(other type)" in page()


def test_only_the_worst_documents_are_shown_and_the_page_says_so() -> None:
    many = page(MOST_DOCUMENTS + 5)
    assert many.count("<details") == MOST_DOCUMENTS
    assert f"The {MOST_DOCUMENTS} with most errors, of {MOST_DOCUMENTS + 5} with any." in many


def test_the_same_input_gives_the_same_page() -> None:
    assert page(3) == page(3)


def test_nothing_at_all_gives_a_page() -> None:
    text = Parsed(render(Page("empty", "", score(measures([], [])), []))).text
    assert "None has an error." in text


SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=6)


@given(st.text(min_size=1, max_size=70), SPANS, SPANS)
def test_pieces_are_the_text_and_each_mark_has_one_label(
    text: str, gold: list[tuple[int, int]], found: list[tuple[int, int]]
) -> None:
    paper = Document("1", text)
    sides = [
        [marks.mention(paper, a, min(a + n, len(text)), "Drug") for a, n in side if a < len(text)]
        for side in (gold, found)
    ]
    cut = list(pieces(text, pairs(*sides)))
    assert "".join(piece.text for piece in cut) == text
    for mark in ("gold", "found"):
        drawn = [getattr(piece, mark) for piece in cut]
        starts = sum(bool(m and m.label) for m in drawn)
        assert starts <= len(sides[mark == "found"])
        assert bool(starts) == any(drawn)


def test_a_long_text_shows_its_errors_alone() -> None:
    text = "Nothing here at all. " * 400 + "Aspirin helps. " + "More of nothing. " * 100
    paper = Document("1", text)
    at = text.index("Aspirin")
    gold = Reading(paper, mentions=(marks.mention(paper, at, at + 7, "Chemical"),))
    made = render(Page("long", "", {}, [compare(gold, Reading(paper))]))
    assert made.count("Nothing here") <= 9  # of the title, which is the first line, and that is cut
    assert "helps." in made


def test_a_page_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    write_page(tmp_path / "new" / "page.html", "one \ud800")
    assert (tmp_path / "new" / "page.html").read_bytes() == b"one &#55296;"
    with pytest.raises(InputError, match="cannot be written"):
        write_page(tmp_path / "new", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_browser_shows_it_without_a_complaint(chromium: Browser, tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", page(3))
    shown = chromium.new_page(viewport={"width": 900, "height": 700})
    said: list[str] = []
    shown.on("console", lambda message: said.append(message.text))
    shown.on("dialog", lambda dialog: said.append(dialog.message))
    shown.goto((tmp_path / "page.html").as_uri())
    assert said == []
    assert shown.evaluate("document.documentElement.scrollWidth") <= 900
    assert shown.evaluate("getComputedStyle(document.querySelector('.g.wrong')).borderTopWidth") == "5px"
    label = shown.evaluate("getComputedStyle(document.querySelector('.g.wrong[data-label]'), '::before').content")
    assert "✗" in label
    shown.close()
