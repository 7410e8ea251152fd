"""Learning from teachers: their mean by hand, a pupil of papers that nobody annotated, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_readers import NER, QUICK, STUDIES, TYPES, tiny_encoder

from extractors.adapter import read_adapter
from extractors.encoder import load_encoder
from extractors.evaluate import mention_f1
from extractors.tagger import Tagger
from extractors.tags import Floats, Row, tag_names
from extractors.tokens import Tokens, load_tokens
from extractors.training.corpora import Corpus, read_plain
from extractors.training.lessons import Lesson, tag_examples
from extractors.training.ner import TagTask
from extractors.training.run import fit
from extractors.training.teaching import soft_tags
from pipeline.errors import UsageError
from pipeline.text import split
from pipeline.types import Document

PLAIN = Corpus("plain", tuple(replace(reading, mentions=()) for reading in STUDIES), frozenset())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teaching")
    tiny_encoder(folder / "encoder")
    return folder


class Constant:
    """Scores every piece alike."""

    def __init__(self, tokens: Tokens, chances: Sequence[float]) -> None:
        self.tokens, self.row = tokens, np.log(np.array(chances, dtype=np.float32))

    def scores(self, rows: Sequence[Row]) -> Iterator[tuple[int, Floats]]:
        for at, row in enumerate(rows):
            yield at, np.tile(self.row, (len(row), 1))


def teacher(folder: Path, types: Sequence[str], chances: Sequence[float]) -> Tagger:
    model = Constant(load_tokens(folder / "encoder"), chances)
    return Tagger(model, types, size=24, overlap=8, fingerprint="constant")


def test_soft_tags_are_the_mean_of_teachers_and_a_tag_that_only_a_teacher_knows_is_none(folder: Path) -> None:
    one = teacher(folder, ["Gene"], [0.5, 0.25, 0.25])
    other = teacher(folder, ["Disease", "Gene"], [0.2, 0.2, 0.1, 0.4, 0.1])
    reading = split(Document("1", "Two words. Three more words."))
    first, again = soft_tags([one, other], [reading, reading], tag_names(["Gene"]))
    assert first.shape == (7, 3)
    assert first == pytest.approx(np.tile([0.5, 0.325, 0.175], (7, 1)), abs=1e-3)
    assert (first == again).all()


def test_a_teacher_without_tags_of_ends_teaches_them(folder: Path) -> None:
    one = teacher(folder, ["Gene"], [0.5, 0.25, 0.25])
    (said,) = soft_tags([one], [split(Document("1", "Two words. Three."))], tag_names(["Gene"], "BIOES"))
    within, last = [0.5, 0.125, 0.125, 0.125, 0.125], [0.5, 0, 0, 0.25, 0.25]
    assert said == pytest.approx(np.array([within, within, last, within, last]))


def test_a_teacher_must_know_what_is_learnt(folder: Path) -> None:
    with pytest.raises(UsageError, match="teacher constant knows no Chemical: take one"):
        next(soft_tags([teacher(folder, ["Gene"], [0.5, 0.25, 0.25])], STUDIES, tag_names(["Chemical"])))


def test_teachers_and_pupil_must_see_the_same_words(folder: Path) -> None:
    reading = split(Document("1", "Two words."))
    said = [np.zeros((9, 3), dtype=np.float16)]
    encoder = load_encoder(folder / "encoder")
    made = tag_examples(encoder, map(Lesson, [reading], [()], said), tag_names(["Gene"]), corpus=0, size=24, overlap=8)
    with pytest.raises(UsageError, match=r"teachers cut 1 into 9 words, encoder .* into 3: take teachers"):
        next(made)


def test_a_pupil_learns_from_papers_that_nobody_annotated(folder: Path, tmp_path: Path) -> None:
    dev = replace(NER, name="dev")
    fit(TagTask(load_encoder(folder / "encoder"), [NER], [dev], TYPES), QUICK, tmp_path / "teacher")
    taught = Tagger.load(tmp_path / "teacher", device="cpu")
    task = TagTask(load_encoder(folder / "encoder"), [PLAIN], [dev], TYPES, [taught])
    assert fit(task, replace(QUICK, trust=1.0), tmp_path / "pupil")["dev"] > 95
    assert read_adapter(tmp_path / "pupil", kind="tagger").config["teachers"] == [taught.fingerprint]
    read = list(Tagger.load(tmp_path / "pupil")(PLAIN.readings))
    assert mention_f1(STUDIES, read, NER.names) > 95


def test_plain_papers_are_read_in_sentences_without_those_that_are_excluded(tmp_path: Path) -> None:
    file = tmp_path / "plain.jsonl"
    file.write_text('{"id": "1", "text": "One. Two here."}\n{"id": "2", "text": "Three."}\n{"id": "2", "text": "x"}\n')
    problems: list[object] = []
    corpus = read_plain(file, exclude={"1"}, problems=problems)  # type: ignore[arg-type]
    assert [reading.document.text for reading in corpus.readings] == ["Three."]
    assert [len(reading.sentences) for reading in corpus.readings] == [1]
    assert (corpus.names, problems) == (frozenset(), [])


def test_a_path_without_papers_is_told(tmp_path: Path) -> None:
    file = tmp_path / "plain.jsonl"
    file.write_text('{"id": "1", "text": "One."}\n')
    problems: list[object] = []
    read_plain(file, exclude={"1"}, problems=problems)  # type: ignore[arg-type]
    assert [str(problem) for problem in problems] == [f"{file}: holds no documents"]
