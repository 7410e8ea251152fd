"""BibTeX: its entries, its LaTeX, its names, and what an entry inherits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from exports import failures, items, paper, papers
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources import bibtex, bibtex_entries
from pipeline.sources.bibtex_entries import blocks, define, fields
from pipeline.sources.bibtex_text import address, names, plain
from pipeline.sources.shared import stream
from pipeline.sources.shared.stream import Unreadable
from pipeline.types import Document, Failure

ENTRY = r"""
@Article{dyer85,
  author   = {Dyer, Ann and {The {Oil} Board} and B{\'e}la M{\"o}ss and others},
  Title    = "{F}ish oil in \emph{E.~coli}: 5--10\% of {H$_2$O}",
  journal  = blood # { Journal},
  year     = 1985, month = apr,
  abstract = {It thins
              blood by 90% of $\alpha$.},
  langid   = {english},
  doi      = {10.1000/A\_b},
  % a comment, with a {brace
  title    = {Another},
}
"""


def test_entry() -> None:
    found = paper(bibtex, '@string{blood = "Blood"}' + ENTRY.replace("{brace", "brace"))
    assert found.text == "Fish oil in E. coli: 5–10% of H2O\nIt thins blood by 90% of α."
    assert (found.id, found.ids) == ("10.1000/a_b", ("doi:10.1000/a_b",))
    assert found.authors == ("Dyer, Ann", "The Oil Board", "Möss, Béla")
    assert (found.date, found.journal, found.language) == ("1985-04", "Blood Journal", "english")


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ("doi = {https://doi.org/10.1000/a--b}", ("doi:10.1000/a--b",)),
        (r"url = {http://dx.doi.org/10.1000/a\_b}", ("doi:10.1000/a_b",)),
        ("url = {http://x.y/10.1000/a}", ()),
        ("eprint = {1711.04702v2}, archivePrefix = {arXiv}", ("arxiv:1711.04702",)),
        ("eprint = {7}, eprinttype = {pubmed}", ("pmid:7",)),
        ("eprint = {1711.04702}, eprinttype = {jstor}", ()),
        ("journal = {arXiv preprint arXiv:1711.04702}", ("arxiv:1711.04702",)),
        ("pmid = 7, pmcid = {PMC8}", ("pmid:7", "pmcid:PMC8")),
    ],
)
def test_identifiers(given: str, ids: tuple[str, ...]) -> None:
    found = paper(bibtex, f"@misc{{key, title = {{Oil}}, {given}}}")
    assert found.ids == ids
    assert found.id == (ids[0].partition(":")[2] if ids else found.id)
    assert found.id != "key"


@pytest.mark.parametrize(
    ("given", "date"),
    [
        ("date = {1998-05}", "1998-05"),
        ("date = {1984/1986}", "1984"),
        ("year = {1998}, month = {02}, day = 3", "1998-02-03"),
        ('year = 1998, month = "3~" # feb', "1998-02-03"),
        ("year = {1998a}", "1998"),
        ("year = {in press}, month = may", ""),
        ("urldate = {2020-01-01}", ""),
    ],
)
def test_dates(given: str, date: str) -> None:
    assert paper(bibtex, f"@misc{{key, title = {{Oil}}, {given}}}").date == date


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"Abdedda{\"\i}m, {\v{S}}eva, G\"{o}tze, Aks{\i}n, \'Elan, \c c, {\aa}, Bronis{\l}aw, \ss", None),
        (r"p \textless{} 0.05, {\textgreater} 5\,mg, 3 \textpm{} 1", "p < 0.05, > 5 mg, 3 ± 1"),
        (r"$x < 3$, $\mathrm{Ca}^{2+}$, $10^{-3}$, $\frac{a}{b}$", "x < 3, Ca2+, 10-3, a/b"),
        (r"$5 to $10, a_b ^ 2, C:\x", "$5 to $10, a_b ^ 2, C:"),
        (
            r"The \TeX book -- a ``quote'' --- \unknown{kept} \href{http://a}{seen}",
            "The TeXbook – a “quote” — kept seen",
        ),
        (r"{{A}} {BIG}~title\footnote{note}", "A BIG titlenote"),
        ("a}b{c\\", "abc\\"),
        (r"\"", '"'),
    ],
)
def test_latex(latex: str, text: str | None) -> None:
    assert plain(latex) == (text or "Abdeddaïm, Ševa, Götze, Aksın, Élan, ç, å, Bronisław, ß")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Vincent van Gogh AND de Geer, Ingrid", ["van Gogh, Vincent", "de Geer, Ingrid"]),
        ("Dyer, Jr., Ann", ["Dyer, Ann Jr."]),
        ("{Robert and Sons} and\n  {Barnes, Ltd.}", ["Robert and Sons", "Barnes, Ltd."]),
        (r"V{\'a}zques{ de }Parga, Luis", ["Vázques de Parga, Luis"]),
        ("Aristotle and others", ["Aristotle"]),
        ("Sandy Anderson", ["Anderson, Sandy"]),
        ("Dyer and , and {}", ["Dyer"]),
        ("", []),
    ],
)
def test_names(given: str, expected: list[str]) -> None:
    assert names(given) == expected


def test_fields_and_strings() -> None:
    assert fields('k, a = "x {"} y", B = {{z} "}, c = 1 # "2" # D # nope, a = {later}', {"d": "3"}) == {
        "a": 'x {"} y',
        "b": '{z} "',
        "c": "123nope",
    }
    assert fields("title = {no key}", {}) == {"title": "no key"}
    assert fields("k, a = {x} b = {no comma} % note\n, ", {}) == {"a": "x", "b": "no comma"}
    strings = {"a": "x"}
    define('B = a # "y"', strings)
    define("c = b # b", strings)
    assert strings == {"a": "x", "b": "xy", "c": "xyxy"}
    assert address(r"http://a.b/\~c\%20d--e") == "http://a.b/~c%20d--e"


def test_blocks_and_comments() -> None:
    text = (
        "mine: me@article{no, x}\n%@book{out,\n@comment{@book{in a comment}}\n@string(s = {)})\n"
        '@book{a, x={1}} @BOOK(b, y = ")")\n@misc\n{c, z=2}\n'
    )
    assert [(b.line, b.kind, b.key) for b in blocks(enumerate(text.split("\n"), 1))] == [
        (3, "comment", ""),
        (4, "string", ""),
        (5, "book", "a"),
        (5, "book", "b"),
        (7, "misc", "c"),
    ]


BROKEN = {
    "not closed": ("@misc{b, title = {B\n", "entry at line 2 (b): is not closed: a brace is missing"),
    "closed twice": ("@misc{b, title = {B}}, year = {1985}\n}\n", "entry at line 2 (b): ends before ', year"),
    "no at sign": ("misc{b,\n  title = {B},\n}\n", "entry at line 2: stands outside of all entries: 'misc{b,'"),
    "no brace": ("\n@misc b,\n  title = {B}\n\n", "entry at line 4: stands outside of all entries: 'title = {B}'"),
    "no value": ("@misc{b, title = , year = 1}\n", "entry at line 2 (b): has a field without a value"),
    "no field": ("@misc{b, title = {B} ?}\n", "entry at line 2 (b): has something that is no field: '?'"),
    "no title": ("@misc{b, author = {B}}\n", "entry at line 2 (b): has neither title nor text"),
    "no text": ("@misc{\udcff, title = {\udcff}}\n", "entry at line 2 (\ufffd): holds the byte 0xff"),
    "NUL": ("@misc{b, title = {\0}}\n", "entry at line 2 (b): holds NUL characters"),
    "string": ("@string{b = {\n", "entry at line 2: is not closed: a brace is missing"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_entry_costs_no_other(case: str) -> None:
    bad, reason = BROKEN[case]
    content = f"@misc{{a, title = {{A}}}}\n{bad}@misc{{c, title = {{C}}}}\n".encode(errors="surrogateescape")
    assert [found.text for found in papers(bibtex, content)] == ["A", "C"]
    (failure,) = failures(bibtex, content)
    assert failure.startswith(reason)


def test_entry_not_closed_before_one_of_another_style() -> None:
    content = "@misc{a\n  , title = {A}\n\n@misc{ b\n  , title = {B}\n  }\n"
    assert failures(bibtex, content) == ["entry at line 1 (a): is not closed: a brace is missing"]
    assert [found.text for found in papers(bibtex, content)] == ["B"]


def test_file_cut_off() -> None:
    assert failures(bibtex, "@misc{a, title={A}}\n@misc{b, title={B}") == [
        "entry at line 2 (b): is not closed: the file is cut off, or a brace is missing"
    ]


def test_parents() -> None:
    content = (
        "@inbook{a, title={A}, crossref={P}}\n@inbook{b, title={B}, year=1999, crossref={alias}}\n"
        "@inbook{c, title={C}, crossref={circle}}\n@inbook{d, title={D}, crossref={missing}}\n"
        "@book{p, ids={other, alias}, title={The book}, crossref={q}}\n@mvbook{q, title={All}, date={1998-05}}\n"
        "@book{circle, title={O}, crossref={C}}\n"
    )
    found = {p.title: (p.date, p.journal) for p in papers(bibtex, content)}
    assert found == {
        "A": ("1998-05", "The book"),
        "B": ("1999", "The book"),
        "C": ("", "O"),
        "D": ("", ""),
        "The book": ("1998-05", ""),
        "All": ("1998-05", ""),
        "O": ("", ""),
    }


def test_nesting_and_doubling_end() -> None:
    start = time.process_time()
    deep = "{" * 100_000 + "deep" + "}" * 100_000
    doubling = '@string{a0 = "ha"}\n' + "".join(f"@string{{a{n + 1} = a{n} # a{n}}}\n" for n in range(60))
    many = "@misc{m, title = {M}, note = a12" + " # a12" * 5000 + "}\n"
    content = (
        f"@misc{{x, title = {{{deep}}}}}\n@misc{{y, title = {'{' * 100_000}}}\n{doubling}{many}@misc{{z, title={{Z}}}}"
    )
    assert [found.text for found in papers(bibtex, content)] == ["deep", "Z"]
    assert "more than 8,192 characters" in failures(bibtex, content)[1]
    assert failures(bibtex, content)[-1].startswith("entry at line 64 (m): is longer than")
    assert time.process_time() - start < 20


def test_long_line_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (stream, bibtex_entries):
        monkeypatch.setattr(module, "MAX_RECORD", 60)
    content = (
        "@misc{a, title={A}}\n@misc{b, title={"
        + "b" * 100
        + "}}\n@misc{c,\n title={"
        + "c\n" * 60
        + "}}\n@misc{d, title={D}}"
    )
    assert [found.text for found in papers(bibtex, content)] == ["A", "D"]
    assert failures(bibtex, content) == [
        "entry at line 2: has a line of more than 60 characters",
        "entry at line 3 (c): is longer than 60 characters: cut it into papers",
    ]


def test_told_by_its_entries() -> None:
    assert bibtex.sniff("% mine\n\n@article{a, title={Oil}}")
    assert bibtex.sniff("\ufeffCreated by a program.\nEncoding: UTF-8\n\n  @string ( a = {b} )")
    assert bibtex.sniff("@comment{x}")
    assert not bibtex.sniff("A paper\n\nCite it:\n\n```\n@article{a, title={Oil}}\n```\n")
    assert not bibtex.sniff("# Oil\n\n@article{a, title={Oil}}")
    assert not bibtex.sniff("prose\n" * 9 + "@article{a, title={Oil}}")
    assert not bibtex.sniff("\\documentclass{article}\n@article{a, title={Oil}}")
    assert not bibtex.sniff("me@article{a, title={Oil}}")


@given(st.text(alphabet=st.sampled_from("ab {}\"\\$%#@=,()\n'~-_^ai")))
def test_anything_gives_papers_or_reasons(text: str) -> None:
    for item in items(bibtex, f"@misc{{k, title = {{{text}}}}}\n@misc{{l, title={{L}}}}"):
        assert isinstance(item, Document | Failure)
    plain(text)
    assert all(name.strip() == name for name in names(text))


@given(
    st.text(alphabet=st.characters(exclude_characters="{}\\$~`'-\0\ufeff", exclude_categories=["Cs", "Zl", "Zp", "Cc"]))
)
def test_plain_words_come_through(text: str) -> None:
    assert plain(text) == " ".join(part for part in text.split(" ") if part)


def test_long_strings_are_refused() -> None:
    with pytest.raises(Unreadable, match="defines a string of more than"):
        define(f'a = "{"x" * 9000}"', {})


def test_real_files(shared_data: Path) -> None:
    folder = shared_data / "raw_papers" / "bibtex"
    found = items(bibtex, (folder / "biber-examples.bib").read_bytes())
    assert [sum(isinstance(item, kind) for item in found) for kind in (Document, Failure)] == [97, 21]
    assert not [
        item.text for item in found if isinstance(item, Document) and any(sign in item.text for sign in "{}\\$")
    ]
    (gbk,) = failures(bibtex, (folder / "gbk_test.bib").read_bytes())
    assert "holds the byte 0xbf, which is not UTF-8" in gbk
