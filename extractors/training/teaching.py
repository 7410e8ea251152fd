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
from extractors.tags import Floats
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
    unknown = sorted(set(names) - set(teacher.names))
    if unknown:
        raise UsageError(f"teacher {teacher.fingerprint} knows no {', '.join(unknown)}: take one that tags these")
    place = {name: at for at, name in enumerate(names)}
    into = np.zeros((len(teacher.names), len(names)), dtype=np.float32)
    into[range(len(teacher.names)), [place.get(name, 0) for name in teacher.names]] = 1
    return [np.exp(table) @ into for _, _, table in teacher.scores(readings)]
