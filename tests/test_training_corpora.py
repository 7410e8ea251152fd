"""Annotated corpora: every format gives the same gold, and each thing that can be wrong is told in one clear line."""

from __future__ import annotations

import json
import logging
import random
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.training.checks import Problem
from extractors.training.corpora import Corpus, Given, hold_out, paper_of, read_corpus, read_data, read_ids
from pipeline.annotations import WRITERS
from pipeline.domains import load_domain
from pipeline.errors import InputError, UsageError
from pipeline.sources import annotated
from pipeline.types import Document, Reading

BIOMED, AI, ASTRONOMY = (load_domain(name) for name in ("biomed", "ai", "astronomy"))

PAPER = """\
1|t|Aspirin and pain.
1|a|Aspirin causes asthma. It eased pain in rats.
1\t0\t7\tAspirin\tDrug\tD001241
1\t12\t16\tpain\tSpecificDisease\tD010146
1\t18\t25\tAspirin\tChemical\tD001241
1\t33\t39\tasthma\tDisease\tD001249
1\t50\t54\tpain\tDisease\tD010146
1\tCID\tD001241\tD001249
"""
OTHER = "2|t|Fish oil in mice.\n2\t0\t8\tFish oil\tChemical\tD005395\n"

Files = Callable[..., Path]


@pytest.fixture
def file(tmp_path: Path) -> Files:
    def write(text: str, name: str = "train.txt") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return write


def read(path: str | Path, **options: Any) -> tuple[Corpus, list[Problem]]:
    problems: list[Problem] = []
    corpus = read_corpus(path, options.pop("domain", BIOMED), **{"task": "ner"} | options, problems=problems)
    return corpus, problems


def lines(path: str | Path, **options: Any) -> list[tuple[str, bool]]:
    """The problems of a corpus, as they are shown but for its path, and whether they are fatal."""
    return [(str(problem).removeprefix(f"{path}: "), problem.fatal) for problem in read(path, **options)[1]]


def fatal(train: Iterable[Given], development: Iterable[Given] = (), **options: Any) -> list[str]:
    with pytest.raises(InputError) as refused:
        read_data(train, development, options.pop("domain", BIOMED), **{"task": "ner"} | options)
    return str(refused.value).splitlines()


def test_a_corpus_in_the_words_of_the_pack(file: Files) -> None:
    corpus, problems = read(file(PAPER + "\n" + OTHER))
    assert not problems
    assert corpus.names == {"Chemical", "Disease"}
    first, second = corpus.readings
    assert [(m.text, m.type) for m in first.mentions] == [
        ("Aspirin", "Chemical"),
        ("pain", "Disease"),
        ("Aspirin", "Chemical"),
        ("asthma", "Disease"),
        ("pain", "Disease"),
    ]
    text = first.document.text
    assert [s.of(text) for s in first.sentences] == [
        "Aspirin and pain.",
        "Aspirin causes asthma.",
        "It eased pain in rats.",
    ]
    assert not first.relations
    assert second.mentions[0].concept_id == "MESH:D005395"


def test_relations_in_the_words_of_the_pack(file: Files) -> None:
    corpus, problems = read(file(PAPER), task="re")
    assert not problems
    assert corpus.names == {"INDUCES"}
    ((relation,),) = (reading.relations for reading in corpus.readings)
    assert (relation.predicate, relation.subject.type, relation.object.type) == ("INDUCES", "Chemical", "Disease")
    assert (relation.subject, relation.object) == (corpus.readings[0].mentions[0], corpus.readings[0].mentions[3])


@pytest.mark.parametrize("format_", sorted(WRITERS))
def test_every_format_gives_the_same(file: Files, format_: str) -> None:
    corpus, _ = read(file(PAPER), task="re")
    written = file("".join(WRITERS[format_](corpus.readings)), f"other.{format_}")
    again, problems = read(written, task="re")
    assert not problems
    (one,), (other,) = corpus.readings, again.readings
    assert [(m.text, m.type) for m in other.mentions] == [(m.text, m.type) for m in one.mentions]
    assert [(r.subject.text, r.predicate, r.object.text) for r in other.relations] == [("Aspirin", "INDUCES", "asthma")]
    assert len(other.sentences) == len(one.sentences)


