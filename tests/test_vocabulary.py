"""Concept indexes: normalisation, every format, what is refused, and that equal input gives equal files."""

from __future__ import annotations

import gzip
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import VocabularyError
from pipeline.types import Concept
from pipeline.vocabulary import Vocabulary, build, normalise

TABLE = """id\tname\ttype\tsynonyms\tparents\tdefinition
T:1\tFish oil\tChemical\tfish oils|omega-3 oil\tT:9\tAn oil from fish.
T:2\tRaynaud disease\tDisease\tRaynaud's disease|RD
T:3\tRefsum disease\tDisease\tRD
"""
MESH_TERMS = """DescriptorUI\tDescriptorName\tConceptUI\tTermUI\tTermName\tConceptPreferredTermYN
D003924\tDiabetes Mellitus, Type 2\tM1\tT1\tDiabetes Mellitus, Type 2\tY
D003924\tDiabetes Mellitus, Type 2\tM1\tT2\tMODY\tN
D001241\tAspirin\tM2\tT3\tAspirin\tY
D000418\tAlbumins\tM4\tT5\tAlbumins\tY
D000003\tAbattoirs\tM3\tT4\tAbattoirs\tY
"""
MESH_TREES = """DescriptorUI\tDescriptorName\ttree_location
D003920\tDiabetes Mellitus\tC18.452.394.750
D003924\tDiabetes Mellitus, Type 2\tC18.452.394.750.149
D001241\tAspirin\tD02.455.426.559.389.657.410.595.176
D000418\tAlbumins\tD12.776.034
D000003\tAbattoirs\tJ01.576.423.200.700.100
"""
MEDIC = """# Report created: today
# Fields:
# DiseaseName\tDiseaseID\tAltDiseaseIDs\tDefinition\tParentIDs\tTreeNumbers\tParentTreeNumbers\tSynonyms\tSlimMappings
#
Gout\tMESH:D006073\t\tPainful joints.\tMESH:D001168|MESH:D015210\tC05\tC05\tPodagra|Gouty Arthritis\t
"""
HGNC = 'hgnc_id\tsymbol\tname\talias_symbol\tprev_symbol\nHGNC:9604\tPTGS1\tprostaglandin synthase 1\t"COX1|PGHS-1"\t\n'
OBO = """format-version: 1.2

[Term]
id: DOID:1
name: gout
def: "Pain \\"here\\"." [web]
synonym: "podagra" EXACT []
synonym: "joint pain" BROAD []
is_a: DOID:0 ! disease

[Term]
id: DOID:2
name: old gout
is_obsolete: true
"""
GOUT = Concept(
    "MESH:D006073",
    "Gout",
    "Disease",
    ("Podagra", "Gouty Arthritis"),
    ("MESH:D001168", "MESH:D015210"),
    "Painful joints.",
)
SKOS = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:skos="http://www.w3.org/2004/02/skos/core#">
<rdf:Description rdf:about="http://example.org/uat/7"><skos:prefLabel xml:lang="en">Pulsars</skos:prefLabel>
<skos:altLabel>PSR</skos:altLabel><skos:prefLabel xml:lang="de">Pulsare</skos:prefLabel>
<skos:broader rdf:resource="http://example.org/uat/8"/></rdf:Description></rdf:RDF>
"""
LEVELS = "\ufefflevel 1,level 2\nStars,\nStars,Pulsars\n"


def make(folder: Path, text: str, **options: str) -> Vocabulary:
    source = folder / "source.txt"
    source.write_text(text, "utf-8")
    return Vocabulary.open(build("test", [source], folder, **options).path)


@pytest.mark.parametrize(
    "names",
    [
        ("Diabetes Mellitus, Type II", "type 2 diabetes mellitus", "Type-2 diabetes mellitus"),
        ("IL-6", "il 6", "IL6", "IL–6"),
        ("TNF-α", "TNF alpha", "tnf-ALPHA"),
        ("Raynaud’s disease", "Raynaud's Disease", "Raynauds disease", "raynaud disease"),
        ("tumours", "Tumor", "tumor"),
        ("anaemia", "Anemia", "ANEMIA"),
        ("Sjögren syndrome", "Sjogren syndrome", "Sjo\u0308gren syndromes"),
        ("sulphate", "sulfates"),
        ("viruses", "virus"),
        ("DIABETES MELLITUS", "Diabetes mellitus"),
        ("ﬁsh oil", "fish oils"),
        ("straße", "STRASSE"),
    ],
)
def test_spellings_of_one_name_share_a_key(names: tuple[str, ...]) -> None:
    assert len({normalise(name) for name in names}) == 1
    assert normalise(names[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [("AIDS", "aid"), ("2,4-D", "4,2-D"), ("vitamin K", "vitamin B"), ("type I", "type II"), ("CD4", "CD8")],
)
def test_different_things_keep_different_keys(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


def test_nothing_to_compare_gives_no_key() -> None:
    assert {normalise(text) for text in ("", " ", "***", "—", "\ud800")} == {""}


@given(st.text(max_size=40))
def test_case_and_surrounding_blanks_never_matter(text: str) -> None:
    key = normalise(text)
    assert normalise(f"  {text}\t") == key or ", " in f"  {text}\t"
    assert key == " ".join(key.split())


def test_our_table(tmp_path: Path) -> None:
    vocabulary = make(tmp_path, TABLE)
    assert vocabulary.concept("T:1") == Concept(
        "T:1", "Fish oil", "Chemical", ("fish oils", "omega-3 oil"), ("T:9",), "An oil from fish."
    )
    assert vocabulary.concept("T:77") is None
    assert vocabulary.parents("T:1") == ("T:9",)
    assert vocabulary.parents("T:77") == ()
    assert vocabulary.types == {"Chemical", "Disease"}
    assert [match.concept_id for match in vocabulary.lookup("fish oils")] == ["T:1"]
    assert vocabulary.lookup("FISH OIL") == ()
    [match] = vocabulary.lookup_normalised("Omega 3 Oils")
    assert (match.concept_id, match.name, match.matched, match.preferred) == ("T:1", "Fish oil", "omega-3 oil", False)
    assert ("RD", "T:3", "Disease", False) in list(vocabulary.names())
    assert len(list(vocabulary.names())) == 8


def test_an_ambiguous_name_gives_every_concept_preferred_first(tmp_path: Path) -> None:
    vocabulary = make(tmp_path, TABLE + "T:4\tRD\tDisease\n")
    assert [match.concept_id for match in vocabulary.lookup("RD")] == ["T:4", "T:2", "T:3"]
    assert [match.concept_id for match in vocabulary.lookup_normalised("rd")] == ["T:4", "T:2", "T:3"]


def test_mesh_in_two_files_of_any_order(tmp_path: Path) -> None:
    terms, trees = tmp_path / "a.tsv.gz", tmp_path / "b.tsv"
    terms.write_bytes(gzip.compress(MESH_TERMS.encode()))
    trees.write_text(MESH_TREES)
    stats = build("mesh", [terms, trees], tmp_path)
    assert build("again", [trees, terms], tmp_path).concepts == stats.concepts == 4
    assert stats.types == {"Chemical": 1, "Disease": 2, "Gene": 1}
    assert [(reason, count) for reason, (count, _) in stats.skipped.items()] == [("MeSH tree J holds no entities", 1)]
    vocabulary = Vocabulary.open(stats.path)
    assert vocabulary.parents("MESH:D003924") == ("MESH:D003920",)
    assert [match.concept_id for match in vocabulary.lookup("MODY")] == ["MESH:D003924"]
    assert [match.concept_id for match in vocabulary.lookup_normalised("type 2 diabetes mellitus")] == ["MESH:D003924"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MEDIC, GOUT),
        (HGNC, Concept("HGNC:9604", "PTGS1", "Gene", ("prostaglandin synthase 1", "COX1", "PGHS-1"))),
        (OBO, Concept("DOID:1", "gout", "Disease", ("podagra",), ("DOID:0",), 'Pain "here".')),
        (SKOS, Concept("UAT:7", "Pulsars", "", ("PSR",), ("UAT:8",))),
        ("name\tid\nGout\tX:1\n", Concept("X:1", "Gout", "")),
    ],
    ids=["medic", "hgnc", "obo", "skos", "two columns"],
)  # fmt: skip
def test_other_formats(tmp_path: Path, text: str, expected: Concept) -> None:
    assert make(tmp_path, text).concept(expected.id) == expected


def test_levels_get_ids_from_names_and_the_type_that_is_given(tmp_path: Path) -> None:
    vocabulary = make(tmp_path, LEVELS, type="CelestialObject")
    [pulsars], [stars] = vocabulary.lookup("Pulsars"), vocabulary.lookup("Stars")
    assert pulsars.type == "CelestialObject"
    assert vocabulary.parents(pulsars.concept_id) == (stars.concept_id,)


def test_the_type_given_only_fills_gaps(tmp_path: Path) -> None:
    vocabulary = make(tmp_path, "id\tname\ttype\nX:1\tGout\tDisease\nX:2\tZinc\t\n", type="Chemical")
    assert [vocabulary.lookup(name)[0].type for name in ("Gout", "Zinc")] == ["Disease", "Chemical"]


def test_bad_rows_are_counted_with_their_place(tmp_path: Path) -> None:
    source = tmp_path / "v.tsv"
    source.write_text("id\tname\nX:1\tGout\n\tNameless\nX:2\t\nX 3\tBlank\nX:4\ta\tb\n")
    stats = build("bad", [source], tmp_path)
    assert stats.skipped == {
        "no id or no name": (2, f"{source}:3"),
        "white space in the id": (1, f"{source}:5"),
        "more cells than the header has": (1, f"{source}:6"),
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"a\tb\n1\t2\n", "unknown format, its header is 'a b'"),
        (b"id\tname\n", "no concepts"),
        (b"# nothing\n# but comments\n", "nothing but comments"),
        (b"id\tname\nX:1\tG\xf6ut\n", r":2: not UTF-8"),
        (gzip.compress(b"id\tname\nX:1\tGout\n")[:-9], "cannot be read"),
        (b"<rdf:RDF xmlns:rdf='x'><a>", "broken RDF"),
    ],
)
def test_files_that_cannot_be_used_are_refused_by_name(tmp_path: Path, data: bytes, message: str) -> None:
    source = tmp_path / "bad.tsv"
    source.write_bytes(data)
    with pytest.raises(VocabularyError, match=message):
        build("bad", [source], tmp_path / "out")
    assert not list(tmp_path.rglob("*.vocab"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r"nowhere\.tsv"):
        build("bad", [tmp_path / "nowhere.tsv"], tmp_path)


def test_indexes_that_are_missing_foreign_or_old_say_what_to_do(tmp_path: Path) -> None:
    missing, foreign, old = tmp_path / "a.vocab", tmp_path / "b.vocab", tmp_path / "c.vocab"
    foreign.write_text("no database")
    database = sqlite3.connect(old)
    database.execute("CREATE TABLE meta (key TEXT, value TEXT)")
    database.execute("INSERT INTO meta VALUES ('format', 'hypograph-vocabulary-0')")
    database.commit()
    database.close()
    for path in (missing, foreign, old):
        with pytest.raises(VocabularyError, match=r"hypograph vocab build") as error:
            Vocabulary.open(path)
        assert str(path) in str(error.value)


def test_equal_input_gives_equal_files_and_other_input_another_fingerprint(tmp_path: Path) -> None:
    first = make(tmp_path, TABLE)
    content = (tmp_path / "test.vocab").read_bytes()
    assert make(tmp_path, TABLE).fingerprint == first.fingerprint
    assert (tmp_path / "test.vocab").read_bytes() == content
    assert make(tmp_path, TABLE.replace("RD", "RX")).fingerprint != first.fingerprint
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_index_open_elsewhere_stays_whole_when_it_is_rebuilt(tmp_path: Path) -> None:
    old = make(tmp_path, TABLE)
    new = make(tmp_path, TABLE.replace("Fish oil", "Cod oil"))
    assert (old.lookup("Fish oil")[0].concept_id, new.lookup("Fish oil")) == ("T:1", ())


def test_threads_share_an_index(tmp_path: Path) -> None:
    vocabulary = make(tmp_path, TABLE)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(vocabulary.lookup("RD")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2] * 8


@given(st.text(max_size=20))
def test_any_text_can_be_looked_up(text: str) -> None:
    assert isinstance(OPEN.lookup(text), tuple)
    assert isinstance(OPEN.lookup_normalised(text), tuple)
    assert OPEN.concept(text) is None


@pytest.fixture(scope="module", autouse=True)
def _open_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    global OPEN  # noqa: PLW0603 - hypothesis and function-scoped fixtures do not mix
    OPEN = make(tmp_path_factory.mktemp("vocabulary"), TABLE)


OPEN: Vocabulary


@pytest.mark.slow
def test_real_mesh(shared_data: Path, tmp_path: Path) -> None:
    mesh = shared_data / "vocab" / "mesh"
    files = [mesh / "mesh2024_descriptor_terms.tsv.gz", mesh / "mesh2024_descriptor_trees.tsv.gz"]
    stats = build("mesh", files, tmp_path)
    assert stats.concepts > 18_000
    vocabulary = Vocabulary.open(stats.path)
    for text, id_ in {
        "fish oils": "D005395",
        "Raynaud's Disease": "D011928",
        "type II diabetes mellitus": "D003924",
    }.items():
        assert vocabulary.lookup_normalised(text)[0].concept_id == f"MESH:{id_}"
