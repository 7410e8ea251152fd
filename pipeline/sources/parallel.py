"""Several files read at once by processes of their own, and handed on in order, as if they had been read one by one.

Each process reads one file at a time and is at most a bounded number of batches ahead of who consumes them; a process
that is killed costs the rest of its file, and no other. The processes are started from the command line of Python and
not by forking or by importing the caller's main module: so a plain script may use them, or a test, or a Prefect task.
They end when the caller does, however that comes about.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from operator import attrgetter
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, TypeAlias, cast

from pipeline import sources
from pipeline.sources.shared.unpack import printable
from pipeline.types import Document, Failure, Item, Section

Columns: TypeAlias = Mapping[str, str] | None

_BATCH = 1 << 16  # bytes
_AHEAD = 1_000  # batches that a process may be ahead: 64 MB
_START = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from pipeline.sources.parallel import work; work()"
_END = b""  # of a file
_LENGTH = 8  # bytes that say how many follow
_PIPE = 1 << 20  # bytes; the smaller, the more often both sides wait for each other
_GRACE = 5  # seconds

# As tuples, documents travel in a third of the time that they take as dataclasses.
_rest = attrgetter(*(column.name for column in fields(Document) if column.name != "sections"))


def read_many(
    paths: Iterable[str | Path], *, processes: int, columns: Columns = None
) -> Generator[tuple[Path, Iterator[Item]], None, None]:
    """Give each file, in the order of ``paths``, with its items, which are those of ``sources.read(path)``.

    With one process, or one file, it is read here. Items that are not consumed before the next file is asked for are
    passed over. Who leaves early should close the generator (:func:`contextlib.closing`), which ends the processes.

    >>> [(path.name, [item.reason for item in items]) for path, items in read_many(["no.xml", "no.ris"], processes=1)]
    [('no.xml', ['does not exist']), ('no.ris', ['does not exist'])]
    """
    files = [_File(Path(path)) for path in paths]
    if min(processes, len(files)) <= 1:
        yield from ((file.path, sources.read(file.path, columns=columns)) for file in files)
        return
    waiting: SimpleQueue[_File] = SimpleQueue()
    for file in files:
        waiting.put(file)
    readers = [_Reader(waiting, columns) for _ in range(min(processes, len(files)))]
    try:
        for file in files:
            yield file.path, file.items()
            for _ in file.packed():
                pass
    finally:
        for reader in readers:
            reader.stop()


@dataclass(slots=True)
class _File:
    """A file, and the batches of it that have come, each with what counts how far its process is ahead."""

    path: Path
    batches: SimpleQueue[tuple[bytes, threading.Semaphore]] = field(default_factory=SimpleQueue)
    ended: bool = False

    def packed(self) -> Iterator[bytes]:
        while not self.ended:
            packed, slots = self.batches.get()
            slots.release()
            self.ended = packed == _END
            if packed:
                yield packed

    def items(self) -> Iterator[Item]:
        count = 0
        for packed in self.packed():
            batch = pickle.loads(packed)  # noqa: S301  our own process made it
            if isinstance(batch, Exception):
                raise batch
            if isinstance(batch, str):
                yield Failure(printable(self.path), f"after record {count}" if count else "", batch)
            else:
                yield from map(_unpacked, batch)
                count += len(batch)


class _Reader:
    """A process that reads, and the thread that gives it one file after the other; a new process where one died."""

    def __init__(self, waiting: SimpleQueue[_File], columns: Columns) -> None:
        self._waiting, self._columns = waiting, columns
        self._slots = threading.Semaphore(_AHEAD)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="hypograph-reader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._starting:
            self._stopped = True
            if self._process:
                self._process.kill()
        self._slots.release(_AHEAD)  # the thread may be waiting for the consumer
        self._thread.join()
        self._buried()

    def _run(self) -> None:
        with suppress(Empty):
            while not self._stopped:
                file = self._waiting.get_nowait()
                for packed in self._read(file.path):
                    self._slots.acquire()
                    if self._stopped:  # nobody takes what is still in the pipe
                        return
                    file.batches.put((packed, self._slots))

    def _read(self, path: Path) -> Iterator[bytes]:
        """The batches of a file, and _END, whatever happens."""
        try:
            process = self._started()
            _send(cast("IO[bytes]", process.stdin), pickle.dumps((path, self._columns)))
            while packed := _receive(cast("IO[bytes]", process.stdout)):
                yield packed
        except (OSError, EOFError):
            code = self._buried()
            killed = f"its process was killed ({_signal(code)}), perhaps for want of memory: read it alone to see why"
            yield pickle.dumps(killed if code < 0 else RuntimeError(f"a reading process failed ({code}): see stderr"))
        yield _END

    def _started(self) -> subprocess.Popen[bytes]:
        with self._starting:
            if self._stopped:
                raise EOFError
            if not self._process:
                command = [sys.executable, "-P", "-c", _START, json.dumps(sys.path)]
                pipe = subprocess.PIPE
                self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, pipesize=_PIPE)
            return self._process

    def _buried(self) -> int:
        """Wait for a process that is about to end, and close what belongs to it; return how it ended."""
        process, self._process = self._process, None
        if not process:
            return 0
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        process.kill()
        with suppress(OSError), process:  # what was not sent is lost
            pass
        return process.returncode


def work() -> None:
    """The process: read the files that are named on standard input, and write their batches to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what becomes of us
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # so that nothing that a library prints gets between the answers
    tasks: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, tasks), daemon=True).start()
    with suppress(BrokenPipeError):
        while True:
            path, columns = pickle.loads(tasks.get())  # noqa: S301  the caller made it
            for batch in _batches(path, columns):
                _send(answers, _dumped(batch))
            _send(answers, _END)