def test_sentences_that_a_corpus_brings_are_kept(file: Files) -> None:
    row = {
        "doc_key": "A",
        "sentences": [["BERT", "."], ["It", "parses", ".", "Well", "."]],
        "ner": [[[0, 0, "Method"]], []],
        "relations": [[], []],
    }
    (reading,) = read(file(json.dumps(row)), domain=AI)[0].readings
    assert [s.of(reading.document.text) for s in reading.sentences] == ["BERT .", "It parses . Well ."]


def test_columns_and_tags(file: Files) -> None:
    conll = "-DOCSTART- (1)\n\nAspirin B-Drug\nhelps O\n. O\n\nRats O\n"
    assert [m.text for m in read(file(conll))[0].readings[0].mentions] == ["Aspirin"]
    wiesp = {
        "unique_id": "x_1",
        "bibcode": "2019MNRAS.486.5558S",
        "tokens": ["Hubble", "saw"],
        "ner_tags": ["B-Telescope", "O"],
    }
    corpus, problems = read(file(json.dumps(wiesp)), domain=ASTRONOMY)
    assert (corpus.names, problems) == (frozenset({"Telescope"}), [])


def test_a_folder_of_brat_with_a_paper_without_annotations(file: Files, tmp_path: Path) -> None:
    file("Aspirin helps.", "brat/1.txt")
    file("T1\tDrug 0 7\tAspirin\n", "brat/1.ann")
    file("Rats ran.", "brat/2.txt")
    file("", "brat/2.ann")
    file("These are papers.", "brat/README")
    folder = tmp_path / "brat"
    for path in (folder, folder / "*.ann"):
        corpus, problems = read(path)
        assert [(r.document.id, len(r.mentions)) for r in corpus.readings] == [("1", 1), ("2", 0)]
        assert [str(p) for p in problems if p.fatal] == []
    shown = lines(folder)
    assert shown == [
        (
            f"{folder / 'README'}: is plain, which carries no annotations: give one of bioc, extracted, scierc, "
            "pubtator, brat, drugprot, conll",
            False,
        )
    ]


