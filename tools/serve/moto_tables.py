"""moto's DynamoDB, made to keep every write that it confirms: one request after the other.

moto answers each request on a thread of its own and locks nothing. A condition holds when it is looked at, and no more
when the row is written; a sum is read twice before it is written; a transaction that fails puts back the whole table as
it was when it began, with what others wrote meanwhile. Here one request is worked on at a time, which costs nothing:
Python's threads would take turns anyway. What a slow client still sends, or still reads, holds nobody up.

And a transaction copies the rows that it touches, where moto copies the whole table for each: 100 rows by 100,000 are
10,000,000 copies.
"""

import copy
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

_ONE_AT_A_TIME = threading.RLock()
_answer_of_moto = DynamoHandler.call_action
_transact_of_moto = DynamoDBBackend.transact_write_items


def keep_every_write() -> None:
    """Make moto's DynamoDB so, in this process and from now on: behind a server, and in `mock_aws` alike."""
    models.copy = SimpleNamespace(deepcopy=_copied)  # type: ignore[assignment, attr-defined]
    DynamoDBBackend.transact_write_items = _transact  # type: ignore[assignment]
    DynamoHandler.call_action = _answer  # type: ignore[method-assign]


def _answer(handler: DynamoHandler) -> Any:  # noqa: ANN401 - whatever moto answers
    with _ONE_AT_A_TIME:  # the request has been read by then, and its answer is text when this is left
        return _answer_of_moto(handler)


def _copied(value: object) -> object:
    return value if isinstance(value, Table) else copy.deepcopy(value)


def _transact(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    before = [found for item in transact_items for part in item.values() for found in _found(backend, part)]
    try:
        _transact_of_moto(backend, transact_items)
    except Exception:
        for name, key, row in before:
            backend.delete_item(name, key)
            if row is not None:
                backend.put_item(name, row)
        raise


def _found(
    backend: DynamoDBBackend, part: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any] | None]]:
    """Yield the table, the key and a copy of the row that a *part* of a transaction is about; nothing if it names none.

    moto refuses such a part, and writes nothing of it.
    """
    name, given = part["TableName"], part.get("Key") or part.get("Item") or {}
    columns = backend.tables[name].table_key_attrs if name in backend.tables else []
    if columns and given.keys() >= set(columns):
        key = {column: given[column] for column in columns}
        item = backend.get_item(name, key)
        yield name, key, None if item is None else copy.deepcopy(item.to_json()["Attributes"])