def _listen(questions: IO[bytes], tasks: SimpleQueue[bytes]) -> None:
    """Take tasks until the caller is gone, which ends this process, whatever it is doing."""
    with suppress(EOFError):
        while True:
            tasks.put(_receive(questions))
    os._exit(0)


def _batches(path: Path, columns: Columns) -> Iterator[list[bytes] | Exception]:
    """The items of a file, some at a time, and what it raises."""
    batch, size = [], 0
    try:
        for item in sources.read(path, columns=columns):
            batch.append(_packed(item))  # at once, while it is in the processor's cache
            size += len(batch[-1])
            if size > _BATCH:
                yield batch
                batch, size = [], 0
    except Exception as error:  # noqa: BLE001  it is raised again where the items are consumed
        yield batch
        yield error
    else:
        yield batch


def _packed(item: Item) -> bytes:
    if isinstance(item, Document):
        sections = [(section.start, section.end, section.kind) for section in item.sections]
        return pickle.dumps((sections, *_rest(item)), pickle.HIGHEST_PROTOCOL)
    return pickle.dumps(item, pickle.HIGHEST_PROTOCOL)


def _unpacked(packed: bytes) -> Item:
    item = pickle.loads(packed)  # noqa: S301  our own process made it
    if isinstance(item, tuple):
        sections, id_, text, *rest = item
        return Document(id_, text, tuple([Section(*section) for section in sections]), *rest)
    found: Item = item
    return found


def _dumped(batch: list[bytes] | Exception) -> bytes:
    try:
        return pickle.dumps(batch, pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001  whatever an error that cannot be pickled raises
        return pickle.dumps(RuntimeError(f"{type(batch).__name__}: {batch}"))


def _send(stream: IO[bytes], payload: bytes) -> None:
    stream.write(len(payload).to_bytes(_LENGTH, "big") + payload)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes:
    length = stream.read(_LENGTH)
    size = int.from_bytes(length, "big")
    payload = stream.read(size)
    if len(length) < _LENGTH or len(payload) < size:
        raise EOFError
    return payload


def _signal(code: int) -> str:
    """
    >>> _signal(-9)
    'SIGKILL'
    """
    return signal.Signals(-code).name if code < 0 else str(code)
