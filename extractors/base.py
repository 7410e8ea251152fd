"""The seam of reading: an extractor takes readings and returns fuller ones.

Mentions first, relations later: ``relate(link(find(split(documents))))``. An extractor never changes the text and
keeps the order of the documents. It drops nothing that it was given, but for names that the dictionary found and the
tagger does not believe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from pipeline.types import Reading


class Extractor(Protocol):
    """Adds mentions, relations or marks to readings.

    ``fingerprint`` is ``name@hash`` of all that its output depends on (rules, weights, thresholds, its version), so
    that equal fingerprints mean equal output. The name before the ``@`` is what reliability is set for.
    """

    @property
    def fingerprint(self) -> str: ...

    def __call__(self, readings: Iterable[Reading]) -> Iterator[Reading]: ...
