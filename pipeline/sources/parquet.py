"""Parquet, batch by batch through pyarrow."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pipeline.sources.shared.stream import Stream, Unreadable

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

MAX_FILE = 512 << 20  # bytes of a file that is packed, and so must be held in memory
MAX_GROUP = 1 << 30  # bytes that the wanted columns of a row group may unpack to
_BATCH = 1000  # rows


def sniff(head: str) -> bool:
    return head.startswith("PAR1")


def opened(stream: Stream) -> ParquetFile:
    """Open a file, whose end says what it holds; raises Unreadable."""
    import pyarrow as pa  # noqa: PLC0415 -- takes a quarter of a second, and few readings hold a Parquet file
    from pyarrow import parquet  # noqa: PLC0415

    source = stream.path or _copy(stream)
    try:
        return parquet.ParquetFile(source)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unreadable(f"is no sound Parquet file: {str(error)[:200]}") from error


def rows(file: ParquetFile, columns: Sequence[int]) -> Iterator[tuple[object, ...]]:
    """The values of the columns at these positions, row by row."""
    import pyarrow as pa  # noqa: PLC0415

    names = [file.schema_arrow.names[column] for column in columns]
    _check_size(file, set(names))
    batches = file.iter_batches(batch_size=_BATCH, columns=names, use_threads=False)
    while True:
        try:
            batch = next(batches, None)
            values = [batch.column(name).to_pylist() for name in names] if batch else []
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise Unreadable(f"is a damaged Parquet file: {str(error)[:200]}") from error
        if not batch:
            return
        yield from zip(*values, strict=True)


def _copy(stream: Stream) -> io.BytesIO:
    data = stream.binary.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise Unreadable(f"is a packed Parquet file of more than {MAX_FILE:,} bytes: unpack it")
    return io.BytesIO(data)


def _check_size(file: ParquetFile, names: set[str]) -> None:
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        parts = (group.column(index) for index in range(group.num_columns))
        size = sum(part.total_uncompressed_size for part in parts if part.path_in_schema.split(".")[0] in names)
        if size > MAX_GROUP:
            raise Unreadable(f"unpacks a row group to {size:,} bytes: write it with smaller row groups")
