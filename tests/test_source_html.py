"""Web pages: main text without menus, what the head says, encodings, and pages that are too much."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.sources import webpage
from pipeline.sources.shared.stream import Stream
from pipeline.sources.shared.unpack import BROKEN, reason, streams
from pipeline.types import Document, Failure

Write = Callable[[str | bytes], Path]

MENU = "<nav><a href='/'>Home</a> <a href='/about'>About the journal</a> <a href='/login'>Sign in here</a></nav>"
HEAD = """<meta charset="utf-8"><title>Fish oil | Journal of Oil</title>
<meta name="citation_title" content="Fish oil &amp; blood"><meta name="citation_author" content="Dyer, Ann">
<meta name="citation_author" content="Moss, Bo"><meta name="citation_doi" content="10.1000/XYZ">
<meta name="citation_pmid" content="7"><meta name="citation_publication_date" content="1985/04/02">
<meta name="citation_journal_title" content="Journal of Oil"><link rel="license" href="https://example.org/by">"""
BODY = """<article><h1>Fish oil &amp; blood</h1>
<h2>Abstract</h2><p>Fish oil thins the blood of patients with Raynaud's syndrome. The effect is small but real.</p>
<h2>Methods</h2><p>Oil was given to twenty patients for twelve weeks, and H<sub>2</sub>O to <b>twenty</b> others.</p>
<h3>Mice</h3><p>No mice were used in this study of &beta;-blockers, which was done by hand.</p>
<table><tr><td>12.5</td><td>99.1</td></tr></table>
<figure><img src="a.png"><figcaption>Figure 1. Blood of a patient.</figcaption></figure>
<h2>References</h2><ol><li>Moss B. Oil and blood, volume one. 1980.</li><li>Dyer A. All of fish. 1981.</li></ol>
</article>"""
FOOT = "<footer>We use cookies</footer>"
PAGE = f"<!DOCTYPE html>\n<html lang='en-GB'><head>{HEAD}</head><body>{MENU}{BODY}{FOOT}</body></html>"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "page.html"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def item(path: Path) -> Document | Failure:
    try:
        (found,) = [found for stream in streams(path) for found in _read(stream)]
    except BROKEN as error:
        return Failure("page.html", "", reason(error))
    return found


def _read(stream: Stream | Failure) -> Iterator[Document | Failure]:
    assert isinstance(stream, Stream)
    return webpage.read(stream, "page.html")


def page(path: Path) -> Document:
    found = item(path)
    assert isinstance(found, Document), found
    return found


def refused(path: Path) -> str:
    found = item(path)
    assert isinstance(found, Failure), found
    return found.reason


def test_a_publishers_page(write: Write) -> None:
    found = page(write(PAGE))
    assert (found.id, found.ids, found.date) == ("7", ("pmid:7", "doi:10.1000/xyz"), "1985-04-02")
    assert (found.title, found.authors, found.journal) == (
        "Fish oil & blood",
        ("Dyer, Ann", "Moss, Bo"),
        "Journal of Oil",
    )
    assert (found.language, found.licence) == ("en", "https://example.org/by")
    assert found.references == ("Moss B. Oil and blood, volume one. 1980.", "Dyer A. All of fish. 1981.")
    kinds = {section.kind: section.of(found.text) for section in found.sections}
    assert list(kinds) == ["title", "abstract", "methods", "caption"]
    assert kinds["methods"].startswith("No mice were used in this study of β-blockers")
    assert kinds["caption"] == "Figure 1. Blood of a patient."
    assert "and H2O to twenty others." in found.text
    for menu in ("Home", "Sign in", "cookies", "12.5", "Abstract", "Methods", "Moss"):
        assert menu not in found.text


def test_an_abstract_of_the_head_is_taken_where_the_page_lacks_it(write: Write) -> None:
    abstract = "Oil thins blood."
    meta = f'<meta name="citation_abstract" content="{abstract}">'
    found = page(write(PAGE.replace("<title>", meta + "<title>")))
    assert next(section.of(found.text) for section in found.sections if section.kind == "abstract") == abstract
    shown = page(write(PAGE.replace("<title>", meta + "<title>").replace("The effect", f"{abstract} The effect")))
    assert shown.text.count(abstract) == 1


def test_linked_data(write: Write) -> None:
    data = """<script type="application/ld+json">{"@graph": [{"@type": "WebSite", "name": "Oil"},
    {"@type": ["ScholarlyArticle"], "headline": "Oil  in blood", "datePublished": "2020-05-06T10:00:00Z",
    "author": [{"@type": "Person", "familyName": "Dyer", "givenName": "Ann"}, {"name": "Bo Moss"}],
    "sameAs": "https://doi.org/10.1000/LD", "inLanguage": "de"}]}</script>"""
    found = page(write(f"<html><head>{data}</head><body>{BODY}</body></html>"))
    assert (found.title, found.date, found.language, found.ids) == (
        "Oil in blood",
        "2020-05-06",
        "de",
        ("doi:10.1000/ld",),
    )
    assert found.authors == ("Dyer, Ann", "Bo Moss")
    for broken in ("{", "[" * 100_000, "[1]", '{"@type": "Article", "author": {"name": 7}, "headline": []}'):
        script = f'<script type="application/ld+json">{broken}</script>'
        assert page(write(f"<html><head>{script}</head><body>{BODY}</body></html>")).title == "Fish oil & blood"


def test_a_short_page_is_taken_as_it_is_marked(write: Write) -> None:
    found = page(
        write("<html><head><title>Fish oil</title></head><body><nav><p>Menu</p></nav><p>It thins.</p></body></html>")
    )
    assert found.text == "Fish oil\nIt thins."
    assert [section.kind for section in found.sections] == ["title", "abstract"]


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252", "iso-8859-1", "shift_jis", "koi8-r"])
def test_the_declared_encoding_holds(encoding: str, write: Write) -> None:
    word = {"shift_jis": "魚油は血", "koi8-r": "рыбий жир"}.get(
        encoding, "Öl für 5 €" if encoding != "iso-8859-1" else "Öl"
    )
    text = PAGE.replace("utf-8", encoding).replace("The effect", f"{word} effect")
    assert f"{word} effect" in page(write(text.encode(encoding))).text


def test_byte_order_marks_win(write: Write) -> None:
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert page(write(PAGE.encode(encoding))) == page(write(PAGE))


def test_sniff() -> None:
    for head in (
        "<!DOCTYPE html>",
        "\ufeff <!-- x -->\n<html lang='x'>",
        "<HTML>",
        "<?xml version='1.0'?>\n<html xmlns='x'>",
    ):
        assert webpage.sniff(head), head
    for head in ("<article>", "<htmlx>", "html", "# Title\n<html>", "<TEI>", "<?xml version='1.0'?><PubmedArticleSet>"):
        assert not webpage.sniff(head), head


def test_what_is_no_page_or_too_much_is_refused(write: Write) -> None:
    assert "0xe4, which is not UTF-8" in refused(write(PAGE.encode().replace(b"small", b"sm\xe4ll")))
    assert "encoding that is unknown: klingon" in refused(write(PAGE.replace("utf-8", "klingon")))
    assert "NUL" in refused(write(PAGE.replace("small", "sm\0ll")))
    assert "without a main text" in refused(write(f"<html><body>{MENU}</body></html>"))
    assert "more than 100,000 elements" in refused(write("<html><body>" + "<p>a" * 100_001))
    assert "more than 8,388,608 bytes" in refused(write("<html><body>" + "a" * (8 << 20)))
    assert refused(write("<html><body>" + "<div>" * 50_000 + "deep " * 50 + "</div>" * 50_000))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_noise(write: Write, data: st.DataObject) -> None:
    noisy = bytearray(PAGE.encode())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(noisy)))
        noisy[at : at + data.draw(st.integers(0, 60))] = data.draw(st.binary(max_size=9))
    str(item(write(bytes(noisy)))).encode()
