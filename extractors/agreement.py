"""One name, one reading: what a tagger says of the same words is averaged over a document.

A sentence alone often does not tell what a name is; another sentence of the paper does. So each place of a name that
was found somewhere gets the mean of what all its places were given: the document-level consistency of Krishnan and
Manning (ACL 2006) without a second model. Nothing is to be tuned or learnt.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from extractors.tags import Floats


def agreed(words: Sequence[str], names: Collection[tuple[int, int]], table: Floats) -> Floats:
    """Log-probabilities (words x tags), those of all places of a name replaced by their mean.

    ``names`` are the ranges of words that were found to be mentions. Words in a longer mention are no place of a
    shorter name; capitals do not matter.

    >>> table = np.log([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]])
    >>> np.exp(agreed(["old", "Aspirin", "aspirin"], [(1, 2)], table)).round(2).tolist()
    [[0.9, 0.1], [0.6, 0.4], [0.6, 0.4]]
    """
    low = [word.lower() for word in words]
    longest = np.zeros(len(low), dtype=int)
    for first, last in names:
        longest[first:last] = last - first
    begins: dict[str, list[int]] = {low[first]: [] for first, _ in names}
    for at, word in enumerate(low):
        if word in begins:
            begins[word].append(at)
    done = table.copy()
    for name in sorted({tuple(low[first:last]) for first, last in names}, key=lambda name: (len(name), name)):
        size = len(name)
        same = [at for at in begins[name[0]] if tuple(low[at : at + size]) == name]
        places = [at for at in same if longest[at : at + size].max() <= size]
        if len(places) > 1:
            rows = np.add.outer(places, range(size))
            done[rows] = np.log(np.exp(table[rows]).mean(axis=0))
    return done