def test_what_an_archive_loses_is_fatal(file: Files, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        packed.writestr("train.txt", PAPER)
        packed.writestr("z-readme", "These are papers.")
    assert [(fatal_, "z-readme is plain" in line) for line, fatal_ in lines(tmp_path)] == [(True, True)]


def test_names_that_are_given_restrict_and_are_checked(file: Files) -> None:
    path = file(PAPER)
    corpus, problems = read(path, names=["Drug"])
    assert corpus.names == {"Chemical"}
    assert {m.type for r in corpus.readings for m in r.mentions} == {"Chemical"}
    assert not problems
    assert lines(path, names=["Disease", "Gene"]) == [("is said to annotate Gene, but has none", False)]
    (wrong,) = lines(path, names=["Disease", "Planet"])
    assert wrong == (
        "is said to annotate 'Planet'; biomed has CellLine, Chemical, Disease, Gene, Species, Variant",
        True,
    )
    related, _ = read(path, task="re", names=["CID"])
    assert (related.names, len(related.readings[0].mentions)) == (frozenset({"INDUCES"}), 5)
    assert read_data([(path, ["Drug"])], [], BIOMED, task="ner").train == (corpus,)


def test_what_does_not_fit_its_text_costs_only_itself(file: Files) -> None:
    bad = PAPER.replace("33\t39\tasthma", "34\t39\tasthma").replace("50\t54", "50\t540")
    assert lines(file(bad)) == [
        ("line 6 (1): says 'asthma' where the text at 34 to 39 is 'sthma'", False),
        ("line 7 (1): says 'pain' where the text at 50 to 540 is 'pain in rats.'", False),
        ("line 8 (1): relates 'D001249', which no mention has", False),
    ]
    problems = read(file(bad))[1]
    assert {problem.document for problem in problems} == {"1"}


def test_overlapping_and_nested_mentions_are_told_in_sum(file: Files) -> None:
    marks = "1\t12\t17\tpain.\tGene\n1\t12\t16\tpain\tGene\n1\t2\t9\tpirin a\tDisease\n1\t33\t36\tast\tGene\n"
    (told,) = lines(file(PAPER + marks))
    assert told == (
        "a tagger cannot learn 4 mentions, each of which overlaps a longer or an earlier one that it learns: "
        "1: characters 2 to 9 ('pirin a', Disease); 1: characters 12 to 16 ('pain', Disease); "
        "1: characters 12 to 16 ('pain', Gene); ...",
        False,
    )
    assert len(read(file(PAPER + marks))[0].readings[0].mentions) == 9
    assert lines(file(PAPER + "1\t33\t39\tasthma\tDisease\n")) == []


def test_an_unknown_label_is_fatal_and_says_what_to_do(file: Files) -> None:
    path = file(
        PAPER.replace("33\t39\tasthma\tDisease", "33\t39\tasthma\tAilment") + OTHER.replace("Chemical", "Ailment")
    )
    remedy = 'write labels = ["Ailment"] under one of its entities, or give --ignore Ailment'
    assert lines(path) == [
        (f"1: characters 33 to 39: label 'Ailment' (2 mentions) is unknown to the domain pack biomed: {remedy}", True)
    ]
    (line,) = lines(file(PAPER.replace("CID", "HURTS")), task="re")
    assert line == (
        "1: characters 0 to 39: label 'HURTS' (1 relation) is unknown to the domain pack biomed: "
        'write labels = ["HURTS"] under one of its relations, or give --ignore HURTS',
        True,
    )
    assert lines(file(PAPER.replace("CID", "HURTS"))) == []


def test_ignored_labels_are_left_out_and_counted(file: Files, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    corpus, problems = read(file(PAPER), ignore={"Disease"}, exclude={"PMID:7"}, task="re")
    assert [m.text for m in corpus.readings[0].mentions] == ["Aspirin", "pain", "Aspirin"]
    assert not corpus.readings[0].relations
    assert [str(p).rpartition(": ")[2] for p in problems] == ["has 1 document, but no relations to learn"]
    assert "excluded 0 documents, ignored 2 Disease" in caplog.text
    assert lines(file(PAPER.replace("SpecificDisease", "Ailment")), ignore={"Ailment"}) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("1|t|\n", "line 1 (1): has neither title nor text"),
        ("1|t|Rats ran.\n", "has 1 document, but no mentions to learn"),
        ("1|t|Rats ran.\n2|t|Mice too.\n", "has 2 documents, but no mentions"),
        (
            "Rats ran.",
            "is plain, which carries no annotations: give one of bioc, extracted, scierc, pubtator, brat, drugprot, "
            "conll",
        ),
    ],
)
def test_a_file_of_which_nothing_can_be_learnt_is_fatal(file: Files, text: str, reason: str) -> None:
    path = file(text)
    assert f"{path}: {reason}" in [str(problem) for problem in read(path)[1]]
    assert any(problem.fatal for problem in read(path)[1])
    assert fatal([path])


def test_a_missing_path_and_mentions_without_relations_are_fatal(file: Files, tmp_path: Path) -> None:
    assert lines(tmp_path / "none") == [("does not exist", True)]
    path = file(OTHER)
    assert lines(path, task="re") == [("has 1 document, but no relations to learn", True)]


def test_one_class_only_is_fatal_unless_another_corpus_complements_it(file: Files) -> None:
    only = file("1|t|Aspirin ibuprofen\n1\t0\t7\tAspirin\tDrug\n1\t8\t17\tibuprofen\tDrug\n")
    assert fatal([only]) == [
        "training data: every word lies in a mention of Chemical: a tagger also needs text that is none"
    ]
    assert read_data([only, file(OTHER, "other.txt")], [], BIOMED, task="ner").problems == ()


def test_every_pair_related_is_fatal_unless_another_corpus_complements_it(file: Files) -> None:
    two = [row for row in PAPER.splitlines() if "pain" not in row.split("\t")[-3:]]
    all_related = file("\n".join(two))
    assert fatal([all_related], task="re") == [
        "training data: every two entities that could be related are: a reader of relations also needs pairs that are "
        "not"
    ]
    assert not read_data([all_related, file(PAPER, "other.txt")], [], BIOMED, task="re").problems


