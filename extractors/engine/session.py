"""Running a model over rows of pieces: sorted by length, batched without padding, on every processor core."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from extractors.processor import Processor
from extractors.tags import Floats, Row
from pipeline.errors import InputError, UsageError

In = TypeVar("In")
Out = TypeVar("Out")


class Engine:
    """A model of :mod:`extractors.engine.graph`, loaded; ``model`` is its file or its content.

    Batches run side by side in ``threads`` threads, 0 for one a core, each on one core: that wastes less than
    several cores to one batch. Results do not depend on the number of threads, nor on which rows come together.
    """

    def __init__(self, model: Path | bytes, *, cls_id: int, sep_id: int, threads: int = 0) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # it would keep one for each length and number of rows
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC  # more undoes what graph.py did
        source = model if isinstance(model, bytes) else str(model)
        try:
            self.session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # what onnxruntime throws has no common base
            where = "the model" if isinstance(model, bytes) else model
            raise InputError(f"{where} cannot be loaded: {error}: delete its file, it will be built anew") from error
        self.threads = threads or _cores()
        self.inputs = [node.name for node in self.session.get_inputs()]
        self.limits = {key: int(value) for key, value in self.session.get_modelmeta().custom_metadata_map.items()}
        self.ends = (cls_id, sep_id)

    def scores(self, rows: Sequence[Row], *, tokens: int = 512) -> Iterator[tuple[int, Floats]]:
        """Yield the number of each row, shortest first, with its scores (pieces x outputs).

        Batches hold at most ``tokens`` pieces, or one row; larger ones do not fit the processor's caches. Raises
        UsageError for a row that is too long, lacks an input, or holds a number that the model does not know.
        """
        for number, row in enumerate(rows):
            self._check(number, row)
        work = ((numbers, [rows[number] for number in numbers]) for numbers in by_length(rows, tokens))
        with ThreadPoolExecutor(self.threads) as pool:
            for numbers, found in ahead(pool, self._run, work, depth=2 * self.threads):
                yield from zip(numbers, found, strict=True)

    def _run(self, batch: tuple[list[int], list[Row]]) -> tuple[list[int], Floats]:
        numbers, rows = batch
        (found,) = self.session.run(None, {name: self._input(name, rows) for name in self.inputs})
        return numbers, found[:, 1:-1]

    def _input(self, name: str, rows: Sequence[Row]) -> npt.NDArray[Any]:
        filled = np.zeros((len(rows), len(rows[0]) + 2), dtype=np.int32)
        if name == "ids":
            filled[:, 0], filled[:, -1] = self.ends
        filled[:, 1:-1] = [getattr(row, name) for row in rows]
        return filled

    def _check(self, number: int, row: Row) -> None:
        longest = self.limits.get("length", len(row) + 2) - 2
        if len(row) > longest:
            raise UsageError(f"row {number}: {len(row)} pieces, the model sees {longest} at once: cut it into windows")
        for name in self.inputs:
            given = getattr(row, name)
            if len(given) != len(row):
                raise UsageError(f"row {number}: the model wants {name}, one number for each of {len(row)} pieces")
            if name in self.limits and len(row) and not 0 <= min(given) <= max(given) < self.limits[name]:
                raise UsageError(
                    f"row {number}: {name} from {min(given)} to {max(given)}, but the model knows 0 to "
                    f"{self.limits[name] - 1}: cut the text by the tokenizer of the same encoder"
                )


def choose_precision(processor: Processor) -> Literal["int8", "int7"]:
    """int8 where products of 8-bit numbers are summed up in 32 bits, else weights of seven bits, which need 16.

    >>> choose_precision(Processor("AMD EPYC", avx2=True, avx512=True, vnni=True))
    'int8'
    """
    return "int8" if processor.vnni or processor.neon else "int7"


def by_length(rows: Sequence[Row], tokens: int) -> Iterator[list[int]]:
    """Numbers of rows of one length, as many as hold at most ``tokens`` pieces together, shortest first.

    >>> list(by_length([Row([7]), Row([7, 8]), Row([9])], tokens=8))
    [[0, 2], [1]]
    """
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    for length, group in groupby(order, key=lambda number: len(rows[number])):
        numbers = list(group)
        size = max(1, tokens // (length + 2))
        yield from (numbers[at : at + size] for at in range(0, len(numbers), size))


def ahead(pool: ThreadPoolExecutor, work: Callable[[In], Out], items: Iterable[In], *, depth: int) -> Iterator[Out]:
    """What ``map`` gives, computed in the pool, at most ``depth`` items before they are asked for."""
    waiting: deque[Future[Out]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _cores() -> int:
    """How many cores this process may use; macOS tells only how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
