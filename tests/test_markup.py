"""Titles and abstracts with markup in them, well-formed or not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.shared import markup


def parts(text: str) -> list[tuple[str, str]]:
    return [(part["kind"], part["text"]) for part in markup.sections(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a<b and c>d, p < 0.05 & <x>", "a<b and c>d, p < 0.05 & <x>"),
        ("H<sub>2</sub>O and 10<sup>-3</sup>", "H2O and 10-3"),
        ("&lt;b&gt;Fish&lt;/b&gt; &amp;amp; oil &amp;lt; fat", "Fish & oil < fat"),
        ("R&D, AT&T; &unknown; &#946;&#x3b2;", "R&D, AT&T; &unknown; ββ"),
        ("one<br/>two<br>three<p>four</p>", "one two three four"),
        ("<!-- no -->Fish<!-- <i>no</i> -->", "Fish"),
        ('<a href="https://x.org/?a=1&amp;b=2">Fish</a> <mml:mi mathvariant="normal">x</mml:mi>', "Fish x"),
        ("<jats:odd-tag>Fish</jats:odd-tag>", "Fish"),
        ("Fish\n  oil\t", "Fish oil"),
    ],
)
def test_flat(text: str, expected: str) -> None:
    assert markup.flat(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Oil.", [("abstract", "Oil.")]),
        ("<jats:title>Abstract</jats:title><jats:p>Oil.</jats:p>", [("Abstract", "Oil.")]),
        ("<p>One\nline.</p><p>Two.</p>", [("abstract", "One line.\nTwo.")]),
        ("Before.<h4>Aim</h4>Know.", [("abstract", "Before."), ("Aim", "Know.")]),
        (
            "<sec><title>A <i>long</i> <b>aim</b></title><p>Know.</p></sec>After.",
            [("A long aim", "Know."), ("abstract", "After.")],
        ),
        (
            "<sec><title>Methods</title><p>One.</p><sec><title>Mice</title><p>Two.</p></sec><p>Three.</p></sec>",
            [("Methods", "One."), ("Methods", "Two."), ("Methods", "Three.")],
        ),
        (
            "<sec><title>Abstract</title><sec><title>Aim</title><p>One.</p></sec><sec><title>Results</title>Two.</sec></sec>",
            [("Aim", "One."), ("Results", "Two.")],
        ),
        ("<title>Never closed", [("abstract", "Never closed")]),
        ("Closed only</title></p></sec> here", [("abstract", "Closed only"), ("abstract", "here")]),
    ],
)
def test_sections(text: str, expected: list[tuple[str, str]]) -> None:
    assert parts(text) == expected


def test_a_formula_is_told_once() -> None:
    tex, math = "<jats:tex-math>$x^2$</jats:tex-math>", "<mml:math><mml:mi>x</mml:mi><mml:mn>2</mml:mn></mml:math>"
    assert markup.flat(f"We see {tex}{math} and {tex}{math}.") == "We see x2 and x2."
    assert markup.flat(f"We see {tex}.") == "We see $x^2$."


@given(st.text(alphabet="<>/&;! -=\"'abcepst:t\n"))
def test_any_string(text: str) -> None:
    words = "".join("".join(kept for _, kept in parts(text)).split())
    assert "&" in text or set(words) <= set(text)
    if not set(text) & set("<&"):
        assert words == "".join(text.split()) == "".join(markup.flat(text).split())


@pytest.mark.parametrize(
    "piece", ["<!--", "<a ", "<a b='", '<a b="', "<tex-math>", "<mml:math><tex-math>", "<sec><title>", "&amp;", "<" * 9]
)
def test_hostile_strings_take_no_time(piece: str) -> None:
    start = time.perf_counter()
    markup.sections(piece * 20_000)
    assert time.perf_counter() - start < 5
