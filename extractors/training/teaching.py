"""Learning from other taggers: what they say of each word, their doubts included, is learnt beside the gold tags.

One small model so comes near to a large one, or to several together (Hinton, Vinyals and Dean 2015), and papers that
nobody annotated can be learnt from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from extractors.tagger import Tagger
from extractors.tags import Floats, scheme_of, tag_names
from pipeline.errors import UsageError
from pipeline.types import Reading

Halves = npt.NDArray[np.float16]


def soft_tags(teachers: Sequence[Tagger], readings: Iterable[Reading], names: Sequence[str]) -> Iterator[Halves]:
    """The mean of the teachers' probabilities for each reading: float16 of shape words x tags.

    A tag that only a teacher knows counts as ``O``. Raises UsageError where teachers see other words than each other.
    """
    stream = iter(readings)
    while some := list(islice(stream, Tagger.ahead)):
        told = [_tables(teacher, some, names) for teacher in teachers]
        for reading, tables in zip(some, zip(*told, strict=True), strict=True):
            if len({len(table) for table in tables}) > 1:
                raise UsageError(
                    f"teachers cut {reading.document.id} into {' and '.join(str(len(t)) for t in tables)} words: "
                    "take teachers whose encoders split words alike"
                )
            mean: Floats = np.mean(np.stack(tables), axis=0)
            yield mean.astype(np.float16)


def _tables(teacher: Tagger, readings: Sequence[Reading], names: Sequence[str]) -> list[Floats]:
    unknown = sorted({name[2:] for name in names} - {name[2:] for name in teacher.names})
    if unknown:
        raise UsageError(f"teacher {teacher.fingerprint} knows no {', '.join(unknown)}: take one that tags these")
    told, tables = teacher.names, [(np.exp(table), ranges) for _, ranges, table in teacher.scores(readings)]
    if scheme_of(names) != scheme_of(told):
        types = [name[2:] for name in told if name.startswith("B-")]
        told, tables = tag_names(types, "BIOES"), [(with_ends(table, ranges), ranges) for table, ranges in tables]
    place = {name: at for at, name in enumerate(names)}
    into = np.zeros((len(told), len(names)), dtype=np.float32)
    into[range(len(told)), [place.get(name, 0) for name in told]] = 1
    return [table @ into for table, _ in tables]


def with_ends(shares: Floats, sentences: Iterable[tuple[int, int]]) -> Floats:
    """Probabilities of BIO tags (words x tags) as ones of BIOES: what of a mention the next word does not go on ends.

    >>> with_ends(np.array([[0.0, 1.0, 0.0], [0.25, 0.0, 0.75]]), [(0, 2)]).tolist()
    [[0.0, 0.75, 0.0, 0.0, 0.25], [0.25, 0.0, 0.0, 0.75, 0.0]]
    """
    begun, within = shares[:, 1::2], shares[:, 2::2]
    after = np.zeros_like(within)
    for begin, end in sentences:
        after[begin : end - 1] = within[begin + 1 : end]
    goes_on = np.minimum(after / np.maximum(begun + within, 1e-9), 1)
    parts = np.stack([begun * goes_on, within * goes_on, within * (1 - goes_on), begun * (1 - goes_on)], axis=-1)
    return np.concatenate([shares[:, :1], parts.reshape(len(shares), -1)], axis=1)
