"""Sentences of the sample papers, against the rule-based sentencizer of a blank spaCy pipeline."""

from __future__ import annotations

from collections.abc import Iterator

from measure import Figure, Missing, race, sample_papers

from pipeline import text

REPEATS = 10


def figures() -> Iterator[Figure]:
    try:
        import spacy
    except ModuleNotFoundError as error:
        raise Missing("spaCy is missing: .venv/bin/python -m uv pip install -e '.[bench]'") from error
    papers = sample_papers() * REPEATS
    texts = [paper.text for paper in papers]
    peer = spacy.blank("en")
    peer.add_pipe("sentencizer")
    yield race(
        "sentences: rules vs spaCy sentencizer",
        lambda: [text.sentences(paper) for paper in papers],
        lambda: [[(s.start_char, s.end_char) for s in doc.sents] for doc in peer.pipe(texts)],
        n=len(papers),
        unit="papers",
    )
