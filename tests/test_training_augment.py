"""Augmented text: the gold stays exact, whatever is renamed, and chance hangs on seed, epoch and document alone."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.marking import entities
from extractors.training.augment import augmented, names_of, recased, with_other_names, with_synonyms
from extractors.training.corpora import read_corpus
from extractors.training.plan import Plan
from pipeline.domains import load_domain
from pipeline.sources.shared import gold
from pipeline.text import split
from pipeline.types import Abbreviation, Document, Mention, Reading, Relation, Section, Sentence, Span
from pipeline.vocabulary import Vocabulary, build

PLAN = Plan(replaced=0.9, synonyms=0.9, recased=0.5)
NAMES = {"Drug": ("fish oil", "Naloxone", "β-1"), "Illness": ("pain", "long COVID")}


def marked(text: str, *names: tuple[str, str, str]) -> Reading:
    """A text in sentences in which each (name, type, concept) is marked wherever it stands."""
    reading = split(Document("1", text, (Section(0, len(text), "abstract"),)))
    mentions = (
        gold.mention(reading.document, found.start(), found.end(), type_, [uid] if uid else [])
        for name, type_, uid in names
        for found in re.finditer(re.escape(name), text)
    )
    return replace(reading, mentions=gold.in_order(mentions))


def always(reading: Reading, **names: tuple[str, ...]) -> str:
    return with_other_names(reading, names, random.Random(0), rate=1.0).document.text


@pytest.fixture(scope="module")
def vocabulary(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vocabulary]:
    stats = build("sample", [root / "sample_corpus/vocabulary/biomed.tsv"], tmp_path_factory.mktemp("vocabulary"))
    with Vocabulary.open(stats.path) as opened:
        yield opened


def test_a_name_is_replaced_wherever_it_stands_and_the_rest_moves_along() -> None:
    text = "Aspirin eased pain. We gave aspirin (ASA), not oil. It thins."
    given_ = marked(text, ("Aspirin", "Drug", "D1"), ("aspirin", "Drug", "D1"), ("pain", "Illness", "D2"))
    first, pain, second = given_.mentions
    relation = gold.relation("EASES", first, pain, given_.sentences[0])
    short = Abbreviation(Span(text.index("ASA"), text.index("ASA") + 3), Span(second.start, second.end))
    given_ = replace(given_, relations=(relation,), abbreviations=(short,))
    found = with_other_names(given_, {"Drug": ("fish oil",)}, random.Random(0), rate=1.0)
    assert found.document.text == "Fish oil eased pain. We gave fish oil (ASA), not oil. It thins."
    assert [(m.start, m.text, m.type, m.concept_id) for m in found.mentions] == [
        (0, "Fish oil", "Drug", "D1"),
        (15, "pain", "Illness", "D2"),
        (29, "fish oil", "Drug", "D1"),
    ]
    assert [s.of(found.document.text) for s in found.sentences] == [
        "Fish oil eased pain.",
        "We gave fish oil (ASA), not oil.",
        "It thins.",
    ]
    assert found.document.sections == (Section(0, 63, "abstract"),)
    assert found.relations == (replace(relation, start=0, end=20, subject=found.mentions[0], object=found.mentions[1]),)
    assert found.abbreviations == ()
    assert given_.document.text == text


def test_abbreviations_that_nothing_touches_move_along() -> None:
    text = "Aspirin or eicosapentaenoic acid (EPA)."
    given_ = replace(marked(text, ("Aspirin", "Drug", "")), abbreviations=split(Document("1", text)).abbreviations)
    found = with_other_names(given_, {"Drug": ("oil",)}, random.Random(0), rate=1.0)
    ((short, long),) = [(pair.short, pair.long) for pair in found.abbreviations]
    assert (short.of(found.document.text), long.of(found.document.text)) == ("EPA", "eicosapentaenoic acid")


def test_what_would_blur_the_gold_is_left_alone() -> None:
    assert (
        always(marked("Aspirin and Oil.", ("Aspirin", "Drug", ""), ("Oil", "Drug", "")), Drug=("oil",))
        == "Aspirin and Oil."
    )
    assert always(marked("antiIL2 and IL2", ("IL2", "Drug", "")), Drug=("oil",)) == "antiIL2 and IL2"
    nested = marked("breast cancer", ("breast cancer", "Illness", ""), ("cancer", "Illness", ""))
    assert always(nested, Illness=("pain",)) == "breast cancer"
    two = marked("It is oil.", ("oil", "Drug", ""), ("oil", "Food", ""))
    assert always(two, Drug=("fat",), Food=("fat",)) == "It is oil."
    across = replace(marked("Oil 2 is", ("Oil 2", "Drug", "")), sentences=(Sentence(0, 3, ""), Sentence(4, 8, "")))
    assert always(across, Drug=("fat",)) == "Oil 2 is"
    mixed = marked("Oil, oil.", ("Oil", "Drug", "D1"), ("oil", "Drug", "D2"))
    assert always(mixed, Drug=("fat",)) == "Oil, oil."
    assert always(marked("Oil.", ("Oil", "Drug", "")), Food=("fat",)) == "Oil."


def test_two_entities_never_get_one_name() -> None:
    reading = marked("Lithium or iron.", ("Lithium", "Drug", ""), ("iron", "Drug", ""))
    for seed in range(20):
        found = with_other_names(reading, {"Drug": ("oil", "fat")}, random.Random(seed), rate=1.0)
        assert {m.text.lower() for m in found.mentions} == {"oil", "fat"}


def test_synonyms_are_of_the_same_concept(vocabulary: Vocabulary) -> None:
    epa = ("eicosapentaenoic acid", "Chemical", "MESH:D015118")
    reading = marked("We gave eicosapentaenoic acid.", epa)
    seen = {with_synonyms(reading, vocabulary, random.Random(seed), rate=1.0).document.text for seed in range(20)}
    assert seen == {"We gave EPA.", "We gave icosapentaenoic acid."}
    for other in ("", "MESH:D999999"):
        unknown = marked("We gave eicosapentaenoic acid.", (*epa[:2], other))
        assert with_synonyms(unknown, vocabulary, random.Random(1), rate=1.0) is unknown
    several = replace(reading.mentions[0], groundings=reading.mentions[0].groundings * 2)
    assert with_synonyms(replace(reading, mentions=(several,)), vocabulary, random.Random(1), rate=1.0) == replace(
        reading, mentions=(several,)
    )


def test_names_of_mentions_and_of_a_vocabulary(vocabulary: Vocabulary) -> None:
    reading = marked("Oil (x, y) is C.", ("Oil", "Chemical", ""), ("(x, y)", "Chemical", ""), ("C", "Food", ""))
    assert names_of([reading]) == {"Chemical": ("Oil",), "Food": ()}
    names = names_of([reading], vocabulary)
    assert set(names) == {"Chemical", "Food"}
    assert {"Oil", "cod liver oil", "EPA"} < set(names["Chemical"])
    assert "Fatty Acids, Omega-3" not in names["Chemical"]


def test_casing_of_the_document_its_sentences_or_its_mentions() -> None:
    reading = marked("Oil thins blood. Straße 5 is.", ("Oil", "Drug", ""))
    seen = {recased(reading, random.Random(seed), rate=1.0).document.text for seed in range(200)}
    assert {"OIL THINS BLOOD. STRAßE 5 IS.", "oil thins blood. straße 5 is.", "Oil Thins Blood. Straße 5 Is."} <= seen
    assert {"OIL THINS BLOOD. straße 5 is.", "OIL thins blood. Straße 5 is."} <= seen
    assert recased(reading, random.Random(1), rate=0.0) == reading


WORDS = st.sampled_from(
    ["oil", "Naloxone", "pain", "IL-2", "(", "β", "ﬁsh", "İ", "Σ", "ς", "µg", "👩‍🔬", "é", "-", "a\nb"]
)


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    words = draw(st.lists(WORDS, min_size=1, max_size=25))
    text, spans = gold.joined(words)
    cuts = sorted(draw(st.sets(st.integers(1, len(words)), max_size=4)) | {len(words)})
    starts = [0, *cuts[:-1]]
    sentences = [Sentence(spans[a].start, spans[b - 1].end, "body") for a, b in zip(starts, cuts, strict=True)]
    document = Document(
        "d", text, (Section(0, sentences[0].end, "title"), Section(sentences[0].end, len(text), "body"))
    )
    at = st.integers(0, len(words) - 1)
    kinds = st.sampled_from(["Drug", "Illness"])
    places = draw(st.sets(st.tuples(at, st.integers(1, 3), kinds, st.sampled_from(["", "D1"])), max_size=8))
    mentions = gold.in_order(
        gold.mention(
            document, spans[first].start, spans[min(first + size, len(words)) - 1].end, kind, [uid] if uid else []
        )
        for first, size, kind, uid in sorted(places)
    )
    chosen = st.sampled_from(mentions) if mentions else st.nothing()
    pairs = draw(st.lists(st.tuples(chosen, chosen), max_size=4)) if mentions else []
    relations = tuple(gold.relation("R", one, other) for one, other in pairs)
    return Reading(document, tuple(sentences), mentions=mentions, relations=relations)


def holds(old: Reading, new: Reading) -> None:
    """What must be true of every augmented reading."""
    text = new.document.text
    assert all(text[m.start : m.end] == m.text for m in new.mentions)
    assert [(m.type, m.groundings, m.document_id) for m in new.mentions] == [
        (m.type, m.groundings, m.document_id) for m in old.mentions
    ]
    moved = dict(zip(old.mentions, new.mentions, strict=True))
    assert [(r.subject, r.object) for r in new.relations] == [
        (moved[r.subject], moved[r.object]) for r in old.relations
    ]
    assert [r.predicate for r in new.relations] == [r.predicate for r in old.relations]
    for whole, parts in ((old.sentences, new.sentences), (old.document.sections, new.document.sections)):
        assert [part.of(text).isspace() for part in parts] == [part.of(old.document.text).isspace() for part in whole]
        inside = [[mention for mention in moved if part.covers(mention)] for part in whole]
        assert inside == [[mention for mention in moved if part.covers(moved[mention])] for part in parts]
    assert new.document.sections[-1].end == new.sentences[-1].end == len(text)
    assert outside(new) == outside(old)
    assert len(entities(new)) == len(entities(old))


def outside(reading: Reading) -> str:
    """The letters that stand in no mention, whatever their case."""
    inside = {at for mention in reading.mentions for at in range(mention.start, mention.end)}
    return "".join(letter.lower() for at, letter in enumerate(reading.document.text) if at not in inside)


@given(readings(), st.integers(0, 99))
def test_the_gold_stays_exact(reading: Reading, epoch: int) -> None:
    (found,) = augmented([reading], PLAN, epoch, names=NAMES)
    holds(reading, found)
    assert [found] == list(augmented([reading], PLAN, epoch, names=NAMES))


@given(readings(), st.randoms(use_true_random=False))
def test_recasing_keeps_every_place(reading: Reading, chance: random.Random) -> None:
    found = recased(reading, chance, rate=0.7)
    holds(reading, found)
    assert [(m.start, m.end) for m in found.mentions] == [(m.start, m.end) for m in reading.mentions]
    assert [s.lower() for s in found.document.text] == [s.lower() for s in reading.document.text]


@given(readings(), st.randoms(use_true_random=False))
def test_mentions_that_are_not_renamed_keep_their_text(reading: Reading, chance: random.Random) -> None:
    found = with_other_names(reading, {"Drug": NAMES["Drug"]}, chance, rate=0.5)
    for old, new in zip(reading.mentions, found.mentions, strict=True):
        assert new.text == old.text or (old.type == "Drug" and new.text.lower() in {"fish oil", "naloxone", "β-1"})


def test_chance_hangs_on_seed_epoch_and_document_alone() -> None:
    one = marked("Lithium eased pain.", ("Lithium", "Drug", ""))
    other = replace(one, document=replace(one.document, id="2"))
    names = {"Drug": tuple(f"oil {n}" for n in range(1000))}

    def text(reading: Reading, seed: int = 1, epoch: int = 1, first: tuple[Reading, ...] = ()) -> str:
        plan = Plan(replaced=0.99, seed=seed)
        return [*augmented([*first, reading], plan, epoch, names=names)][-1].document.text

    assert text(one) == text(one, first=(other, other))
    assert len({text(one), text(other), text(one, seed=2), text(one, epoch=2)}) == 4


def test_without_rates_or_names_nothing_changes(vocabulary: Vocabulary) -> None:
    reading = marked("Lithium eased pain.", ("Lithium", "Drug", ""))
    assert [*augmented([reading], Plan(), 1, names=NAMES, vocabulary=vocabulary)] == [reading]
    assert [*augmented([reading], Plan(replaced=0.9, synonyms=0.9), 1)] == [reading]


@pytest.mark.parametrize(
    ("name", "domain"), [("biored/Dev.PubTator", "biomed"), ("scierc/dev.json", "ai")], ids=["biored", "scierc"]
)
def test_real_gold_stays_exact(shared_data: Path, vocabulary: Vocabulary, name: str, domain: str) -> None:
    corpus = read_corpus(shared_data / name, load_domain(domain), task="re", problems=[])
    names = names_of(corpus.readings)
    found = list(augmented(corpus.readings, PLAN, 1, names=names, vocabulary=vocabulary))
    changed = 0
    for old, new in zip(corpus.readings, found, strict=True):
        assert new.document.text != old.document.text
        assert all(new.document.text[m.start : m.end] == m.text for m in new.mentions)
        moved = {mark(m): mark(n) for m, n in zip(old.mentions, new.mentions, strict=True)}
        for before, after in zip(old.relations, new.relations, strict=True):
            assert [mark(end) for end in ends(after)] == [moved[mark(end)] for end in ends(before)]
            assert [end.groundings for end in ends(after)] == [end.groundings for end in ends(before)]
        assert len(entities(new)) == len(entities(old))
        changed += sum(m.text.lower() != n.text.lower() for m, n in zip(old.mentions, new.mentions, strict=True))
    assert changed > 0.5 * sum(len(reading.mentions) for reading in corpus.readings)


def mark(mention: Mention) -> tuple[int, int, str]:
    return mention.start, mention.end, mention.text


def ends(relation: Relation) -> tuple[Mention, Mention]:
    return relation.subject, relation.object
