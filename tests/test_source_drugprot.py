"""DrugProt: abstracts with their entities and relations in the files beside them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extractors.training.checks import Problem
from extractors.training.corpora import Corpus, read_corpus
from pipeline import sources
from pipeline.domains import load_domain
from pipeline.errors import UsageError
from pipeline.types import Document, Failure, Reading

ABSTRACTS = "7\tÖl and iron.\tOil  rusts iron, not tin.\n8\tTin\tIt melts.\n"
ENTITIES = (
    "7\tT1\tCHEMICAL\t13\t16\tOil\n"
    "7\tT2\tGENE-Y\t24\t28\tiron\n"
    "8\tT1\tCHEMICAL\t0\t3\tTin\n"
    "7\tT3\tCHEMICAL\t0\t2\tÖl\n"
    "7\tT4\tGENE-N\t7\t11\tiron\n"
)
RELATIONS = "7\tINHIBITOR\tArg1:T1\tArg2:T2\n7\tPART-OF\tArg1:T3\tArg2:T4\n"

Write = Callable[..., Path]
BIOMED = load_domain("biomed")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(
        entities: str | bytes | None = ENTITIES,
        relations: str | bytes | None = RELATIONS,
        abstracts: str = ABSTRACTS,
        name: str = "x_abstracts.tsv",
    ) -> Path:
        (tmp_path / name).write_text(abstracts, "utf-8")
        for kind, content in (("entities", entities), ("relations", relations)):
            if content is not None:
                path = tmp_path / f"x_{kind}.tsv"
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / name

    return write


def read(path: Path) -> tuple[list[Reading], list[Failure]]:
    items = list(sources.annotated(path))
    return [item for item in items if isinstance(item, Reading)], [item for item in items if isinstance(item, Failure)]


def failed(path: Path) -> list[tuple[str, str, str]]:
    return [(Path(f.source).name, f.place, f.reason) for f in read(path)[1]]


def corpus(path: Path, **options: object) -> tuple[Corpus, list[Problem]]:
    problems: list[Problem] = []
    return read_corpus(path, BIOMED, **{"task": "ner"} | options, problems=problems), problems  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["x_abstracts.tsv", "x_abstracs.tsv"])
def test_all_that_is_read(write: Write, name: str) -> None:
    path = write(name=name)
    assert sources.format_of(path) == "drugprot"
    (oil, tin), failures = read(path)
    assert not failures
    assert (oil.document.id, oil.document.ids) == ("7", ("pmid:7",))
    assert oil.document.text == "Öl and iron.\nOil  rusts iron, not tin."
    assert [section.kind for section in oil.document.sections] == ["title", "abstract"]
    assert [(m.start, m.text, m.type) for m in oil.mentions] == [
        (0, "Öl", "CHEMICAL"),
        (7, "iron", "GENE-N"),
        (13, "Oil", "CHEMICAL"),
        (24, "iron", "GENE-Y"),
    ]
    assert [(r.predicate, r.subject.start, r.object.start) for r in oil.relations] == [
        ("INHIBITOR", 13, 24),
        ("PART-OF", 0, 7),
    ]
    assert ([m.text for m in tin.mentions], tin.relations) == (["Tin"], ())
    assert list(sources.read(path)) == [oil.document, tin.document]


def test_line_ends_and_byte_order_marks_change_nothing(write: Write) -> None:
    plain = read(write())
    assert read(write(*(("\ufeff" + text.replace("\n", "\r\n")) for text in (ENTITIES, RELATIONS, ABSTRACTS)))) == plain


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("7\tT9\tCHEMICAL\t13\t16", "is no PMID, entity, type, two offsets and text: '7\\tT9\\tCHEMICAL\\t13\\t16'"),
        ("7\tT9\tCHEMICAL\tx\t16\tOil", "is no PMID, entity, type, two offsets and text"),
        ("7\tT9\tCHEMICAL\t-9\t16\tOil", "is no PMID, entity, type, two offsets and text"),
        ("7\tT9\tCHEMICAL\t" + "9" * 5000 + "\t16\tOil", "is no PMID, entity, type, two offsets and text"),
        ("7\tT9\t\t13\t16\tOil", "is no PMID, entity, type, two offsets and text"),
        ("7\tT9\tCHEMICAL\t13\t16\tEel", "says 'Eel' where the text at 13 to 16 is 'Oil'"),
        ("7\tT9\tCHEMICAL\t913\t916\tOil", "says 'Oil' where the text at 913 to 916 is ''"),
        ("7\tT9\tCHEMICAL\t16\t13\tOil", "says 'Oil' where the text at 16 to 13 is ''"),
        ("7\tT9\tCHEMICAL\t16\t18\t  ", "says '  ' where the text at 16 to 18 is '  '"),
        ("7\tT1\tCHEMICAL\t13\t16\tOil", "has the id T1, which an entity above it has"),
    ],
)
def test_a_bad_entity_costs_no_other(write: Write, line: str, reason: str) -> None:
    path = write(ENTITIES + line + "\n" + "8\tT2\tCHEMICAL\t4\t6\tIt\n")
    (failure,) = failed(path)
    assert failure[:2] == ("x_entities.tsv", "line 6 (7)")
    assert failure[2].startswith(reason)
    assert [(len(r.mentions), len(r.relations)) for r in read(path)[0]] == [(4, 2), (2, 0)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("7\tINHIBITOR\tArg1:T1", "is no PMID, relation and two arguments: '7\\tINHIBITOR\\tArg1:T1'"),
        ("7\tINHIBITOR\tT1\tT2", "is no PMID, relation and two arguments"),
        ("7\tINHIBITOR\tArg1:T9\tArg2:T2", "relates T9, which is no entity that could be read"),
        ("7\tINHIBITOR\tArg1:T1\tArg2:T8", "relates T8, which is no entity that could be read"),
    ],
)
def test_a_bad_relation_costs_no_other(write: Write, line: str, reason: str) -> None:
    path = write(relations=line + "\n" + RELATIONS)
    (failure,) = failed(path)
    assert failure[:2] == ("x_relations.tsv", "line 1 (7)")
    assert failure[2].startswith(reason)
    assert [(len(r.mentions), len(r.relations)) for r in read(path)[0]] == [(4, 2), (1, 0)]


def test_a_bad_abstract_costs_its_own_annotations_alone(write: Write) -> None:
    path = write(abstracts="7\tÖl\n" + ABSTRACTS.replace("7\t", "9\t") + "x\tA\tB\n10\t\t \n")
    entities = "is the first of 4 lines of a paper that"
    assert [(*failure[:2], failure[2].replace(f"{path.parent}/", "")) for failure in failed(path)] == [
        ("x_abstracts.tsv", "line 1", "is no PMID, title and abstract: '7\\tÖl'"),
        ("x_abstracts.tsv", "line 4", "is no PMID, title and abstract: 'x\\tA\\tB'"),
        ("x_abstracts.tsv", "line 5", "has neither title nor text"),
        ("x_entities.tsv", "line 1 (7)", f"{entities} x_abstracts.tsv lacks"),
        ("x_relations.tsv", "line 1 (7)", "is the first of 2 lines of a paper that x_abstracts.tsv lacks"),
    ]
    assert [(r.document.id, len(r.mentions)) for r in read(path)[0]] == [("9", 0), ("8", 1)]


def test_what_is_not_beside_the_abstracts(write: Write) -> None:
    path = write(relations=None)
    assert failed(path) == [
        ("x_abstracts.tsv", "x_relations.tsv", "is not beside the abstracts: no relations are read")
    ]
    assert [len(r.mentions) for r in read(path)[0]] == [4, 1]
    (path.parent / "x_entities.tsv").unlink()
    assert sources.format_of(path) != "drugprot"
    with pytest.raises(UsageError, match="carries no annotations"):
        read(path)


def test_a_damaged_table_loses_only_what_is_damaged(write: Write) -> None:
    damaged = write(ENTITIES.encode() + b"7\tT5\tGENE\t7\t11\tir\xf6n\n")
    ((name, place, reason),) = failed(damaged)
    assert (name, place) == ("x_entities.tsv", "line 6 (7)")
    assert reason.startswith("holds the byte 0xf6, which is not UTF-8")
    lost = write(b"\xff\xfe" + ENTITIES.encode("utf-16-le") + b"7")
    assert failed(lost)[0][:2] == ("x_entities.tsv", "")
    assert [r.document.id for r in read(lost)[0]] == ["7", "8"]


def test_the_tables_by_themselves(write: Write, tmp_path: Path) -> None:
    write()
    for kind in ("entities", "relations"):
        path = tmp_path / f"x_{kind}.tsv"
        (failure,) = sources.read(path)
        assert isinstance(failure, Failure)
        assert failure.reason.startswith(f"holds {kind} of DrugProt: give the abstracts that they belong to")
        with pytest.raises(UsageError, match=f"x_{kind}.tsv holds {kind} of DrugProt"):
            read(path)


def test_in_a_folder_the_tables_go_with_their_abstracts(write: Write, tmp_path: Path) -> None:
    path = write()
    (tmp_path / "other_entities.tsv").write_text(ENTITIES)
    assert list(sources.find([tmp_path])) == [tmp_path / "other_entities.tsv", path]
    items = list(sources.read_all([tmp_path]))
    assert [(Path(i.source).name if isinstance(i, Failure) else i.id) for i in items] == [
        "other_entities.tsv",
        "7",
        "8",
    ]


def test_abstracts_without_annotations_stay_tables(write: Write, tmp_path: Path) -> None:
    headed = write(abstracts=f"pmid\ttitle\tabstract\n{ABSTRACTS}")
    assert sources.format_of(headed) == "table"
    packed = tmp_path / "y_abstracts.tsv"
    packed.write_bytes(gzip.compress(ABSTRACTS.encode()))
    (tmp_path / "y_entities.tsv").write_text(ENTITIES)
    assert sources.format_of(packed) != "drugprot"


def test_a_corpus_in_the_words_of_the_pack(write: Write, tmp_path: Path) -> None:
    write()
    for path in (tmp_path, tmp_path / "*.tsv"):
        found, problems = corpus(path)
        assert not [str(problem) for problem in problems if problem.fatal]
        assert [[m.type for m in r.mentions] for r in found.readings] == [
            ["Chemical", "Gene", "Chemical", "Gene"],
            ["Chemical"],
        ]
    _, problems = corpus(tmp_path, task="re")
    (problem,) = problems
    assert problem.fatal
    assert "label 'PART-OF' (1 relation) is unknown to the domain pack biomed" in problem.reason
    found, problems = corpus(tmp_path, task="re", ignore={"PART-OF"})
    assert [r.predicate for reading in found.readings for r in reading.relations] == ["Negative_Correlation"]
    assert not problems


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_noise(write: Write, data: st.DataObject) -> None:
    noisy = []
    for table in (ENTITIES, RELATIONS):
        content = bytearray(table.encode())
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, len(content)))
            content[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
        noisy.append(bytes(content))
    readings, failures = read(write(*noisy))
    assert [r.document.id for r in readings] == ["7", "8"]
    for reading in readings:
        names = set(reading.mentions)
        assert all(m.text == reading.document.text[m.start : m.end] for m in reading.mentions)
        assert all({r.subject, r.object} <= names for r in reading.relations)
    for failure in failures:
        str(failure).encode()


def test_the_corpus_itself(shared_data: Path) -> None:
    folder = shared_data / "drugprot"
    readings: list[Reading] = []
    for path in sources.find([folder]):
        assert isinstance(path, Path)
        found, failures = read(path)
        assert not failures
        readings += found
    assert len(readings) == 1632
    assert sum(len(r.mentions) for r in readings) == 28_584 + 12_735
    assert sum(len(r.relations) for r in readings) == 5_274 + 2_345
    assert all(isinstance(r.document, Document) for r in readings)
    labels = {relation.predicate for reading in readings for relation in reading.relations}
    unknown = {label for label in labels if not BIOMED.relation(label)}
    assert (len(labels), unknown) == (13, {"SUBSTRATE", "PRODUCT-OF", "SUBSTRATE_PRODUCT-OF", "PART-OF"})
    assert {BIOMED.type_of(m.type) for r in readings for m in r.mentions} == {"Chemical", "Gene"}