def test_a_document_in_train_and_development_is_refused_by_name(file: Files) -> None:
    train = file("".join(f"{n}|t|Fish oil {n}\n{n}\t0\t8\tFish oil\tDrug\n\n" for n in range(1, 9)))
    same = "".join(f"{n}|t|Other text {n}\n{n}\t0\t5\tOther\tDrug\n\n" for n in range(1, 7))
    development = file(same + "77|t|FISH  oil 8\n77\t0\t4\tFISH\tDrug\n", "dev.txt")
    assert fatal([train], [development]) == [
        f"{train}: shares 7 documents (1, 2, 3, 4, 5, ...) with the development set {development}: leave them out "
        "with --exclude FILE, a file with one id a line"
    ]
    (line,) = fatal([train], [development], exclude={"1", "PMID:2", "pmid:3", "4", "5", "6"})
    assert "shares 1 document (8 (there 77)) with" in line
    left = read_data([train], [development], BIOMED, task="ner", exclude={*"12345678"} - {"7"})
    assert [reading.document.id for reading in left.train[0].readings] == ["7"]
    assert len(left.development[0].readings) == 7
    (everything,) = fatal([train], [], exclude={*"12345678"})
    assert everything == f"{train}: holds 8 documents, all of which are excluded"


def test_a_document_twice_in_one_corpus_is_read_once(file: Files) -> None:
    again = (
        OTHER.replace("Chemical", "Gene") + "\n" + PAPER + "\n" + PAPER.replace("1|", "9|").replace("\n1\t", "\n9\t")
    )
    corpus, problems = read(file(OTHER + again))
    assert [(r.document.id, r.mentions[0].type) for r in corpus.readings] == [("2", "Chemical"), ("1", "Chemical")]
    (problem,) = problems
    assert problem.reason == "holds 2 documents (2, 9) more than once: only the first of each is read"
    assert not problem.fatal


def test_all_fatal_problems_are_told_at_once(file: Files) -> None:
    told = fatal([file("", "a"), file(PAPER.replace("Drug", "X").replace("Specific", "Y"), "b")])
    assert len(told) == 3


def test_ids_of_a_file(file: Files) -> None:
    path = file("\ufeff# those of the test set\n123\n\nPMID:124 # a paper\npmid: 125\nJ87-1003\nx#1\n")
    assert read_ids(path) == {"123", "124", "125", "J87-1003", "x#1"}


@pytest.mark.parametrize("line", ["12 13", "1|t|Fish oil", "pmid:", "PMID:x1", "a\tb"])
def test_a_line_that_is_no_id_is_an_error(file: Files, line: str) -> None:
    path = file(f"1\n{line}\n")
    with pytest.raises(InputError, match=r"train.txt: line 2: .* is no id: give one PMID or document id a line"):
        read_ids(path)


def test_a_list_of_ids_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a list of ids"):
        read_ids(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="cannot be read as a list of ids"):
        read_ids(tmp_path / "bytes")


IDS = st.sets(st.text("abc123", min_size=1, max_size=4), min_size=2, max_size=40)


@given(IDS, st.floats(0.05, 0.95), st.integers(0, 9))
def test_holding_out_hangs_on_ids_alone(ids: set[str], share: float, seed: int) -> None:
    readings = [Reading(Document(id_, "x")) for id_ in sorted(ids)]
    corpus = Corpus("c", tuple(readings), frozenset({"Drug"}), 0.5)
    learnt, scored = hold_out(corpus, share=share, seed=seed)
    assert sorted(r.document.id for r in (*learnt.readings, *scored.readings)) == sorted(ids)
    assert abs(len(scored.readings) - share * len(ids)) <= 1
    assert learnt.readings
    assert scored.readings
    assert (learnt.names, learnt.share, learnt.name, scored.name) == (corpus.names, 0.5, "c", "c (held out)")
    random.Random(seed).shuffle(readings)
    again = hold_out(Corpus("c", tuple(readings), corpus.names), share=share, seed=seed)[1]
    assert set(again.readings) == set(scored.readings)


