"""Raw abstracts to linked entities and relations, by both readers; and whether ten thousand go as fast as five hundred.

The readers' peer is transformers' pipeline at its best with the weights of the shipped tagger, which finds entities
alone. MeSH is what is linked to.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from bench_reading import CORPUS, READER, TRIED, best_setting, weights_of, write_model
from measure import ROOT, Figure, Missing, race, tell

from extractors.adapter import read_adapter
from flows.reader import Reader
from pipeline.domains import load_domain
from pipeline.sources import read_all
from pipeline.text import split
from pipeline.types import Document
from pipeline.vocabulary import build

DATA = ROOT.parent / "shared" / "data"
MESH = DATA / "vocab" / "mesh" / "mesh2024_descriptor_trees.tsv.gz"
PLAIN = ("scifact", "citation_integrity")
ABSTRACTS = [CORPUS, *(DATA / name / "corpus.jsonl.gz" for name in PLAIN), DATA / "drugprot"]
READERS = ("best", "fast")
RACED, FEW, MANY = 60, 500, 10_000
BATCH = 100


def figures() -> Iterator[Figure]:
    if not (CORPUS.is_file() and MESH.is_file()):
        raise Missing(f"no {CORPUS} or {MESH}: the development set of BC5CDR and MeSH belong there")
    with TemporaryDirectory() as place:
        build("mesh", [MESH], Path(place))
        index = Path(place) / "mesh.vocab"
        yield from end_to_end(index, Path(place))
        yield many(index)


def end_to_end(index: Path, place: Path) -> Iterator[Figure]:
    papers = list(islice(documents(), RACED))
    adapter = read_adapter(READER, kind="tagger")
    write_model(place, *weights_of(adapter), adapter.tags)
    cut = [split(paper) for paper in papers]
    peer = best_setting(place, cut[:TRIED])
    for which in READERS:
        reader = Reader.open(load_domain("biomed"), [index], which=which)
        name = f"end to end: {which} reader vs transformers.pipeline for entities alone"
        yield race(name, partial(read, reader, papers), partial(peer, cut), n=RACED, unit="abstracts")


def many(index: Path) -> Figure:
    """The rate of many abstracts beside that of a few, each in a process of its own; both peaks of memory are told."""
    taken = {number: in_process(index, number) for number in (FEW, MANY)}
    for number, (_, memory) in taken.items():
        sys.stderr.write(f"end to end: a peak of {memory:.0f} MB for {number} abstracts\n")
    ours, peer = (number / taken[number][0] for number in (MANY, FEW))
    return Figure(f"end to end: {MANY} abstracts vs {FEW}", ours, peer, "abstracts", MANY, memory=taken[MANY][1])


def in_process(index: Path, number: int) -> tuple[float, float]:
    """Seconds and MB."""
    script = [sys.executable, __file__, str(index), str(number)]
    seconds, memory = json.loads(subprocess.run(script, stdout=subprocess.PIPE, check=True).stdout)
    return seconds, memory


def read(reader: Reader, papers: list[Document]) -> None:
    for start in range(0, len(papers), BATCH):
        for _ in reader.read(papers[start : start + BATCH]):
            pass


def documents() -> Iterator[Document]:
    return (item for item in read_all(ABSTRACTS) if isinstance(item, Document))


if __name__ == "__main__":
    fast = Reader.open(load_domain("biomed"), [Path(sys.argv[1])], which="fast")
    papers = list(islice(documents(), MANY))[:: MANY // int(sys.argv[2])]  # a few are drawn evenly: corpora differ
    read(fast, papers[:BATCH])  # loads the models
    tell(partial(read, fast, papers))
