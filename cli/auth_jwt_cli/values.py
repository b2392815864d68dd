"""Values made here, shown once: a generated secret, a minted token."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import RenderableType

from auth_jwt.errors import Invalid
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.output import NotShown
from auth_jwt_cli.private_files import NewFile


class GeneratedValue:
    """Where a value goes that is made here: to standard output, or to a new file that only its owner may read.

    As a context manager it goes around the write. The value is in its file before the table has it, so that nothing
    that ends the command in between loses the value of a row; the file is gone if surely nothing was written.

    Args:
        connection: by which it is written.
        path: of the file; None is standard output.
        member: what the value is called in JSON.
    """

    def __init__(self, connection: Connection, path: Path | None, *, member: str = "value") -> None:
        self._connection = connection
        self._path = path
        self._member = member
        self._file: NewFile | None = None
        self._value: str | None = None

    def __enter__(self) -> Self:
        """Make the file, if there is to be one.

        Raises:
            Invalid: it is there already, or cannot be made.
        """
        if self._path is not None:
            try:
                self._file = NewFile(self._path)
            except OSError as error:
                raise Invalid(f"the file of --out cannot be made: {error.strerror}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take the file away if the value in it is in no table; say where the value is if it may be in one."""
        if error is None:
            return
        if self._connection.last_write is None:
            if self._file is not None:
                self._file.forget()
        elif self._value is not None:
            place = "lost" if self._path is None else f"in {self._path}"
            self._connection.output.note(f"The {self._member} of what was, or may have been, written is {place}.")

    def hold(self, value: str) -> str:
        """Take in what was made, and return it.

        Raises:
            Invalid: its file cannot be written.
        """
        if self._file is not None:
            try:
                self._file.fill(f"{value}\n")
            except OSError as error:
                raise Invalid(f"the file of --out cannot be written ({error.strerror}); nothing was done") from None
        self._value = value
        return value

    def members(self) -> dict[str, Any]:
        """Return what JSON tells of it: the value, or the file that holds it."""
        if self._value is None:
            return {}
        return {self._member: self._value} if self._path is None else {f"{self._member}_file": str(self._path)}

    def show(self, document: Any, described: RenderableType) -> None:  # noqa: ANN401 - any JSON value
        """Show the result of the command.

        To people the value stands alone on standard output, so that it can be piped, and all else is beside it.

        Raises:
            NotShown: standard output does not take it.
        """
        output = self._connection.output
        if self._value is None or self._path is not None:
            output.show(document, described)
        else:
            if not output.as_json:
                output.aside(described)
            try:
                output.show(document, self._value)
            except NotShown as problem:
                raise NotShown(problem.reason, is_unread=problem.is_unread, lost=self._member) from None
            output.note(f"This {self._member} is not shown again.")
        if self._value is not None and self._path is not None:
            output.note(f"The {self._member} is in {self._path}, which only its owner may read.")
