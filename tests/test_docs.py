"""What the README and the command line page tell people to type works as it stands there."""

from __future__ import annotations

import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """The hypograph commands and folder changes of a page, but for blocks that set up a machine or need a server."""
    blocks = [block for block in BLOCK.findall(page.read_text("utf-8")) if "make " not in block]
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(("hypograph ", "cd "))]


@pytest.fixture
def clone(root: Path, own_sample: Path, tmp_path: Path) -> Path:
    """A folder like a clone after `make demo`, with papers of one's own in it."""
    folder = tmp_path / "clone"
    (folder / "runs").mkdir(parents=True)
    shutil.move(own_sample, folder / "runs" / "demo")
    notes = folder / "runs" / "demo" / "papers"
    notes.mkdir()
    (notes / "note.txt").write_text("Magnesium\n\nMagnesium prevents migraine.\n", "utf-8")
    sample = root / "sample_corpus"
    shutil.copy(sample / "biomed" / "papers.ris", notes.parent / "export.ris")
    with gzip.open(notes.parent / "pubmed.xml.gz", "wb") as stream:
        stream.write((sample / "ai" / "medline.xml").read_bytes())
    shutil.copy(sample / "vocabulary" / "biomed.tsv", notes.parent / "my-terms.tsv")
    return folder


@pytest.mark.parametrize("page", ["README.md", "docs/cli.md"])
def test_every_command_of_the_page_works(root: Path, clone: Path, prefect_server: dict[str, str], page: str) -> None:
    environ = {**prefect_server, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    here = clone
    typed = commands(root / page)
    assert len(typed) > 5
    for line in typed:
        words = shlex.split(line)
        if words[0] == "cd":
            here = here / words[1]
            continue
        done = subprocess.run(words, cwd=here, env=environ, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, f"{line}\n{done.stderr[-3000:]}"
        assert done.stdout or words[1] in ("init", "export", "report", "failures"), line


def test_every_command_has_an_example(root: Path) -> None:
    pages = "".join((root / page).read_text("utf-8") for page in ("README.md", "docs/cli.md"))
    shown = {command.strip() for command in re.findall(r"hypograph ([a-z]+)", pages)}
    listed = subprocess.run([BIN / "hypograph", "--help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"^  ([a-z]+) ", listed.partition("Commands:")[2], re.MULTILINE))
    assert known <= shown
    assert known


def test_links_between_pages_lead_somewhere(root: Path) -> None:
    for page in (root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
