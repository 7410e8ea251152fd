"""Scores: hand-solved cases, and the referee's own figures on real corpora."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.evaluate import (
    Rules,
    Score,
    aligned,
    by_familiarity,
    concepts,
    measures,
    merged,
    renamed,
    score,
    whole_tokens,
)
from flows.evaluate import evaluate
from flows.printing import Format
from pipeline.domains import load_domain
from pipeline.errors import InputError, UsageError
from pipeline.sources.shared import gold as marks
from pipeline.types import Document, Grounding, Mention, Reading

TEXT = "Aspirin caused gastric pain and rash"
PAPER = Document("1", TEXT)


def mention(text: str, type_: str, *ids: str) -> Mention:
    start = TEXT.index(text)
    return marks.mention(PAPER, start, start + len(text), type_, ids)


def reading(*mentions: Mention, relations: tuple[tuple[str, Mention, Mention], ...] = ()) -> Reading:
    return Reading(PAPER, mentions=mentions, relations=tuple(marks.relation(*row) for row in relations))


DRUG, PAIN, RASH = (
    mention("Aspirin", "Chemical", "MESH:D1"),
    mention("gastric pain", "Disease", "MESH:D2", "MESH:D3"),
    mention("rash", "Disease"),
)
GOLD = reading(DRUG, PAIN, RASH, relations=(("CID", DRUG, PAIN),))


def counts(gold: Reading, found: Reading, rules: Rules | None = None) -> dict[str, tuple[int, int, int]]:
    scores = score(measures([gold], [found], rules or Rules()))
    return {name: (one.right, one.predicted, one.gold) for name, one in scores.items()}


def test_each_measure_counts_its_own_by_hand() -> None:
    short = mention("pain", "Disease", "MESH:D2")
    wrong = replace(RASH, type="Chemical")
    other = replace(DRUG, groundings=(Grounding("MESH:D9", "", 1, "gold"),))
    found = reading(other, short, wrong, relations=(("CID", other, short), ("CID", DRUG, short)))
    assert counts(GOLD, found) == {
        "ner": (1, 3, 3),
        "ner:Chemical": (1, 2, 1),
        "ner:Disease": (0, 1, 2),
        "ner_text": (2, 3, 3),
        "link_mention": (0, 2, 2),
        "link_document": (1, 2, 3),  # D9 and D2 against D1, D2 and D3
        "relation": (1, 2, 1),
        "relation:CID": (1, 2, 1),
    }


def test_types_limit_mentions_and_links() -> None:
    only = counts(GOLD, GOLD, Rules(types=frozenset({"Chemical"})))
    assert only["ner"] == only["link_mention"] == only["link_document"] == (1, 1, 1)
    assert "ner:Disease" not in only
    assert only["relation"] == (1, 1, 1)


@pytest.mark.parametrize(("name", "right"), [("CID", 0), ("Association", 1)])
def test_direction_counts_where_the_relation_has_one(name: str, right: int) -> None:
    found = reading(DRUG, PAIN, relations=((name, PAIN, DRUG),))
    gold = reading(DRUG, PAIN, relations=((name, DRUG, PAIN),))
    assert counts(gold, found)["relation"] == (right, 1, 1)
    by_place = counts(gold, found, Rules(spans=True))
    assert by_place["rel"] == by_place["rel_strict"] == (right, 1, 1)


def test_what_is_denied_or_unlinked_is_no_claim_between_concepts() -> None:
    unlinked = reading(DRUG, RASH, relations=(("CID", DRUG, RASH),))
    denied = replace(GOLD, relations=(replace(GOLD.relations[0], polarity="negative"),))
    assert counts(GOLD, unlinked)["relation"] == counts(GOLD, denied)["relation"] == (0, 0, 1)
    assert counts(unlinked, unlinked, Rules(spans=True))["rel"] == (1, 1, 1)


def test_strict_relations_need_the_types() -> None:
    found = reading(replace(DRUG, type="Gene"), PAIN, relations=(("CID", DRUG, PAIN),))
    by_place = counts(GOLD, found, Rules(spans=True))
    assert (by_place["rel"], by_place["rel_strict"]) == ((1, 1, 1), (0, 1, 1))


def test_corpus_labels_are_read_as_the_packs_names() -> None:
    theirs = reading(replace(DRUG, type="ChemicalEntity"), replace(PAIN, type="Odd"), relations=(("CID", DRUG, PAIN),))
    ours = renamed(theirs, load_domain("biomed"))
    assert [m.type for m in ours.mentions] == ["Chemical", "Odd"]
    assert ours.relations[0].predicate == "INDUCES"


def test_a_document_in_two_files_is_one_and_a_missing_one_is_empty() -> None:
    whole = merged([reading(DRUG), reading(PAIN), Reading(Document("2", "x"))])
    assert whole["1"].mentions == (DRUG, PAIN)
    assert aligned([GOLD], {}) == [Reading(PAPER)]


def test_concepts_lose_their_vocabulary_and_guesses_count_once() -> None:
    guess = Mention(0, 7, "1", "Aspirin", "Chemical", 0.9, "x", (Grounding("MESH:D1", "", 1, "exact"),) * 2)
    nil = replace(guess, groundings=(Grounding("NIL:aspirin", "", 1, "nil"),))
    variant = mention("rash", "Variant", "c|SUB|G|17|A")
    assert [concepts(m) for m in (guess, PAIN, nil, RASH)] == [{"D1"}, {"D2", "D3"}, set(), set()]
    assert concepts(variant) == {"c", "SUB", "G", "17", "A"}


def test_seen_and_unseen_mentions_are_scored_apart() -> None:
    found = reading(DRUG, mention("pain", "Disease"))
    apart = score(by_familiarity([GOLD], [found], frozenset({"aspirin", "rash"})))
    assert {name: (one.right, one.predicted, one.gold) for name, one in apart.items()} == {
        "ner_seen": (1, 1, 2),
        "ner_unseen": (0, 1, 1),
    }


def test_mentions_of_a_tokenised_text_are_whole_tokens() -> None:
    inside = reading(mention("astric pai", "Disease"), relations=(("CID", mention("spir", "Chemical"), PAIN),))
    whole = whole_tokens(inside)
    assert whole.mentions[0].text == "gastric pain" == TEXT[whole.mentions[0].start : whole.mentions[0].end]
    assert whole.relations[0].subject.text == "Aspirin"
    assert whole_tokens(GOLD) == GOLD


@given(st.lists(st.tuples(st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5))), max_size=30))
def test_the_interval_lies_within_bounds_and_is_the_same_each_time(rows: list[Any]) -> None:
    one, again = score({"ner": rows})["ner"], score({"ner": rows})["ner"]
    assert one == again
    assert 0 <= one.low <= one.high <= 100
    assert one.right <= min(one.predicted, one.gold)


def test_the_interval_narrows_with_more_documents() -> None:
    some = [({1, 2, 3}, {1, 2, at % 4}) for at in range(10)]
    few, many = score({"ner": some})["ner"], score({"ner": some * 20})["ner"]
    assert few.low < few.f1 < few.high
    assert many.f1 == few.f1
    assert many.high - many.low < (few.high - few.low) / 3


def test_a_document_of_none_scores_nothing() -> None:
    assert score(measures([], []))["ner"] == Score(0, 0, 0)


def spoilt_pubtator(source: Path, target: Path, documents: int) -> None:
    """The first documents with some types, ids, borders and relations changed; each concept keeps a mention."""
    draw = random.Random(3)
    blocks = source.read_text("utf-8").strip().split("\n\n")[:documents]
    for at, block in enumerate(blocks):
        lines = block.split("\n")
        for number, line in enumerate(lines):
            cells = line.split("\t")
            if len(cells) >= 5 and cells[1].isdigit() and draw.random() < 0.2:
                cells[4] = draw.choice(["Chemical", "Disease", "GeneOrGeneProduct"])
                if int(cells[2]) - int(cells[1]) > 3 and draw.random() < 0.5:
                    cells[2], cells[3] = str(int(cells[2]) - 1), cells[3][:-1]
                if len(cells) > 5 and cells[5].isalnum() and draw.random() < 0.4:
                    cells[5] += "|D999999"
            elif len(cells) >= 4 and not cells[1].isdigit():
                if draw.random() < 0.3:
                    cells[2], cells[3] = cells[3], cells[2]
                elif draw.random() < 0.3:
                    cells[1] = "Association"
            lines[number] = "\t".join(cells)
        blocks[at] = "\n".join(lines)
    target.write_text("\n\n".join(blocks) + "\n", "utf-8")


def spoilt_scierc(source: Path, target: Path, documents: int) -> None:
    draw = random.Random(4)
    rows = [json.loads(line) for line in source.read_text("utf-8").splitlines()[:documents]]
    for row in rows:
        row["ner"] = [[[a, b, draw.choice(["Task", kind, kind])] for a, b, kind in part] for part in row["ner"]]
        row["relations"] = [
            [[c, d, a, b, kind] if draw.random() < 0.4 else [a, b, c, d, kind] for a, b, c, d, kind in part]
            for part in row["relations"]
        ]
    target.write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")


CORPORA: dict[str, tuple[str, str, Callable[[Path, Path, int], None]]] = {
    "bc5cdr": ("bc5cdr/CDR_DevelopmentSet.PubTator.txt", "Chemical", spoilt_pubtator),
    "biored": ("biored/Dev.PubTator", "ChemicalEntity,GeneOrGeneProduct", spoilt_pubtator),
    "ncbi": ("ncbi_disease/NCBIdevelopset_corpus.txt", "Modifier,SpecificDisease", spoilt_pubtator),
    "scierc": ("scierc/dev.json", "Method,Task", spoilt_scierc),
}


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("limited", [False, True])
def test_the_figures_are_the_referees(
    corpus: str, limited: bool, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    referee = shared_data.parent / "score" / "score.py"
    if not referee.exists():
        pytest.skip(f"the referee is missing: expected it in {referee}")
    name, some, spoil = CORPORA[corpus]
    types = some if limited else None
    spoil(shared_data / name, tmp_path / "predicted", 90)
    arguments = ["--json", *(("--types", types) if types else ())]
    told = subprocess.run(
        [sys.executable, str(referee), str(shared_data / name), str(tmp_path / "predicted"), *arguments],
        capture_output=True,
        check=True,
    )
    expected = json.loads(told.stdout)
    evaluate([shared_data / name], predicted=tmp_path / "predicted", types=types, format_=Format.json)
    got = json.loads(capsys.readouterr().out)
    assert got["documents"] == expected["documents"]
    assert list(got["scores"]) == list(expected["scores"])
    for measure, row in expected["scores"].items():
        assert {key: got["scores"][measure][key] for key in row} == row, measure
    assert 0 < got["scores"]["ner"]["f1"] < 100


PUBTATOR = "7|t|Aspirin hurts.\n7|a|It gave ulcers.\n7\t0\t7\tAspirin\tChemical\tD1\n7\t23\t29\tulcers\tDisease\tD2\n"


def test_the_command_maps_labels_and_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gold.txt").write_text(PUBTATOR + "7\tCID\tD1\tD2\n", "utf-8")
    ours = PUBTATOR.replace("\tulcers\tDisease", "\tulcers\tDiseaseOrPhenotypicFeature")
    (tmp_path / "found.txt").write_text(ours + "7\tINDUCES\tD1\tD2\n", "utf-8")
    page = tmp_path / "out" / "errors.html"
    evaluate([tmp_path / "gold.txt"], predicted=tmp_path / "found.txt", domain="biomed", page=page, format_=Format.csv)
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "measure,p,r,f1,low,high,right,predicted,gold"
    assert rows[1].startswith("ner,100,100,100,")
    assert any(row.startswith("relation:INDUCES,100,") for row in rows)
    assert "ulcers" not in page.read_text("utf-8")  # nothing is wrong
    assert "None has an error" in page.read_text("utf-8")


def test_wrong_use_is_told(tmp_path: Path) -> None:
    (tmp_path / "gold.txt").write_text(PUBTATOR, "utf-8")
    (tmp_path / "gold.json").write_text('{"doc_key": "1", "sentences": [["A", "b"]], "ner": [[[0, 0, "Task"]]]}\n')
    (tmp_path / "notes.txt").write_text("Only prose.\n", "utf-8")
    (tmp_path / "empty.txt").write_text("", "utf-8")
    gold = tmp_path / "gold.txt"
    with pytest.raises(UsageError, match="one or the other"):
        evaluate([gold], predicted=gold, gold_entities=True)
    with pytest.raises(UsageError, match="score them apart"):
        evaluate([gold, tmp_path / "gold.json"], predicted=gold)
    with pytest.raises(UsageError, match="carries no annotations"):
        evaluate([gold], predicted=tmp_path / "notes.txt")
    with pytest.raises(InputError, match=r"no annotated paper in .*empty"):
        evaluate([tmp_path / "empty.txt"], predicted=gold)
