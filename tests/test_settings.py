"""Settings and domain packs: what is right is read, what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.domains import known_domains, load_domain
from pipeline.errors import DomainError, SettingsError
from pipeline.settings import Corpus, Reliability, Settings, load_settings, neo4j_from


def workspace(folder: Path, text: str) -> Path:
    (folder / "hypograph.toml").write_text(text, "utf-8")
    return folder


def test_a_folder_without_a_file_has_the_defaults(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert settings == Settings(workspace=tmp_path)
    assert settings.ledger_url == f"sqlite:///{tmp_path.resolve()}/ledger.db"


def test_file_and_flags(tmp_path: Path) -> None:
    text = """
        domain = "ai"
        batch_size = 7
        [[corpus]]
        path = "papers"
        [[corpus]]
        path = "/elsewhere"
        domain = "astronomy"
        [reliability.patterns]
        systematic = 0.2
        random = 0.4
        [neo4j]
        uri = "bolt://127.0.0.1:1"
    """
    settings = load_settings(workspace(tmp_path, text), domain=None, store="neo4j")
    assert (settings.domain, settings.batch_size, settings.store) == ("ai", 7, "neo4j")
    assert settings.corpora == (Corpus(tmp_path / "papers", "ai"), Corpus(Path("/elsewhere"), "astronomy"))
    assert settings.reliability == {"patterns": Reliability(0.2, 0.4)}
    assert neo4j_from(settings, {"NEO4J_PASSWORD": "secret"}).uri == "bolt://127.0.0.1:1"
    assert "secret" not in repr(neo4j_from(settings, {"NEO4J_PASSWORD": "secret"}))
    assert load_settings(tmp_path, domain="biomed").domain == "biomed"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("domian = 'ai'", "unknown setting 'domian'"),
        ("domain = ", "hypograph.toml"),
        ("domain = 'alchemy'", "no domain pack 'alchemy'"),
        ("store = 'mysql'", "store = 'mysql'"),
        ("batch_size = 0", "batch_size = 0"),
        ("batch_size = true", "batch_size = True"),
        ("batch_size = 'many'", "batch_size = 'many'"),
        ("speculative_weight = 1.5", "speculative_weight = 1.5"),
        ("[reliability.x]\nsystematic = 2", "reliability.x"),
        ("[reliability.x]\nrandem = 0.1", "randem"),
        ("[[corpus]]\ndomain = 'ai'", "path"),
        ("[neo4j]\nurl = 'bolt://h'", "url"),
        ("corpus = 3", "hypograph.toml"),
        ("reliability = 3", "hypograph.toml"),
        ("neo4j = 'bolt://h'", "hypograph.toml"),
    ],
)
def test_wrong_settings_are_refused_and_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises((SettingsError, DomainError)) as caught:
        load_settings(workspace(tmp_path, text))
    assert words in str(caught.value)


def test_a_workspace_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SettingsError, match="is a file"):
        load_settings(file)


@pytest.mark.parametrize("name", known_domains())
def test_packs_are_sound(name: str) -> None:
    pack = load_domain(name)
    labels = [label for entity in pack.entities for label in (entity.name, *entity.labels)]
    assert len(labels) == len(set(labels))
    assert all(pack.type_of(label) for label in labels)
    for relation in pack.relations:
        assert relation.subject
        assert relation.triggers, f"{relation.name} has no words that betray it"
        assert pack.relation(relation.name) is relation


def test_biomed_speaks_the_names_of_bc5cdr_and_biored() -> None:
    pack = load_domain("biomed")
    assert pack.types == {"Chemical", "Disease", "Gene", "Species", "Variant", "CellLine"}
    induces = pack.relation("CID")
    assert induces is not None
    assert (induces.name, induces.joins("Chemical", "Disease"), induces.joins("Disease", "Chemical")) == (
        "INDUCES",
        True,
        False,
    )
    association = pack.relation("Association")
    assert association is not None
    assert association.joins("Gene", "Disease")


def test_own_packs(tmp_path: Path) -> None:
    path = tmp_path / "soil.toml"
    path.write_text('[entities.Mineral]\n[entities.Process]\n[relations.DRIVES]\nsubject = ["Mineral"]\n', "utf-8")
    pack = load_domain(str(path))
    assert (pack.name, pack.types, pack.adapters_of("best")) == ("soil", {"Mineral", "Process"}, {})
    assert pack.relations[0].object == ("Mineral", "Process")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 'x'", "entities"),
        ("[entities.A]\n[relations.R]\nsubject = ['B']", "unknown types"),
        ("entities = 3", "entities.toml|int"),
        ("[entities", "Expected"),
    ],
)
def test_wrong_packs_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "entities.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(DomainError, match=words):
        load_domain(str(path))
