"""Names of a vocabulary in text, against one regular expression of all names, and spaCy's PhraseMatcher.

The names are made so that all three must find the same ones; that is checked before the time is taken.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import Figure, generated_text, race

from extractors.dictionary import Dictionary
from pipeline.vocabulary import Vocabulary, build

NAMES = 5_000
PAPERS = 60
Found = list[list[tuple[int, int]]]


def figures() -> Iterator[Figure]:
    random_ = random.Random(1)
    names = sorted({"".join(random_.choices("bdfgklmnprtvz", k=6)) + "aceine" for _ in range(NAMES)})
    texts = [paper(random_, names) for _ in range(PAPERS)]
    with TemporaryDirectory() as folder, vocabulary(names, Path(folder)) as known:
        dictionary = Dictionary([known], ["Chemical"])

        def ours() -> Found:
            return [[(span.start, span.end) for span, _ in dictionary.find(text)] for text in texts]

        pattern = re.compile(rf"\b(?:{'|'.join(names)})\b", re.IGNORECASE)

        def regex() -> Found:
            return [[match.span() for match in pattern.finditer(text)] for text in texts]

        assert ours() == regex()
        yield race("dictionary: automaton vs one regex", ours, regex, n=PAPERS, unit="papers")
        yield from against_spacy(ours, names, texts)


def against_spacy(ours: object, names: list[str], texts: list[str]) -> Iterator[Figure]:
    try:
        import spacy
        from spacy.matcher import PhraseMatcher
    except ModuleNotFoundError:
        return
    nlp = spacy.blank("en")
    matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
    matcher.add("NAME", list(nlp.pipe(names)))

    def peer() -> Found:
        docs = nlp.pipe(texts)
        return [[(s.start_char, s.end_char) for s in matcher(doc, as_spans=True)] for doc in docs]

    assert callable(ours)
    assert ours() == peer()
    yield race("dictionary: automaton vs spaCy PhraseMatcher", ours, peer, n=PAPERS, unit="papers")


def vocabulary(names: list[str], folder: Path) -> Vocabulary:
    table = folder / "names.tsv"
    rows = (f"X:{number}\t{name}\tChemical\n" for number, name in enumerate(names))
    table.write_text("id\tname\ttype\n" + "".join(rows), "utf-8")
    build("names", [table], folder / "names.vocab")
    return Vocabulary.open(folder / "names.vocab")


def paper(random_: random.Random, names: list[str]) -> str:
    return " ".join(f"{generated_text(random_, 1)[:-1]} {random_.choice(names)}." for _ in range(12))
