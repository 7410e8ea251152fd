"""Every error that Hypograph raises on purpose.

::

    HypographError                   base; its message says what was seen, where, and what to do
    ├── UsageError                   the caller asked for something impossible           exit 2
    │   ├── SettingsError            hypograph.toml or a flag is wrong
    │   ├── DomainError              a domain pack is missing or wrong
    │   └── QueryError               Cypher that is wrong, not read-only, or over a limit
    │       └── QueryTimeout         it ran longer than its time limit
    ├── InputError                   a file or folder as a whole cannot be used          exit 2
    │   ├── VocabularyError          a vocabulary file or index is broken
    │   ├── AdapterError             weights are missing, changed or of another encoder
    │   └── LedgerError              a ledger is broken, locked, or of a newer program
    ├── NotFound                     no entity, edge or document goes by that name       exit 2
    └── ServiceError                 a server (Neo4j, PostgreSQL, Prefect) is unreachable  exit 3

One document that cannot be read is no error but a :class:`pipeline.types.Failure` in the ledger.
"""

from __future__ import annotations


class HypographError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 2


class UsageError(HypographError):
    """The caller asked for something impossible."""


class SettingsError(UsageError):
    """A setting is unknown or has a wrong value."""


class DomainError(UsageError):
    """A domain pack is missing or wrong."""


class QueryError(UsageError):
    """A query is wrong, not read-only, or asks for too much."""


class QueryTimeout(QueryError):
    """A query ran longer than its time limit."""


class InputError(HypographError):
    """A file or folder as a whole cannot be used."""


class VocabularyError(InputError):
    """A vocabulary file or index is broken."""


class AdapterError(InputError):
    """Weights are missing, changed, or made for another encoder."""


class LedgerError(InputError):
    """A ledger is broken, locked, or of a newer program."""


class NotFound(HypographError):
    """No entity, edge or document goes by that name."""


class ServiceError(HypographError):
    """A server is unreachable or refuses the connection."""

    exit_code = 3
