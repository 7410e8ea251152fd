"""Explanations, by a small model of random weights: values add up, words are the text, the page is safe."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from tiny_bert import write_tiny

from extractors import explain
from extractors.classifier import TokenClassifier
from extractors.encoder import load_encoder
from extractors.explain import Explained, Explainer, render
from extractors.tagger import Tagger
from extractors.torch_model import TorchModel
from pipeline.errors import UsageError
from pipeline.pages import write_page
from pipeline.text import split
from pipeline.types import Document, Mention, Reading

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TEXT = "Aspirin harms.\nIn rats, haloperidol caused  catalepsy, and worse pain than aspirin did."
NASTY = "Aspirin </style><script>alert(1)</script> \"'& caused {{ 7 * 7 }} pain."
COLOURS = {"Drug": "#2f7ebc", "Ill": "red;} body { display: none"}


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Tagger:
    encoder = load_encoder(write_tiny(tmp_path_factory.mktemp("encoder") / "tiny"))
    torch.manual_seed(3)
    model = TokenClassifier(encoder, 5).eval()
    model.head.bias.data[0] -= 2  # so that it finds something
    return Tagger(TorchModel(encoder, model), ["Drug", "Ill"], size=64, overlap=16, fingerprint="tagger:tiny@1")


def reading(text: str, *marked: tuple[str, str, float], extractor: str = "tagger:tiny@1") -> Reading:
    mentions = tuple(
        Mention(text.index(part), text.index(part) + len(part), "1", part, kind, score, extractor)
        for part, kind, score in marked
    )
    return replace(split(Document("1", text)), mentions=mentions)


MARKED = (("Aspirin", "Drug", 0.9), ("haloperidol", "Drug", 0.5), ("worse pain", "Ill", 0.7))


def test_the_values_of_a_mention_add_up_to_what_its_score_gains(tagger: Tagger) -> None:
    found = Explainer(tagger, steps=200)(reading(TEXT, *MARKED))
    for each in found.attributions:
        total = sum(word.value for word in each.words if word.value is not None)
        assert total == pytest.approx(each.score - each.baseline + each.delta, abs=1e-5)
        assert abs(each.delta) < 0.01
        assert 0 <= each.baseline <= 1
        assert any(abs(word.value or 0) > 1e-4 for word in each.words)


def test_the_score_is_the_mean_probability_of_the_tags(tagger: Tagger) -> None:
    found = next(iter(tagger([split(Document("1", TEXT))]))).mentions
    assert found
    explained = Explainer(tagger, steps=4, most=99)(replace(split(Document("1", TEXT)), mentions=found))
    assert [each.score for each in explained.attributions] == pytest.approx([m.score for m in found], abs=2e-2)


def test_words_are_those_of_the_sentence_and_the_mention_is_marked(tagger: Tagger) -> None:
    found = Explainer(tagger, steps=4)(reading(TEXT, ("worse pain", "Ill", 0.7)))
    (each,) = found.attributions
    assert "".join(word.text for word in each.words) == TEXT[TEXT.index("In rats") :]
    assert [word.text for word in each.words if word.target] == ["worse", "pain"]


def test_a_long_sentence_is_explained_in_the_window_that_scored_it(tagger: Tagger) -> None:
    text = "acid " * 60 + "haloperidol " + "base " * 60
    (each,) = Explainer(tagger, steps=4)(reading(text, ("haloperidol", "Drug", 0.5))).attributions
    shown = "".join(word.text for word in each.words)
    assert "haloperidol" in shown
    assert len(shown) < 100
    assert shown in text


def test_the_least_sure_mentions_are_chosen_and_the_page_says_so(tagger: Tagger) -> None:
    found = Explainer(tagger, steps=2, most=2)(reading(TEXT, *MARKED))
    assert [each.mention.text for each in found.attributions] == ["haloperidol", "worse pain"]
    assert found.mentions == 3
    assert "2 of 3 mentions are explained" in render([found], COLOURS, title="t", steps=2)


def test_mentions_of_other_extractors_are_left_out(tagger: Tagger) -> None:
    found = Explainer(tagger, steps=2)(reading(TEXT, *MARKED, extractor="dictionary@1"))
    assert (found.attributions, found.mentions) == ((), 0)
    assert "The model marked nothing here." in render([found], COLOURS, title="t", steps=2)


def test_the_page_escapes_what_papers_say(tagger: Tagger) -> None:
    found = Explainer(tagger, steps=2)(reading(NASTY, ("Aspirin", "Drug", 0.5)))
    page = render([found], COLOURS, title=NASTY, steps=2)
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(page)
    assert "script" not in tags
    assert "{{ 7 * 7 }}" in page
    assert "display: none" not in page


def test_no_document_gives_a_page() -> None:
    assert "No document was read." in render([], {}, title="empty", steps=1)


def test_what_is_missing_or_impossible_is_told(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        Explainer(tagger, steps=0)
    monkeypatch.setattr(explain, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"captum: pip install 'hypograph\[train\]'"):
        Explainer(tagger)


def test_a_browser_shows_it_without_a_complaint(tagger: Tagger, chromium: Browser, tmp_path: Path) -> None:
    found: list[Explained] = [Explainer(tagger, steps=8)(reading(text, *MARKED[:1])) for text in (TEXT, NASTY)]
    write_page(tmp_path / "page.html", render(found, COLOURS, title="Explained", steps=8))
    shown = chromium.new_page(viewport={"width": 700, "height": 700})
    said: list[str] = []
    shown.on("console", lambda message: said.append(message.text))
    shown.goto((tmp_path / "page.html").as_uri())
    assert said == []
    assert shown.locator(".word.target").first.get_attribute("title")
    assert shown.evaluate("document.documentElement.scrollWidth") <= 700
    shown.close()
