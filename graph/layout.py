"""Where the nodes of a picture lie: computed once, the same everywhere, so that the picture opens at once.

Each connected part is laid out by forces (Fruchterman and Reingold, Softw Pract Exp 1991), loosened where nodes would
cover each other, and the parts are packed in rows, the largest first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import networkx as nx
import numpy as np
import numpy.typing as npt

Points: TypeAlias = npt.NDArray[np.float64]

SPACING = 90.0  # pixels between neighbours at zoom 1: room for a node and its label
WIDER = 1.15  # labels are wide and screens too
SEED = 1986


def lay_out(graph: Any) -> dict[str, tuple[int, int]]:
    """Whole pixels for each node of a networkx graph; directions and parallel edges have no say.

    >>> sorted(lay_out(nx.Graph([("a", "b"), ("c", "d")]))) == ["a", "b", "c", "d"]
    True
    """
    simple = nx.Graph()
    simple.add_nodes_from(sorted(graph))
    simple.add_edges_from(sorted({tuple(sorted(pair)) for pair in graph.edges() if pair[0] != pair[1]}))
    parts = sorted((sorted(part) for part in nx.connected_components(simple)), key=lambda part: (-len(part), part))
    boxes = [_loosen(_spread(simple.subgraph(part), part)) for part in parts]
    corners = _pack([np.ptp(box, axis=0) + SPACING * np.array([WIDER, 1.0]) for box in boxes])
    return {
        name: (round(x), round(y))
        for part, box, corner in zip(parts, boxes, corners, strict=True)
        for name, (x, y) in zip(part, (box - box.min(axis=0) + corner).tolist(), strict=True)
    }


def _spread(graph: Any, order: list[str]) -> Points:
    """Force-directed places of one connected part; the area grows with the number of nodes."""
    # A fresh graph in sorted order, as a subgraph view iterates in the order of a set.
    part = nx.Graph()
    part.add_nodes_from(order)
    part.add_edges_from(sorted(tuple(sorted(pair)) for pair in graph.edges()))
    places = nx.spring_layout(part, k=2.2 / len(order) ** 0.5, iterations=150, seed=SEED, method="force")
    disc = _even(np.array([places[name] for name in order]))
    return np.asarray(disc * (SPACING * 0.75 * len(order) ** 0.5) * np.array([WIDER, 1.0]))


def _even(points: Points) -> Points:
    """Move points along their rays so that they fill a disc of radius 1 evenly.

    Forces crowd the middle and throw the leaves far out; halfway between their radius and the even one keeps both
    the shape and the room.
    """
    points = points - points.mean(axis=0)
    radius = np.linalg.norm(points, axis=1)
    if len(points) < 4 or not radius.min() > 0:
        return np.asarray(points / max(radius.max(), 1e-9))
    even = np.sqrt((np.argsort(np.argsort(radius, kind="stable")) + 0.5) / len(points))
    wanted = 0.3 * radius / radius.max() + 0.7 * even
    return np.asarray(points * (wanted / radius)[:, None])


def _loosen(points: Points, *, rounds: int = 60) -> Points:
    """Push apart what is closer than a label needs: wide, but not high."""
    room = np.array([SPACING, SPACING * 0.55])
    for _ in range(rounds):
        gap = (points[:, None] - points[None]) / room
        distance = np.hypot(gap[:, :, 0], gap[:, :, 1])
        close = (distance > 0) & (distance < 1)
        if not close.any():
            break
        push = np.where(close, (1 - distance) / np.where(close, distance, 1), 0.0)
        points = points + 0.5 * (gap * push[:, :, None]).sum(axis=1) * room
    return points


def _pack(sizes: Iterable[Points]) -> list[Points]:
    """Upper left corners of boxes set in rows, each row as high as its highest box."""
    boxes = list(sizes)
    area = sum(float(size.prod()) for size in boxes)
    limit = max([(area * WIDER) ** 0.5, *(float(size[0]) for size in boxes)])
    corners, x, y, height = [], 0.0, 0.0, 0.0
    for width, tall in (size.tolist() for size in boxes):
        if x and x + width > limit:
            x, y, height = 0.0, y + height, 0.0
        corners.append(np.array([x, y]))
        x, height = x + width, max(height, tall)
    return corners
