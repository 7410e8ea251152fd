"""The sample corpus built once a session, by the steps of a build without Prefect around them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flows import tasks
from flows.workspace import Workspace
from pipeline.vocabulary import build

FIELDS = ("biomed", "astronomy", "ai")


def make_sample(root: Path, folder: Path) -> Path:
    """A workspace on the sample corpus with its vocabularies, nothing read yet."""
    (folder / "vocab").mkdir(parents=True)
    text = (root / "sample_corpus" / "hypograph.toml").read_text("utf-8")
    (folder / "hypograph.toml").write_text(text.replace("../../sample_corpus", str(root / "sample_corpus")), "utf-8")
    for field in FIELDS:
        build(field, [root / "sample_corpus" / "vocabulary" / f"{field}.tsv"], folder / "vocab" / f"{field}.vocab")
    return folder


def build_all(folder: Path, **flags: str) -> None:
    with Workspace.open(folder, **flags) as workspace:
        for domain, files in tasks.corpora(workspace, [])[0].items():
            tasks.ingest(workspace, files, domain)
        for ids in tasks.pending(workspace):
            tasks.extract(workspace, ids)
        tasks.load(workspace)


@pytest.fixture(scope="session")
def sample(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the whole sample corpus in it; not to be changed."""
    folder = make_sample(root, tmp_path_factory.mktemp("sample") / "demo")
    build_all(folder)
    return folder


@pytest.fixture
def own_sample(sample: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(sample, tmp_path / "own"))
