"""moto's transactions of DynamoDB, as quick by a large table as by a small one.

For each item of a transaction moto copies the whole table, so as to be able to go back: 100 items by 100,000 rows are
10,000,000 copies, and what others write meanwhile is lost with a transaction that fails. Here the items touched are
copied, and one transaction is made after the other. What moto makes of the items themselves stays as it is.
"""

import copy
import threading
from types import SimpleNamespace
from typing import Any

from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

_ONE_AT_A_TIME = threading.RLock()
_of_moto = DynamoDBBackend.transact_write_items


def make_transactions_quick() -> None:
    """Make them so, in this process and from now on."""
    models.copy = SimpleNamespace(deepcopy=_copied)  # type: ignore[assignment, attr-defined]
    DynamoDBBackend.transact_write_items = _transact  # type: ignore[assignment]


def _copied(value: object) -> object:
    return value if isinstance(value, Table) else copy.deepcopy(value)


def _transact(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    with _ONE_AT_A_TIME:
        before = [_found(backend, part) for item in transact_items for part in item.values()]
        try:
            _of_moto(backend, transact_items)
        except Exception:
            for name, key, found in before:
                backend.delete_item(name, key)
                if found is not None:
                    backend.put_item(name, found)
            raise


def _found(backend: DynamoDBBackend, part: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any] | None]:
    """Return the table, the key and a copy of the item that a *part* of a transaction is about."""
    name = part["TableName"]
    given = part.get("Key") or part["Item"]
    key = {column: given[column] for column in backend.get_table(name).table_key_attrs}
    item = backend.get_item(name, key)
    return name, key, None if item is None else copy.deepcopy(item.to_json()["Attributes"])
