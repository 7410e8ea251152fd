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

    ``names`` are the ranges of words that were found to be mentions, none over another. A place of a name cuts no
    mention and has no word of a longer name's place: words in a longer mention are no place of a shorter name.
    Capitals do not matter.

    >>> table = np.log([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]])
    >>> np.exp(agreed(["old", "Aspirin", "aspirin"], [(1, 2)], table)).round(2).tolist()
    [[0.9, 0.1], [0.6, 0.4], [0.6, 0.4]]
    """
    low = [word.lower() for word in words]
    free = np.ones(len(low), dtype=bool)
    inside = np.zeros(len(low) + 1, dtype=bool)
    for first, last in names:
        inside[first + 1 : last] = True
    begins: dict[str, list[int]] = {low[first]: [] for first, _ in names}
    for at, word in enumerate(low):
        if word in begins:
            begins[word].append(at)
    done = table.copy()
    for name in sorted({tuple(low[first:last]) for first, last in names}, key=lambda name: (-len(name), name)):
        places = []
        for at in begins[name[0]]:
            end = at + len(name)
            if tuple(low[at:end]) == name and free[at:end].all() and not (inside[at] or inside[end]):
                free[at:end] = False
                places.append(at)
        if len(places) > 1:
            rows = np.add.outer(places, range(len(name)))
            done[rows] = np.log(np.exp(table[rows]).mean(axis=0))
    return done
