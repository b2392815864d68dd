"""The ledgers of bulk operations: files that let a run go on where an earlier one ended.

A ledger is JSON Lines that only its owner may read. Its first line says which operation it is of, on which tables of
which account, and when it began. A line that was cut off, because the machine went down, does not count.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self

from auth_jwt.errors import Conflict, Invalid
from auth_jwt_cli.output import warn
from auth_jwt_cli.private_files import open_to_append

_HEADER: Final = "auth_jwt_bulk"


class LedgerFile:
    """A ledger, new or of an earlier run. A context manager; nobody else can use the file until its end.

    Args:
        path: the file.
        header: what this run is: an earlier run must have been exactly that.
        began: when this run begins, in UNIX seconds.
        doubt: why the header cannot tell whether an earlier run was the same; None if it can.

    Attributes:
        path: the file.
        began: when the first run began.
        is_of_earlier_run: whether there was one before this.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], *, began: int, doubt: str | None = None) -> None:
        self.path = path
        self.is_of_earlier_run = False
        self._header = {_HEADER: 1, **header}
        self._doubt = doubt
        self._lock = Lock()
        self._descriptor = -1
        self._lines: list[dict[str, Any]] = []
        self.began = began

    def __enter__(self) -> Self:
        """Open the file, read what is in it, and begin it if it is new.

        Raises:
            Invalid: the file cannot be written, or is no such ledger.
            Conflict: it is of another operation or of other tables, or may be; or another run uses it.
        """
        try:
            self._descriptor = open_to_append(self.path, tell=warn)
            self._read()
        except OSError as error:
            self._close()
            raise Invalid(f"the file {self.path} cannot be used ({error.strerror}); nothing was done") from None
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file."""
        self._close()

    def earlier(self) -> Iterator[dict[str, Any]]:
        """Give the lines of earlier runs, without the first line."""
        return iter(self._lines)

    def add(self, line: Mapping[str, Any]) -> None:
        """Write a line. It is in the file when this returns.

        Raises:
            Invalid: the file cannot be written.
        """
        octets = f"{json.dumps(line)}\n".encode()
        with self._lock:
            try:
                written = os.write(self._descriptor, octets)
            except OSError as error:
                raise Invalid(f"the file {self.path} cannot be written ({error.strerror})") from None
            if written != len(octets):
                raise Invalid(f"the file {self.path} cannot be written (no space is left)")

    def _read(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"another run uses the file {self.path}: wait until it ends") from None
        text = self.path.read_bytes()
        if not text:
            self.add({**self._header, "began": self.began})
            return
        first, *rest = text.split(b"\n")
        header = _object_in(first)
        if header is None or _HEADER not in header:
            raise Invalid(f"the file {self.path} is there, and is no ledger of a bulk operation: name another")
        began = header.pop("began", None)
        names = dict.fromkeys((*self._header, *header))
        differing = [name for name in names if header.get(name) != self._header.get(name)]
        if differing or not isinstance(began, int):
            what = ", ".join(f"{name} {header.get(name)!r}, not {self._header.get(name)!r}" for name in differing)
            raise Conflict(f"the file {self.path} is of another run: {what}; nothing was done: name another file")
        if self._doubt is not None:
            raise Conflict(f"{self._doubt}, so the file {self.path} may be of another one: name another file")
        self.began, self.is_of_earlier_run = began, True
        self._lines = [line for line in map(_object_in, rest) if line is not None]
        if not text.endswith(b"\n"):
            os.write(self._descriptor, b"\n")

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _object_in(octets: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(octets)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
