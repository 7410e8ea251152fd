"""BERT out of a TensorFlow variables bundle, read without TensorFlow.

A bundle is an index and a data file. The index is a sorted string table of LevelDB: blocks of keys, each key without
the beginning that it shares with the one before, and a footer that says where the blocks are. A key is a variable's
name and its value a ``BundleEntryProto``: type, shape, and the place of its bytes in the data file. TensorFlow keeps
the kernel of a linear layer as in x out, torch its weight as out x in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError

MAGIC = bytes.fromhex("57fb808b247547db")
FOOTER = 48
FLOAT = 1  # DT_FLOAT among TensorFlow's types
WANTED = ("bert/embeddings/", "bert/encoder/", "cls/predictions/")
LAST = {"kernel": "weight", "gamma": "weight", "beta": "bias", "output_bias": "bias"}


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a variable's numbers lie in the data file."""

    type: int
    shape: tuple[int, ...]
    offset: int
    size: int


def read_bert(index: bytes, data: IO[bytes]) -> dict[str, NDArray[np.float32]]:
    """The encoder and the masked-language head of a bundle, by transformers' names.

    The pooler and the head that tells following sentences are left out. Raises InputError for what is no bundle of a
    BERT in float32, or is cut.
    """
    entries = {name: entry for name, entry in read_index(index).items() if _plain(name).startswith(WANTED)}
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, entry in sorted(entries.items(), key=lambda item: item[1].offset):  # a zip's member is read forwards
        data.seek(entry.offset)
        raw = data.read(entry.size)
        if entry.type != FLOAT or len(raw) != entry.size or entry.size != 4 * math.prod(entry.shape):
            raise InputError(f"bundle of variables: {name} is cut, or does not hold float32 numbers")
        array = np.frombuffer(raw, "<f4").reshape(entry.shape)
        tensors[torch_name(name)] = np.ascontiguousarray(array.T) if name.endswith("/kernel") else array
    if not tensors:
        raise InputError(f"bundle of variables: none of them is called {' or '.join(WANTED)}...: it holds no BERT")
    return tensors


def torch_name(name: str) -> str:
    """Name a variable of TensorFlow's BERT as transformers does.

    >>> torch_name("module/bert/encoder/layer_3/attention/self/query/kernel")
    'bert.encoder.layer.3.attention.self.query.weight'
    >>> torch_name("module/bert/embeddings/word_embeddings"), torch_name("module/cls/predictions/output_bias")
    ('bert.embeddings.word_embeddings.weight', 'cls.predictions.bias')
    """
    path, _, last = _plain(name).rpartition("/")
    last = f"{last}.weight" if last.endswith("_embeddings") else LAST.get(last, last)
    return f"{path}/{last}".replace("/layer_", "/layer.").replace("/", ".")


def read_index(index: bytes) -> dict[str, Entry]:
    """The variables of a bundle by name; raises InputError where the index is broken or compressed."""
    if not index.endswith(MAGIC):
        raise InputError("index of the bundle of variables: its end is not that of a table: it is cut or another file")
    try:
        _, _, at = _handle(index, len(index) - FOOTER)  # the first handle is that of an empty block of filters
        offset, size, _ = _handle(index, at)
        blocks = [_handle(value, 0) for _, value in _block(index, offset, size)]
        rows = [row for offset, size, _ in blocks for row in _block(index, offset, size)]
        return {key.decode(): _entry(value) for key, value in rows if key}  # the empty key holds the header
    except (IndexError, ValueError) as error:
        raise InputError(f"index of the bundle of variables is broken: {error}") from error


def _plain(name: str) -> str:
    return name.removeprefix("module/")


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block, which ends in a list of restart points that reading it all does not need."""
    if table[offset + size]:
        raise ValueError("a block is compressed")
    block = table[offset : offset + size]
    at, key = 0, b""
    while at < size - 4 * (int.from_bytes(block[-4:], "little") + 1):
        shared, at = _varint(block, at)
        fresh, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + fresh]
        yield key, block[at + fresh : at + fresh + length]
        at += fresh + length


def _entry(value: bytes) -> Entry:
    """A BundleEntryProto: 1 type, 2 shape (of 2 dimensions, of 1 size), 4 offset, 5 size; zeros are left out."""
    numbers: dict[int, int] = {}
    shape: list[int] = []
    for field, content in _fields(value):
        if isinstance(content, int):
            numbers[field] = content
        elif field == 2:
            shape += [dict(_sizes(axis)).get(1, 0) for number, axis in _messages(content) if number == 2]
    return Entry(numbers.get(1, 0), tuple(shape), numbers.get(4, 0), numbers.get(5, 0))


def _sizes(message: bytes) -> Iterator[tuple[int, int]]:
    return ((field, content) for field, content in _fields(message) if isinstance(content, int))


def _messages(message: bytes) -> Iterator[tuple[int, bytes]]:
    return ((field, content) for field, content in _fields(message) if isinstance(content, bytes))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and contents of a protocol buffer's fields."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
        elif kind in (1, 2, 5):
            length, at = _varint(message, at) if kind == 2 else (8 if kind == 1 else 4, at)
            yield key >> 3, message[at : at + length]
            at += length
        else:
            raise ValueError(f"a protocol buffer has a field of kind {kind}")


def _handle(table: bytes, at: int) -> tuple[int, int, int]:
    """Offset and size of a block, and where the next handle begins."""
    offset, at = _varint(table, at)
    size, at = _varint(table, at)
    return offset, size, at


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and where it ends."""
    value = shift = 0
    while message[at] & 0x80:
        value |= (message[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | message[at] << shift, at + 1
