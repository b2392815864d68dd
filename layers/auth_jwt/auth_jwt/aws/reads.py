"""How the tables are read: in a thread of its own, with one deadline for a request, and one retry.

Column names are always sent as placeholders and tags as values, so DynamoDB never reads a column name or a tag as a
part of an expression.
"""

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from threading import Semaphore, Thread
from typing import Any, Final, Generic, TypeVar

from auth_jwt.aws.client import Client
from auth_jwt.aws.failures import translated_errors
from auth_jwt.errors import Fault, Unreachable
from auth_jwt.models import Half, Row
from auth_jwt.ports import Deadline, HalfRead

_PAUSE_SECONDS: Final = 0.05
_SHORTEST_ATTEMPT_SECONDS: Final = 0.1
_MAX_READERS: Final = 16

_T = TypeVar("_T")
_U = TypeVar("_U")


class Readers:
    """Starts reads in threads of their own, `_MAX_READERS` at most at a time."""

    def __init__(self) -> None:
        self._free = Semaphore(_MAX_READERS)

    def start(self, deadline: Deadline, read: Callable[[], _T]) -> "ThreadedRead[_T]":
        """Start *read*, as soon as a thread is free. Without one by *deadline*, the read has failed."""
        return ThreadedRead(self._free, deadline, read)


class ThreadedRead(Generic[_T]):
    """A read in a thread of its own, so that the request never waits for it longer than the deadline.

    After the deadline nobody waits for the thread: it ends when its client gives up, by time limits of its own.
    (`concurrent.futures` could do the same, but it loads logging at every cold start.)
    """

    def __init__(self, readers: Semaphore, deadline: Deadline, read: Callable[[], _T]) -> None:
        self._readers = readers
        self._read = read
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="dynamodb", daemon=True)
        if not readers.acquire(timeout=deadline.seconds_left()):
            self._error = Unreachable("the tables did not answer earlier reads in time (STORE_TIMEOUT_MS)")
            return
        try:
            self._thread.start()
        except RuntimeError as error:
            readers.release()
            self._error = Unreachable("no thread can be started to read the tables")
            self._error.__cause__ = error

    def result_or_fault(self, deadline: Deadline) -> _T | Fault:
        """Return what was read, or the fault for which it was not."""
        try:
            return self.result(deadline)
        except Fault as failure:
            return failure

    def result(self, deadline: Deadline) -> _T:
        """Return what was read.

        Raises:
            Unreachable: the read did not end in time.
            Fault: the read failed.
        """
        if self._thread.ident is not None:  # the thread was started
            self._thread.join(deadline.seconds_left())
        if self._thread.is_alive():
            raise Unreachable("the tables did not answer in time (STORE_TIMEOUT_MS)")
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._read()
        except BaseException as error:  # noqa: BLE001 - `result` raises it
            self._error = error
        finally:
            self._readers.release()


def ask_with_retry(action: str, deadline: Deadline, ask: Callable[[], _T]) -> _T:
    """Return what *ask* returns. When it is unreachable, ask once more if enough time is left.

    The first attempt may take all the time. A second one follows only when the first failed early: by a refused or
    broken connection, an error, or half an answer.

    Args:
        action: what is asked, for the messages of errors.
        deadline: when to give up.
        ask: asks once.

    Raises:
        Fault: the last attempt failed.
    """
    try:
        with translated_errors(action):
            return ask()
    except Unreachable:
        if deadline.seconds_left() < _PAUSE_SECONDS + _SHORTEST_ATTEMPT_SECONDS:
            raise
    time.sleep(_PAUSE_SECONDS)
    with translated_errors(action):
        return ask()


def get_row(
    client: Client, table: str, key: Mapping[str, str], names: dict[str, str], deadline: Deadline, *, consistent: bool
) -> Row | None:
    """Return the row of *table* with this *key*, or None when there is none.

    Args:
        client: asks DynamoDB.
        table: name of the table.
        key: its key columns, each with its text.
        names: the columns to read, as `placeholders` returns them.
        deadline: when to give up.
        consistent: whether the read must see every acknowledged write.

    Raises:
        Fault: the row could not be read.
    """
    answer = ask_with_retry(
        f"dynamodb:GetItem on table {table!r}",
        deadline,
        lambda: client.get_item(
            TableName=table,
            Key={column: {"S": text} for column, text in key.items()},
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
            ConsistentRead=consistent,
        ),
    )
    item = answer.get("Item")
    return None if item is None else row_of(item)


def join_halves(profile: _T | Fault, secrets: _U | Fault, make: Callable[..., object]) -> Any:  # noqa: ANN401 - what *make* returns
    """Return what *make* makes of both halves: what was read of the profiles table, and of the secrets table.

    Raises:
        HalfRead: only one table was read. *make* then gets one half alone.
        Fault: neither table was read.
    """
    if not isinstance(profile, Fault):
        if not isinstance(secrets, Fault):
            return make(profile, secrets)
        raise HalfRead(Half.PROFILE, make(profile), secrets)
    if not isinstance(secrets, Fault):
        raise HalfRead(Half.SECRETS, make(None, secrets), profile)
    # A fault that an operator must fix is raised rather than an outage that may pass by itself.
    raise secrets if isinstance(profile, Unreachable) and not isinstance(secrets, Unreachable) else profile


def placeholders(columns: list[str]) -> dict[str, str]:
    """Return a placeholder for each distinct column, in the form of `ExpressionAttributeNames`."""
    return {f"#c{number}": column for number, column in enumerate(dict.fromkeys(columns))}


def placeholder_of(column: str, names: Mapping[str, str]) -> str:
    """Return the placeholder of a *column* among *names*."""
    return next(placeholder for placeholder, name in names.items() if name == column)


def row_of(item: Mapping[str, Any]) -> Row:
    """Turn an *item* of DynamoDB into a row."""
    return {column: _value(typed) for column, typed in item.items()}


def _value(typed: Mapping[str, Any]) -> object:
    """Turn an attribute value into text, Decimal (with all digits), boolean or None. Other types stay unchanged."""
    ((kind, value),) = typed.items()
    if kind == "N":
        return Decimal(value)
    if kind == "NULL":
        return None
    return value if kind in ("S", "BOOL") else typed
