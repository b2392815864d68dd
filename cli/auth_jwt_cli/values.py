"""Values that a command generates and shows once: a secret, a token."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from auth_jwt.errors import Invalid
from auth_jwt_cli.connection import Connection
from auth_jwt_cli.output import NotShown, Part
from auth_jwt_cli.private_files import NewFile, describe_refusal


class GeneratedValue:
    """A generated value; it goes to standard output, or to a new file that only its owner may read.

    Use it as a context manager around the write. The file holds the value before the table does, so an interruption
    never loses the value of a written row. If certainly nothing was written, the file is deleted.

    Args:
        connection: the connection that writes the row.
        path: the new file; None means standard output.
        member: the name of the value in JSON.
    """

    def __init__(self, connection: Connection, path: Path | None, *, member: str = "value") -> None:
        self._connection = connection
        self._path = path
        self._member = member
        self._file: NewFile | None = None
        self._value: str | None = None

    def __enter__(self) -> Self:
        """Create the file, if a path is given.

        Raises:
            Invalid: the file exists already, or cannot be created.
        """
        if self._path is not None:
            try:
                self._file = NewFile(self._path)
            except OSError as error:
                raise Invalid(describe_refusal(self._path, error)) from None
            if self._connection.rehearses:  # now it is known that the file could be made
                self._file.forget()
                self._file = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """After an error: delete the file if no row has the value; otherwise tell where the value is."""
        if error is None:
            return
        if self._connection.last_write is None:
            if self._file is not None:
                self._file.forget()
        elif self._value is not None:
            place = "lost" if self._path is None else f"in {self._path}"
            self._connection.output.note(f"The {self._member} of what was, or may have been, written is {place}.")

    def hold(self, value: str) -> str:
        """Store the generated *value*, in the file if there is one, and return it.

        Raises:
            Invalid: the file cannot be written.
        """
        if self._file is not None:
            try:
                self._file.fill(f"{value}\n")
            except OSError as error:
                raise Invalid(f"the file of --out cannot be written ({error.strerror}); nothing was done") from None
        self._value = value
        return value

    def members(self) -> dict[str, Any]:
        """Return the JSON members: the value, or the path of the file that holds it."""
        if self._value is None:
            return {}
        return {self._member: self._value} if self._path is None else {f"{self._member}_file": str(self._path)}

    def show(self, document: Any, described: Part) -> None:  # noqa: ANN401 - any JSON value
        """Show the result of the command.

        A rehearsal shows none. As text, standard output gets the value alone, so that it can be piped; the rest goes to
        standard error.

        Raises:
            NotShown: standard output cannot be written.
        """
        if self._connection.rehearses:
            return
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
