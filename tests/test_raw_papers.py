"""Every file of the raw papers is read, or refused with a reason: the table in ``golden/raw_papers.tsv`` says which.

``--update-golden`` rewrites the table; look at each line that changes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import sources
from pipeline.sources.shared.unpack import BROKEN
from pipeline.types import Document, Failure

TABLE = Path(__file__).parent / "golden" / "raw_papers.tsv"
HEADER = "file\tformat\tdocuments\tfailures\tcharacters\treferences\tfirst date\tfirst ids\tfirst reason"


def row(path: Path) -> str:
    items = list(sources.read(path))
    documents = [item for item in items if isinstance(item, Document)]
    failures = [item for item in items if isinstance(item, Failure)]
    first = documents[0] if documents else Document("", "")
    reasons = [f"{failure.place}: {failure.reason}".removeprefix(": ") for failure in failures]
    cells = (
        f"{path.parent.name}/{path.name}",
        told(path),
        len(documents),
        len(failures),
        sum(len(document.text) for document in documents),
        sum(len(document.references) for document in documents),
        first.date,
        " ".join(first.ids),
        ascii(reasons[0])[1:-1][:120] if reasons else "",
    )
    return "\t".join(map(str, cells))


def told(path: Path) -> str:
    try:
        return sources.format_of(path)
    except BROKEN:
        return ""


@pytest.fixture(scope="module")
def table(shared_data: Path, pytestconfig: pytest.Config) -> dict[str, str]:
    """The expected row of each file."""
    paths = sorted(path for path in (shared_data / "raw_papers").glob("*/*") if path.is_file())
    if pytestconfig.getoption("--update-golden"):
        TABLE.write_text("\n".join([HEADER, *map(row, paths)]) + "\n", "utf-8")
    header, *rows = TABLE.read_text("utf-8").splitlines()
    assert header == HEADER
    return {line.partition("\t")[0]: line for line in rows}


def test_every_file_gives_what_the_table_says(shared_data: Path, table: dict[str, str]) -> None:
    paths = sorted(path for path in (shared_data / "raw_papers").glob("*/*") if path.is_file())
    assert [f"{path.parent.name}/{path.name}" for path in paths] == list(table)
    wrong = [(seen, said) for path, said in zip(paths, table.values(), strict=True) if (seen := row(path)) != said]
    assert not wrong


def test_nothing_is_passed_over(table: dict[str, str]) -> None:
    for line in table.values():
        _, _, documents, failures, *_, reason = line.split("\t")
        assert int(documents) + int(failures) > 0
        assert bool(int(failures)) is bool(reason)