def test_another_seed_holds_out_others() -> None:
    corpus = Corpus("c", tuple(Reading(Document(str(n), "x")) for n in range(50)), frozenset())
    assert hold_out(corpus, share=0.2, seed=1) != hold_out(corpus, share=0.2, seed=2)


def test_parts_of_one_paper_stay_together_and_go_by_its_bibcode(file: Files) -> None:
    bibcodes = [f"20{n}MNRAS.486.5558S" for n in range(10, 30)]
    ids = [f"{part}_{n}_{bibcode}" for n, bibcode in enumerate(bibcodes) for part in ("fulltext", "acknowledgments")]
    rows = ({"unique_id": id_, "tokens": ["Hubble", "saw", id_], "ner_tags": ["B-Telescope", "O", "O"]} for id_ in ids)
    path = file("\n".join(map(json.dumps, rows)))
    corpus, _ = read(path, domain=ASTRONOMY)
    learnt, scored = hold_out(corpus, share=0.3, seed=1)
    assert (len(learnt.readings), len(scored.readings)) == (28, 12)
    assert len({paper_of(reading.document) for reading in scored.readings}) == 6
    assert len(read(path, domain=ASTRONOMY, exclude={bibcodes[0]})[0].readings) == 38


def test_holding_out_needs_papers_and_a_share() -> None:
    parts = tuple(Reading(Document(f"part_{n}_2019MNRAS.486.5558S", "x")) for n in range(5))
    with pytest.raises(InputError, match="of 1 papers none can be held out: give a development set"):
        hold_out(Corpus("c", parts, frozenset()), share=0.5, seed=1)
    with pytest.raises(UsageError, match="a share of 1 to hold out"):
        hold_out(Corpus("c", parts, frozenset()), share=1, seed=1)


def test_real_papers_that_two_corpora_share(shared_data: Path) -> None:
    train = [
        shared_data / "bc5cdr/CDR_TrainingSet.PubTator.txt",
        shared_data / "ncbi_disease/NCBItrainset_corpus.txt",
        shared_data / "biored/Train.PubTator",
    ]
    development = shared_data / "bc5cdr/CDR_DevelopmentSet.PubTator.txt"
    (line,) = fatal(train, [development])
    assert line.startswith(f"{train[2]}: shares 44 documents (11009181, 15266215, ")
    held = {item.document.id for item in annotated(development) if isinstance(item, Reading)}
    data = read_data(train, [development], BIOMED, task="ner", exclude=held)
    assert [len(corpus.readings) for corpus in data.train] == [500, 592, 356]
    assert [len(corpus.names) for corpus in data.train] == [2, 1, 6]
    mismatch, double = data.problems
    assert (mismatch.document, mismatch.place, mismatch.fatal) == ("10923035", "line 3249 (10923035)", False)
    assert double.reason == "holds 1 document (8528200) more than once: only the first of each is read"


def test_real_nested_mentions_and_their_relations(shared_data: Path) -> None:
    corpus, (problem,) = read(shared_data / "scierc/train.json", task="re", domain=AI)
    assert problem.reason.startswith("a tagger cannot learn 61 mentions")
    assert sum(len(reading.mentions) for reading in corpus.readings) == 5598
    assert sum(len(reading.relations) for reading in corpus.readings) == 3219
    assert sum(len(reading.sentences) for reading in corpus.readings) == 1861


@pytest.mark.slow
def test_real_fragments_of_a_paper_stay_together(shared_data: Path) -> None:
    path = shared_data / "wiesp_astro_ner/WIESP2022-NER-TRAINING.train80.jsonl.gz"
    corpus, problems = read(path, domain=ASTRONOMY)
    assert (len(corpus.names), problems) == (31, [])
    learnt, scored = hold_out(corpus, share=0.2, seed=13)
    papers, others = ({paper_of(r.document) for r in part.readings} for part in (learnt, scored))
    assert not papers & others
    assert (len(papers | others), len(others)) == (1395, 279)
    assert fatal([path.parent], domain=ASTRONOMY) == [
        f"{path.with_name('WIESP2022-NER-VALIDATION-NO-LABELS.jsonl.gz')}: has 1,360 documents, but no mentions"
    ]
