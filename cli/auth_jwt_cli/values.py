"""Values made here, shown once: a generated secret, a minted token."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import RenderableType

from auth_jwt.errors import Fault, Invalid
from auth_jwt_cli.output import NewFile, Output


class GeneratedValue:
    """Where a value goes that is made here: to standard output, or to a new file that only its owner may read.

    As a context manager it goes around the write: the file is there before it, and is gone if it fails.

    Args:
        output: of the command.
        path: of the file; None is standard output.
        member: what the value is called in JSON.
    """

    def __init__(self, output: Output, path: Path | None, *, member: str = "value") -> None:
        self._output = output
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
        """Take the file away if nothing was put into it."""
        if self._file is not None and self._value is None:
            self._file.forget()

    def hold(self, value: str | None) -> None:
        """Take in what was made; None when nothing was.

        Raises:
            Fault: its file cannot be written.
        """
        if value is None:
            return
        self._value = value
        if self._file is not None:
            try:
                self._file.fill(f"{value}\n")
            except OSError as error:
                raise Fault(
                    f"the {self._member} was made, but its file cannot be written ({error.strerror}), so it is lost: "
                    "take it back"
                ) from None

    def members(self) -> dict[str, Any]:
        """Return what JSON tells of it: the value, or the file that holds it."""
        if self._value is None:
            return {}
        return {self._member: self._value} if self._path is None else {f"{self._member}_file": str(self._path)}

    def show(self, document: Any, described: RenderableType) -> None:  # noqa: ANN401 - any JSON value
        """Show the result of the command.

        To people the value stands alone on standard output, so that it can be piped, and all else is beside it.
        """
        output = self._output
        if self._value is None or self._path is not None:
            output.show(document, described)
        else:
            if not output.as_json:
                output.aside(described)
            output.show(document, self._value)
            output.note(f"This {self._member} is not shown again.")
        if self._value is not None and self._path is not None:
            output.note(f"The {self._member} is in {self._path}, which only its owner may read.")
